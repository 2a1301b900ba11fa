import { isMemberCondition, memberOptions } from '../options/member-options.js';
import { keys, row, type CommandSpec, type Effect } from './command-spec.js';
import { indexesAt } from './places.js';

/**
 * Sorted sets, and the geographic commands, which work on them.
 *
 * - Plain `ZADD` and `GEOADD` (at most with `CH`, which only changes the reply) overwrite the members they name. With `NX`, `XX`, `GT`, `LT`, `INCR` they are `modify`.
 *   `GEOADD` stands in the stream as `zadd`, in lower case from some servers.
 * - `ZINCRBY` by an infinite amount, or one so large that a sum may become infinite, is `modify`: an infinity takes no other away again, and the opposite of one
 *   is refused, so the order matters.
 * - `ZPOPMIN` and `ZPOPMAX`, which stand in the stream for all pops, take members by what is there, and so do `ZREMRANGEBY…`, which are `modify`.
 * - `GEORADIUS` without `STORE` only reads, and is not in the stream then.
 */
export const SORTED_SET_COMMANDS: readonly CommandSpec[] = [
  row('ZADD', 'zset', 'member', { cellFinder: 'zadd', refine: (args) => addEffect(args, 'member') }),
  row('ZINCRBY', 'zset', 'score-sum', { cells: { first: 3, step: 1, last: 3 }, refine: sumEffect }),
  row('ZREM', 'zset', 'member-remove', { cells: { first: 2, step: 1 } }),
  row('ZREMRANGEBYSCORE', 'zset', 'modify'),
  row('ZREMRANGEBYRANK', 'zset', 'modify'),
  row('ZREMRANGEBYLEX', 'zset', 'modify'),
  row('ZPOPMIN', 'zset', 'member-pop'),
  row('ZPOPMAX', 'zset', 'member-pop'),
  row('BZPOPMIN', 'zset', 'modify', { writes: [keys(1, -2)] }),
  row('BZPOPMAX', 'zset', 'modify', { writes: [keys(1, -2)] }),
  row('ZMPOP', 'zset', 'modify', { writes: [{ countAt: 1 }], since: 'redis 7.0, valkey 7.2' }),
  row('BZMPOP', 'zset', 'modify', { writes: [{ countAt: 2 }], since: 'redis 7.0, valkey 7.2' }),
  row('ZUNIONSTORE', 'zset', 'derive', { reads: [{ countAt: 2 }] }),
  row('ZINTERSTORE', 'zset', 'derive', { reads: [{ countAt: 2 }] }),
  row('ZDIFFSTORE', 'zset', 'derive', { reads: [{ countAt: 2 }] }),
  row('ZRANGESTORE', 'zset', 'derive', { reads: [keys(2, 2)] }),
  row('GEOADD', 'zset', 'cells', { cellFinder: 'geoadd', refine: (args) => addEffect(args, 'cells') }),
  row('GEOSEARCHSTORE', 'zset', 'derive', { reads: [keys(2, 2)] }),
  row('GEORADIUS', 'zset', 'derive', {
    writes: ['georadius'],
    reads: [keys(1, 1)],
    refine: storeEffect,
  }),
  row('GEORADIUSBYMEMBER', 'zset', 'derive', {
    writes: ['georadius'],
    reads: [keys(1, 1)],
    refine: storeEffect,
  }),
];

function addEffect(args: readonly Buffer[], plain: Effect): Effect {
  return memberOptions(args).some(isMemberCondition) ? 'modify' : plain;
}

/** Below it a million sums and more come to no infinity. */
const LARGEST_SUM = 1e300;

function sumEffect(args: readonly Buffer[]): Effect {
  const amount = args[2]?.toString('latin1') ?? '';
  return Math.abs(Number(amount)) < LARGEST_SUM ? 'score-sum' : 'modify';
}

function storeEffect(args: readonly Buffer[]): Effect {
  return indexesAt(['georadius'], args).length > 0 ? 'derive' : 'none';
}
