/** A state of the other site: the value of a key as it was at its place in that site's order. */

import { placing } from './assembled.js';
import { fieldsApart } from './fields.js';
import { isMergeable, merged } from './list-merge.js';
import { elements } from './list-places.js';
import { isOfEndedLife, matchedBy, meetingState, withItsDeadline } from './lives.js';
import {
  beats,
  behindHead,
  isAbove,
  isState,
  latest,
  rankOf,
  type Piece,
  type StatePiece,
} from '../../pieces/piece.js';
import { numberIn } from '../../protocol/messages/message-kind.js';
import { isAbsent, type KeyState } from '../../protocol/messages/state.js';
import { scriptSource } from '../../lua/scripts.js';
import {
  NOTHING,
  OTHER,
  UNKNOWN,
  type Command,
  type Held,
  type RuleContext,
  type Resolution,
} from './rule-context.js';
import type { Place } from './list-places.js';
import { isByPosition, rerunAll } from './rerun.js';

export function resolveState(context: RuleContext, incoming: StatePiece): Resolution {
  const { pending, held } = context;
  if (isOfEndedLife(context, incoming)) return { commands: [], outcome: 'own-stays', held };
  const local = meetingState(context.local, incoming);
  const head = local.lastHead;
  const stays =
    (pending !== undefined && isAbove(pending, rankOf(incoming))) ||
    (head !== undefined && (isState(head) ? isAbove(rankOf(head), rankOf(incoming)) : beats(head, incoming)));
  // A state stands for writes, it is none: one that lost changes nothing.
  if (stays) return { commands: [], outcome: 'own-stays', held };
  // Where there is no such key at either site, nothing is made again without its deadline.
  const isGone =
    isAbsent(incoming.state) && held.kind === 'nothing' && typeof context.life.deadline === 'number';
  const built = isGone ? [] : behindHead(local.users);
  if (!isGone && isMergeable(context, incoming))
    return {
      ...merged(context, incoming),
      // The other site has left out what was taken off here: it is told what has become of it.
      state: latest([incoming, ...local.all]),
    };
  // A trim would take entries it had not seen.
  const again = built.filter(({ role }) => role !== 'trim');
  const replaced = replaceBy(context, incoming, again);
  const covered = local.users.slice(0, local.users.length - built.length);
  return {
    ...replaced,
    life: matchedBy(context, incoming),
    outcome: built.length > 0 ? 'merged' : 'theirs-stays',
    // The other site still has what a local head took from the list here.
    places: covered.some(({ type }) => type === 'list') ? { places: undefined } : replaced.places,
    // A local state that was beaten stands in the way of what the other site writes next: what has become of it is said again.
    ...((head && isState(head)) || replaced.hasEnded ? { state: latest([incoming, ...local.all]) } : {}),
  };
}

/** The key as the state has it, and local pieces on it again. */
export function replaceBy(
  context: RuleContext,
  { state, site }: StatePiece,
  built: readonly Piece[],
): Omit<Resolution, 'outcome'> & { hasEnded: boolean; places: { places: readonly Place[] | undefined } } {
  const { key, out } = context;
  const { elements: length } = state;
  const held: Held = isAbsent(state) ? NOTHING : length < 0 ? OTHER : { kind: 'list', length };
  const fields = fieldsApart(context, built);
  const again = rerunAll(fields.rest, held, site);
  const commands = [...valueOf(key, state, out), ...again.commands, ...fields.commands];
  return {
    commands: withItsDeadline(context, state, commands, built),
    held: fields.commands.length > 0 ? UNKNOWN : again.held,
    hasEnded: fields.hasEnded,
    places: { places: placesOn(Math.max(0, length), built) },
  };
}

/**
 * The commands that make a key what a state says. Its expiry follows by itself: a `RESTORE` whose expiry is past leaves nothing, and says
 * nothing of it, although the key may live on at the other site with a later one (see `late-expiry.ts`).
 * @param out the key that carries Tandem's own commands
 */
export function valueOf(key: Buffer, state: KeyState, out: string): Command[] {
  const { dump, made, assembled, expiry } = state;
  if (isAbsent(state)) return [['DEL', key]];
  if (assembled) return [placing(key, state, { out, isFill: false })];
  const told = hasFieldDeadlines(state) ? [tellFields(key, state, out)] : [];
  if (made) return [byScript(key, state, { out, isFill: false }), ...told];
  const value: Command = ['RESTORE', key, 0, dump, 'REPLACE'];
  return numberIn(expiry) > 0 ? [value, ...told, ['PEXPIREAT', key, expiry]] : [value, ...told];
}

/** The first bytes of a dump of a hash whose fields have deadlines: in Redis 7.4 and later, and Valkey 9. */
const HASHES_WITH_DEADLINES: ReadonlySet<number> = new Set([22, 23, 24, 25]);

function hasFieldDeadlines({ dump, made }: KeyState): boolean {
  if (made) return made.some(([name]) => name?.toString('latin1').toUpperCase() === 'HPEXPIREAT');
  return HASHES_WITH_DEADLINES.has(dump[0]!);
}

/** The script that says in the stream which deadlines have come with a state: only the server can read a dump. */
function tellFields(key: Buffer, { database }: KeyState, out: string): Command {
  return ['EVAL', scriptSource('tell-field-deadlines'), 2, key, out, database];
}

/**
 * The same for a key that this site leaves out, which has no value to lose where it has none: only there it becomes what the state
 * says. Nothing for a state that says there is no such key.
 */
export function fillOf(key: Buffer, state: KeyState, out: string): Command | undefined {
  if (isAbsent(state)) return undefined;
  const options = { out, isFill: true };
  return state.assembled ? placing(key, state, options) : byScript(key, state, options);
}

function byScript(
  key: Buffer,
  { dump, made = [], expiry }: KeyState,
  { out, isFill }: { out: string; isFill: boolean },
): Command {
  const commands = made.flatMap((one) => [one.length, ...one]);
  return [
    'EVAL',
    scriptSource('restore-value'),
    2,
    key,
    `${out}:value`,
    isFill ? 1 : 0,
    expiry,
    dump,
    ...commands,
  ];
}

/** A list of so many elements that the sender knows, and local pushes on it. */
function placesOn(length: number, built: readonly Piece[]): Place[] | undefined {
  let places = elements(length);
  for (const { name, command, batchEnd } of built.filter((piece) => !isByPosition(piece))) {
    if (name === 'LINSERT') return undefined;
    if (name === 'RPUSH') places = [...places, ...elements(command.length - 2, batchEnd, 'right')];
    if (name === 'LPUSH') places = [...elements(command.length - 2, batchEnd, 'left'), ...places];
  }
  return places;
}
