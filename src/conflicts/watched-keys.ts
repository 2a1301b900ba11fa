/** Watches the keys that a plan rests on: a local write to one of them makes the plan's transaction fail. */

import { setTimeout as sleep } from 'node:timers/promises';
import { lastSequence, type DeliveredBatch } from '../protocol/batch.js';
import type { BatchCommands } from '../protocol/batch-commands.js';
import { effectOf, effectOnKey, moveEnds } from '../redis-commands/command-table.js';
import {
  isTandems,
  effectCode,
  isOnMembers,
  isPop,
  type RecordedEffect,
} from '../redis-commands/effect-code.js';
import type { KeyHash } from '../protocol/key-hash.js';
import { messageEffect } from '../protocol/messages/messages.js';
import type { Assembled } from '../protocol/messages/part.js';
import { NEED, parseNeed } from '../protocol/messages/state-request.js';
import { STATE } from '../protocol/messages/state.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { CheckedBatch } from '../protocol/check-batch.js';
import { isOnOneKey } from '../protocol/command-kinds.js';
import type { Range } from '../local-writes/range.js';
import { DUE_MS } from './life-memory.js';
import type { BatchPlannerOptions } from './plan-options.js';
import type { PlannerMemory } from './planner-memory.js';
import { isSet, keysOf, nameOf, type PayloadCommand } from '../protocol/payload.js';
import type { Held } from './rules/rule-context.js';

/** A look at keys. */
export interface Look {
  /**
   * Watches keys, waits until capture knows all local writes from before, and tells what stands at each key. Undefined when the
   * server refuses it.
   */
  readonly at: (keys: readonly PlacedKey[]) => Promise<Held[] | undefined>;
  /** Watches the value that is being put together from parts, and tells which it is; undefined where there is none. */
  readonly assembled: () => Promise<Assembled | undefined>;
  /** How often the batch was decided in vain, because a watched key was written meanwhile. */
  readonly tries: number;
}

/** How much of the local writes on a contended key is looked up: nothing, the cells they are on, or all of them. */
export type LookUp = 'nothing' | 'cells' | 'all';

/** The keys of a batch that its plan rests on, by database and name. */
export interface Looked {
  /** The watched keys, with what stands there. */
  readonly held: ReadonlyMap<string, Held>;
  /** The contended keys: they are written too fast to be watched. */
  readonly contended: ReadonlyMap<string, LookUp>;
}

/** How long a plan holds, by the deadlines that are known. Times are ms since 1970. */
export interface Term {
  /** The first deadline to come of the keys it builds on; undefined where there is none. */
  readonly until: number | undefined;
  /** The last deadline that is past, or so near that only the server knows whether the key lives; undefined where there is none. */
  readonly dueUntil: number | undefined;
}

export const NO_TERM: Term = { until: undefined, dueUntil: undefined };

export const NOTHING_TO_LOOK_AT: Looked = { held: new Map(), contended: new Map() };

/** Local writes of one key since the last look, in all and in a millisecond. With more, another look would fail as well. */
const MANY_WRITES = 16;
const FAST_PER_MS = 1;
/** Local writes of a contended key that the sender had not seen. To meet more one by one takes longer than to wait for fewer. */
const MANY_UNSEEN = 4096;

/** A key that a plan rests on. */
interface Resting {
  readonly key: PlacedKey;
  /** The key is contended and its state is on the way: a command that adds to it rests on nothing else. */
  isAwaited: boolean;
  lookUp: LookUp;
}

export class WatchedKeys {
  readonly #options: BatchPlannerOptions;
  readonly #memory: PlannerMemory;
  /** The last local sequence that was known at the last look, and when that was. */
  #known = { through: 0, atMs: 0 };

  constructor(options: BatchPlannerOptions, memory: PlannerMemory) {
    this.#options = options;
    this.#memory = memory;
  }

