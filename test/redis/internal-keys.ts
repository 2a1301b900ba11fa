import type { Redis } from 'ioredis';
import { type Batch, encodeBatch } from '../../src/protocol/batch.js';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { runScript } from '../../src/lua/scripts.js';
import { keyNames } from '../../src/redis/keys.js';

/** For tests of one stage or one script: the keys of site east of a pair called test, whose peer is west. */
export const PAIR = 'test';
export const KEYS = keyNames({ prefix: 'tandem', pair: PAIR });
export const TOKEN = 1;
export const EPOCH = 1;
export const INBOX_LIMIT = 10_000;

/** Empties the server, and makes the keys as a process finds them that works there for the first time. */
export async function openFresh(client: Redis, site: 'east' | 'west' = 'east'): Promise<void> {
  await client.flushall();
  await client.set(KEYS.fence, TOKEN);
  const peer = site === 'east' ? 'west' : 'east';
  // Epoch and next of a new history, then nothing remembered: applied, replid, offset, database, seen, clock, last, trimmed, bytes, noted.
  const remembered = [EPOCH, 1, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, 0, ''];
  await runScript(
    client,
    'open-state',
    [KEYS.state, KEYS.received, KEYS.applied, KEYS.fence, KEYS.site, KEYS.inbox],
    [
      TOKEN,
      `${PAIR}/${peer}`,
      INBOX_LIMIT,
      PAIR,
      site,
      '0',
      Date.now(),
      ...remembered,
      'born',
      'largest',
      2 ** 29,
    ],
  );
}

/** A batch of west's: `changes` single commands, each an `RPUSH list <sequence>` unless others are given. */
export function batchOf(
  first: number,
  changes: number,
  { commands, ...details }: Partial<Batch> & { commands?: number; of?: (string | Buffer)[][] } = {},
): Buffer {
  const { of, ...fields } = details;
  const made = of ?? Array.from({ length: changes }, (_, index) => ['RPUSH', 'list', String(first + index)]);
  return encodeBatch({
    pair: PAIR,
    origin: 'west',
    epoch: EPOCH,
    first,
    changes,
    commands: commands ?? made.length + 1,
    timestamp: Date.now() * 1024,
    seenEpoch: EPOCH,
    seen: 0,
    special: 0,
    groups: [],
    payload: Buffer.concat([['SELECT', '0'], ...made].map((command) => encodeCommand(command))),
    ...fields,
  });
}

/** Delivers a batch of west's as its courier does; gives the verdict. */
export async function deliver(
  client: Redis,
  batch: Buffer,
  {
    first,
    last,
    epoch = EPOCH,
    origin = `${PAIR}/west`,
    isOldest = false,
  }: { first: number; last: number; epoch?: number; origin?: string; isOldest?: boolean },
): Promise<unknown[]> {
  return (await runScript(
    client,
    'deliver-batch',
    [KEYS.received, KEYS.inbox],
    [origin, epoch, first, last, batch, isOldest ? '' : first - 1],
  )) as unknown[];
}
