/**
 * Fields of a hash with a deadline. A field is to its hash what a key is to its database (`lives.ts`). Its end is no removal by a client:
 * it ends at both sites what was built on the field. A removal by a client leaves what it had not seen, with the deadline that it had.
 */

import { LACK } from '../../protocol/messages/state-request.js';
import { scriptSource } from '../../lua/scripts.js';
import { isAbove, isState, rankOf, type Piece } from '../../pieces/piece.js';
import {
  heldAfter,
  UNKNOWN,
  type Command,
  type FieldChange,
  type Resolution,
  type RuleContext,
} from './rule-context.js';

/** Whether a piece on a field, or what it meets, has to do with a deadline. */
export function isOfFieldLife({ local, fieldLife }: RuleContext, incoming: Piece): boolean {
  if (!isOnField(incoming)) return false;
  if (givesDeadline(incoming) || incoming.endedAt !== undefined) return true;
  if (fieldLife(incoming.cell).deadline !== 'none') return true;
  if (!local.hasFieldLives) return false;
  return local.users.some(
    (piece) =>
      piece.cell === incoming.cell &&
      isOnField(piece) &&
      (givesDeadline(piece) || piece.endedAt !== undefined),
  );
}

function isOnField({ type, role, cell }: Piece): boolean {
  return type === 'hash' && (role === 'cell' || role === 'tail' || role === 'field-expiry') && cell !== '';
}

/** Whether a piece leaves the field with a deadline, or takes it off by itself. */
function givesDeadline({ role, until }: Piece): boolean {
  return role === 'field-expiry' || until !== undefined;
}

/** Until when a piece lets a field live. */
function untilOf({ until }: Piece): number {
  return until ?? Infinity;
}

/** The local pieces on a field: since the last head of the key, and since the last that is no state. */
interface OnField {
  readonly local: readonly Piece[];
  readonly lives: readonly Piece[];
}

export function resolveField(context: RuleContext, incoming: Piece): Resolution {
  const { local } = context;
  const isSame = (piece: Piece): boolean => piece.cell === incoming.cell && isOnField(piece);
  const head = local.users.findLastIndex(({ role }) => role === 'key-head' || role === 'derive');
  const on = { local: local.built.filter(isSame), lives: local.users.slice(head + 1).filter(isSame) };
  if (incoming.endedAt !== undefined) return resolveFieldEnd(context, incoming, on);
  if (incoming.role === 'cell') return resolveFieldHead(context, incoming, on);
  return resolveOnEndedField(context, incoming, on) ?? resolveFieldBuild(context, incoming, on);
}

/** A write to a life that has ended here, or may have: it is not made anew. Where it was put off the other site is asked. */
function resolveOnEndedField(
  { fieldLife, life: { now, leavesOut, askedAt }, isAsking, held }: RuleContext,
  incoming: Piece,
  { lives }: OnField,
): Resolution | undefined {
  const { cell: field, seen, role } = incoming;
  const life = fieldLife(field);
  const end = lives.findLast(({ endedAt }) => endedAt !== undefined);
  const isMatched = end !== undefined && end.sequence <= life.matchedThrough;
  const isAmbiguous = isMatched && seen >= life.madeAgainBy;
  if (end === undefined || (isMatched && !isAmbiguous)) return undefined;
  const isDoubtful = isAmbiguous || end.sequence <= life.forgottenThrough;
  const given = role === 'field-expiry' ? untilOf(incoming) : 0;
  const isPutOff = given > end.endedAt!;
  const isAsked = isAsking && leavesOut && askedAt >= end.sequence;
  const asks = !isAsked && (isDoubtful || isPutOff);
  const livesThere = isPutOff && Number.isFinite(given) && given > now ? { livesThere: given } : {};
  const left: Resolution = {
    commands: [],
    outcome: asks ? 'state-asked' : 'own-stays',
    held,
    life: { field: { field, ...livesThere } },
  };
  return asks ? { ...left, asks, leaves: LACK.peerWrites } : left;
}

