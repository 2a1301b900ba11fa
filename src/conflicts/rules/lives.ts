/**
 * Lives of keys with a deadline. A life begins with the write that makes the key and ends at its deadline, at every site, by each
 * server's clock. Both sites know of that end beforehand. It is no removal by a client:
 * - A write to a life ends with it, and does not make the key anew at the other site, where it would be without a deadline.
 * - What is written after the end is a new life.
 * - A deadline that was put off unseen keeps the life: the site that let it end asks for the key.
 * - A write that a *removal by a client* had not seen stays, and keeps the deadline it had where it was written.
 */

import { LACK } from '../../protocol/messages/state-request.js';
import { isAbsent, type KeyState } from '../../protocol/messages/state.js';
import { scriptSource } from '../../lua/scripts.js';
import { lifeOf } from './expiry.js';
import { isHead, type Piece, type StatePiece } from '../../pieces/piece.js';
import type { Command, RuleContext, Resolution, LifeChange } from './rule-context.js';
import { LocalPieces } from './local-pieces.js';

/** The local removals of the key as a whole that a head of the sender's matches, as a change; nothing where there are none. */
export function matchedBy({ local }: RuleContext, incoming: Piece): LifeChange {
  const removal = local.ends.removals.at(-1)?.piece;
  if (!removal) return {};
  // Behind a removal a local write, which that had not seen, may have made the key again at the other site.
  const made = incoming.isRemoval
    ? local.users.find((piece) => !piece.isRemoval && piece.role !== 'expiry')
    : undefined;
  const isBefore = made !== undefined && made.sequence < removal.sequence;
  return { matched: { through: removal.sequence, madeAgainBy: isBefore ? made.sequence : Infinity } };
}

/**
 * A write to a life that has ended here ends with it. Only a longer deadline that its site has given it keeps it: that site is asked.
 * Until the answer has come nothing of it is made anew here. Nothing for a write to a life that goes on.
 */
export function resolveOnEndedLife(context: RuleContext, incoming: Piece): Resolution | undefined {
  const { local, held, life, isAsking } = context;
  const end = local.ends.last;
  const isMatched = end !== undefined && end.sequence <= life.matchedThrough;
  const isAmbiguous = isMatched && incoming.seen >= life.madeAgainBy;
  const isEnded = life.isOver || (end !== undefined && (!isMatched || isAmbiguous));
  const isAwaited = isAsking && held.kind === 'nothing' && typeof life.deadline === 'number';
  if (!isEnded && !isAwaited) return undefined;
  const isDoubtful = isAmbiguous || (end !== undefined && end.sequence <= life.forgottenThrough);
  const over = Math.max(end?.endedAt ?? 0, life.isOver ? life.now : 0);
  const isPutOff = incoming.role === 'expiry' && lifeOf(incoming) > over;
  const isAsked = isAsking && life.leavesOut && life.askedAt >= (end?.sequence ?? 0);
  const asks = !isAsked && (isDoubtful || isPutOff || !isEnded);
  const left: Resolution = { commands: [], outcome: asks ? 'state-asked' : 'own-stays', held };
  return asks ? { ...left, asks, leaves: LACK.peerWrites } : left;
}

/**
 * A resolution of a write that a local removal had not seen, with the deadline that it has at its own site, as far as that is known
 * here. The other site is asked for the key.
 */
export function withDeadline(context: RuleContext, incoming: Piece, resolution: Resolution): Resolution {
  const { local, held, life, key, isAsking } = context;
  const isExpiry = incoming.role === 'expiry';
  if (isExpiry && held.kind === 'nothing') {
    const given = lifeOf(incoming);
    return { ...resolution, life: { deadline: given === Infinity ? 'none' : given } };
  }
  if (incoming.isRemoval || isExpiry || life.deadline === 'none') return resolution;
  const removal = local.ends.removals.findLast(
    ({ piece }) => piece.sequence > life.matchedThrough || incoming.seen >= life.madeAgainBy,
  );
  // A key made here behind the removal has a deadline of its own, or was given none.
  const isRemoved = removal !== undefined && !removal.isGivenExpiry;
  const isEmptied = held.kind === 'nothing' && local.all.some((piece) => !isKeyRemoval(piece));
  if (!isRemoved && !isEmptied) return resolution;
  // A queue has no deadline, as a rule. A state would bring back what is popped here before it comes.
  const isQueue = incoming.type === 'list' || incoming.type === 'zset';
  if (life.deadline === 'unknown' && !isRemoved && isQueue) return resolution;
  if (life.deadline === 'unknown')
    return isAsking && life.leavesOut ? resolution : { ...resolution, asks: true, leaves: LACK.peerWrites };
  const asks = resolution.asks === true || !isAsking;
  return { ...resolution, commands: [...resolution.commands, until(key, life.deadline)], asks };
}

/** Gives a key a deadline if it is there and has none. */
function until(key: Buffer, deadline: number | Buffer): Command {
  return ['EVAL', scriptSource('give-deadline'), 1, key, deadline];
}

/**
 * Commands that make a key again, between the two that keep the deadline it has meanwhile.
 * @param asks whether the other site is asked for the key where that was needed
 */
export function keepingDeadline(
  { key, database, applied, out, request, life }: RuleContext,
  commands: readonly Command[],
  built: readonly Piece[],
  asks: boolean,
): readonly Command[] {
  const isTakenAway = built.some((piece) => piece.role === 'expiry' && lifeOf(piece) === Infinity);
  if (
    isTakenAway ||
    life.deadline === 'none' ||
    built.every(({ role, isRemoval }) => role === 'expiry' || isRemoval)
  )
    return commands;
  const keep = ['EVAL', scriptSource('keep-deadline'), 3, applied, key, out, database, asks ? request() : ''];
  return [['EVAL', scriptSource('hold-deadline'), 2, applied, key], ...commands, keep];
}

/** Local writes may empty the key and make it again: it keeps the deadline of the state, or the one it had here where there is no key. */
export function withItsDeadline(
  context: RuleContext,
  state: KeyState,
  commands: readonly Command[],
  built: readonly Piece[],
): readonly Command[] {
  if (isAbsent(state)) return keepingDeadline(context, commands, built, false);
  const isKept = Number(state.expiry) > 0 && built.some(({ isRemoval }) => isRemoval);
  const isTakenAway = built.some((piece) => piece.role === 'expiry' && lifeOf(piece) === Infinity);
  return isKept && !isTakenAway ? [...commands, until(context.key, state.expiry)] : commands;
}

function isKeyRemoval({ role, isRemoval }: Piece): boolean {
  return role === 'key-head' && isRemoval;
}

/** Whether a state of a life arrives here behind that life's end. */
export function isOfEndedLife({ local, life }: RuleContext, { state }: StatePiece): boolean {
  const head = local.users.findLast(isHead);
  const expiry = Number(state.expiry);
  return head?.endedAt !== undefined && expiry > 0 && expiry <= Math.max(life.now, head.endedAt);
}

/** The local pieces that a state meets: a life that was put off has not ended, and what was written to it before counts. */
export function meetingState(local: LocalPieces, { state }: StatePiece): LocalPieces {
  const end = local.ends.last;
  const expiry = isAbsent(state) ? 0 : Number(state.expiry) || Infinity;
  if (!end || expiry <= end.endedAt!) return local;
  return new LocalPieces(local.all.filter(({ endedAt }) => endedAt === undefined));
}
