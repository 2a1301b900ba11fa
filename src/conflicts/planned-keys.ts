/** The keys that a batch is planned on: how each begins, and what all of them have come to. */

import type { DeliveredBatch } from '../protocol/batch.js';
import type { ConflictOutcome } from '../observe/conflict-outcome.js';
import { commutingWith, effectCode } from '../redis-commands/effect-code.js';
import { ARRIVAL } from '../protocol/messages/arrival.js';
import { GONE } from '../protocol/messages/gone.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { PlannedKey } from './planned-key.js';
import { nameOf, recordedEffectOf, type PayloadCommand } from '../protocol/payload.js';
import type { Conflict, Resolved } from './resolved.js';
import type { KnownKeys } from './known-keys.js';
import type { KeyNames } from '../redis/keys.js';
import type { KnownPlaces } from './rules/list-places.js';
import type { Piece } from '../pieces/piece.js';
import { UNKNOWN } from './rules/rule-context.js';

export interface PlannedKeysOptions {
  readonly site: string;
  readonly keys: KeyNames;
  /** Lists whose places are unknown by now, though no key was looked at. */
  readonly passed: ReadonlyMap<string, KnownPlaces>;
}

/** The keys of a batch that are planned one by one. */
export class PlannedKeys {
  readonly #batch: DeliveredBatch;
  readonly #known: KnownKeys;
  readonly #options: PlannedKeysOptions;
  /** By database and name. */
  readonly #runs = new Map<string, PlannedKey>();

  constructor(batch: DeliveredBatch, known: KnownKeys, options: PlannedKeysOptions) {
    this.#batch = batch;
    this.#known = known;
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#runs.size === 0;
  }

  all(): Iterable<PlannedKey> {
    return this.#runs.values();
  }

  has(key: PlacedKey): boolean {
    return this.#runs.size > 0 && this.#runs.has(nameOf(key));
  }

  /** Whether nothing that is planned on a key stands against a further command. */
  isPlain(key: PlacedKey): boolean {
    return this.#runs.get(nameOf(key))?.isPlain !== false;
  }

  /** A key with all that the batch has come to on it so far. */
  async on(key: PlacedKey): Promise<PlannedKey> {
    const name = nameOf(key);
    const begun = this.#runs.get(name) ?? (await this.#begun(key));
    this.#runs.set(name, begun);
    return begun;
  }

  async #begun(key: PlacedKey): Promise<PlannedKey> {
    const { timestamp, seen } = this.#batch;
    const { site, keys, passed } = this.#options;
    const known = this.#known;
    const local = await known.unseenOn(key);
    const held = known.heldAt(key) ?? UNKNOWN;
    const life = known.lifeOf(key, local);
    return new PlannedKey({
      key,
      site,
      local,
      // Only the server knows whether it has ended.
      life: { ...life, isOver: life.isOver && held.kind === 'nothing' },
      fields: known.fieldsOf(key, local),
      decided: known.decided,
      applied: keys.applied,
      held,
      known: passed.get(nameOf(key)) ?? known.placesOf(key),
      isDoubtful: (piece: Piece) => known.isDoubtful(piece),
      isContended: known.isContended(key),
      isMisplaced: known.isMisplaced(key),
      lack: known.lackOf(key),
      timestamp,
      seen,
      out: keys.out,
    });
  }

  results(): Pick<
    Resolved,
    'states' | 'asked' | 'contended' | 'lives' | 'fieldLives' | 'deadlines' | 'places'
  > {
    return resultsOf(this.#runs, this.#options.passed);
  }
}

/** The conflict of a command with the local writes of a key; undefined where there is none. */
export function metBy(
  command: PayloadCommand,
  { key, met, isContended }: PlannedKey,
  how: { readonly outcome: ConflictOutcome; readonly theirTimestamp: number },
): Omit<Conflict, 'isListed'> | undefined {
  const newest = met.at(-1);
  if (!newest && !isContended) return undefined;
  if (
    !isContended &&
    (command.spec?.type === 'stream' || command.name === GONE || command.name === ARRIVAL) &&
    met.every((one) => areApart(command, one))
  )
    return undefined;
  return {
    ...how,
    ...key,
    command: command.name,
    theirs: command.args,
    own: newest?.args,
    ownTimestamp: newest?.timestamp ?? 0,
  };
}

/** Whether two commands on a stream come to the same in either order. A key that was looked at for another reason is no conflict. */
function areApart(command: PayloadCommand, local: PayloadCommand): boolean {
  const [incomingCode, localCode] = [recordedEffectOf(command), recordedEffectOf(local)].map(effectCode);
  return commutingWith(incomingCode!, true)?.has(localCode!) === true;
}

function resultsOf(
  runs: ReadonlyMap<string, PlannedKey>,
  passed: ReadonlyMap<string, KnownPlaces>,
): Pick<Resolved, 'states' | 'asked' | 'contended' | 'lives' | 'fieldLives' | 'deadlines' | 'places'> {
  const all = [...runs];
  return {
    states: all.flatMap(([, { key, state }]) => (state ? { ...key, ...state } : [])),
    asked: all.flatMap(([, { key, isAsked, askedLack: lack, theirLack, isContended }]) =>
      isAsked ? { ...key, lack, theirLack, isContended } : [],
    ),
    contended: new Map(
      all
        .filter(([, { isContended }]) => isContended)
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
