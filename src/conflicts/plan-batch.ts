/**
 * Plans what runs here for a batch of the peer's. Nearly always that is the batch as it came: none of its keys has a local write that
 * the peer does not know of. Any other batch is planned command by command.
 */

import { keysWritten } from '../local-writes/flushed.js';
import type { OverwrittenSet } from '../local-writes/overwritten-sets.js';
import type { Range } from '../local-writes/range.js';
import { lastSequence, type DeliveredBatch } from '../protocol/batch.js';
import { BatchCommands } from '../protocol/batch-commands.js';
import type { BatchIndex } from '../protocol/batch-index.js';
import { encodeNeed, LACK, type Lack } from '../protocol/messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { PlacedError } from '../redis/reply-reader.js';
import type { CheckedBatch } from '../protocol/check-batch.js';
import { writtenBy } from './blind.js';
import { epilogueOf, say, type EpilogueCommand } from './epilogue.js';
import { KnownKeys, type Terms } from './known-keys.js';
import { LeftOut } from './left-out.js';
import { CommandPlanner } from './plan-commands.js';
import type { BatchPlannerOptions } from './plan-options.js';
import { putBack, type PutBack } from './put-back.js';
import { PlannerMemory } from './planner-memory.js';
import { howDecided, type Rejected, type Resolved } from './resolved.js';
import { NO_TERM, NOTHING_TO_LOOK_AT, WatchedKeys, type Look } from './watched-keys.js';

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
  /** Takes note of what the plan came to. To be called once, when it is applied: a plan that is given up leaves no trace. */
  onApplied(): void;
  /** The commands behind them: they send states, and list conflicts and commands left out. */
  readonly epilogue: readonly EpilogueCommand[];
  /** Commands left out, which the epilogue lists. */
  readonly rejected: readonly Rejected[];
  /** Keys whose states come with the batch, and are applied. */
  readonly stated: readonly PlacedKey[];
  /** Names the keys on which nothing is done because the value of this site stays, as a `TANDEM.NEED` would; empty for none. */
  readonly kept?: Buffer | undefined;
  /** The last local sequence that was taken into account. */
  readonly decided: number;
  /** The newest local sequence that places of lists are about with this plan; absent: it is about none. */
  readonly noted?: number | undefined;
  /** The plan holds until then, in ms since 1970: later a key that it builds on may have ended. Undefined where it holds for ever. */
  readonly until?: number | undefined;
  /** Whether it empties databases, and if so, whether it was known what had been written here unseen. */
  readonly flushes?: 'knowingly' | 'blindly' | undefined;
}

interface BatchTerms extends Terms {
  /** Places of commands that the server does not take, with the reason. */
  readonly leftOut: ReadonlyMap<number, string>;
}

export class BatchPlanner {
  readonly #options: BatchPlannerOptions;
  readonly #memory: PlannerMemory;
  readonly #watched: WatchedKeys;
  readonly #leftOut: LeftOut;
  #hasBegun = false;

  constructor(options: BatchPlannerOptions) {
    this.#options = options;
    this.#memory = new PlannerMemory(options);
    this.#watched = new WatchedKeys(options, this.#memory);
    this.#leftOut = new LeftOut(options.inspector);
  }

