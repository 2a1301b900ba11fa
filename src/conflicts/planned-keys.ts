/** The runs of a batch over each of its keys: how they begin, and what they have come to, as a resolution of the batch says it. */

import type { DeliveredBatch } from '../protocol/batch.js';
import type { ConflictOutcome } from '../observe/conflict-outcome.js';
import { commutingWith, effectCode } from '../redis-commands/effect-code.js';
import { ARRIVAL, EXPIRED, GONE, STATE } from '../protocol/messages/messages.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { PlannedKey } from './planned-key.js';
import { nameOf, recordedEffectOf, type PayloadCommand } from '../protocol/payload.js';
import type { Conflict, Resolved } from './resolved.js';
import type { CommandPlannerOptions } from './plan-options.js';
import type { KnownPlaces } from './rules/list-places.js';
import type { Piece } from '../pieces/piece.js';
import { UNKNOWN } from './rules/rule-context.js';

/** @param passed lists of which the places are not known any more, though nothing was looked at */
export async function begunOn(
  key: PlacedKey,
  {
    options,
    batch,
    passed,
  }: {
    readonly options: CommandPlannerOptions;
    readonly batch: DeliveredBatch;
    readonly passed: ReadonlyMap<string, KnownPlaces>;
  },
): Promise<PlannedKey> {
  const { site, ownOn, heldAt, isHot, isMisplaced, lackOf, memory, applied, out, lifeOf, fieldsOf, decided } =
    options;
  const { timestamp, seen } = batch;
  const own = await ownOn(key);
  const held = heldAt(key) ?? UNKNOWN;
  const life = lifeOf(key, own);
  return new PlannedKey({
    key,
    site,
    own,
    // Whether it has ended is for the server to say.
    life: { ...life, isOver: life.isOver && held.kind === 'nothing' },
    fields: fieldsOf(key, own),
    decided,
    applied,
    held,
    known: passed.get(nameOf(key)) ?? memory.get(nameOf(key), seen),
    isDoubtful: (piece: Piece) => memory.isDoubtful(piece),
    isHot: isHot(key),
    isMisplaced: isMisplaced(key),
    lack: lackOf(key),
    timestamp,
    seen,
    out,
  });
}

/** The conflict of a command with what was written here; nothing where there was none. */
export function metBy(
  command: PayloadCommand,
  { key, written, isHot }: PlannedKey,
  met: { readonly outcome: ConflictOutcome; readonly theirTimestamp: number },
): Omit<Conflict, 'isListed'> | undefined {
  const own = written.filter(({ name }) => name !== STATE && name !== EXPIRED);
  const newest = own.at(-1);
  if (!newest && !isHot) return undefined;
  if (
    !isHot &&
    (command.spec?.type === 'stream' || command.name === GONE || command.name === ARRIVAL) &&
    own.every((one) => areApart(command, one))
  )
    return undefined;
  return {
    ...met,
    ...key,
    command: command.name,
    theirs: command.args,
    own: newest?.args,
    ownTimestamp: newest?.timestamp ?? 0,
  };
}

/** Whether two commands on a stream come to the same in either order: what is looked at for another reason is no conflict for that. */
function areApart(command: PayloadCommand, own: PayloadCommand): boolean {
  const [theirs, mine] = [recordedEffectOf(command), recordedEffectOf(own)].map(effectCode);
  return commutingWith(theirs!, true)?.has(mine!) === true;
}

/**
 * @param runs by database and name
 * @param passed lists of which the places are not known any more, though nothing was looked at
 */
export function resultsOf(
  runs: ReadonlyMap<string, PlannedKey>,
  passed: ReadonlyMap<string, KnownPlaces>,
): Pick<Resolved, 'states' | 'asked' | 'hot' | 'lives' | 'fieldLives' | 'deadlines' | 'places'> {
  const all = [...runs];
  return {
    states: all.flatMap(([, { key, state }]) => (state ? { ...key, ...state } : [])),
    asked: all.flatMap(([, { key, isAsked, askedLack: lack, theirLack, isHot }]) =>
      isAsked ? { ...key, lack, theirLack, isHot } : [],
    ),
    hot: new Map(
      all
        .filter(([, { isHot }]) => isHot)
        .map(([name, { isInRequest, lack, isExposed }]) => [name, { isInRequest, lack, isExposed }]),
    ),
    lives: new Map(all.map(([name, { lifeNote }]) => [name, lifeNote])),
    fieldLives: new Map(
      all.filter(([, run]) => run.fieldNotes.length > 0).map(([name, run]) => [name, run.fieldNotes]),
    ),
    deadlines: all.flatMap(([, { key, theirDeadline: deadline }]) =>
      deadline === undefined ? [] : { ...key, deadline },
    ),
    places: new Map<string, KnownPlaces | undefined>([
      ...passed,
      ...all.flatMap(([name, run]) => (run.hasPlaces ? [[name, run.places] as const] : [])),
    ]),
  };
}

/** Keys of a batch, by database and name. */
export interface HowDecided {
  /** How many more removals of one are sent than the batch says. */
  readonly removed: ReadonlyMap<string, number>;
  /** Those that the peer is being asked for in any case, and what is to be told of a late write on them. */
  readonly awaited: ReadonlyMap<string, () => void>;
}

/** On a key that is asked for a late write is no more than a value that may have lost it. @param lacks it has */
export function howDecided({ removed, hot }: Resolved, lacks: (name: string) => void): HowDecided {
  const awaited = new Map<string, () => void>();
  for (const [name, { isInRequest, isExposed }] of hot)
    if (isInRequest) awaited.set(name, () => isExposed && lacks(name));
  return { removed, awaited };
}