  /** Watches the keys of a batch that its plan rests on. Undefined when there is such a key and no `look`. */
  async take(
    batch: DeliveredBatch,
    commands: BatchCommands,
    { signal, look }: { readonly signal: AbortSignal; readonly look: Look | undefined },
  ): Promise<Looked | undefined> {
    const { captured, appended } = this.#options;
    const { contended: known, unseen } = this.#memory;
    const held = new Map<string, Held>();
    const contended = new Map<string, LookUp>();
    const since = { seen: this.#known.through, decided: captured.capturedThrough };
    const elapsedMs = performance.now() - this.#known.atMs;
    const many = Math.max(MANY_WRITES, Math.ceil(FAST_PER_MS * elapsedMs));
    const isFast = (key: PlacedKey): boolean => unseen.count(key, since, many) >= many;
    for (;;) {
      const resting = this.#restingKeys(commands, { seen: batch.seen, decided: appended.appendedThrough });
      for (const [name, { isAwaited, lookUp }] of resting)
        if (isAwaited && !held.has(name)) contended.set(name, lookUp);
      const fresh = [...resting].filter(([name]) => !held.has(name) && !contended.has(name));
      if (fresh.length === 0) return { held, contended };
      if (!look) return undefined;
      const range = { seen: batch.seen, decided: appended.appendedThrough };
      const isLong = (name: string, key: PlacedKey): boolean =>
        known.has(name) && unseen.count(key, range, MANY_UNSEEN) >= MANY_UNSEEN;
      const watched = fresh.filter(
        ([name, { key }]) => !known.isGivenUp(name, look.tries, isFast(key) || isLong(name, key)),
      );
      // Also if no key is watched: capture must know whether a local write was late for what was applied before.
      const found = await look.at(watched.map(([, { key }]) => key));
      await appended.waitFor(captured.capturedThrough, signal);
      this.#known = { through: appended.appendedThrough, atMs: performance.now() };
      if (!found) return { held, contended };
      watched.forEach(([name], at) => held.set(name, found[at]!));
      for (const [name, { lookUp }] of fresh) {
        if (held.has(name)) continue;
        known.heated(name);
        contended.set(name, lookUp);
      }
    }
  }

  /** Whether the plan of a batch rests on local writes, those that are not in the change list included. */
  rests(batch: DeliveredBatch, commands: BatchCommands): boolean {
    const range = { seen: batch.seen, decided: this.#options.captured.capturedThrough };
    return this.#restingKeys(commands, range).size > 0;
  }

  /** How long the plan of a batch holds: the keys it builds on live until then. Notes the deadlines that the batch gives. */
  term(batch: DeliveredBatch, { index, isGiving }: CheckedBatch): Term {
    const { deadlines } = this.#options;
    const { coming } = deadlines;
    if (deadlines.isEmpty && coming.isEmpty && !isGiving) return NO_TERM;
    const now = Date.now();
    const last = lastSequence(batch);
    coming.forget(last);
    let [until, dueUntil]: [number, number | undefined] = [Infinity, undefined];
    index.forEachKey((hash, isBuild, given) => {
      const soonest = isBuild ? deadlines.soonest(hash) : Infinity;
      if (soonest <= now + DUE_MS) dueUntil = Math.max(dueUntil ?? 0, soonest);
      if (soonest > now) until = Math.min(until, soonest);
      // The server sets one that is past ahead of it (`AHEAD_MS` in life.part.lua): the key lives until then at least.
      if (given > 0) coming.give(hash, Math.max(given, now + DUE_MS), last);
    });
    return { until: until === Infinity ? undefined : until, dueUntil };
  }

  /** After an attempt in vain: waits until near deadlines have passed, or the next attempt could fail by one of them. */
  async untilDue(batch: DeliveredBatch, checked: CheckedBatch, signal: AbortSignal): Promise<void> {
    const { dueUntil = 0 } = this.term(batch, { ...checked, isGiving: true });
    const waitMs = Math.min(DUE_MS, dueUntil + 1 - Date.now());
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
  }

  /** Whether a command that is sent as it is could make a key anew whose life ends, or has ended. */
  mayEnd(key: PlacedKey, { held, contended }: Looked): boolean {
    const { deadlines } = this.#options;
    const isGone = contended.has(nameOf(key)) || held.get(nameOf(key))?.kind === 'nothing';
    const hash = this.#memory.unseen.hashOf(key);
    return (isGone || deadlines.coming.of(hash) !== undefined) && this.isEnding(hash);
  }

  /** Whether a change of the key with this hash may meet a local write that its sender had not seen, or the end of a life. */
  isMet(hash: KeyHash, range: Range): boolean {
    const { deadlines } = this.#options;
    const isMet = this.#memory.unseen.newestAt(hash, range) !== 0 || this.isEnding(hash);
    return isMet || deadlines.fields.has(hash.low, hash.high);
  }

  /** Whether a key ends, or has ended, before long. */
  isEnding(hash: KeyHash): boolean {
    return this.#options.deadlines.soonest(hash) <= Date.now() + DUE_MS;
  }

  /** Whether a batch gives fields of a hash deadlines, or writes a hash whose fields have some. */
  isOnFields({ index, hasFields, hasHashes }: CheckedBatch): boolean {
    const { fields } = this.#options.deadlines;
    // A command that removes a hash as a whole ends the deadlines on their way to its fields.
    if (hasFields || fields.isEmpty || (!hasHashes && fields.coming.isEmpty)) return hasFields;
    let isOn = false;
    index.forEachKey(({ low, high }) => (isOn ||= fields.has(low, high)));
    return isOn;
  }

  /** The keys of a batch whose plan rests on local writes, or whose state is asked for, by database and name. */
  #restingKeys(commands: BatchCommands, range: Range): Map<string, Resting> {
    const { translator, deadlines } = this.#options;
    const { unseen, contended } = this.#memory;
    const resting = new Map<string, Resting>();
    // A batch may write one key hundreds of times, and as many local writes may stand against it.
    const known = new Map<string, boolean>();
    const passed = new Set<string>();
    const isMet = (hash: KeyHash): boolean =>
      unseen.newestAt(hash, range) !== 0 || deadlines.soonest(hash) !== Infinity;
    for (let index = 0; index < commands.count; index++) {
      if (commands.isPlain(index, isMet)) continue;
      const command = commands.at(index);
      const { name } = command;
      if (name === 'SELECT' || translator.translate(command)) continue;
      const before = resting.size;
      const isState = name === NEED || name === STATE;
      for (const [at, key] of keysOf(command, 'all').entries()) {
        const effect = effectAt(command, at);
        const keyName = nameOf(key);
        const kind = `${name} ${effect} ${keyName}`;
        const rests =
          name === NEED ||
          (known.get(kind) ??
            (this.#isDue(key, effect) ||
              (this.#rests(key, effect, range) && !this.#isRanked(command, key, range))));
        known.set(kind, rests);
        const isOnMember = !rests && this.#isOnLocalMember(command, effect, range);
        if (effect !== undefined && unseen.isPast(key, effect, range)) passed.add(keyName);
        // Behind a local write that a push of this batch goes past, an end is another one.
        const isPastPop = effect !== undefined && isPop(effectCode(effect)) && passed.has(keyName);
        if (!rests && !isPastPop && !isOnMember) continue;
        const found = resting.get(keyName) ?? {
          key,
          isAwaited: contended.has(keyName) && unseen.isAsking(key, range),
          lookUp: 'nothing' as LookUp,
        };
        found.isAwaited &&= !isState;
        if (found.lookUp !== 'all') found.lookUp = lookUpFor(command) ?? found.lookUp;
        resting.set(keyName, found);
      }
      // A move that rests on one of its lists is carried out on both.
      if (resting.size > before && isMove(command))
        for (const key of keysOf(command, 'written'))
          if (!resting.has(nameOf(key)))
            resting.set(nameOf(key), { key, isAwaited: false, lookUp: 'nothing' });
    }
    return resting;
  }

  /** Whether a `SET` meets a local one that it is ranked against: no local write meanwhile changes the result. */
  #isRanked(command: PayloadCommand, key: PlacedKey, range: Range): boolean {
    return isSet(command) && this.#memory.sets.find(key, range) !== undefined;
  }

  /** Whether a command commutes with the local writes of its key, but for a member that both are on. */
  #isOnLocalMember(command: PayloadCommand, effect: RecordedEffect | undefined, range: Range): boolean {
    if (effect === undefined || !isOnMembers(effectCode(effect))) return false;
    return this.#options.entries.members.isOn(command, range);
  }

  /** Whether a command builds on a key whose deadline is near. */
  #isDue(key: PlacedKey, effect: RecordedEffect | undefined): boolean {
    if (effect === 'set' || effect === 'remove' || effect === 'expired') return false;
    return this.isEnding(this.#memory.unseen.hashOf(key));
  }

  #rests(key: PlacedKey, effect: RecordedEffect | undefined, range: Range): boolean {
    const { unseen, free } = this.#memory;
    if (unseen.newestOn(key, range) === 0) return false;
    return effect === undefined || !free.isFree(key, effect, range);
  }
}

function isMove({ spec, args }: PayloadCommand): boolean {
  return spec !== undefined && moveEnds(spec, args) !== undefined;
}

/** What a command does to one of its keys by itself; undefined where that is unknown. */
function effectAt(command: PayloadCommand, at: number): RecordedEffect | undefined {
  const { name, spec, args } = command;
  if (spec === undefined) {
    const effect = messageEffect(name, args);
    return effect === undefined || isTandems(effect) ? undefined : effect;
  }
  if (isOnOneKey(command) || moveEnds(spec, args)) return effectOnKey(spec, args, at);
  return undefined;
}

/** How much a command needs to know. One that replaces a cell waits for a state where it meets a local write; an answer names the writes in it. */
function lookUpFor({ name, spec, args }: PayloadCommand): LookUp | undefined {
  if (name === NEED) return parseNeed(args).isContended === true ? undefined : 'all';
  if (spec === undefined || spec.type === 'set') return undefined;
  const effect = effectOf(spec, args);
  return effect === 'cells' || effect === 'member' ? 'cells' : undefined;
}
