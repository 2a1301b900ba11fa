import { randomUUID } from 'node:crypto';
import { SENTINEL_PREFIX } from './dataset.js';
import type { Pair, Site } from './pair.js';
import { type WaitOptions, until } from './wait.js';

/**
 * A write in answer to an applied one (a state transfer, and what asked for it) is behind the sentinel that followed
 * the first: the third round is behind all of them.
 */
const ROUNDS = 3;
/** Keys that were too hot to be watched are asked for to and fro, until both sites can look at them. */
export const ROUNDS_WHEN_HOT = 8;

const REWRITE_MS = 200;

/**
 * Resolves when everything written at both sites before the call, and all that it caused, has been applied on the other:
 * changes arrive in order, so a sentinel that has arrived comes after them. Nobody may write meanwhile.
 * Rejects at once if one of the processes has ended.
 */
export async function quiet(
  pair: Pick<Pair, 'east' | 'west'>,
  { rounds = ROUNDS, ...wait }: WaitOptions & { rounds?: number } = {},
): Promise<void> {
  const { east, west } = pair;
  const deadlineMs = wait.deadlineMs ?? 20_000;
  const end = Date.now() + deadlineMs;
  for (let round = 0; round < rounds; round++) {
    const left = { ...wait, deadlineMs: Math.max(1, end - Date.now()) };
    await Promise.all([cross(east, west, left), cross(west, east, left)]);
  }
}

/**
 * Resolves when a change made after the call has crossed. The sentinel is written anew until it has: what is written
 * before a process reads the replication stream for the first time does not cross.
 */
async function cross(from: Site, to: Site, wait: WaitOptions): Promise<void> {
  const key = SENTINEL_PREFIX + from.name;
  const prefix = `${randomUUID()}:`;
  let writtenAt = -Infinity;
  const arrived = async (): Promise<'arrived' | 'ended' | undefined> => {
    if (!from.running || !to.running) return 'ended';
    if (performance.now() - writtenAt > REWRITE_MS) {
      writtenAt = performance.now();
      await from.redis.set(key, prefix + writtenAt);
    }
    return (await to.redis.get(key))?.startsWith(prefix) ? 'arrived' : undefined;
  };
  try {
    const outcome = await until(`a change to cross from ${from.name} to ${to.name}`, arrived, wait);
    if (outcome === 'ended') throw new Error('a process is not running');
  } catch (error) {
    throw new Error(`not quiet: ${String(error)}\n${from.tail()}\n${to.tail()}`, { cause: error });
  }
}
