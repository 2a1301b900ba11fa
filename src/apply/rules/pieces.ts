/** Takes commands apart into pieces: what each does to one key, cell by cell, in the terms of the rules. */

import {
  effectOf,
  keepsExpiry,
  namedCells,
  type CommandSpec,
  type Effect,
  type ValueType,
} from '../../change/commands.js';
import type { Argument } from '../../change/encode-command.js';
import { parseState, STATE } from '../../change/special.js';
import { isDerived, isOnOneKey, isPerKey } from '../command-kinds.js';
import type { Piece, Role, Source, ValueKind } from './meeting.js';
import { streamPieces } from './stream-pieces.js';

const KINDS: Readonly<Partial<Record<ValueType, ValueKind>>> = {
  string: 'string',
  hash: 'hash',
  set: 'set',
  zset: 'zset',
  list: 'list',
  stream: 'stream',
  hyperloglog: 'hyperloglog',
};

/** The pieces of a command that concern one key, in order. What makes keys of keys is one head on each of them. */
export function piecesOf(
  { command, timestamp, site, sequence, batchEnd = sequence, seen }: Source,
  key: Buffer,
): Piece[] {
  const { spec, args, name } = command;
  const made = { timestamp, site, sequence, batchEnd, seen };
  const bare = { ...made, name, command: args, cell: '', isRemoval: false };
  if (name === STATE)
    return [{ ...bare, role: 'state', type: undefined, command: [], state: parseState(args) }];
  if (spec === undefined) return [{ ...bare, role: 'modify', type: 'other' }];
  const effect = effectOf(spec, args);
  if (isDerived(command) || !(isOnOneKey(command) || isPerKey(command)))
    return [{ ...bare, role: 'derive', type: undefined }];
  const piece = { ...bare, type: KINDS[spec.type] ?? (spec.type === 'any' ? undefined : 'other') };
  switch (effect) {
    case 'remove':
      return [
        { ...piece, role: 'key-head', type: undefined, name: 'DEL', command: ['DEL', key], isRemoval: true },
      ];
    case 'set':
      if (keepsExpiry(spec, args)) return [{ ...piece, role: 'cell' }];
      return [{ ...piece, role: 'key-head', command: spec.singleKey ? args : pairOf(args, key) }];
    case 'cells':
    case 'cell-remove':
    case 'field-sum':
    case 'score-sum':
      return cellsOf({ spec, effect, args }, piece);
    case 'stream':
      return streamPieces(args, piece);
    default:
      return [{ ...piece, ...shapeOf(spec, effect) }];
  }
}

function shapeOf(spec: CommandSpec, effect: Effect): { role: Role; name: string; isRemoval: boolean } {
  const { name } = spec;
  const shape = (role: Role, isRemoval = false): { role: Role; name: string; isRemoval: boolean } => ({
    role,
    name,
    isRemoval,
  });
  switch (effect) {
    case 'expire':
      return shape('expiry');
    case 'sum':
    case 'union':
      return shape('tail');
    case 'push':
      // It had an effect at its origin: there was a list.
      return { ...shape('ends'), name: name.startsWith('R') ? 'RPUSH' : 'LPUSH' };
    case 'pop':
      return shape('ends', true);
    case 'list-edit':
      return name === 'LSET' ? shape('ends') : shape('edit', name !== 'LINSERT');
    default:
      if (name === 'ZPOPMIN' || name === 'ZPOPMAX') return shape('pop', true);
      return shape('modify', name.startsWith('ZREMRANGE'));
  }
}

/** `SET key value` out of an `MSET`. */
function pairOf(args: readonly Buffer[], key: Buffer): Argument[] {
  let value = args[2]!;
  for (let i = 1; i + 1 < args.length; i += 2) if (args[i]!.equals(key)) value = args[i + 1]!;
  return ['SET', key, value];
}

function cellsOf(
  { spec, effect, args }: { spec: CommandSpec; effect: Effect; args: readonly Buffer[] },
  bare: Omit<Piece, 'role'>,
): Piece[] {
  // A field's expiry, a place on the map: nothing that a cell by itself can be given.
  if (spec.name === 'HSETEX' || spec.name === 'GEOADD' || bare.type === 'other' || bare.type === undefined)
    return [{ ...bare, role: 'modify' }];
  const key = args[1]!;
  return namedCells(spec, args).map((index): Piece => {
    const name = args[index]!;
    const piece = { ...bare, role: 'cell' as const, cell: name.toString('latin1') };
    if (effect === 'cell-remove') {
      const remove = spec.name === 'HGETDEL' ? 'HDEL' : spec.name;
      return { ...piece, command: [remove, key, name], isRemoval: true };
    }
    switch (spec.name) {
      case 'ZINCRBY':
      case 'HINCRBY': {
        const amount = (spec.name === 'ZINCRBY' ? args[2] : args[3])!.toString('latin1');
        return { ...piece, role: 'tail', amount };
      }
      case 'SADD':
        return { ...piece, command: ['SADD', key, name] };
      case 'ZADD':
        return { ...piece, command: ['ZADD', key, args[index - 1]!, name] };
      case 'SETBIT':
        return { ...piece, cell: `bit ${piece.cell}` };
      default:
        return { ...piece, command: ['HSET', key, name, args[index + 1]!] };
    }
  });
}
