/** Looks at the keys on which a decision will rest: nothing of that may change before it is carried out. */

import type { DeliveredBatch } from '../change/batch.js';
import { effectOf, recordedEffect, type Effect } from '../change/commands.js';
import type { CommandNames } from '../change/command-names.js';
import type { KeyHash } from '../change/key-hash.js';
import { NEED, parseNeed, STATE, type PlacedKey } from '../change/special.js';
import type { HotKeys } from './hot-keys.js';
import type { Range } from './own-on-key.js';
import type { OwnSets } from './own-sets.js';
import { isSet, keysOf, nameOf, PayloadScan, type ExtraCommands, type PayloadCommand } from './payload.js';
import type { Held } from './rules/occasion.js';
import type { Unseen } from './unseen.js';

/** A look at keys. */
export interface Look {
  /**
   * Watches keys, waits until capture knows all that was written here before, and tells what is there; undefined when the server
   * refuses it.
   */
  readonly at: (keys: readonly PlacedKey[]) => Promise<Held[] | undefined>;
  /** How often the batch was decided in vain, because a watched key was written meanwhile. */
  readonly tries: number;
}

/** What is to be looked up of own writes on a hot key: nothing, which cells they are on, or all of them. */
export type LookUp = 'nothing' | 'cells' | 'all';

/** What is known of the keys of a batch, by database and name. */
export interface Looked {
  /** What stands at those that are watched. */
  readonly held: ReadonlyMap<string, Held>;
  /** Those that are not, because they are written too fast. */
  readonly hot: ReadonlyMap<string, LookUp>;
}

export const NOTHING_TO_LOOK_AT: Looked = { held: new Map(), hot: new Map() };

export interface LooksOptions {
  readonly unseen: Unseen;
  readonly hotKeys: HotKeys;
  readonly ownSets: OwnSets;
  readonly extraCommands: ExtraCommands;
  readonly names: CommandNames;
  readonly translate: (command: PayloadCommand) => Buffer | undefined;
  readonly capturedThrough: () => number;
  readonly appendedThrough: () => number;
  readonly appended: (sequence: number, signal: AbortSignal) => Promise<void>;
}

/** Own writes of one key since the last look, in all and in a millisecond, that leave no hope for another. */
const MANY_WRITES = 16;
const FAST_PER_MS = 1;
/** Own writes of a hot key that the sender had not seen: to meet them one by one takes longer than to wait until they are fewer. */
const MANY_UNSEEN = 4096;

/** A key on which a decision rests. */
interface Resting {
  readonly key: PlacedKey;
  /** It is hot and its state has been asked for: what adds to it rests on nothing but that. */
  isAwaited: boolean;
  lookUp: LookUp;
}

export class Looks {
  readonly #options: LooksOptions;
  /** The last own sequence that was known at the last look, and when that was. */
  #known = { through: 0, atMs: 0 };

  constructor(options: LooksOptions) {
    this.#options = options;
  }

