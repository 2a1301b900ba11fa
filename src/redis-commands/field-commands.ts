/** The effect of commands on hashes on the deadlines of fields. */

import { fieldOptions, fieldsAt } from './options/field-options.js';
import { countAt } from './table/arguments.js';

/** What becomes of a field's deadline: a new one in ms since 1970, none, the one it had, or the field goes with it. */
export type FieldGiven = number | 'none' | 'kept' | 'removed';

export interface FieldWrite {
  readonly field: Buffer;
  readonly given: FieldGiven;
  /** The value it is given; undefined where it keeps the one it has. */
  readonly value?: Buffer;
}

/** The fields that a command on a hash writes, in order; undefined for one that is not told. @param args the name first */
export function fieldWrites(name: string, args: readonly Buffer[]): FieldWrite[] | undefined {
  switch (name) {
    case 'HSET':
    case 'HMSET':
      return valued(args, 2, 'none');
    case 'HSETNX':
    case 'HINCRBYFLOAT':
    case 'HINCRBY':
      return args.length > 2 ? [{ field: args[2]!, given: 'kept' }] : [];
    case 'HDEL':
      return args.slice(2).map((field) => ({ field, given: 'removed' }));
    case 'HGETDEL':
      return listed(args).map((field) => ({ field, given: 'removed' }));
    case 'HPERSIST':
      return listed(args).map((field) => ({ field, given: 'none' }));
    case 'HPEXPIREAT': {
      const at = Number(args[2]!.toString('latin1'));
      return listed(args).map((field) => ({ field, given: at }));
    }
    case 'HSETEX': {
      const options = fieldOptions(args);
      const from = options.find(({ name: option }) => option === 'FIELDS');
      if (!from) return undefined;
      const until = options.find(({ name: option }) => option === 'PXAT');
      const keeps = options.some(({ name: option }) => option === 'KEEPTTL');
      const given = until ? Number(args[until.at + 1]?.toString('latin1')) : keeps ? 'kept' : 'none';
      return valued(args.slice(0, from.end), from.at + 2, given);
    }
    default:
      return undefined;
  }
}

function listed(args: readonly Buffer[]): readonly Buffer[] {
  const from = fieldsAt(args);
  return from === undefined ? [] : args.slice(from + 2, from + 2 + countAt(args, from + 1));
}

function valued(args: readonly Buffer[], from: number, given: FieldGiven): FieldWrite[] {
  const found: FieldWrite[] = [];
  for (let at = from; at + 1 < args.length; at += 2)
    found.push({ field: args[at]!, value: args[at + 1]!, given });
  return found;
}
