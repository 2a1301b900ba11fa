import { keys, row, type CommandSpec } from './command-spec.js';

/**
 * Sets, and vector sets (Redis 8.0 and newer).
 *
 * - `SPOP` takes members at random; servers put it into the stream as `SREM` or `DEL`.
 * - `SMOVE` says the same as `SREM` and `SADD`.
 * - `VADD` overwrites its element's vector; the first `VADD` also fixes dimension and quantization of the set, and one that does not fit fails.
 *   `VSETATTR` needs the element to be there, hence `modify`. Two servers that ran the same `VADD` hold the same elements, in graphs that differ.
 */
export const SET_COMMANDS: readonly CommandSpec[] = [
  row('SADD', 'set', 'cells', { cells: { first: 2, step: 1 } }),
  row('SREM', 'set', 'cell-remove', { cells: { first: 2, step: 1 } }),
  row('SPOP', 'set', 'modify'),
  row('SMOVE', 'set', 'move', { writes: [keys(1, 2)], cells: { first: 3, step: 1, last: 3 } }),
  row('SINTERSTORE', 'set', 'derive', { reads: [keys(2)] }),
  row('SUNIONSTORE', 'set', 'derive', { reads: [keys(2)] }),
  row('SDIFFSTORE', 'set', 'derive', { reads: [keys(2)] }),
  row('VADD', 'vectorset', 'cells', { cellFinder: 'vadd', since: 'redis 8.0' }),
  row('VREM', 'vectorset', 'cell-remove', { cells: { first: 2, step: 1, last: 2 }, since: 'redis 8.0' }),
  row('VSETATTR', 'vectorset', 'modify', { cells: { first: 2, step: 1, last: 2 }, since: 'redis 8.0' }),
];