  /** Looks at all the keys of a batch that need it. Undefined when one does and there is no `look`. */
  async take(
    batch: DeliveredBatch,
    signal: AbortSignal,
    look: Look | undefined,
  ): Promise<Looked | undefined> {
    const { hotKeys, unseen, capturedThrough, appendedThrough, appended } = this.#options;
    const held = new Map<string, Held>();
    const hot = new Map<string, LookUp>();
    const since = { seen: this.#known.through, decided: capturedThrough() };
    const elapsedMs = performance.now() - this.#known.atMs;
    const isFast = (key: PlacedKey): boolean => {
      const writes = unseen.count(key, since);
      return writes >= MANY_WRITES && writes >= FAST_PER_MS * elapsedMs;
    };
    for (;;) {
      const resting = this.#restingKeys(batch, { seen: batch.seen, decided: appendedThrough() });
      for (const [name, { isAwaited, lookUp }] of resting)
        if (isAwaited && !held.has(name)) hot.set(name, lookUp);
      const fresh = [...resting].filter(([name]) => !held.has(name) && !hot.has(name));
      if (fresh.length === 0) return { held, hot };
      if (!look) return undefined;
      const isLong = (name: string, key: PlacedKey): boolean =>
        hotKeys.has(name) &&
        unseen.count(key, { seen: batch.seen, decided: appendedThrough() }) >= MANY_UNSEEN;
      const watched = fresh.filter(
        ([name, { key }]) => !hotKeys.isGivenUp(name, look.tries, isFast(key) || isLong(name, key)),
      );
      // Also if nothing is watched: for what was applied before it must be known whether a local write was late.
      const found = await look.at(watched.map(([, { key }]) => key));
      await appended(capturedThrough(), signal);
      this.#known = { through: appendedThrough(), atMs: performance.now() };
      if (!found) return { held, hot };
      watched.forEach(([name], at) => held.set(name, found[at]!));
      for (const [name, { lookUp }] of fresh) {
        if (held.has(name)) continue;
        hotKeys.heated(name);
        hot.set(name, lookUp);
      }
    }
  }

  /** The keys of a batch on which a decision rests on own writes, or whose state is asked for, by database and name. */
  #restingKeys(batch: DeliveredBatch, range: Range): Map<string, Resting> {
    const { extraCommands: extra, names, translate, unseen, hotKeys } = this.#options;
    const resting = new Map<string, Resting>();
    // A batch may write one key hundreds of times, and as many own writes may stand against it.
    const known = new Map<string, boolean>();
    const scan = new PayloadScan(batch.payload, { extra });
    const isMet = (hash: KeyHash): boolean => unseen.newestAt(hash, range) !== 0;
    while (scan.next()) {
      if (scan.isPlain(names, isMet)) continue;
      const { command } = scan;
      const { name, spec, args } = command;
      if (name === 'SELECT' || translate(command)) continue;
      const isState = name === NEED || name === STATE;
      const effect = spec?.singleKey === true ? recordedEffect(spec, args) : undefined;
      for (const key of keysOf(command, 'all')) {
        const keyName = nameOf(key);
        const kind = `${name} ${effect} ${keyName}`;
        const rests =
          name === NEED ||
          (known.get(kind) ?? (this.#rests(key, effect, range) && !this.#isRanked(command, key, range)));
        known.set(kind, rests);
        if (!rests) continue;
        const found = resting.get(keyName) ?? {
          key,
          isAwaited: hotKeys.has(keyName) && unseen.isAsking(key, range),
          lookUp: 'nothing' as LookUp,
        };
        found.isAwaited &&= !isState;
        if (found.lookUp !== 'all') found.lookUp = lookUpFor(command) ?? found.lookUp;
        resting.set(keyName, found);
      }
    }
    return resting;
  }

  /** What comes of a `SET` that meets one of this site's does not change with what is written meanwhile. */
  #isRanked(command: PayloadCommand, key: PlacedKey, range: Range): boolean {
    const { ownSets, hotKeys } = this.#options;
    return isSet(command) && !hotKeys.has(nameOf(key)) && ownSets.find(key, range) !== undefined;
  }

  #rests(key: PlacedKey, effect: Effect | undefined, range: Range): boolean {
    const { unseen } = this.#options;
    if (unseen.newestOn(key, range) === 0) return false;
    return effect === undefined || !unseen.commutes(key, effect, range);
  }
}

/** What replaces a cell waits for a state where it meets an own write; an answer says which own writes are in it. */
function lookUpFor({ name, spec, args }: PayloadCommand): LookUp | undefined {
  if (name === NEED) return parseNeed(args).isHot === true ? undefined : 'all';
  const isCells = spec !== undefined && spec.type !== 'set' && effectOf(spec, args) === 'cells';
  return isCells ? 'cells' : undefined;
}
