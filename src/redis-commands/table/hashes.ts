import { fieldOptions, isFieldCondition } from '../options/field-options.js';
import { keys, row, type CommandSpec, type Effect } from './command-spec.js';

const EXPIRING_SINCE = 'redis 7.4, valkey 9.0';
const GETTING_SINCE = 'redis 8.0, valkey 9.0';

/**
 * Hashes, and the expiry of their fields.
 *
 * - `HSETNX`, and `HSETEX` or `HEXPIRE` with a condition, are `modify`: what they do at the peer depends on what is there.
 *   Redis leaves the condition in the stream, Valkey takes that of `HSETEX` away.
 * - `HINCRBYFLOAT` is `modify`, as `INCRBYFLOAT`. Servers put it into the stream as `HSET`.
 * - `HIMPORT SET` names its fields by a list that its connection has prepared before: on its own it says too little.
 * - A plain `HSET` takes a field's expiry off.
 */
export const HASH_COMMANDS: readonly CommandSpec[] = [
  row('HSET', 'hash', 'cells', { cells: { first: 2, step: 2 } }),
  row('HMSET', 'hash', 'cells', { cells: { first: 2, step: 2 } }),
  row('HSETNX', 'hash', 'modify', { cells: { first: 2, step: 1, last: 2 } }),
  row('HDEL', 'hash', 'cell-remove', { cells: { first: 2, step: 1 } }),
  row('HINCRBY', 'hash', 'field-sum', { cells: { first: 2, step: 1, last: 2 } }),
  row('HINCRBYFLOAT', 'hash', 'modify', { cells: { first: 2, step: 1, last: 2 } }),
  row('HEXPIRE', 'hash', 'cell-expire', {
    cellFinder: 'fields',
    refine: conditionalEffect('cell-expire'),
    since: EXPIRING_SINCE,
  }),
  row('HPEXPIRE', 'hash', 'cell-expire', {
    cellFinder: 'fields',
    refine: conditionalEffect('cell-expire'),
    since: EXPIRING_SINCE,
  }),
  row('HEXPIREAT', 'hash', 'cell-expire', {
    cellFinder: 'fields',
    refine: conditionalEffect('cell-expire'),
    since: EXPIRING_SINCE,
  }),
  row('HPEXPIREAT', 'hash', 'cell-expire', {
    cellFinder: 'fields',
    refine: conditionalEffect('cell-expire'),
    since: EXPIRING_SINCE,
  }),
  row('HPERSIST', 'hash', 'cell-expire', { cellFinder: 'fields', since: EXPIRING_SINCE }),
  row('HSETEX', 'hash', 'cells', {
    cellFinder: 'field-values',
    refine: conditionalEffect('cells'),
    since: GETTING_SINCE,
  }),
  row('HGETEX', 'hash', 'cell-expire', { cellFinder: 'fields', refine: hgetexEffect, since: GETTING_SINCE }),
  row('HGETDEL', 'hash', 'cell-remove', { cellFinder: 'fields', since: 'redis 8.0, valkey 9.1' }),
  row('HIMPORT SET', 'hash', 'unknown', { writes: [keys(2, 2)], since: 'redis 8.10' }),
];

function conditionalEffect(plain: Effect): (args: readonly Buffer[]) => Effect {
  return (args) => (fieldOptions(args).some(isFieldCondition) ? 'modify' : plain);
}

/** Without an option `HGETEX` only reads. */
function hgetexEffect(args: readonly Buffer[]): Effect {
  const [first, ...others] = fieldOptions(args);
  return first?.name === 'FIELDS' && others.length === 0 ? 'none' : 'cell-expire';
}
