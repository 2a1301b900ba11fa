/** Takes commands apart into pieces: what each does to one key, in the terms of the rules. */

import { effectOf, keepsExpiry, namedCells, type CommandSpec, type Effect } from '../../change/commands.js';
import type { Argument } from '../../change/encode-command.js';
import { parseState, STATE } from '../../change/special.js';
import { REMOVAL_TIMESTAMP, type Cell, type Piece, type Role, type Source } from './meeting.js';

/** The piece of a command that concerns one key. A command that cannot be told apart by keys is a clash on each of them. */
export function pieceOf({ command, timestamp, site }: Source, key: Buffer): Piece {
  const { spec, args, name } = command;
  const base = { timestamp, site, rank: { timestamp, site }, cells: [] };
  if (name === STATE) {
    const { dump, expiry, rankTimestamp, rankSite } = parseState(args);
    const rank = { timestamp: rankTimestamp, site: rankSite };
    if (dump.length === 0) return { ...base, role: 'set', isState: true, commands: [['DEL', key]], rank };
    return {
      ...base,
      role: 'set',
      isState: true,
      commands: [['RESTORE', key, expiry, dump, 'REPLACE', 'ABSTTL']],
      rank,
    };
  }
  if (spec === undefined) return { ...base, role: 'clash', commands: [args] };
  const effect = effectOf(spec, args);
  const role = roleOf(spec, effect, args);
  switch (role) {
    case 'removal':
      return { ...base, role, commands: [['DEL', key]], rank: { timestamp: REMOVAL_TIMESTAMP, site } };
    case 'set':
      return { ...base, role, commands: [spec.singleKey ? args : pairOf(args, key)] };
    case 'hash':
    case 'set-members':
    case 'zset':
    case 'bits':
      return { ...base, role, commands: [args], cells: cellsOf(spec, effect, args) };
    default:
      return { ...base, role, commands: [args] };
  }
}

function roleOf(spec: CommandSpec, effect: Effect, args: readonly Buffer[]): Role {
  if (spec.name === 'MSETEX' || keepsExpiry(spec, args)) return 'clash';
  switch (effect) {
    case 'set':
      return 'set';
    case 'remove':
      return 'removal';
    case 'expire':
      return 'expiry';
    case 'cells':
    case 'cell-remove':
      return cellRole(spec);
    case 'sum':
      return 'sum';
    case 'field-sum':
    case 'score-sum':
      return cellRole(spec);
    case 'union':
      return spec.reads.length === 0 ? 'union' : 'derive';
    case 'derive':
    case 'move':
      return 'derive';
    case 'push':
    case 'pop':
      return spec.singleKey ? 'list' : 'clash';
    case 'list-edit':
      // By position; by content (LREM, LINSERT) two sites may mean different elements.
      return spec.name === 'LSET' || spec.name === 'LTRIM' ? 'list' : 'clash';
    case 'stream':
      return 'stream';
    default:
      return 'clash';
  }
}

function cellRole(spec: CommandSpec): Role {
  switch (spec.type) {
    case 'hash':
      return 'hash';
    case 'set':
      return 'set-members';
    case 'zset':
      return spec.name === 'GEOADD' ? 'clash' : 'zset';
    case 'string':
      return 'bits';
    default:
      return 'clash';
  }
}

/** `SET key value` out of an `MSET`. */
function pairOf(args: readonly Buffer[], key: Buffer): Argument[] {
  let value = args[2]!;
  for (let i = 1; i + 1 < args.length; i += 2) if (args[i]!.equals(key)) value = args[i + 1]!;
  return ['SET', key, value];
}

function cellsOf(spec: CommandSpec, effect: Effect, args: readonly Buffer[]): Cell[] {
  const key = args[1]!;
  return namedCells(spec, args).map((index) => {
    const cell = args[index]!;
    const name = cell.toString('latin1');
    if (effect === 'cell-remove') return { name, kind: 'remove', command: [spec.name, key, cell] };
    if (effect === 'field-sum' || effect === 'score-sum') {
      const amount = (spec.name === 'ZINCRBY' ? args[2] : args[3])!;
      return { name, kind: 'sum', amount: amount.toString('latin1'), command: args };
    }
    switch (spec.name) {
      case 'SADD':
        return { name, kind: 'set', command: ['SADD', key, cell] };
      case 'ZADD':
        return { name, kind: 'set', command: ['ZADD', key, args[index - 1]!, cell] };
      case 'SETBIT':
        return { name, kind: 'set', command: args };
      default:
        return { name, kind: 'set', command: ['HSET', key, cell, args[index + 1]!] };
    }
  });
}
