/**
 * Lists: two-party transformation by position. Both sites' pushes stay, in one order; an element popped on both is gone once; a
 * pop takes the element its site saw. What takes off or overwrites by position does so only where it is certain which element
 * is meant: otherwise nothing happens here, and the other site, which knows, is asked for the key's state.
 */

import type { Argument } from '../../change/encode-command.js';
import { scriptSource } from '../../lua/scripts.js';
import {
  elements,
  indexOf,
  isInView,
  isPresent,
  keepsOwnSet,
  keptRange,
  nameOf,
  placesOf,
  pushPlace,
  type KnownPlaces,
  type OwnListPiece,
  type Place,
} from './list-places.js';
import type { Piece } from './meeting.js';

export interface ListMeeting {
  readonly key: Buffer;
  readonly incoming: Piece;
  /** Own list writes and `DEL`s on the key that the sender had not seen, oldest first. */
  readonly own: readonly OwnListPiece[];
  /** The list's length when the commands will run; undefined when it cannot be known. */
  readonly length: number | undefined;
  /** The own sequence the sender had seen, and the one decided against. */
  readonly seen: number;
  readonly decided: number;
  readonly known: KnownPlaces | undefined;
  readonly doubtedUpTo: number;
}

export interface ListResolution {
  readonly commands: readonly (readonly Argument[])[];
  /** The places afterwards; undefined: not known any more, the peer must be asked. */
  readonly places: readonly Place[] | undefined;
}

/** The length of what is no list. */
export const NO_LIST = -1;

/** What a command does to today's list, in order. */
type Splice =
  | { readonly kind: 'insert'; readonly at: number; readonly values: readonly Argument[] }
  | { readonly kind: 'remove'; readonly at: number };

/** Takes or overwrites what happens to stand at a position. */
const BY_POSITION: ReadonlySet<string> = new Set([
  'LPOP',
  'RPOP',
  'LSET',
  'LTRIM',
  'LREM',
  'ZPOPMIN',
  'ZPOPMAX',
  'LMOVE',
  'RPOPLPUSH',
]);

/** Whether a command, on a value its site had not seen, would take something nobody asked for. */
export function isByPosition(piece: Piece): boolean {
  return BY_POSITION.has(nameOf(piece));
}

export function resolveList(meeting: ListMeeting): ListResolution {
  const { own, length, seen, known, doubtedUpTo, incoming } = meeting;
  const places = length === undefined ? undefined : placesOf({ own, length, seen, known, doubtedUpTo });
  const done = places && perform(meeting, places);
  if (done) return done;
  // A DEL that cannot be placed leaves all: what it should have taken comes off with the state.
  const isLeftOut = isByPosition(incoming) || nameOf(incoming) === 'DEL';
  return { commands: isLeftOut ? [] : incoming.commands, places: undefined };
}

function perform(meeting: ListMeeting, places: Place[]): ListResolution | undefined {
  const { incoming, own, key, decided } = meeting;
  const args = incoming.commands[0]!;
  const name = nameOf(incoming);
  const view = places.filter(isInView);
  switch (name) {
    case 'RPUSH':
    case 'LPUSH': {
      const values = name === 'RPUSH' ? args.slice(2) : args.slice(2).toReversed();
      const isSenderFirst = incoming.site < own[0]!.piece.site;
      const at = pushPlace(places, name === 'RPUSH' ? 'right' : 'left', isSenderFirst);
      const after = places.toSpliced(at, 0, ...elements(values.length));
      return {
        commands: [splice(key, [{ kind: 'insert', at: indexOf(places, at), values }])],
        places: after,
      };
    }
    case 'LSET':
      return overwrite(meeting, places, view);
    default: {
      const taken = takenBy(incoming, view);
      return taken && takeOff({ key, places, taken, decided });
    }
  }
}

/** The places in the sender's view that the command takes off. */
function takenBy(incoming: Piece, view: readonly Place[]): Place[] | undefined {
  const args = incoming.commands[0]!;
  const count = Number(args[2] ?? 1);
  const certain = (taken: Place[]): Place[] | undefined =>
    taken.some(({ isHole }) => isHole) ? undefined : taken;
  switch (nameOf(incoming)) {
    case 'LPOP':
      return certain(view.slice(0, count));
    case 'RPOP':
      return certain(view.slice(Math.max(0, view.length - count)));
    case 'LTRIM': {
      if (!certain([...view])) return undefined;
      const { from, to } = keptRange(view.length, Number(args[2]), Number(args[3]));
      return view.filter((_, index) => index < from || index >= to);
    }
    case 'DEL':
      return [...view];
    default:
      return undefined;
  }
}

/** Takes off the places: those that are there from the list; those that are not, both sites have taken off. */
function takeOff({
  key,
  places,
  taken,
  decided,
}: {
  key: Buffer;
  places: readonly Place[];
  taken: readonly Place[];
  decided: number;
}): ListResolution {
  let rest = [...places];
  const splices: Splice[] = [];
  for (const place of taken) {
    const at = rest.indexOf(place);
    if (isPresent(place)) splices.push({ kind: 'remove', at: indexOf(rest, at) });
    rest = rest.with(at, { ...place, dead: decided });
  }
  return { commands: splices.length === 0 ? [] : [splice(key, splices)], places: rest };
}

function overwrite(
  { incoming, key }: ListMeeting,
  places: Place[],
  view: readonly Place[],
): ListResolution | undefined {
  const [, , index, content] = incoming.commands[0]!;
  const position = Number(index);
  const crossed = position < 0 ? view.slice(position) : view.slice(0, position + 1);
  const place = view.at(position);
  if (!place || crossed.some(({ isHole }) => isHole)) return undefined;
  if (place.gone !== 0 || keepsOwnSet(place, incoming)) return { commands: [], places };
  const at = places.indexOf(place);
  return {
    commands: [['LSET', key, indexOf(places, at), content!]],
    places: places.with(at, { ...place, set: undefined }),
  };
}

function splice(key: Buffer, splices: readonly Splice[]): Argument[] {
  const args = splices.flatMap((one): Argument[] =>
    one.kind === 'insert' ? ['insert', one.at, one.values.length, ...one.values] : ['remove', one.at],
  );
  return ['EVAL', scriptSource('splice'), 1, key, ...args];
}
