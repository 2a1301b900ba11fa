import { keys, row, type CommandSpec } from './command-spec.js';

/**
 * Lists.
 *
 * Blocking pops stand in the stream as the plain ones (`BLPOP` as `LPOP`, `BLMOVE` as `LMOVE`), `LMPOP` as `LPOP key count`.
 * `LPUSHX` had an effect, so the list was there: a `push`.
 */
export const LIST_COMMANDS: readonly CommandSpec[] = [
  row('LPUSH', 'list', 'push'),
  row('RPUSH', 'list', 'push'),
  row('LPUSHX', 'list', 'push'),
  row('RPUSHX', 'list', 'push'),
  row('LPOP', 'list', 'pop'),
  row('RPOP', 'list', 'pop'),
  row('BLPOP', 'list', 'pop', { writes: [keys(1, -2)] }),
  row('BRPOP', 'list', 'pop', { writes: [keys(1, -2)] }),
  row('LMPOP', 'list', 'pop', { writes: [{ countAt: 1 }], since: 'redis 7.0, valkey 7.2' }),
  row('BLMPOP', 'list', 'pop', { writes: [{ countAt: 2 }], since: 'redis 7.0, valkey 7.2' }),
  row('LSET', 'list', 'list-edit'),
  row('LTRIM', 'list', 'list-edit'),
  row('LREM', 'list', 'list-edit'),
  row('LINSERT', 'list', 'list-edit'),
  row('LMOVE', 'list', 'move', { writes: [keys(1, 2)] }),
  row('BLMOVE', 'list', 'move', { writes: [keys(1, 2)] }),
  row('LMOVEM', 'list', 'move', { writes: [keys(1, 2)], since: 'redis 8.10' }),
  row('BLMOVEM', 'list', 'move', { writes: [keys(1, 2)], since: 'redis 8.10' }),
  row('RPOPLPUSH', 'list', 'move', { writes: [keys(1, 2)] }),
  row('BRPOPLPUSH', 'list', 'move', { writes: [keys(1, 2)] }),
];
