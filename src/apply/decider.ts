/**
 * What becomes of the peer's changes here. Nearly always nothing but their application as they are: a batch none of whose
 * keys was written here without the peer knowing goes through untouched. The others are resolved, command by command.
 */

import { lastSequence, type DeliveredBatch } from '../change/batch.js';
import { CommandNames } from '../change/command-names.js';
import { effectOf, type Effect } from '../change/commands.js';
import { commutingWith, effectCode } from '../change/effect-code.js';
import { encodeCommand } from '../change/encode-command.js';
import { KeyHash } from '../change/key-hash.js';
import { encodeNeed, NEED, type PlacedKey } from '../change/special.js';
import { scriptSource } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import type { PlacedError } from '../redis/reply-reader.js';
import { conflictEntry } from './conflict-entry.js';
import { ListMemory } from './list-memory.js';
import { OwnChanges } from './own-changes.js';
import type { Inspection, Inspector } from './inspector.js';
import { NOTHING_ON_KEY, OwnOnKey, type OwnOn, type Range } from './own-on-key.js';
import { forEachKey, keysOf, payloadCommands, type ExtraCommands, type PayloadCommand } from './payload.js';
import { Resolver, type Conflict, type Rejected, type Resolved, type StateRequest } from './resolver.js';
import type { Held } from './rules/occasion.js';
import type { Window } from './window.js';

export type { Conflict } from './resolver.js';

/** A command of Tandem's own behind those of a batch, in the same transaction and in database 0. */
export interface EpilogueCommand {
  readonly bytes: Buffer;
  /** What is amiss when it fails. */
  readonly purpose: 'state' | 'request' | 'conflict' | 'rejection';
  /** The keys whose state it sends or asks for. */
  readonly keys: readonly PlacedKey[];
}

/** What is to be sent for a batch. */
export interface Decision {
  /** RESP bytes of the commands. */
  readonly payload: readonly Buffer[];
  /** How many commands those are. */
  readonly commands: number;
  /** Place of each of them among the batch's commands; nothing when they are the batch's, one by one. */
  readonly origins?: readonly number[];
  /** Further ones that a command sent stands for, by its place among those sent. */
  readonly gathered?: ReadonlyMap<number, readonly number[]>;
  /** To be called when it is applied. */
  readonly applied?: () => void;
  /** What follows them: states to be sent, conflicts and commands left out to be listed. */
  readonly epilogue: readonly EpilogueCommand[];
  /** Commands left out, which the epilogue lists. */
  readonly rejected: readonly Rejected[];
  /** The last local sequence that was taken into account. */
  readonly decided: number;
}

/** What the decider needs from the other stages. */
export interface DeciderOptions {
  readonly site: string;
  readonly keys: KeyNames;
  readonly window: Window;
  /** Entries the list of conflicts keeps, and bytes of each value in it. */
  readonly conflictsKept: number;
  readonly conflictValueBytes: number;
  /** The peer's newest sequence that was applied here when the process began. */
  readonly appliedAtStart: number;
  /** Sequence of the last local change capture has met. */
  readonly capturedThrough: () => number;
  /** Sequence of the last local change that is in the change list. */
  readonly appendedThrough: () => number;
  /** Waits until the local changes up to a sequence are in the change list: then their timestamps are final. */
  readonly appended: (sequence: number, signal: AbortSignal) => Promise<void>;
  /** The batch of the change list that holds a change. */
  readonly fetch: (sequence: number) => Promise<Buffer | undefined>;
  /** What runs here in place of a command on whole databases; nothing for any other command. */
  readonly translate: (command: PayloadCommand) => Buffer | undefined;
  /** What runs here for a question of a comparison; nothing for an answer, which is taken note of. */
  readonly compare: (command: PayloadCommand, batch: DeliveredBatch) => Buffer | undefined;
  readonly inspector: Inspector;
  /** Rows for commands that only this server knows. */
  readonly extraCommands: ExtraCommands;
  /** The command that lists a command left out. */
  readonly rejection: (batch: DeliveredBatch, command: PayloadCommand, error: string) => Buffer;
  /** A batch was decided and is about to be applied. `removed`: keys that the rules remove, by database and name. */
  readonly onDecided: (batch: DeliveredBatch, removed?: ReadonlySet<string>) => void;
  /** A change met one its sender had not seen. */
  readonly onConflict: (conflict: Conflict) => void;
}

