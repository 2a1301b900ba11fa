import type { Config } from '../config/config.js';
import { usableBytes } from '../redis/server-memory.js';
import type { ServerFacts } from '../redis/server-facts.js';
import type { Verdict } from './finding.js';

/** Whether what Tandem may store fits beside the data. `waitingBytes`: what of it is stored already, in change list and inbox. */
export function judgeMemory(
  facts: Pick<ServerFacts, 'memory' | 'backlogBytes' | 'backlogHeldBytes'>,
  { changesBytes, inboxBytes }: Pick<Config, 'changesBytes' | 'inboxBytes'>,
  waitingBytes: number,
): Verdict {
  const { memory, backlogBytes, backlogHeldBytes } = facts;
  const name = 'memory';
  if (memory === null) return { name, outcome: 'skipped', message: 'the server does not tell its maxmemory' };
  if (memory.maxmemoryBytes === 0) return { name, outcome: 'pass', message: 'no maxmemory' };
  const backlog = backlogBytes ?? 0;
  const data = Math.max(0, memory.usedBytes - waitingBytes - backlogHeldBytes);
  const room = Math.floor(usableBytes(memory)) - data - backlog - inboxBytes;
  const parts = `data of ${mebibytes(data)}, changesBytes ${mebibytes(changesBytes)}, inboxBytes ${mebibytes(inboxBytes)} and repl-backlog-size ${mebibytes(backlog)}`;
  if (room >= changesBytes)
    return {
      name,
      outcome: 'pass',
      message: `maxmemory ${mebibytes(memory.maxmemoryBytes)} has room for ${parts}`,
    };
  return {
    name,
    outcome: 'warn',
    message: `maxmemory ${mebibytes(memory.maxmemoryBytes)}, less a tenth for writes to come, has no room for ${parts}: changes for a peer that is away are dropped before changesBytes`,
    advice:
      room > 0
        ? `Set changesBytes to ${mebibytes(room)} or less, or raise maxmemory.`
        : 'Raise maxmemory, or set inboxBytes or repl-backlog-size lower.',
  };
}

function mebibytes(bytes: number): string {
  return `${Math.floor((bytes / 2 ** 20) * 10) / 10} MiB`;
}
