/** What runs to put local `SET`s back that an earlier one of the peer's took the place of (`overwritten-sets.ts`). */

import type { OverwrittenSet } from '../local-writes/overwritten-sets.js';
import { touches } from '../local-writes/local-changes.js';
import { isAbove } from '../pieces/piece.js';
import { LACK } from '../protocol/messages/state-request.js';
import { isSet } from '../protocol/payload.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { KeyNames } from '../redis/keys.js';
import { say, type EpilogueCommand } from './epilogue.js';
import type { AppendedChanges } from './plan-options.js';
import type { PlannerMemory } from './planner-memory.js';

export interface PutBack {
  readonly sets: readonly OverwrittenSet[];
  /** As of a batch (`plan-batch.ts`). */
  readonly plan: {
    readonly payload: readonly Buffer[];
    readonly commands: number;
    readonly epilogue: readonly EpilogueCommand[];
    readonly decided: number;
  };
}

export interface PutBackOptions {
  readonly site: string;
  readonly peer: string;
  readonly keys: KeyNames;
  readonly memory: Pick<PlannerMemory, 'unseen' | 'changes'>;
  readonly appended: AppendedChanges;
}

/** Keys in one transaction. */
const MOST_KEYS = 256;

/**
 * The plan for the sets that have waited longest. A value that is not to be had any more, or that may be the wrong one, is asked for.
 * @param sets with all that capture has read taken into account
 * @param timestamp of the request
 */
export async function putBack(
  sets: readonly OverwrittenSet[],
  timestamp: number,
  { site, peer, keys, memory, appended }: PutBackOptions,
  signal: AbortSignal,
): Promise<PutBack> {
  const part = sets.slice(0, MOST_KEYS);
  const sequences = part.map(({ key, through }) =>
    memory.unseen.newestOn(key, { seen: 0, decided: through }),
  );
  await appended.waitFor(Math.max(0, ...sequences), signal);
  const decided = appended.appendedThrough;
  const payload: Buffer[] = [];
  const asked: PlacedKey[] = [];
  for (const [at, { key, theirTimestamp }] of part.entries()) {
    const command = await setAt(key, sequences[at]!);
    if (command && isAbove({ timestamp: command.timestamp, site }, { timestamp: theirTimestamp, site: peer }))
      payload.push(encodeCommand(['SELECT', key.database]), encodeCommand(command.args));
    else asked.push(key);
  }
  const bytes = asked.length > 0 ? [say({ timestamp, lack: LACK.localWrites, keys: asked }, keys)] : [];
  const epilogue = bytes.map((one) => ({ bytes: one, purpose: 'request' as const, keys: asked }));
  return { sets: part, plan: { payload, commands: payload.length, epilogue, decided } };

  /** The `SET` that a local change is on a key; undefined where it is another command, or in the change list no more. */
  async function setAt(
    key: PlacedKey,
    sequence: number,
  ): Promise<{ readonly timestamp: number; readonly args: readonly Buffer[] } | undefined> {
    const madeAt = sequence === 0 ? undefined : appended.timestampOf(sequence);
    if (madeAt === undefined) return undefined;
    const commands = (await memory.changes.commandsOf(sequence)).filter((one) => touches(one, key));
    const [command] = commands;
    return commands.length === 1 && isSet(command!) ? { timestamp: madeAt, args: command!.args } : undefined;
  }
}