/** Batches whose refused commands are remembered: more than are ever on the way at a time. */
const MAX_LEFT_OUT = 64;

/** The server's words for a command it does not have: it will not have it in the next batch either. */
const UNKNOWN_COMMAND = /^ERR unknown (command|subcommand)/i;

/** Watches keys, waits until capture knows all that was written to them, and tells what is there; undefined when it is no use: they are written too fast. */
export type Look = (keys: readonly PlacedKey[]) => Promise<Held[] | undefined>;

interface Terms {
  readonly leftOut: ReadonlyMap<number, string>;
  readonly decided: number;
  readonly isBlind: boolean;
  /** What stands at the keys that are watched. */
  readonly held: ReadonlyMap<string, Held>;
}

export class Decider {
  readonly #options: DeciderOptions;
  readonly #names: CommandNames;
  readonly #hash = new KeyHash();
  readonly #own: OwnOnKey;
  readonly #memory: ListMemory;
  /** Commands the server refused to queue, with its words, by the batch's last sequence. */
  readonly #leftOut = new Map<number, ReadonlyMap<number, string>>();

  constructor(options: DeciderOptions) {
    this.#options = options;
    this.#names = new CommandNames(options.extraCommands);
    const { site, window, fetch, extraCommands } = options;
    this.#own = new OwnOnKey({ site, window, changes: new OwnChanges(fetch, extraCommands) });
    this.#memory = new ListMemory(options.appliedAtStart);
  }

  /**
   * What is to be sent for this batch, given what has been written here up to now. Undefined when keys must be looked at, and
   * `look` is not given: then nothing else may be on the way.
   * @throws TandemError BATCH_INVALID when it may not be applied at all
   */
  async decide(batch: DeliveredBatch, signal: AbortSignal, look?: Look): Promise<Decision | undefined> {
    const { window, capturedThrough, appendedThrough, appended, onDecided, inspector } = this.#options;
    const inspection = inspector.inspect(batch);
    const leftOut = this.#leftOutOf(batch, inspection);
    const isBlind = window.isBlindAbove(batch.seen);
    const unseen = isBlind ? 0 : this.#newestUnseen(batch, capturedThrough());
    // What is not in the change list yet may get another number after a restart; the marker must name one that stays.
    const isPlain = leftOut.size === 0 && inspection.special === 0 && !inspection.isLate;
    if (unseen === 0 && isPlain && !isBlind) {
      onDecided(batch);
      return {
        payload: [batch.payload],
        commands: batch.commands,
        epilogue: [],
        rejected: [],
        decided: appendedThrough(),
        applied: () => this.#memory.advance(batch.seen),
      };
    }
    await appended(unseen, signal);
    // Nothing rests on anything: what slips in is found when the marker comes round, as with any other change.
    const isFree = isBlind || (unseen === 0 && !inspection.asks);
    const held = isFree ? new Map<string, Held>() : await this.#lookAtAll(batch, signal, look);
    if (!held) return undefined;
    const terms = { leftOut, decided: appendedThrough(), isBlind, held };
    const resolved = await this.#resolve(batch, terms);
    onDecided(batch, resolved.removed);
    return this.#decision(batch, resolved, terms);
  }