function resolveFieldBuild(context: RuleContext, incoming: Piece, { local, lives }: OnField): Resolution {
  const { fieldLife, isAsking, isContended, held, life } = context;
  const { cell: field, role, seen } = incoming;
  const { deadline, isLiving, matchedThrough, madeAgainBy } = fieldLife(field);
  const headAt = local.findLastIndex((piece) => piece.role === 'cell');
  if (role === 'field-expiry') {
    const localExpiry = local.slice(headAt + 1).findLast((piece) => piece.role === 'field-expiry');
    const stays = localExpiry !== undefined && untilOf(localExpiry) >= untilOf(incoming);
    const outcome = stays ? 'own-stays' : 'theirs-stays';
    const isGone = lives.findLast((piece) => piece.role === 'cell')?.isRemoval === true;
    // A field that is gone here has no deadline either; any other is asked for if it is not there.
    const at = isGone ? 0 : untilOf(incoming);
    return { commands: [onField(context, stays ? localExpiry : incoming, at)], outcome, held };
  }
  const removedAt = lives.findLastIndex(
    (piece) => piece.isRemoval && (piece.sequence > matchedThrough || seen >= madeAgainBy),
  );
  const isRemoved = removedAt >= 0 && !lives.slice(removedAt + 1).some(givesDeadline);
  if (isRemoved && deadline === 'unknown')
    return {
      commands: [],
      outcome: 'state-asked',
      held,
      ...(isAsking && life.leavesOut ? {} : { asks: true, leaves: LACK.peerWrites }),
    };
  const merged = { outcome: 'merged', held: heldAfter(held, incoming) } as const;
  if (isRemoved && deadline !== 'none')
    return { ...merged, commands: again(context, field, { commands: [incoming.command] }), asks: !isAsking };
  // An answer is awaited, here or there: if it is not here, it may have been kept at the other site.
  const isOpen = isAsking || context.pending !== undefined || context.local.all.some(isState);
  // Of a contended key the ends of lives are not looked up.
  const mayBeOver = typeof deadline === 'number' ? isLiving || isOpen : deadline === 'unknown' && isContended;
  if (mayBeOver)
    return { ...merged, commands: [onField(context, incoming, isOpen ? Infinity : Number(deadline))] };
  return { ...merged, commands: [incoming.command] };
}

/** `HSET`, `HSETEX`, `HDEL`: the higher one of it and the last local head, and what was built here on the latter. */
function resolveFieldHead(context: RuleContext, incoming: Piece, { local, lives }: OnField): Resolution {
  const { isAsking, held } = context;
  const { cell: field, isRemoval } = incoming;
  const matched = matchedBy(incoming, lives);
  // A write that a removal had not seen stays, and so does one that a state stands for.
  const met = isRemoval ? lives : local;
  const at = met.findLastIndex((piece) => piece.role === 'cell');
  const localHead = met[at];
  const localStays = localHead !== undefined && isAbove(rankOf(localHead), rankOf(incoming));
  const base = localStays ? localHead : incoming;
  const built = met.slice(at + 1);
  const keeps = base.isRemoval && built.some(({ role }) => role === 'tail');
  const isTakenAway = built.some((piece) => piece.role === 'field-expiry' && untilOf(piece) === Infinity);
  const first = base.keepsDeadline === true ? onField(context, base, Infinity) : commandOf(base);
  const commands = keeps ? summed(base, built) : [first, ...built.map(commandOf)];
  // What a value keeps is the deadline of its own site.
  const isOpen =
    localHead !== undefined && [localHead, incoming].some(({ keepsDeadline }) => keepsDeadline === true);
  const isCutShort = keeps && incoming.isRemoval && typeof context.fieldLife(field).deadline === 'number';
  return {
    commands: keeps && !isTakenAway ? again(context, field, { commands }) : commands,
    outcome: localStays ? 'own-stays' : built.length > 0 ? 'merged' : 'theirs-stays',
    held: built.length > 0 ? UNKNOWN : heldAfter(held, base),
    life: { field: { field, ...matched } },
    ...((isOpen || isCutShort) && !isAsking ? { asks: true } : {}),
  };
}

/** A removal with sums on top becomes their sum: removed and made again, the last field would take the key along. */
function summed({ command }: Piece, built: readonly Piece[]): Command[] {
  const amounts = built.flatMap(({ amount }) => amount ?? []);
  const sum = String(amounts.reduce((total, amount) => total + BigInt(amount), 0n));
  return [
    ['HSET', command[1]!, command[2]!, sum],
    ...built.filter(({ role }) => role === 'field-expiry').map(commandOf),
  ];
}

/** The end of a life of the field at the other site. */
function resolveFieldEnd(context: RuleContext, incoming: Piece, { lives }: OnField): Resolution {
  const { fieldLife, life, key, held } = context;
  const { cell: field, endedAt, command } = incoming;
  const { matchedThrough } = fieldLife(field);
  const matched = matchedBy(incoming, lives);
  const stays: Resolution = {
    commands: [],
    outcome: 'own-stays',
    held,
    life: { field: { field, ...matched } },
  };
  const head = lives.findLast((piece) => piece.role === 'cell');
  const isOfBefore = head !== undefined && head.isRemoval && head.sequence <= matchedThrough;
  // It has ended at both sites, and what follows here is a new one.
  if (head?.endedAt !== undefined && !isOfBefore) return stays;
  const built = head ? lives.slice(lives.indexOf(head) + 1) : lives;
  const over = Math.max(life.now, endedAt!);
  const putOff = built.findLast((piece) => piece.role === 'field-expiry');
  if (head && !isOfBefore) {
    if (!head.isRemoval) {
      // A value of this site's: what the other one has built on it goes. One that is over is left to end by itself.
      const isOver = untilOf(putOff ?? head) <= over;
      return isOver ? stays : { ...stays, commands: [head, ...built].map(commandOf) };
    }
    if (built.length > 0 && built[0]!.role !== 'field-expiry')
      return { ...stays, outcome: 'state-asked', asks: true };
  }
  if (putOff && untilOf(putOff) > over) return stays;
  return {
    commands: [['EVAL', scriptSource('end-fields'), 1, key, endedAt!, command[2]!]],
    outcome: built.length > 0 ? 'theirs-stays' : 'merged',
    held: UNKNOWN,
    life: { field: { field, ...matched, isEnded: true } },
  };
}

