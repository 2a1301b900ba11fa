/** Takes commands apart into pieces: what each does to one key, cell by cell, in the terms of the rules. */

import {
  effectOf,
  keepsExpiry,
  moveEnds,
  namedCells,
  type CommandSpec,
  type Effect,
  type ValueType,
} from '../redis-commands/command-table.js';
import type { Argument } from '../redis-commands/encode-command.js';
import { fieldWrites } from '../redis-commands/field-commands.js';
import { ARRIVAL, parseArrival } from '../protocol/messages/arrival.js';
import { EXPIRED, expiredAt, expiredFields } from '../protocol/messages/expired.js';
import { acknowledgement, GONE } from '../protocol/messages/gone.js';
import { parseState, STATE } from '../protocol/messages/state.js';
import { isDerived, isOnOneKey, isPerKey } from '../protocol/command-kinds.js';
import type { LocalCommand, Piece, Role, Source, ValueKind } from './piece.js';
import type { PayloadCommand } from '../protocol/payload.js';
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

/** The pieces of a command that concern one key, in order. A command that makes keys of keys is one head on each of them. */
export function piecesOf(
  { command, timestamp, site, sequence, batchEnd = sequence, seen }: Source,
  key: Buffer,
): Piece[] {
  const { spec, args, name } = command;
  const made = { timestamp, site, sequence, batchEnd, seen };
  const bare = { ...made, name, command: args, cell: '', isRemoval: false };
  if (name === STATE)
    return [{ ...bare, role: 'state', type: undefined, command: [], state: parseState(args) }];
  if (name === EXPIRED) {
    if (expiredFields(args).length > 0) return fieldEnds(args, key, bare);
    const removal = { name: 'DEL', command: ['DEL', key], isRemoval: true };
    return [{ ...bare, ...removal, role: 'key-head', type: undefined, endedAt: expiredAt(args) }];
  }
  if (name === ARRIVAL) {
    // A local one, which has the ID that this server gave it. A trim is this server's alone.
    const { id, fields } = parseArrival(args);
    const add = [Buffer.from('XADD'), key, Buffer.from(id), ...fields];
    return id === '' ? [] : streamPieces(add, { ...bare, name: 'XADD', type: 'stream' });
  }
  if (name === GONE) {
    return streamPieces(acknowledgement(args), { ...bare, name: 'XACK', type: 'stream' });
  }
  if (spec === undefined) return [{ ...bare, role: 'modify', type: 'other' }];
  const effect = effectOf(spec, args);
  if (effect === 'move') {
    const half = halfOn(command, key, bare);
    if (half) return [half];
  }
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
    case 'cell-expire':
      return fieldExpiries(args, piece);
    case 'cells':
    case 'cell-remove':
    case 'member':
    case 'member-remove':
    case 'field-sum':
    case 'score-sum':
      return cellsOf({ spec, effect, args }, piece);
    case 'entry':
    case 'entry-trim':
    case 'entry-remove':
    case 'delivery':
    case 'stream':
      return streamPieces(args, piece);
    default:
      return [{ ...piece, ...shapeOf(spec, effect) }];
  }
}

/** The effect of a move on one of its keys; undefined where that cannot be told by itself. */
function halfOn(
  { spec, args }: PayloadCommand | LocalCommand,
  key: Buffer,
  bare: Omit<Piece, 'role' | 'type'>,
): Piece | undefined {
  const isSource = args[1]!.equals(key);
  if (spec!.name === 'SMOVE' && !args[1]!.equals(args[2]!)) {
    const name = isSource ? 'SREM' : 'SADD';
    const [member, cell] = [args[3]!, args[3]!.toString('latin1')];
    const command = [name, key, member];
    return { ...bare, name, command, cell, role: 'cell', type: 'set', isRemoval: isSource };
  }
  const ends = moveEnds(spec!, args);
  if (!ends) return undefined;
  const list = { ...bare, role: 'ends', type: 'list' } as const;
  const letter = (side: 'left' | 'right'): string => (side === 'left' ? 'L' : 'R');
  if (isSource) {
    const name = `${letter(ends.from)}POP`;
    return { ...list, name, command: [name, key], isRemoval: true };
  }
  const name = `${letter(ends.to)}PUSH`;
  return { ...list, name, command: [name, key, ''], isMoved: true };
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
    case 'push-left':
    case 'push-right':
      // It had an effect at its origin: there was a list.
      return { ...shape('ends'), name: name.startsWith('R') ? 'RPUSH' : 'LPUSH' };
    case 'pop-left':
    case 'pop-right':
    case 'pops-left':
    case 'pops-right':
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

/** The ends of fields' lives, one by one. */
function fieldEnds(args: readonly Buffer[], key: Buffer, bare: Omit<Piece, 'role' | 'type'>): Piece[] {
  return expiredFields(args).map((field) => ({
    ...bare,
    role: 'cell',
    type: 'hash',
    name: 'HDEL',
    command: ['HDEL', key, field],
    cell: field.toString('latin1'),
    isRemoval: true,
    endedAt: expiredAt(args),
  }));
}

/** `HPEXPIREAT`, `HPERSIST`, field by field. */
function fieldExpiries(args: readonly Buffer[], bare: Omit<Piece, 'role'>): Piece[] {
  const writes =
    bare.name === 'HPEXPIREAT' || bare.name === 'HPERSIST' ? fieldWrites(bare.name, args) : undefined;
  if (!writes) return [{ ...bare, role: 'modify' }];
  return writes.map(({ field, given }) => ({
    ...bare,
    role: 'field-expiry',
    cell: field.toString('latin1'),
    until: typeof given === 'number' ? given : Infinity,
    command: [...args.slice(0, bare.name === 'HPEXPIREAT' ? 3 : 2), 'FIELDS', 1, field],
  }));
}

/** `HSETEX`, field by field. */
function fieldsUntil(args: readonly Buffer[], bare: Omit<Piece, 'role'>): Piece[] {
  const key = args[1]!;
  const writes = fieldWrites('HSETEX', args);
  if (!writes) return [{ ...bare, role: 'modify' }];
  return writes.map(({ field, value, given }) => {
    const piece = { ...bare, role: 'cell' as const, cell: field.toString('latin1') };
    if (typeof given === 'number') {
      const command = ['HSETEX', key, 'PXAT', given, 'FIELDS', 1, field, value!];
      return { ...piece, until: given, command };
    }
    if (given === 'none') return { ...piece, command: ['HSET', key, field, value!] };
    return { ...piece, keepsDeadline: true, command: ['HSETEX', key, 'KEEPTTL', 'FIELDS', 1, field, value!] };
  });
}

function cellsOf(
  { spec, effect, args }: { spec: CommandSpec; effect: Effect; args: readonly Buffer[] },
  bare: Omit<Piece, 'role'>,
): Piece[] {
  if (spec.name === 'HSETEX') return fieldsUntil(args, bare);
  // A place on the map: nothing that a cell by itself can be given.
  if (spec.name === 'GEOADD' || bare.type === 'other' || bare.type === undefined)
    return [{ ...bare, role: 'modify' }];
  const key = args[1]!;
  return namedCells(spec, args).map((index): Piece => {
    const name = args[index]!;
    const piece = { ...bare, role: 'cell' as const, cell: name.toString('latin1') };
    if (effect === 'cell-remove' || effect === 'member-remove') {
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