  /**
   * Watches every key on which the decision will rest on something, and tells what stands there: nothing of that may change before
   * it is carried out. Undefined when that cannot be done now.
   */
  async #lookAtAll(
    batch: DeliveredBatch,
    signal: AbortSignal,
    look: Look | undefined,
  ): Promise<Map<string, Held> | undefined> {
    const { capturedThrough, appendedThrough, appended } = this.#options;
    const held = new Map<string, Held>();
    for (;;) {
      const resting = this.#restingKeys(batch, { seen: batch.seen, decided: appendedThrough() });
      const fresh = [...resting].filter(([name]) => !held.has(name));
      if (fresh.length === 0) return held;
      if (!look) return undefined;
      const found = await look(fresh.map(([, key]) => key));
      await appended(capturedThrough(), signal);
      if (!found) return held;
      fresh.forEach(([name], at) => held.set(name, found[at]!));
    }
  }

  /** The keys of a batch on which a decision rests on own writes, or whose state is asked for. */
  #restingKeys(batch: DeliveredBatch, range: Range): Map<string, PlacedKey> {
    const { extraCommands: extra, translate } = this.#options;
    const resting = new Map<string, PlacedKey>();
    for (const command of payloadCommands(batch.payload, { extra })) {
      const { name, spec, args } = command;
      if (name === 'SELECT' || translate(command)) continue;
      for (const key of keysOf(command, 'all')) {
        this.#hash.of(key.database, key.key, 0, key.key.length);
        const rests =
          name === NEED ||
          (this.#newestOn(this.#hash, range) > 0 &&
            !(spec?.singleKey === true && this.#commutes(key, effectOf(spec, args), range)));
        if (rests) resting.set(nameOf(key), key);
      }
    }
    return resting;
  }

  /** The server would not queue these commands of a decision: they are left out when the batch is decided again. */
  leaveOut(batch: DeliveredBatch, decision: Decision, errors: readonly PlacedError[]): void {
    const last = lastSequence(batch);
    const leftOut = new Map(this.#leftOut.get(last));
    // A decision may have left out commands already: an error's index counts what was sent.
    for (const { index, error } of errors) leftOut.set(decision.origins?.[index] ?? index, error.message);
    this.#leftOut.set(last, leftOut);
    for (const { index, name } of payloadCommands(batch.payload)) {
      const error = leftOut.get(index);
      if (error !== undefined && UNKNOWN_COMMAND.test(error)) this.#options.inspector.refuse(name, error);
    }
    if (this.#leftOut.size > MAX_LEFT_OUT) this.#leftOut.delete(this.#leftOut.keys().next().value!);
  }

  /** The request for the state of keys, to be written where capture takes it out of the stream. */
  askFor(batch: DeliveredBatch, keys: readonly PlacedKey[], isLacking = false): Buffer {
    const { out } = this.#options.keys;
    const request = encodeNeed({ timestamp: batch.timestamp, isLacking, keys });
    return encodeCommand(['EVAL', scriptSource('say'), 1, out, request]);
  }

  #leftOutOf(batch: DeliveredBatch, { leftOut }: Inspection): ReadonlyMap<number, string> {
    const refused = this.#leftOut.get(lastSequence(batch));
    return refused === undefined ? leftOut : new Map([...leftOut, ...refused]);
  }

  /** The newest own sequence, up to `decided`, that a key of the batch meets; 0 when there is none. */
  #newestUnseen(batch: DeliveredBatch, decided: number): number {
    const { window } = this.#options;
    if (window.firstAbove(batch.seen) === window.head) return 0;
    let newest = 0;
    const each = (hash: KeyHash): void => {
      newest = Math.max(newest, this.#newestOn(hash, { seen: batch.seen, decided }));
    };
    forEachKey({ batch, names: this.#names, extra: this.#options.extraCommands, each });
    return newest;
  }

  /** The newest own sequence on a key above `seen` and up to `decided`; 0 when there is none. */
  #newestOn(hash: KeyHash, { seen, decided }: Range): number {
    const { window } = this.#options;
    let entry = window.newest(hash.low, hash.high);
    while (entry >= 0 && window.sequenceOf(entry) > decided) entry = window.older(entry);
    const sequence = entry < 0 ? 0 : window.sequenceOf(entry);
    return sequence > seen ? sequence : 0;
  }

  #newestOnKey({ database, key }: PlacedKey, range: Range): number {
    this.#hash.of(database, key, 0, key.length);
    return this.#newestOn(this.#hash, range);
  }

  /** Whether all unseen own changes of a key come out the same before or after one with this effect. */
  #commutes(key: PlacedKey, effect: Effect, { seen, decided }: Range): boolean {
    const { window } = this.#options;
    const together = commutingWith(effectCode(effect));
    if (!together) return false;
    this.#hash.of(key.database, key.key, 0, key.key.length);
    let entry = window.newest(this.#hash.low, this.#hash.high);
    for (; entry >= 0; entry = window.older(entry)) {
      const sequence = window.sequenceOf(entry);
      if (sequence <= seen) return true;
      if (sequence <= decided && !together.has(window.effectOf(entry))) return false;
    }
    return true;
  }

  #resolve(batch: DeliveredBatch, { leftOut, decided, isBlind, held }: Terms): Promise<Resolved> {
    const { site, keys, translate, compare, extraCommands } = this.#options;
    const range = { seen: batch.seen, decided };
    const commuting = new Map<string, boolean>();
    const resolver = new Resolver(batch, {
      site,
      // A batch may write one key hundreds of times, and as many own changes may stand against it: they are looked up once.
      commutes: (key, effect) => {
        const name = `${effect} ${nameOf(key)}`;
        const known = commuting.get(name) ?? (!isBlind && this.#commutes(key, effect, range));
        commuting.set(name, known);
        return known;
      },
      applied: keys.applied,
      out: keys.out,
      translate,
      compare,
      extraCommands,
      memory: this.#memory,
      heldAt: (key) => held.get(nameOf(key)),
      isUntouched: (key) => !isBlind && !held.has(nameOf(key)) && this.#newestOnKey(key, range) === 0,
      ownOn: (key) => (isBlind ? Promise.resolve(NOTHING_ON_KEY) : this.#ownOn(key, range)),
    });
    return resolver.resolve(leftOut);
  }

  #decision(batch: DeliveredBatch, resolved: Resolved, { decided, isBlind }: Terms): Decision {
    const { keys, onConflict, conflictsKept, conflictValueBytes, rejection } = this.#options;
    const { payload, origins, gathered, conflicts, states, asked, places, rejected } = resolved;
    for (const conflict of conflicts) onConflict(conflict);
    const entry = { key: keys.conflicts, cap: conflictsKept, valueBytes: conflictValueBytes };
    const asking = isBlind ? this.#writtenBy(batch) : asked;
    const epilogue: EpilogueCommand[] = [
      ...rejected.map(({ command, error }) => ({
        bytes: rejection(batch, command, error),
        purpose: 'rejection' as const,
        keys: [],
      })),
      ...states.map((request) => ({
        bytes: this.#snapshot(request),
        purpose: 'state' as const,
        keys: [request],
      })),
      ...conflicts.map((conflict) => ({
        bytes: conflictEntry(conflict, entry),
        purpose: 'conflict' as const,
        keys: [],
      })),
      ...(asking.length > 0
        ? [{ bytes: this.askFor(batch, asking, isBlind), purpose: 'request' as const, keys: asking }]
        : []),
    ];
    return {
      payload,
      commands: payload.length,
      origins,
      gathered,
      epilogue,
      rejected,
      decided,
      applied: () => {
        this.#memory.commit(places, lastSequence(batch));
        this.#memory.advance(batch.seen);
      },
    };
  }

  /** The window has lost what was written here while the peer was away: nothing can be decided on any key of the batch. */
  #writtenBy(batch: DeliveredBatch): PlacedKey[] {
    const { extraCommands: extra } = this.#options;
    return [...payloadCommands(batch.payload, { extra })].flatMap((command) => keysOf(command, 'written'));
  }

  #ownOn(key: PlacedKey, range: Range): Promise<OwnOn> {
    this.#hash.of(key.database, key.key, 0, key.key.length);
    return this.#own.find(key, this.#hash, range);
  }

  #snapshot({ database, key, timestamp, since }: StateRequest): Buffer {
    const { keys, site } = this.#options;
    return encodeCommand([
      'EVAL',
      scriptSource('snapshot'),
      1,
      keys.out,
      site,
      database,
      key,
      timestamp,
      since,
    ]);
  }
}

function nameOf({ database, key }: PlacedKey): string {
  return `${database}:${key.toString('latin1')}`;
}