  /**
   * What is to be sent for this batch, given what has been written here up to now. Undefined when keys must be looked at, and
   * `look` is not given: then nothing else may be on the way. The same when local values are to be put back first.
   *
   * A batch may be decided again, and comes to the same. What the next batch must know before this one is applied is noted at once:
   * keys that are built on, contended keys, deadlines on their way. Such a note only makes later decisions look closer.
   * @throws TandemError BATCH_INVALID when it may not be applied at all
   */
  async decide(batch: DeliveredBatch, signal: AbortSignal, look?: Look): Promise<BatchPlan | undefined> {
    const { window, captured, appended, late, inspector } = this.#options;
    const checked = inspector.inspect(batch);
    const { index } = checked;
    if (this.#isBarred(checked)) return undefined;
    if (checked.isAssembled && !look) return undefined;
    if (look && look.tries > 0) await this.#watched.untilDue(batch, checked, signal);
    if (!this.#hasBegun) this.#memory.lists.beginBehind(captured.capturedThrough);
    this.#hasBegun = true;
    this.#memory.sets.begin(batch, captured.capturedThrough);
    this.#options.deadlines.fields.coming.begin(lastSequence(batch), batch.seen);
    const leftOut = this.#leftOut.of(batch, checked);
    const isBlind = window.isBlindAbove(batch.seen);
    const unseen = isBlind ? 0 : this.#newestUnseen(batch, index, captured.capturedThrough);
    // A change that is not in the change list may get another number after a restart. The marker must name one that stays.
    const { special, hasStreams, flushes } = checked;
    const isTimed = checked.isLate || this.#watched.isOnFields(checked);
    const isPlain =
      leftOut.size === 0 && special === 0 && !isTimed && !(hasStreams && !this.#options.entries.isEmpty);
    const { until, dueUntil } = isBlind ? NO_TERM : this.#watched.term(batch, checked);
    if (unseen === 0 && isPlain && !isBlind && dueUntil === undefined) {
      late.decided(batch, index);
      return {
        payload: [batch.payload],
        commands: batch.commands,
        epilogue: [],
        rejected: [],
        stated: [],
        decided: appended.appendedThrough,
        until,
        onApplied: () => this.#memory.advance(batch.seen),
      };
    }
    if (flushes) await appended.waitFor(captured.capturedThrough, signal);
    const commands = new BatchCommands(batch, index, this.#options.extraCommands, checked.messages);
    // A batch that commutes with all local writes rests on nothing, and need not wait.
    if (!hasStreams || this.#watched.rests(batch, commands)) await appended.waitFor(unseen, signal);
    // Such a plan rests on nothing: a late write is found when the marker comes round, as with any other change.
    const isFree = isBlind || (unseen === 0 && !checked.asks && dueUntil === undefined);
    const looked = isFree ? NOTHING_TO_LOOK_AT : await this.#watched.take(batch, commands, { signal, look });
    // What stands at one of the keys may be another value than was planned on: it is put back first.
    if (!looked || this.#isBarred(checked)) return undefined;
    const decided = appended.appendedThrough;
    const written = flushes ? await this.#writtenIn({ seen: batch.seen, decided }) : [];
    const assembled = checked.isAssembled ? await look!.assembled() : undefined;
    const terms = { leftOut, decided, isBlind, written, assembled, ...looked };
    const resolved = await this.#resolve(batch, commands, terms);
    const { contended } = this.#memory;
    late.decided(
      batch,
      index,
      howDecided(resolved, (name) => contended.lacks(name, LACK.localWrites)),
    );
    const how = written ? 'knowingly' : 'blindly';
    const asked = isBlind ? writtenBy(commands) : resolved.asked;
    return {
      ...this.#decision(batch, { ...resolved, asked }, terms),
      until,
      flushes: flushes ? how : undefined,
    };
  }

  /** What runs to put local values back. @param timestamp of the request for those that are not to be had */
  putBack(sets: readonly OverwrittenSet[], timestamp: number, signal: AbortSignal): Promise<PutBack> {
    return putBack(sets, timestamp, { ...this.#options, memory: this.#memory }, signal);
  }

  /** The keys that were written here after a decision, as far as capture has met them by now; nothing when they are too many. */
  async writtenAfter(decided: number, signal: AbortSignal): Promise<PlacedKey[] | undefined> {
    const { appended, captured } = this.#options;
    const through = captured.capturedThrough;
    await appended.waitFor(through, signal);
    return this.#writtenIn({ seen: decided, decided: through });
  }

  #writtenIn(range: Range): Promise<PlacedKey[] | undefined> {
    return keysWritten(this.#options.window, this.#memory.changes, range);
  }

  /** The newest local sequence that places of lists were ever about; undefined as long as it is not known. */
  get notedThrough(): number | undefined {
    return this.#memory.lists.notedThrough;
  }

  /** A late write came to stand elsewhere in a list than where it was made. @param sequence that of the write */
  passed(name: string, sequence: number): void {
    this.#memory.lists.doubt(name, sequence);
  }

  /** A late write was met wrongly: until a state comes, the key may lack an element that no command took. */
  misplaced(name: string): void {
    this.#memory.misplaced(name);
  }

  /** The server would not queue these commands of a decision: they are left out when the batch is decided again. */
  leaveOut(batch: DeliveredBatch, decision: BatchPlan, errors: readonly PlacedError[]): void {
    this.#leftOut.add(batch, decision.origins, errors);
  }

  /** The request for the state of keys, to be written where capture takes it out of the stream. */
  askFor({ timestamp }: DeliveredBatch, keys: readonly PlacedKey[], lack: Lack = LACK.nothing): Buffer {
    return say({ timestamp, lack, keys }, this.#options.keys);
  }

  /** Whether a local value is to be put back on a key of the batch, or it speaks of keys itself: a state would be of another value. */
  #isBarred({ index, special, flushes }: CheckedBatch): boolean {
    const { overwritten } = this.#options.late.sets;
    if (overwritten.isEmpty) return false;
    return special !== 0 || flushes || overwritten.mayBeOn(index);
  }

  /** The newest local sequence, up to `decided`, that a key of the batch meets; 0 when there is none. */
  #newestUnseen(batch: DeliveredBatch, index: BatchIndex, decided: number): number {
    const { window } = this.#options;
    if (window.firstAbove(batch.seen) === window.head && window.flushesIn(batch.seen, decided).length === 0)
      return 0;
    let newest = 0;
    index.forEachKey((hash) => {
      newest = Math.max(newest, this.#memory.unseen.newestAt(hash, { seen: batch.seen, decided }));
    });
    return newest;
  }

  /** All local writes on a key, or on fields of it, up to a sequence belong to a life that has ended at the peer. */
  lifeEnded(name: string, through: number, fields: readonly Buffer[]): void {
    if (fields.length === 0) this.#memory.lives.ended(name, through);
    else this.#memory.fieldLives.ended(name, fields, through);
  }

  #resolve(batch: DeliveredBatch, commands: BatchCommands, terms: BatchTerms): Promise<Resolved> {
    const memory = this.#memory;
    if (terms.isBlind) memory.sets.builtOnAll(terms.decided);
    const { entries } = this.#options;
    const known = new KnownKeys(batch, { memory, watched: this.#watched, entries, terms });
    const planner = new CommandPlanner(batch, { commands, known, memory, options: this.#options });
    return planner.resolve(terms.leftOut);
  }

  #decision(batch: DeliveredBatch, resolved: Resolved, { decided, held }: Terms): BatchPlan {
    const { payload, origins, gathered, conflicts, places, rejected, stated, kept } = resolved;
    const { events, deadlines } = this.#options;
    const { contended, lists, lives, fieldLives, unseen } = this.#memory;
    // Now, since the next batch may be decided before this one is applied. Said twice it is the same.
    for (const [name, { lack }] of resolved.contended) contended.lacks(name, lack);
    lists.note(places);
    const epilogue = epilogueOf(batch, resolved, this.#options);
    return {
      payload,
      commands: origins.length,
      origins,
      gathered,
      epilogue,
      rejected,
      stated,
      kept: kept.length === 0 ? undefined : encodeNeed({ timestamp: 0, lack: LACK.nothing, keys: kept }),
      decided,
      noted: places.size === 0 ? undefined : lists.notedThrough,
      onApplied: () => {
        for (const conflict of conflicts) events.conflict(conflict);
        for (const args of resolved.answers) events.answered(args);
        for (const name of held.keys()) contended.cooled(name);
        for (const name of resolved.settled) this.#memory.settled(name);
        lists.commit(places, { applied: lastSequence(batch), decided });
        lives.commit(resolved.lives);
        fieldLives.commit(resolved.fieldLives, decided);
        for (const { deadline, ...key } of resolved.deadlines) {
          const { low, high } = unseen.hashOf(key);
          deadlines.told(low, high, deadline);
        }
        this.#memory.advance(batch.seen);
      },
    };
  }
}
