/**
 * Lists: two-party transformation by position. Both sites' pushes stay, in one order; an element popped on both is gone once; a pop takes
 * the element its site saw. A command that takes off or overwrites by position runs only where it is certain which element is meant.
 * Otherwise nothing happens here, and the other site is asked for the key's state.
 */

import { LACK } from '../../protocol/messages/state-request.js';
import type { Argument } from '../../redis-commands/encode-command.js';
import { scriptSource } from '../../lua/scripts.js';
import { isFree, isPast } from './ends.js';
import { lifeOf } from './expiry.js';
import {
  elements,
  indexOf,
  inView,
  isInView,
  isPresent,
  keptRange,
  placesOf,
  present,
  pushPlace,
  split,
  withRun,
  type Part,
  type Place,
} from './list-places.js';
import { isAbove, rankOf, type Piece } from '../../pieces/piece.js';
import {
  heldAfter,
  NOTHING,
  UNKNOWN,
  type Command,
  type Held,
  type RuleContext,
  type Resolution,
} from './rule-context.js';
import { isByPosition, rerun } from './rerun.js';

/** A list command of the other site. */
export function resolveList(context: RuleContext, incoming: Piece, isClash: boolean): Resolution {
  const { local, pending, isAsking, held } = context;
  const nothing: Resolution = { commands: [], outcome: 'own-stays', held };
  if (held.kind === 'other') return nothing;
  const { isReplaced, listed } = local.list;
  if ((isReplaced || pending) && isByPosition(incoming)) return nothing;
  if (local.all.length > 0 && isFree(context, incoming))
    return {
      commands: [incoming.command],
      outcome: 'merged',
      held: heldAfter(held, incoming),
      ...(isPast(context, incoming) ? { places: { places: undefined } } : {}),
    };
  if (listed.length === 0 && !isAsking)
    return {
      commands: isByPosition(incoming) ? [incoming.command] : rerun(incoming),
      outcome: 'merged',
      held: heldAfter(held, incoming),
      places: 'forgotten',
    };
  const before = isAsking ? undefined : placesHere(context, listed, incoming);
  const asks = !(isClash || pending || isAsking);
  const edit = before && editing(context.key, before, incoming);
  if (edit)
    return { commands: [edit], outcome: 'merged', held: UNKNOWN, places: { places: undefined }, asks };
  const done = before && perform(context, before, incoming);
  if (done) return { ...done, outcome: 'merged' };
  const commands = isByPosition(incoming) ? [] : rerun(incoming);
  return {
    commands,
    outcome: 'state-asked',
    held: commands.length > 0 ? heldAfter(held, incoming) : held,
    places: { places: undefined },
    asks,
    ...(incoming.isRemoval ? { lacks: LACK.peerRemovals } : {}),
  };
}

/** A `DEL` of the other site: it takes what its sender had, and leaves what was pushed here meanwhile. */
export function deleteList(context: RuleContext, incoming: Piece): Resolution {
  const { local, isAsking, held, key } = context;
  const listed = local.all.filter(({ role }) => role !== 'expiry');
  const places = isAsking ? undefined : placesHere(context, listed, incoming);
  if (!places)
    return { commands: [], outcome: 'state-asked', held, places: { places: undefined }, asks: true };
  const done = takeOff(key, partsOf(places), isInView);
  if (done.held.kind === 'nothing') return { ...done, outcome: 'theirs-stays' };
  const expiry = expiryOnNothing(local.all);
  return {
    ...done,
    outcome: 'merged',
    // It keeps the deadline it has, if none was given it here.
    commands: expiry ? [...done.commands, expiry.command] : done.commands,
    // A pop may have emptied what the expiry was set on.
    asks: expiry !== undefined && local.all.some(({ isRemoval }) => isRemoval),
  };
}

/** The expiry that local commands, run again on nothing, give the key. */
function expiryOnNothing(local: readonly Piece[]): Piece | undefined {
  let isThere = false;
  let expiry: Piece | undefined;
  for (const piece of local) {
    if (piece.role === 'expiry') {
      if (isThere) expiry = lifeOf(piece) === Infinity ? undefined : piece;
    } else if (piece.role === 'key-head') {
      isThere = false;
      expiry = undefined;
    } else if (!isByPosition(piece)) isThere = true;
  }
  return expiry;
}

type Done = Omit<Resolution, 'outcome'> & { readonly places: { readonly places: readonly Place[] } };

function placesHere(
  { held, known, isDoubtful }: RuleContext,
  local: readonly Piece[],
  { seen }: Piece,
): readonly Place[] | undefined {
  return placesOf({ local, length: held.length, seen, known, isDoubtful });
}

function leaving(places: readonly Place[], commands: readonly Command[]): Done {
  const length = present(places);
  const held: Held = length === 0 ? NOTHING : { kind: 'list', length };
  return { commands, places: { places }, held };
}