function matchedBy(incoming: Piece, lives: readonly Piece[]): Pick<FieldChange, 'matched'> {
  const removal = lives.findLast(({ isRemoval }) => isRemoval);
  if (!removal) return {};
  const made = incoming.isRemoval
    ? lives.find((piece) => !piece.isRemoval && piece.role !== 'field-expiry')
    : undefined;
  const isBefore = made !== undefined && made.sequence < removal.sequence;
  return { matched: { through: removal.sequence, madeAgainBy: isBefore ? made.sequence : Infinity } };
}

/** The command of a piece, with a deadline that may be past by now. */
function commandOf({ name, until, command }: Piece): Command {
  if (name !== 'HSETEX' || until === undefined) return command;
  return ['EVAL', scriptSource('set-fields'), 1, command[1]!, 4, ...command];
}

/** Runs a command that builds on a field if it is there. @param at until when it should be, or the other site is asked */
function onField(
  { key, database, out, request }: RuleContext,
  { command, cell }: Pick<Piece, 'command' | 'cell'>,
  at: number,
): Command {
  const until = Number.isFinite(at) ? at : Number.MAX_SAFE_INTEGER;
  const field = Buffer.from(cell, 'latin1');
  return ['EVAL', scriptSource('write-on-field'), 2, key, out, database, request(), until, field, ...command];
}

/** Gives a field a deadline if it is there without one. A deadline of a local write, which the plan may not know of, stays. */
export function onlyDeadline(context: RuleContext, { cell, until }: Piece): Command {
  const field = Buffer.from(cell, 'latin1');
  const words = ['HPEXPIREAT', context.key, until!, 'NX', 'FIELDS', 1, field];
  return onField(context, { command: words, cell }, 0);
}

/** Runs local commands on a field again; see `run-again-on-field.lua`. */
function again(
  { applied, key, fieldLife }: RuleContext,
  field: string,
  {
    commands,
    endedAt = 0,
    before = 0,
    keeps = true,
  }: { commands: readonly Command[]; endedAt?: number; before?: number; keeps?: boolean },
): Command[] {
  const { deadline } = fieldLife(field);
  const script = ['EVAL', scriptSource('run-again-on-field'), 2, applied, key, Buffer.from(field, 'latin1')];
  const words = commands.flatMap((one) => [one.length, ...one]);
  const given = typeof deadline === 'number' ? deadline : 0;
  return [[...script, endedAt, given, keeps ? 1 : 0, before, ...words]];
}

/**
 * Local pieces that run again on a value they had not seen: the state of the other site, or what a head of the key has left. Those on a
 * field with a deadline run by themselves, behind the others.
 * @returns the others, and what runs behind them
 */
export function fieldsApart(
  context: RuleContext,
  built: readonly Piece[],
): { readonly rest: readonly Piece[]; readonly commands: readonly Command[]; readonly hasEnded: boolean } {
  const concerned = new Set(
    built
      .filter((piece) => isOnField(piece))
      .filter(({ cell, endedAt }) => endedAt !== undefined || context.fieldLife(cell).deadline !== 'none')
      .map(({ cell }) => cell),
  );
  if (concerned.size === 0) return { rest: built, commands: [], hasEnded: false };
  let hasEnded = false;
  const commands = [...concerned].flatMap((field) => {
    const local = built.filter((piece) => piece.cell === field && isOnField(piece));
    const end = local.findLast(({ endedAt }) => endedAt !== undefined);
    const through = end ? local.indexOf(end) + 1 : 0;
    const isWrite = (piece: Piece): boolean => piece.endedAt === undefined;
    const before = local.slice(0, through).filter(isWrite);
    hasEnded ||= end !== undefined && local.some(({ isRemoval }) => !isRemoval);
    const behind = local.slice(through);
    const isNewLife = behind.some(
      (piece) => piece.role === 'cell' && !piece.isRemoval && !piece.keepsDeadline,
    );
    return again(context, field, {
      commands: [...before, ...behind].map(({ command }) => command),
      endedAt: end?.endedAt ?? 0,
      before: before.length,
      keeps: !isNewLife,
    });
  });
  const rest = built.filter((piece) => !(isOnField(piece) && concerned.has(piece.cell)));
  return { rest, commands, hasEnded };
}
