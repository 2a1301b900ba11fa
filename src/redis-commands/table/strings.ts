import type { Option } from '../options/option.js';
import { isSetCondition, setOptions, valueOptions } from '../options/value-options.js';
import { hasToken, countAt } from './arguments.js';
import { keys, row, type CommandSpec, type Effect } from './command-spec.js';

/**
 * Strings, bitmaps and HyperLogLogs (all three are strings to the server).
 *
 * - `SET` with a condition (`NX`, `XX`, `IFEQ` …) is `modify`, and so are `SETNX`, `MSETNX`, `DELIFEQ`: what they do at the peer depends on what is there.
 *   Most conditions stay in the stream. Gone are those of a `SET` with an expiry too, and `DELIFEQ`, which stands there as `DEL`.
 * - An expiry is absolute in the stream (`SET … PXAT`), but relative (`SET … PX`) from a Redis 6.2. `SETEX` and `PSETEX` stand there as `SET`.
 * - `INCRBYFLOAT` is `modify`: floats do not commute to the last digit. Servers put it into the stream as `SET … KEEPTTL`.
 * - `INCREX` is `modify`: it has bounds and sets an expiry.
 * - `BITFIELD` is `modify`, since its fields may overlap and wrap; `SETBIT` is a cell, the bit.
 * - `PFMERGE` is a `union`, and it builds on its sources like `derive`: see `reads`.
 * - `PFCOUNT` of one key renews the count kept inside the value and stands in the stream for that. It is a `union` because it can be run at any time.
 */
export const STRING_COMMANDS: readonly CommandSpec[] = [
  row('SET', 'string', 'set', {
    refine: setEffect,
    keepsExpiry: (args) => setOptions(args).some(isKeeping),
  }),
  row('SETEX', 'string', 'set'),
  row('PSETEX', 'string', 'set'),
  row('GETSET', 'string', 'set'),
  row('SETNX', 'string', 'modify'),
  row('MSET', 'string', 'set', { writes: [keys(1, -1, 2)] }),
  row('MSETNX', 'string', 'modify', { writes: [keys(1, -1, 2)] }),
  row('MSETEX', 'string', 'set', {
    writes: [{ countAt: 1, step: 2 }],
    refine: (args) => (msetexOptions(args).some(isSetCondition) ? 'modify' : 'set'),
    keepsExpiry: (args) => msetexOptions(args).some(isKeeping),
    since: 'redis 8.4, valkey 9.1',
  }),
  row('GETDEL', 'string', 'remove'),
  row('GETEX', 'string', 'expire', { refine: (args) => (args.length > 2 ? 'expire' : 'none') }),
  row('DELEX', 'string', 'remove', {
    refine: (args) => (args.length > 2 ? 'modify' : 'remove'),
    since: 'redis 8.4',
  }),
  row('DELIFEQ', 'string', 'modify', { since: 'valkey 9.0' }),
  row('APPEND', 'string', 'modify'),
  row('SETRANGE', 'string', 'modify'),
  row('INCR', 'string', 'sum'),
  row('DECR', 'string', 'sum'),
  row('INCRBY', 'string', 'sum'),
  row('DECRBY', 'string', 'sum'),
  row('INCRBYFLOAT', 'string', 'modify'),
  row('INCREX', 'string', 'modify', { since: 'redis 8.8, valkey 9.2' }),
  row('SETBIT', 'string', 'cells', { cells: { first: 2, step: 1, last: 2 } }),
  row('BITFIELD', 'string', 'modify', { refine: bitfieldEffect }),
  row('BITOP', 'string', 'derive', { writes: [keys(2, 2)], reads: [keys(3)] }),
  row('PFADD', 'hyperloglog', 'union'),
  row('PFMERGE', 'hyperloglog', 'union', { reads: [keys(2)] }),
  row('PFCOUNT', 'hyperloglog', 'union', { writes: [keys(1)] }),
];

/** `GET` only asks, and an expiry belongs to the new value. */
function setEffect(args: readonly Buffer[]): Effect {
  return setOptions(args).some(isSetCondition) ? 'modify' : 'set';
}

function isKeeping({ name }: Option): boolean {
  return name === 'KEEPTTL';
}

function msetexOptions(args: readonly Buffer[]): Option[] {
  return valueOptions(args, 2 + 2 * countAt(args, 1));
}

const BITFIELD_WRITES = new Set(['SET', 'INCRBY']);

function bitfieldEffect(args: readonly Buffer[]): Effect {
  return hasToken(args, 2, BITFIELD_WRITES) ? 'modify' : 'none';
}
