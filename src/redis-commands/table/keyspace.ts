import { isConditionalExpiry } from '../options/key-options.js';
import { keys, row, type CommandSpec, type Effect } from './command-spec.js';
import { indexesAt } from './places.js';

/**
 * Commands that work on keys of any type, and on whole databases.
 *
 * - `EXPIRE` and its family with a condition (`NX`, `XX`, `GT`, `LT`) are `modify`; without one the last expiry is simply set.
 *   Redis 6.2 puts them into the stream relative to now, as they were sent; newer servers as `PEXPIREAT`, condition included.
 *   An expiry that has passed stands there as `DEL`, from Valkey as `UNLINK`.
 * - `RESTORE` with an expiry stands in the stream with `ABSTTL`, but from a Redis 6.2 with the remaining time.
 * - `RENAME`, `RENAMENX` and `MOVE` change two places at once and take the value along.
 * - `SORT` also reads keys that `BY` and `GET` patterns name: the server does not list those either.
 * - `RESTORE-ASKING` is `RESTORE` between the nodes of a cluster.
 */
export const KEYSPACE_COMMANDS: readonly CommandSpec[] = [
  row('DEL', 'any', 'remove', { writes: [keys(1)] }),
  row('UNLINK', 'any', 'remove', { writes: [keys(1)] }),
  row('EXPIRE', 'any', 'expire', { refine: expireEffect }),
  row('PEXPIRE', 'any', 'expire', { refine: expireEffect }),
  row('EXPIREAT', 'any', 'expire', { refine: expireEffect }),
  row('PEXPIREAT', 'any', 'expire', { refine: expireEffect }),
  row('PERSIST', 'any', 'expire'),
  row('RENAME', 'any', 'move', { writes: [keys(1, 2)] }),
  row('RENAMENX', 'any', 'move', { writes: [keys(1, 2)] }),
  row('MOVE', 'any', 'move', { database: 'move' }),
  row('COPY', 'any', 'derive', { writes: [keys(2, 2)], reads: [keys(1, 1)], database: 'copy' }),
  row('RESTORE', 'any', 'set'),
  row('RESTORE-ASKING', 'any', 'set'),
  row('SORT', 'list', 'derive', { writes: ['sort'], reads: [keys(1, 1)], refine: sortEffect }),
  row('SWAPDB', 'none', 'swap', { writes: [] }),
  row('FLUSHDB', 'none', 'flush', { writes: [] }),
  row('FLUSHALL', 'none', 'flush', { writes: [] }),
];

function expireEffect(args: readonly Buffer[]): Effect {
  return isConditionalExpiry(args) ? 'modify' : 'expire';
}

function sortEffect(args: readonly Buffer[]): Effect {
  return indexesAt(['sort'], args).length > 0 ? 'derive' : 'none';
}
