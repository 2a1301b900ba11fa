/**
 * A state of a list that meets local removals its sender had not seen. They are made again on it by content: whatever its sender had
 * pushed before has been applied here, so what the state holds and this list does not was taken off here. That needs no places, and
 * holds after a restart, too.
 */

import type { Argument } from '../../redis-commands/encode-command.js';
import { isAbsent } from '../../protocol/messages/state.js';
import { scriptSource } from '../../lua/scripts.js';
import { placing } from './assembled.js';
import { withItsDeadline } from './lives.js';
import { isState, type Piece, type StatePiece } from '../../pieces/piece.js';
import { UNKNOWN, type Command, type RuleContext, type Resolution } from './rule-context.js';

/** Whether local writes of the list must be made again on the state by content. */
export function isMergeable({ local, held }: RuleContext, { state }: StatePiece): boolean {
  const isList = held.kind === 'list' || held.kind === 'nothing';
  if (!isList || (state.elements < 0 && !isAbsent(state))) return false;
  const listed = local.users.filter(({ role }) => role !== 'expiry');
  return (
    listed.every((piece) => piece.type === 'list' || piece.name === 'DEL') &&
    listed.some(({ type }) => type === 'list') &&
    listed.some(({ isRemoval, isMoved }) => isRemoval || isMoved === true)
  );
}

/** The list as the state has it, without what was taken off here, and with what was put in here and is still there. */
export function merged(context: RuleContext, { state }: StatePiece): Resolution {
  const { key, local, out, isMisplaced } = context;
  const { taken, moved, put } = accountOf(local.users);
  // An element that is missing here may have been taken off by mistake: then it comes back.
  const isDoubted = isMisplaced || state.isWhole;
  const beside = `${out}:value`;
  const merge: Command = [
    'EVAL',
    scriptSource('merge-list'),
    state.assembled ? 3 : 2,
    key,
    out,
    ...(state.assembled ? [beside] : []),
    state.dump,
    taken.left,
    taken.right,
    taken.any,
    moved.left,
    moved.right,
    isDoubted ? 1 : 0,
    put.length,
    ...put,
    ...(state.made ?? []).flatMap((command) => command.slice(2)),
  ];
  const expiries = local.built.filter((piece) => piece.role === 'expiry' && !isState(piece));
  const commands: Command[] = [
    ...(state.assembled ? [placing(beside, { ...state, expiry: NO_EXPIRY }, { out, isFill: false })] : []),
    merge,
    ...(Number(state.expiry) > 0 ? [['PEXPIREAT', key, state.expiry]] : []),
    ...expiries.map(({ command }) => command),
  ];
  return {
    commands: withItsDeadline(context, state, commands, local.users),
    outcome: 'merged',
    held: UNKNOWN,
    places: { places: undefined },
  };
}

const NO_EXPIRY = Buffer.from('0');

interface Account {
  /** Elements that local writes have taken off at the most, by the end they took them from; -1 for any number. */
  readonly taken: { left: number; right: number; any: number };
  /** Elements they have put in that the stream does not name. */
  readonly moved: { left: number; right: number };
  /** The others they have put in, each with its side, as `merge-list.lua` takes them. */
  readonly put: Argument[];
}

function accountOf(users: readonly Piece[]): Account {
  const account: Account = { taken: { left: 0, right: 0, any: 0 }, moved: { left: 0, right: 0 }, put: [] };
  const { taken, moved, put } = account;
  for (const { name, command, isMoved, isRemoval } of users) {
    const side = name === 'LPUSH' || name === 'LPOP' ? 'left' : 'right';
    if (name === 'LPOP' || name === 'RPOP') taken[side] += Number(command[2] ?? 1);
    else if (isMoved) moved[side]++;
    else if (name === 'LPUSH' || name === 'RPUSH')
      for (const element of command.slice(2)) put.push(side === 'left' ? 'l' : 'r', element);
    else if (name === 'LINSERT') put.push('r', command[4]!);
    else if (name === 'LREM' && Number(command[2]) !== 0 && taken.any >= 0)
      taken.any += Math.abs(Number(command[2]));
    else if (isRemoval) taken.any = -1;
  }
  return account;
}
