/**
 * What becomes of the peer's changes here. Nearly always nothing but their application as they are: a batch none of whose
 * keys was written here without the peer knowing goes through untouched. The others are resolved, command by command.
 */

import { lastSequence, type DeliveredBatch } from '../protocol/batch.js';
import { CommandNames } from '../redis-commands/command-names.js';
import type { Deadlines } from '../local-writes/deadlines.js';
import type { KeyHash } from '../protocol/key-hash.js';
import { encodeNeed, LACK, type Lack, type KeyState } from '../protocol/messages/messages.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { PlacedError } from '../redis/reply-reader.js';
import { Allowance } from '../async/allowance.js';
import { writtenBy } from './blind.js';
import { epilogueOf, say, type EpilogueCommand, type EpilogueOptions } from './epilogue.js';
import { EntryCommands } from './stream-entries.js';
import type { LocalEntries } from '../local-writes/local-entries.js';
import { keysWritten } from '../local-writes/flushed.js';
import { FieldCommands, FieldLives } from './field-lives.js';
import { FreeRuns } from './free-runs.js';
import { ContendedKeys } from './contended-keys.js';
import { ListMemory } from './list-memory.js';
import { LifeMemory } from './life-memory.js';
import { LocalChanges, touches } from '../local-writes/local-changes.js';
import type { BatchCheck } from '../protocol/check-batch.js';
import { howDecided, type HowDecided } from './planned-keys.js';
import { LeftOut } from './left-out.js';
import {
  WatchedKeys,
  NO_TERM,
  NOTHING_TO_LOOK_AT,
  type Look,
  type Looked,
  type LookUp,
} from './watched-keys.js';
import { UnseenCells } from '../local-writes/unseen-cells.js';
import { NOTHING_ON_KEY, UnseenOnKey, type UnseenCommands } from '../local-writes/unseen-on-key.js';
import type { Range } from '../local-writes/range.js';
import { UnseenSets, type UnseenSet } from '../local-writes/unseen-sets.js';
import { forEachKey, nameOf, type ExtraCommands, type PayloadCommand } from '../protocol/payload.js';
import type { Conflict, Rejected, Resolved } from './resolved.js';
import { CommandPlanner } from './plan-commands.js';
import { Unseen } from '../local-writes/unseen.js';
import type { Window } from '../local-writes/window.js';

/** What is to be sent for a batch. */
export interface BatchPlan {
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
  /** Places of states among the batch's commands that are not applied now; nothing where all are. */
  readonly dropped?: ReadonlySet<number>;
  /** Names the keys on which nothing is done because the value of this site stays, as a `TANDEM.NEED` would; empty for none. */
  readonly kept?: Buffer | undefined;
  /** The last local sequence that was taken into account. */
  readonly decided: number;
  /** It holds until then, in ms since 1970: afterwards what it builds on may have ended. Nothing where it holds for ever. */
  readonly until?: number | undefined;
  /** Whether it empties databases, and if so, whether it was known what had been written here unseen. */
  readonly flushes?: 'knowingly' | 'blindly' | undefined;
}

/** What the decider needs from the other stages. */
export interface BatchPlannerOptions extends EpilogueOptions {
  readonly peer: string;
  readonly window: Window;
  readonly entries: LocalEntries;
  /** Deadlines of this server's keys. */
  readonly deadlines: Deadlines;
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
  /** When a change in the change list was made. */
  readonly timestampOf: (sequence: number) => number | undefined;
  /** What runs here in place of a command on whole databases, but for `kept` keys; nothing for any other command. */
  readonly translate: (command: PayloadCommand, kept?: readonly PlacedKey[]) => Buffer | undefined;
  /** What runs here for a question of a comparison; nothing for an answer, which is taken note of. */
  readonly compare: (command: PayloadCommand, batch: DeliveredBatch) => Buffer | undefined;
  /** Whether this server takes what a state has the value of a key in. */
  readonly isTaken: (state: KeyState) => boolean;
  readonly inspector: BatchCheck;
  /** Rows for commands that only this server knows. */
  readonly extraCommands: ExtraCommands;
  /** A batch was decided and is about to be applied. */
  readonly onDecided: (batch: DeliveredBatch, how?: HowDecided) => void;
  /** A change that met one its sender had not seen is applied. */
  readonly onConflict: (conflict: Conflict) => void;
}

/** Own `SET`s that are looked up in a second although their time would do: for the list of conflicts, and to be sure of the key. */
const LOOK_UPS_PER_SECOND = 500;

