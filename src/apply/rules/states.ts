/** A state of the other site: the value of a key as it was at its place in that site's order. */

import { elements } from './list-places.js';
import {
  beats,
  behindHead,
  isAbove,
  isState,
  latest,
  rankOf,
  type Piece,
  type StatePiece,
} from './meeting.js';
import type { KeyState } from '../../change/special.js';
import { NOTHING, OTHER, type Command, type Held, type Occasion, type Resolution } from './occasion.js';
import type { Place } from './list-places.js';
import { isByPosition, rerunAll } from './rerun.js';

export function resolveState(occasion: Occasion, incoming: StatePiece): Resolution {
  const { own, pending, held } = occasion;
  const head = own.lastHead;
  const stays =
    (pending !== undefined && isAbove(pending, rankOf(incoming))) ||
    (head !== undefined && (isState(head) ? isAbove(rankOf(head), rankOf(incoming)) : beats(head, incoming)));
  // A state stands for writes, it is none: one that lost changes nothing.
  if (stays) return { commands: [], outcome: 'own-stays', held };
  const built = behindHead(own.users);
  // A trim would take entries it had not seen.
  const again = built.filter(({ role }) => role !== 'trim');
  const replaced = replaceBy(occasion, incoming, again);
  const covered = own.users.slice(0, own.users.length - built.length);
  return {
    ...replaced,
    outcome: built.length > 0 ? 'merged' : 'theirs-stays',
    // The other site still has what an own head took from the list here.
    places: covered.some(({ type }) => type === 'list') ? { places: undefined } : replaced.places,
    // An own state that was beaten stands in the way of what the other site writes next: what has become of it is said again.
    ...(head && isState(head) ? { state: latest([incoming, ...own.all]) } : {}),
  };
}

/** The key as the state has it, and own pieces on it again. */
export function replaceBy(
  { key }: Occasion,
  { state }: StatePiece,
  built: readonly Piece[],
): Omit<Resolution, 'outcome'> & { places: { places: readonly Place[] | undefined } } {
  const { dump, elements: length } = state;
  const held: Held = dump.length === 0 ? NOTHING : length < 0 ? OTHER : { kind: 'list', length };
  const again = rerunAll(built, held);
  return {
    commands: [...valueOf(key, state), ...again.commands],
    held: again.held,
    places: { places: placesOn(Math.max(0, length), built) },
  };
}

/**
 * What makes a key what a state says. Its expiry follows by itself: a `RESTORE` whose expiry is past leaves nothing, and says nothing
 * of it, although the key may live on at the other site with a later one. `PEXPIREAT` then stands in the stream as a `DEL`.
 */
export function valueOf(key: Buffer, { dump, expiry }: KeyState): Command[] {
  if (dump.length === 0) return [['DEL', key]];
  const value: Command = ['RESTORE', key, 0, dump, 'REPLACE'];
  return Number(expiry) > 0 ? [value, ['PEXPIREAT', key, expiry]] : [value];
}

/** A list of so many elements that the sender knows, and own pushes on it. */
function placesOn(length: number, built: readonly Piece[]): Place[] | undefined {
  let places = elements(length);
  for (const { name, command, batchEnd } of built.filter((piece) => !isByPosition(piece))) {
    if (name === 'LINSERT') return undefined;
    if (name === 'RPUSH') places = [...places, ...elements(command.length - 2, batchEnd)];
    if (name === 'LPUSH') places = [...elements(command.length - 2, batchEnd), ...places];
  }
  return places;
}
