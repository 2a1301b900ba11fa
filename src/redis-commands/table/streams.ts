import { keys, row, type CommandSpec, type Effect } from './command-spec.js';
import { streamOptions } from '../options/stream-options.js';

const SECOND = { writes: [keys(2, 2)] };

/**
 * Streams and their consumer groups.
 *
 * - `XREADGROUP` stands in the stream as an `XCLAIM … FORCE JUSTID LASTID` for each entry it delivered, from Redis 7.2 and Valkey on with an `XGROUP SETID`
 *   behind them; with `NOACK` as `XGROUP CREATECONSUMER` and `XGROUP SETID` alone. `XCLAIM` and `XAUTOCLAIM` stand there as one `XCLAIM` for each entry.
 *   All are one MULTI group, but not from a Redis 6.2.
 * - A trim by `~` stands there as the exact trim that it was (`MAXLEN = 4`). Its `LIMIT` stays, and **no server takes it together with `=` from a client**:
 *   only a replica may run that.
 */
export const STREAM_COMMANDS: readonly CommandSpec[] = [
  row('XADD', 'stream', 'entry', { cellFinder: 'xadd', refine: addEffect }),
  row('XDEL', 'stream', 'entry-remove', { cells: { first: 2, step: 1 } }),
  row('XTRIM', 'stream', 'entry-trim'),
  row('XSETID', 'stream', 'stream'),
  row('XACK', 'stream', 'delivery', { cells: { first: 3, step: 1 } }),
  row('XCLAIM', 'stream', 'delivery'),
  row('XAUTOCLAIM', 'stream', 'stream'),
  row('XREADGROUP', 'stream', 'stream', { writes: ['streams'] }),
  row('XGROUP CREATE', 'stream', 'stream', SECOND),
  row('XGROUP SETID', 'stream', 'delivery', SECOND),
  row('XGROUP DESTROY', 'stream', 'stream', SECOND),
  row('XGROUP CREATECONSUMER', 'stream', 'delivery', SECOND),
  row('XGROUP DELCONSUMER', 'stream', 'stream', SECOND),
  row('XDELEX', 'stream', 'stream', { since: 'redis 8.2' }),
  row('XACKDEL', 'stream', 'stream', { since: 'redis 8.2' }),
  row('XCFGSET', 'stream', 'stream', { since: 'redis 8.6' }),
  row('XNACK', 'stream', 'stream', { since: 'redis 8.8' }),
  row('XIDMPRECORD', 'stream', 'stream', { since: 'redis 8.8' }),
];

function addEffect(args: readonly Buffer[]): Effect {
  return streamOptions(args).trim ? 'entry-trim' : 'entry';
}