/** Keys remembered on which a late write was met wrongly. */
const MAX_MISPLACED = 10_000;

interface Terms extends Looked {
  readonly leftOut: ReadonlyMap<number, string>;
  readonly decided: number;
  readonly isBlind: boolean;
  /** For a batch with a flush: keys written here unseen; nothing when they are too many. */
  readonly written: readonly PlacedKey[] | undefined;
}

export class BatchPlanner {
  readonly #options: BatchPlannerOptions;
  readonly #names: CommandNames;
  readonly #unseen: Unseen;
  readonly #looks: WatchedKeys;
  readonly #hotKeys = new ContendedKeys();
  readonly #ownSets: UnseenSets;
  readonly #changes: LocalChanges;
  readonly #lookUps = new Allowance(LOOK_UPS_PER_SECOND);
  readonly #own: UnseenOnKey;
  readonly #ownCells: UnseenCells;
  readonly #memory: ListMemory;
  readonly #free: FreeRuns;
  readonly #misplaced = new Set<string>();
  #hasBegun = false;
  readonly #lives: LifeMemory;
  readonly #fieldLives: FieldLives;
  readonly #fields: FieldCommands;
  readonly #leftOut: LeftOut;

  constructor(options: BatchPlannerOptions) {
    this.#options = options;
    this.#names = new CommandNames(options.extraCommands);
    const { site, peer, window, fetch, extraCommands, timestampOf } = options;
    this.#leftOut = new LeftOut(options.inspector);
    this.#unseen = new Unseen(window, { isSenderFirst: peer < site });
    this.#memory = new ListMemory(options.appliedAtStart);
    this.#free = new FreeRuns({ ...options, unseen: this.#unseen, memory: this.#memory });
    this.#ownSets = new UnseenSets({ unseen: this.#unseen, timestampOf });
    this.#looks = new WatchedKeys({
      ...options,
      names: this.#names,
      unseen: this.#unseen,
      hotKeys: this.#hotKeys,
      ownSets: this.#ownSets,
      free: this.#free,
    });
    this.#changes = new LocalChanges(fetch, extraCommands);
    this.#own = new UnseenOnKey({ site, window, changes: this.#changes });
    this.#ownCells = new UnseenCells(window, this.#changes);
    const { deadlines } = options;
    this.#lives = new LifeMemory(deadlines, options.appendedThrough());
    this.#fieldLives = new FieldLives(deadlines.fields, options.appendedThrough());
    this.#fields = new FieldCommands(deadlines.fields, options.keys.out, (key) => this.#unseen.hashOf(key));
  }

  /**
   * What is to be sent for this batch, given what has been written here up to now. Undefined when keys must be looked at, and
   * `look` is not given: then nothing else may be on the way.
   * @throws TandemError BATCH_INVALID when it may not be applied at all
   */
  async decide(batch: DeliveredBatch, signal: AbortSignal, look?: Look): Promise<BatchPlan | undefined> {
    const { window, capturedThrough, appendedThrough, appended, onDecided, inspector } = this.#options;
    const inspection = inspector.inspect(batch);
    if (look && look.tries > 0) await this.#looks.untilDue(batch, signal);
    if (!this.#hasBegun) this.#memory.beginBehind(capturedThrough());
    this.#hasBegun = true;
    this.#ownSets.begin(batch, capturedThrough());
    this.#options.deadlines.fields.coming.begin(lastSequence(batch), batch.seen);
    const leftOut = this.#leftOut.of(batch, inspection);
    const isBlind = window.isBlindAbove(batch.seen);
    const unseen = isBlind ? 0 : this.#newestUnseen(batch, capturedThrough());
    // What is not in the change list yet may get another number after a restart; the marker must name one that stays.
    const { special, hasStreams, flushes, isGiving } = inspection;
    const isTimed = inspection.isLate || this.#looks.isOnFields(batch, inspection);
    const isPlain =
      leftOut.size === 0 && special === 0 && !isTimed && !(hasStreams && !this.#options.entries.isEmpty);
    const { until, dueUntil } = isBlind ? NO_TERM : this.#looks.term(batch, isGiving);
    if (unseen === 0 && isPlain && !isBlind && dueUntil === undefined) {
      onDecided(batch);
      return {
        payload: [batch.payload],
        commands: batch.commands,
        epilogue: [],
        rejected: [],
        decided: appendedThrough(),
        until,
        applied: () => this.#advance(batch),
      };
    }
    if (flushes) await appended(capturedThrough(), signal);
    // What commutes with all of it rests on nothing, and need not wait.
    if (!hasStreams || this.#looks.rests(batch)) await appended(unseen, signal);
    // Nothing rests on anything: what slips in is found when the marker comes round, as with any other change.
    const isFree = isBlind || (unseen === 0 && !inspection.asks && dueUntil === undefined);
    const looked = isFree ? NOTHING_TO_LOOK_AT : await this.#looks.take(batch, signal, look);
    if (!looked) return undefined;
    const decided = appendedThrough();
    const written = flushes ? await this.#writtenIn({ seen: batch.seen, decided }) : [];
    const terms = { leftOut, decided, isBlind, written, ...looked };
    const resolved = await this.#resolve(batch, terms);
    onDecided(
      batch,
      howDecided(resolved, (name) => this.#hotKeys.lacks(name, LACK.own)),
    );
    const how = written ? 'knowingly' : 'blindly';
    return { ...this.#decision(batch, resolved, terms), until, flushes: flushes ? how : undefined };
  }

  /** The keys that were written here after a decision, as far as capture has met them by now; nothing when they are too many. */
  async writtenAfter(decided: number, signal: AbortSignal): Promise<PlacedKey[] | undefined> {
    const { appended, capturedThrough } = this.#options;
    const through = capturedThrough();
    await appended(through, signal);
    return this.#writtenIn({ seen: decided, decided: through });
  }

  #writtenIn(range: Range): Promise<PlacedKey[] | undefined> {
    return keysWritten(this.#options.window, this.#changes, range);
  }

  /** A local write has slipped in that came to stand elsewhere in a list than where it was made. @param sequence its own */
  passed(name: string, sequence: number): void {
    this.#memory.doubt(name, sequence);
  }

  /** A local write has slipped in and was met wrongly: until a state comes, the key may lack what nobody took from it. */
  misplaced(name: string): void {
    this.#misplaced.delete(name);
    if (this.#misplaced.size >= MAX_MISPLACED) this.#misplaced.delete(this.#misplaced.keys().next().value!);
    this.#misplaced.add(name);
  }

  /** The server would not queue these commands of a decision: they are left out when the batch is decided again. */
  leaveOut(batch: DeliveredBatch, decision: BatchPlan, errors: readonly PlacedError[]): void {
    this.#leftOut.add(batch, decision.origins, errors);
  }

  /** The request for the state of keys, to be written where capture takes it out of the stream. */
  askFor({ timestamp }: DeliveredBatch, keys: readonly PlacedKey[], lack: Lack = LACK.nothing): Buffer {
    return say({ timestamp, lack, keys }, this.#options.keys);
  }

  /** The newest own sequence, up to `decided`, that a key of the batch meets; 0 when there is none. */
  #newestUnseen(batch: DeliveredBatch, decided: number): number {
    const { window } = this.#options;
    if (window.firstAbove(batch.seen) === window.head && window.flushesIn(batch.seen, decided).length === 0)
      return 0;
    let newest = 0;
    const each = (hash: KeyHash): void => {
      newest = Math.max(newest, this.#unseen.newestAt(hash, { seen: batch.seen, decided }));
    };
    forEachKey({ batch, names: this.#names, extra: this.#options.extraCommands, each });
    return newest;
  }

  /** All own writes on a key, or on fields of it, up to a sequence belong to a life that has ended at the peer. */
  lifeEnded(name: string, through: number, fields: readonly Buffer[]): void {
    if (fields.length === 0) this.#lives.ended(name, through);
    else this.#fieldLives.ended(name, fields, through);
  }

  #advance({ seen }: DeliveredBatch): void {
    this.#memory.advance(seen);
    this.#lives.advance(seen);
  }

  #resolve(
    batch: DeliveredBatch,
    { leftOut, decided, isBlind, held, hot, written = [] }: Terms,
  ): Promise<Resolved> {
    const { site, keys, entries, translate, compare, isExcluded, isTaken, extraCommands, capturedThrough } =
      this.#options;
    const range = { seen: batch.seen, decided };
    const ownSets = new Map<string, UnseenSet | undefined>();
    const isLookedAt = (key: PlacedKey): boolean => held.has(nameOf(key)) || hot.has(nameOf(key));
    const mayEnd = (key: PlacedKey): boolean => this.#looks.mayEnd(key, { held, hot });
    if (isBlind) this.#ownSets.builtOnAll(decided);
    const resolver = new CommandPlanner(batch, {
      site,
      ...this.#free.of({ range, isBlind, isLookedAt, mayEnd }),
      onEntries: new EntryCommands(batch, { entries, unseen: this.#unseen, range, site, out: keys.out }),
      unseenFrom: (key) => entries.arrivals.unseenFrom(key, batch.seen),
      isOnOwnMember: (command) => entries.members.isOn(command, range),
      isMisplaced: (key) => this.#misplaced.has(nameOf(key)),
      applied: keys.applied,
      out: keys.out,
      writtenUnseen: written,
      translate: (command, kept) => {
        const whole = translate(command, kept);
        if (whole) {
          this.#ownSets.builtOnAll(capturedThrough());
          ownSets.clear();
        }
        return whole;
      },
      compare,
      isExcluded,
      isTaken,
      extraCommands,
      memory: this.#memory,
      decided,
      lifeOf: (key, own) => this.#lives.known(key, own, this.#unseen.hashOf(key)),
      fieldsOf: (key, own) => this.#fieldLives.known(key, own, this.#unseen.hashOf(key)),
      fields: this.#fields,
      heldAt: (key) => held.get(nameOf(key)),
      isHot: (key) => hot.has(nameOf(key)),
      lackOf: (key) => this.#hotKeys.lackOf(nameOf(key)),
      isUntouched: (key) => !isBlind && !isLookedAt(key) && this.#unseen.newestOn(key, range) === 0,
      names: this.#names,
      // Of a key that is too hot to be watched it may be unknown that it was written.
      isMet: (hash) => isBlind || hot.size > 0 || this.#looks.isMet(hash, range),
      ownSetOn: (key) => {
        const name = nameOf(key);
        if (!ownSets.has(name))
          ownSets.set(name, isBlind || isLookedAt(key) ? undefined : this.#ownSets.find(key, range));
        return ownSets.get(name);
      },
      commandsOf: async (key, { sequence }) => {
        if (!this.#lookUps.take()) return undefined;
        const commands = await this.#changes.commandsOf(sequence);
        return commands.filter((command) => touches(command, key));
      },
      ownOn: async (key) => {
        const own = await this.#ownOn(key, { range, isBlind, lookUp: hot.get(nameOf(key)) ?? 'all' });
        if (own.isTouched) this.#ownSets.builtOn(key, range);
        return own;
      },
    });
    return resolver.resolve(leftOut);
  }

  async #ownOn(
    key: PlacedKey,
    { range, isBlind, lookUp }: { range: Range; isBlind: boolean; lookUp: LookUp },
  ): Promise<UnseenCommands> {
    if (isBlind) return NOTHING_ON_KEY;
    if (lookUp === 'all') return this.#own.find(key, this.#unseen.hashOf(key), range);
    const known = {
      ...NOTHING_ON_KEY,
      isTouched: true,
      isAsking: this.#unseen.isAsking(key, range),
      hasEnded: this.#unseen.hasEnded(key, range),
    };
    if (lookUp === 'nothing') return known;
    return { ...known, isOnCell: await this.#ownCells.find(key, this.#unseen.hashOf(key), range) };
  }

  #decision(batch: DeliveredBatch, resolved: Resolved, { decided, isBlind, held }: Terms): BatchPlan {
    const { payload, origins, gathered, conflicts, places, rejected, dropped, kept } = resolved;
    for (const [name, { lack }] of resolved.hot) this.#hotKeys.lacks(name, lack);
    const asked = isBlind ? writtenBy(batch, this.#options.extraCommands) : resolved.asked;
    const epilogue = epilogueOf(batch, resolved, asked, this.#options);
    return {
      payload,
      commands: origins.length,
      origins,
      gathered,
      epilogue,
      rejected,
      dropped,
      kept: kept.length === 0 ? undefined : encodeNeed({ timestamp: 0, lack: LACK.nothing, keys: kept }),
      decided,
      applied: () => {
        // Not before: a batch that is decided again meets the same ones.
        for (const conflict of conflicts) this.#options.onConflict(conflict);
        for (const name of held.keys()) this.#hotKeys.cooled(name);
        for (const name of resolved.settled) {
          this.#hotKeys.settled(name);
          this.#misplaced.delete(name);
        }
        this.#memory.commit(places, { applied: lastSequence(batch), decided });
        this.#lives.commit(resolved.lives);
        this.#fieldLives.commit(resolved.fieldLives, decided);
        for (const { deadline, ...key } of resolved.deadlines) {
          const { low, high } = this.#unseen.hashOf(key);
          this.#options.deadlines.told(low, high, deadline);
        }
        this.#advance(batch);
      },
    };
  }
}
