/**
 * Moves from list to list: a pop by place and a push by place of what stood there, in one step. The element is not in the stream, but
 * its place is.
 */

import { scriptSource } from '../../lua/scripts.js';
import {
  elements,
  indexOf,
  isInView,
  isPresent,
  placesOf,
  pushPlace,
  split,
  withRun,
  type Place,
} from './list-places.js';
import { isFree, isPast } from './ends.js';
import { isState, type Piece } from '../../pieces/piece.js';
import {
  heldAfter,
  NOTHING,
  type Command,
  type Held,
  type RuleContext,
  type Resolution,
} from './rule-context.js';

/** The result of a move: the command that runs, and how the list it takes from and the one it puts into stand then. */
export interface Moved {
  readonly command: Command;
  readonly from: Resolution;
  readonly to: Resolution;
}

/** The two halves of a move. */
export interface Halves {
  readonly take: Piece;
  readonly put: Piece;
}

/** Undefined when it is not certain which element is meant, or where it goes: then nothing is done. */
export function resolveMove(
  { from, to }: { readonly from: RuleContext; readonly to: RuleContext },
  whole: Command,
  { take, put }: Halves,
): Moved | undefined {
  if (isFree(from, take) && isFree(to, put))
    return {
      command: whole,
      from: { commands: [], outcome: 'merged', held: heldAfter(from.held, take) },
      to: {
        commands: [],
        outcome: 'merged',
        held: heldAfter(to.held, put),
        ...(isPast(to, put) ? { places: { places: undefined } } : {}),
      },
    };
  const [source, target] = [placesHere(from, take), placesHere(to, put)];
  const taken = source && takenFrom(source, take);
  if (!source || !target || !taken) return undefined;
  const placed = placeIn(to, target, put);
  if (!placed) return undefined;
  const rest = taken.parts.filter((_, at) => at !== taken.at);
  return {
    command: [
      'EVAL',
      scriptSource('move-element'),
      2,
      from.key,
      to.key,
      indexOf(taken.parts, taken.at),
      placed.index,
    ],
    from: resolved(rest),
    to: resolved(placed.places),
  };
}

function resolved(places: readonly Place[]): Resolution {
  const length = places.reduce((sum, place) => sum + (isPresent(place) ? place.count : 0), 0);
  const held: Held = length === 0 ? NOTHING : { kind: 'list', length };
  return { commands: [], outcome: 'merged', held, places: { places } };
}

function placesHere(context: RuleContext, { seen }: Piece): readonly Place[] | undefined {
  const { local, pending, isAsking, isContended, held, known, isDoubtful } = context;
  if (pending || isAsking || isContended || held.kind === 'other') return undefined;
  const listed = local.all.filter(({ role }) => role !== 'expiry');
  if (listed.some((piece) => isState(piece) || piece.type !== 'list')) return undefined;
  return placesOf({ local: listed, length: held.length, seen, known, isDoubtful });
}

/** The place that is taken, by itself; undefined for one that is gone here, or another one meanwhile. */
function takenFrom(places: readonly Place[], { name }: Piece): { parts: Place[]; at: number } | undefined {
  const length = places.reduce((sum, place) => sum + (isInView(place) ? place.count : 0), 0);
  const index = name === 'LPOP' ? 0 : length - 1;
  const parts = split(places, isInView, [index, index + 1]);
  const at = parts.findIndex((part) => isInView(part.place) && part.index === index);
  const place = parts[at]?.place;
  if (!place || place.isHole || !isPresent(place) || place.set) return undefined;
  return { parts: parts.map((part) => part.place), at };
}

function placeIn(
  { site }: RuleContext,
  places: readonly Place[],
  { name, site: sender }: Piece,
): { places: readonly Place[]; index: number } | undefined {
  const side = name === 'RPUSH' ? 'right' : 'left';
  const at = pushPlace(places, side, sender < site);
  const isKnownThere = (place: Place): boolean => isPresent(place) || !isInView(place);
  const there = pushPlace(places.filter(isKnownThere), side, sender < site);
  if (places.slice(0, at).filter(isKnownThere).length !== there) return undefined;
  return { places: withRun(places, at, elements(1)[0]!), index: indexOf(places, at) };
}