/** The places afterwards; undefined when it is not certain what is meant: then nothing is done. */
function perform({ key, site }: RuleContext, places: readonly Place[], incoming: Piece): Done | undefined {
  const { command, name } = incoming;
  switch (name) {
    case 'RPUSH':
    case 'LPUSH': {
      const values = name === 'RPUSH' ? command.slice(2) : command.slice(2).toReversed();
      const isSenderFirst = incoming.site < site;
      const side = name === 'RPUSH' ? 'right' : 'left';
      const at = pushPlace(places, side, isSenderFirst);
      // Elements that both sites had, and only this one has taken off, tell local pushes apart here, and not at the other site.
      const isKnownThere = (place: Place): boolean => isPresent(place) || !isInView(place);
      if (!places.every(isKnownThere)) {
        const there = pushPlace(places.filter(isKnownThere), side, isSenderFirst);
        if (places.slice(0, at).filter(isKnownThere).length !== there) return undefined;
      }
      const after = withRun(places, at, elements(values.length)[0]!);
      return { ...leaving(after, []), insert: { at: indexOf(places, at), values } };
    }
    case 'LSET':
      return overwrite(key, places, incoming);
    default:
      return take(key, places, incoming);
  }
}

/** Takes off the places in the sender's view that the command takes off there; undefined when it is not certain which. */
function take(key: Buffer, places: readonly Place[], { name, command }: Piece): Done | undefined {
  const count = Number(command[2] ?? 1);
  const length = inView(places);
  const within = (from: number, to: number): Done | undefined => {
    const isTaken = ({ place, index }: Part): boolean => isInView(place) && index >= from && index < to;
    const parts = split(places, isInView, [from, to]);
    if (parts.some((part) => part.place.isHole && isTaken(part))) return undefined;
    const taken = new Set(parts.filter(isTaken).map(({ place }) => place));
    return takeOff(key, parts, (place) => taken.has(place));
  };
  switch (name) {
    case 'LPOP':
      return within(0, count);
    case 'RPOP':
      return within(Math.max(0, length - count), length);
    case 'LTRIM': {
      if (places.some(({ isHole }) => isHole)) return undefined;
      const { from, to } = keptRange(length, count, Number(command[3]));
      const parts = split(places, isInView, [from, to]);
      const stays = new Set(
        parts.filter(({ index }) => index >= from && index < to).map(({ place }) => place),
      );
      return takeOff(key, parts, (place) => isInView(place) && !stays.has(place));
    }
    default:
      return undefined;
  }
}

/** Takes off places: those that are there from the list; those that are not, both sites have taken off. */
function takeOff(key: Buffer, parts: readonly Part[], isTaken: (place: Place) => boolean): Done {
  const edits: Argument[] = [];
  const rest: Place[] = [];
  let index = 0;
  for (const { place } of parts) {
    if (!isTaken(place)) {
      rest.push(place);
      if (isPresent(place)) index += place.count;
    } else if (isPresent(place)) edits.push('remove', index, place.count);
  }
  return leaving(rest, edits.length === 0 ? [] : [splice(key, edits)]);
}

function partsOf(places: readonly Place[]): Part[] {
  return split(places, isInView, []);
}

/** The script that runs a command by content on the elements its sender had, if all of them are there. */
function editing(key: Buffer, places: readonly Place[], { name, command }: Piece): Command | undefined {
  if ((name !== 'LREM' && name !== 'LINSERT') || places.some((place) => isInView(place) && !isPresent(place)))
    return undefined;
  const unseen: Argument[] = [];
  let index = 0;
  for (const place of places) {
    if (!isPresent(place)) continue;
    if (!isInView(place)) for (let i = 0; i < place.count; i++) unseen.push(index + i);
    index += place.count;
  }
  const words = command.slice(2).map((word, at) => (name === 'LINSERT' && at === 0 ? upper(word) : word));
  return ['EVAL', scriptSource('edit-list'), 1, key, name, ...words, ...unseen];
}

function upper(word: Argument): string {
  return String(word).toUpperCase();
}

function overwrite(key: Buffer, places: readonly Place[], incoming: Piece): Done | undefined {
  const [, , index, content] = incoming.command;
  const wanted = Number(index);
  const position = wanted < 0 ? inView(places) + wanted : wanted;
  const parts = split(places, isInView, [position, position + 1]);
  const at = parts.findIndex((part) => isInView(part.place) && part.index === position);
  const place = parts[at]?.place;
  const crossed = wanted < 0 ? parts.slice(at) : parts.slice(0, at + 1);
  if (!place || crossed.some((part) => part.place.isHole)) return undefined;
  const localStays = place.set !== undefined && isAbove(rankOf(place.set), rankOf(incoming));
  if (place.gone !== 0 || localStays) return leaving(places, []);
  const after = parts.map((part, i) => (i === at ? { ...place, set: undefined } : part.place));
  return leaving(after, [['LSET', key, indexOf(after, at), content!]]);
}

/** @param edits as `splice-list.lua` takes them */
export function splice(key: Buffer, edits: readonly Argument[]): Argument[] {
  return ['EVAL', scriptSource('splice-list'), 1, key, ...edits];
}
