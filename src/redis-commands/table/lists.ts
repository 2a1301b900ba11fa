import { keys, row, type CommandSpec } from './command-spec.js';

/**
 * Lists.
 *
 * Blocking pops stand in the stream as the plain ones (`BLPOP` as `LPOP`, `BLMOVE` as `LMOVE`), `LMPOP` as `LPOP key count`.
 * `LPUSHX` had an effect, so the list was there: a push. A counted pop may ask for more than there was.
 */
export const LIST_COMMANDS: readonly CommandSpec[] = [
  row('LPUSH', 'list', 'push-left'),
  row('RPUSH', 'list', 'push-right'),
  row('LPUSHX', 'list', 'push-left'),
  row('RPUSHX', 'list', 'push-right'),
  row('LPOP', 'list', 'pop-left', { refine: (args) => (args.length > 2 ? 'pops-left' : 'pop-left') }),
  row('RPOP', 'list', 'pop-right', { refine: (args) => (args.length > 2 ? 'pops-right' : 'pop-right') }),
  row('BLPOP', 'list', 'pops-left', { writes: [keys(1, -2)] }),
  row('BRPOP', 'list', 'pops-right', { writes: [keys(1, -2)] }),
  row('LMPOP', 'list', 'list-edit', { writes: [{ countAt: 1 }], since: 'redis 7.0, valkey 7.2' }),
  row('BLMPOP', 'list', 'list-edit', { writes: [{ countAt: 2 }], since: 'redis 7.0, valkey 7.2' }),
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
