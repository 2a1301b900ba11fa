import { randomUUID } from 'node:crypto';
import { SENTINEL_PREFIX } from './dataset.js';
import type { Pair, Site } from './pair.js';
import { type WaitOptions, until } from './wait.js';

/**
 * A write in answer to an applied one (a state transfer, and what asked for it) is behind the sentinel that followed
 * the first: the third round is behind all of them.
 */
const ROUNDS = 3;
/** Keys that were written too fast to be watched are asked for to and fro, until both sites can look at them. */
export const ROUNDS_WHEN_CONTENDED = 8;

const REWRITE_MS = 200;
/** The same once one has arrived: those behind it are on their way. */
const NEXT_REWRITE_MS = 5000;

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
  for (let round = 0; round < rounds; round++) {
    const each = { ...wait, deadlineMs };
    await Promise.all([cross(east, west, each), cross(west, east, each)]);
  }
}

/**
 * Resolves when a change made after the call has crossed. The sentinel is written anew until it has: what is written
 * before a process reads the replication stream for the first time does not cross. None is left on its way: a test that holds back the
 * next change to come would hold that one.
 */
async function cross(from: Site, to: Site, wait: WaitOptions): Promise<void> {
  const key = SENTINEL_PREFIX + from.name;
  const prefix = `${randomUUID()}:`;
  let [writtenAt, rewriteMs] = [-Infinity, REWRITE_MS];
  const arrived = async (): Promise<'arrived' | 'ended' | undefined> => {
    if (!from.running || !to.running) return 'ended';
    if (performance.now() - writtenAt > rewriteMs) {
      writtenAt = performance.now();
      await from.redis.set(key, prefix + writtenAt);
    }
    const found = await to.redis.get(key);
    if (found?.startsWith(prefix) === true) rewriteMs = NEXT_REWRITE_MS;
    return found === prefix + writtenAt ? 'arrived' : undefined;
  };
  try {
    const outcome = await until(`a change to cross from ${from.name} to ${to.name}`, arrived, wait);
    if (outcome === 'ended') throw new Error('a process is not running');
  } catch (error) {
    throw new Error(`not quiet: ${String(error)}\n${from.tail()}\n${to.tail()}`, { cause: error });
  }
}
