/**
 * The applier: takes batches from the inbox and makes their changes here, each batch in one transaction together with its bookkeeping,
 * several transactions on the way at a time.
 *
 * One transaction is, on a raw connection, in this order:
 *
 * | sent | why |
 * | --- | --- |
 * | `WATCH fence applied guard`, guard-transaction.lua | when another process has taken over, or the position is not the expected one, `guard` is touched and `EXEC` fails: so the next run may follow without waiting for an answer |
 * | `MULTI`, `HSET applied …` | the marker: first in the transaction, so that capture knows the echo |
 * | begin-transaction.lua | notes how many errors the server has counted |
 * | the commands | as they were captured, or as the decision has it |
 * | end-transaction.lua | takes the batch out of the inbox, unless a command failed |
 * | `EXEC` | |
 *
 * Plans rest on the window of local writes. A local write may slip in between a plan and its transaction. Capture finds it: it stands in
 * the stream before the marker, which names the last local sequence of the plan.
 */

import type { HybridClock } from '../protocol/clock.js';
import { lastSequence, type DeliveredBatch } from '../protocol/batch.js';
import { passesByItself, TandemError } from '../errors.js';
import { ApplyingState, type ApplierState } from './applying-state.js';
import type { Logger } from '../log/log.js';
import { scriptSource } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import type { RawConnection } from '../redis/raw-connection.js';
import { ErrorReply } from '../redis/reply-reader.js';
import { Backoff } from '../async/backoff.js';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GapEvents } from '../protocol/gap.js';
import type { LateSets } from '../local-writes/late-sets.js';
import type { LateWrites } from '../local-writes/late-writes.js';
import type { BatchPlanner } from '../conflicts/plan-batch.js';
import type { Barriers } from './barriers.js';
import { settleFlush } from './flushes.js';
import type { Look } from '../conflicts/watched-keys.js';
import { withMending } from './clear-rejected.js';
import type { Rejections } from './rejections.js';
import { Looks } from './looks.js';
import { PuttingBack } from './putting-back.js';
import { outcomeOf, sendTransaction, type Failures, type Outcome, type Transaction } from './transaction.js';

export interface ApplierOptions {
  readonly connection: RawConnection;
  readonly keys: KeyNames;
  readonly token: number;
  readonly applied: { readonly epoch: number; readonly sequence: number };
  readonly inbox: {
    next(): Promise<DeliveredBatch | undefined>;
    readonly fault: TandemError | undefined;
    readonly arrived: { wait(signal: AbortSignal, timeoutMs?: number): Promise<void> };
    settled(): void;
  };
  readonly planner: BatchPlanner;
  readonly rejections: Rejections;
  readonly barriers: Pick<Barriers, 'wait'>;
  readonly clock: HybridClock;
  /** Moves the clock past a timestamp of the peer's. */
  readonly plausibility: { observe(timestamp: number): void };
  readonly log: Logger;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Since when the inbox is to be left alone; undefined while it is not. */
  readonly pauses: { since(direction: 'inbound'): number | undefined };
  /** Full while what was applied has to come round in the stream before more is. */
  readonly late: Pick<LateWrites, 'isFull'> & { readonly sets: Pick<LateSets, 'overwritten'> };
  readonly events: Pick<GapEvents, 'gap'>;
  /** A batch has been applied. */
  readonly onApplied: (batch: DeliveredBatch) => void;
}

/** Transactions on the way without an answer. */
const RUNS_IN_FLIGHT = 4;
/** Bytes of batches on the way: a large batch travels alone. */
const BYTES_IN_FLIGHT = 4 * 1024 * 1024;
/** How often an empty inbox is looked at again without being told of anything. */
const IDLE_MS = 1000;
/** How often it is looked whether the stream has caught up with what was applied. */
const BEHIND_MS = 10;

export class Applier {
  readonly #options: ApplierOptions;
  readonly #backoff: Backoff;
  #applied: { epoch: number; sequence: number };
  /** Where the last run sent would leave {@link #applied}. */
  #sent: { epoch: number; sequence: number };
  readonly #telling: ApplyingState;
  readonly #looks: Looks;
  readonly #back: PuttingBack;
  #counts = { changes: 0, bytes: 0, plainBytes: 0 };
  /** Batches that wait until nothing else is on the way. */
  readonly #waiting: DeliveredBatch[] = [];
  /** Whether the batch before had to wait for that: the next one is likely to, and would be decided twice. */
  #isInTurn = false;
  /** Why the next batch may not be applied. */
  #fault: TandemError | undefined;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ minMs: options.backoffMinMs, maxMs: options.backoffMaxMs });
    this.#telling = new ApplyingState(options.log);
    this.#looks = new Looks(options);
    this.#back = new PuttingBack({
      ...options,
      looks: this.#looks,
      overwritten: options.late.sets.overwritten,
    });
    this.#applied = { ...options.applied };
    this.#sent = { ...options.applied };
  }

  get state(): ApplierState {
    return this.#telling.state;
  }

  get detail(): string | undefined {
    return this.#telling.detail;
  }

  /** The code of the error behind it, if it is one. */
  get reason(): string | undefined {
    return this.#telling.reason;
  }

  get appliedSequence(): number {
    return this.#applied.sequence;
  }

  /** Changes and bytes of batches applied since the process began; `plainBytes`: with nothing packed. */
  get counts(): { readonly changes: number; readonly bytes: number; readonly plainBytes: number } {
    return this.#counts;
  }

  get #isPaused(): boolean {
    return this.#options.pauses.since('inbound') !== undefined;
  }

  get #isBehind(): boolean {
    return this.#options.late.isFull;
  }

  /** Applies until the signal aborts. @throws TandemError FENCED, STATE_LOST, UNREACHABLE: then everything starts from Redis again */
  async run(signal: AbortSignal): Promise<void> {
    const { inbox } = this.#options;
    const flying: Transaction[] = [];
    await this.#expectErrorCount();
    for (let tries = 0; ;) {
      signal.throwIfAborted();
      await this.#launch(flying, signal);
      const oldest = flying[0];
      if (!oldest && this.#back.isDue) {
        await this.#putBack(signal);
        continue;
      }
      if (!oldest) {
        const fault = this.#fault ?? inbox.fault;
        if (fault) this.#telling.enter('stopped', fault);
        else if (this.#isPaused) this.#telling.enter('paused');
        else if (this.#isBehind) this.#telling.enter('backing-off', BEHIND);
        else this.#telling.enter('caught-up');
        await inbox.arrived.wait(signal, this.#isBehind ? BEHIND_MS : IDLE_MS);
        continue;
      }
      const outcome = await outcomeOf(oldest);
      if (outcome.kind === 'applied') {
        tries = 0;
        this.#backoff.succeeded();
        flying.shift();
        this.#telling.passed();
        this.#finish(oldest);
        if (oldest.decision.flushes) await this.#afterFlush(oldest, signal);
        continue;
      }
      const failed = flying.splice(0);
      if (outcome.kind !== 'failed') await this.#expectNoneApplied(failed);
      else await Promise.allSettled(failed.slice(1).map((run) => run.exec));
      const again = await this.#recover(outcome, failed, signal);
      tries++;
      this.#sent = { ...this.#applied };
      if (this.#isPaused) this.#waiting.unshift(...again);
      else await this.#again(again, flying, { signal, tries: outcome.kind === 'changed' ? tries : 0 });
    }
  }

  /** Whether a change failed is told by the server's count of errors: without it nothing may be applied. */
  async #expectErrorCount(): Promise<void> {
    const { connection } = this.#options;
    const reply = await connection.replyTo('EVAL', scriptSource('count-error-replies'), 0);
    if (reply instanceof ErrorReply) {
      const error = connection.refusal(reply, 'EVAL');
      if (passesByItself(error)) throw error;
    } else if (reply !== null) return;
    throw new TandemError('NO_PERMISSION', 'scripts cannot read the number of errors from INFO', {
      hint: 'the account needs INFO, also inside of scripts, and the server must have it under its own name',
      ...(reply === null ? {} : { details: { reply: reply.message.slice(0, 120) } }),
    });
  }

  /**
   * Whatever was sent behind a run that did not go through must have failed on its guard. A server may have refused the guard itself
   * (`BUSY`, `READONLY`) and taken the rest a moment later. Then a batch is lost, and the work must not go on.
   */
  async #expectNoneApplied([first, ...behind]: readonly Transaction[]): Promise<void> {
    const outcomes = await Promise.all(behind.map((run) => outcomeOf(run)));
    if (!outcomes.some(({ kind }) => kind === 'applied' || kind === 'failed')) return;
    const { log, events } = this.#options;
    const { origin, first: sequence, changes } = first!.batch;
    events.gap('peer');
    log.error(
      { origin, sequence, changes },
      'a batch of the peer was passed over, because the server refused its guard: the sites must be compared',
    );
    throw new TandemError('STATE_LOST', 'a later batch was applied without the one before it', {
      details: { sequence },
    });
  }

  /** Sends batches once more, each that must be alone after the others have come through. */
  async #again(
    batches: readonly DeliveredBatch[],
    flying: Transaction[],
    { signal, tries }: { signal: AbortSignal; tries: number },
  ): Promise<void> {
    for (const [at, batch] of batches.entries()) {
      const run = await this.#send(batch, signal, {
        isAlone: flying.length === 0,
        tries: at === 0 ? tries : 0,
      });
      if (run) flying.push(run);
      else {
        this.#waiting.unshift(...batches.slice(at));
        return;
      }
    }
  }

  async #launch(flying: Transaction[], signal: AbortSignal): Promise<void> {
    const { inbox } = this.#options;
    let bytes = flying.reduce((sum, run) => sum + run.batch.plainLength, 0);
    while (flying.length < RUNS_IN_FLIGHT && bytes < BYTES_IN_FLIGHT) {
      if (this.#fault || this.#isPaused || this.#back.isOverdue) return;
      // One that waits was decided before, and counts among what has not come round: it must not wait for itself.
      const batch = this.#waiting.shift() ?? (this.#isBehind ? undefined : await inbox.next());
      if (!batch) return;
      this.#telling.enter('streaming');
      const run = await this.#send(batch, signal, { isAlone: flying.length === 0, tries: 0 });
      if (!run) {
        this.#waiting.unshift(batch);
        return;
      }
      flying.push(run);
      bytes += batch.plainLength;
    }
  }

  /**
   * Decides a batch and sends its transaction. Undefined, with nothing sent, when it must be alone on the way and is not.
   * @param tries how often it was in vain because watched keys had been written meanwhile
   */
  async #send(
    batch: DeliveredBatch,
    signal: AbortSignal,
    { isAlone, tries }: { isAlone: boolean; tries: number },
  ): Promise<Transaction | undefined> {
    const { connection, keys, token, planner, clock } = this.#options;
    if (this.#isInTurn && !isAlone) return undefined;
    // First of all: a local write captured from here on is later in time than this change.
    this.#options.plausibility.observe(batch.timestamp);
    let isLooking = false;
    const at: Look['at'] = (watched) => {
      isLooking = true;
      return this.#looks.at(watched, signal);
    };
    const assembled: Look['assembled'] = () => {
      isLooking = true;
      return this.#looks.assembled();
    };
    const decided = await planner
      .decide(batch, signal, isAlone ? { at, assembled, tries } : undefined)
      .catch((error: unknown) => this.#refused(error));
    this.#isInTurn = isAlone ? isLooking : !decided;
    if (!decided) return undefined;
    const decision = withMending(decided, keys);
    const expected = { ...this.#sent };
    const last = lastSequence(batch);
    this.#sent = { epoch: batch.epoch, sequence: last };
    const sent = sendTransaction(connection, { keys, token, batch, decision, expected, clock: clock.last });
    return { ...sent, batch, decision };
  }

  /** A batch that may not be applied stands where it is, and the link with it; the process goes on. */
  #refused(error: unknown): undefined {
    if (!(error instanceof TandemError) || error.code !== 'BATCH_INVALID') throw error;
    this.#fault = error;
  }

  /** A state was to be sent, or asked for, and was not. The peer is asked for it, since one of the sites waits for it. */
  async #askAgain({ batch, decision }: Transaction, { epilogue }: Failures): Promise<void> {
    const { connection, planner } = this.#options;
    const keys = epilogue.flatMap(({ index }) => decision.epilogue[index]!.keys);
    if (keys.length === 0) return;
    const reply = connection.replies.value();
    connection.write([planner.askFor(batch, keys)]);
    await reply;
  }

  #afterFlush(run: Transaction, signal: AbortSignal): Promise<void> {
    const look = (): Promise<unknown> => this.#looks.at([], signal);
    return settleFlush(run, { ...this.#options, look, signal });
  }

  #finish(run: Transaction): void {
    const { batch, decision } = run;
    const { inbox, onApplied, rejections } = this.#options;
    this.#applied = { epoch: batch.epoch, sequence: lastSequence(batch) };
    this.#counts = {
      changes: this.#counts.changes + batch.changes,
      bytes: this.#counts.bytes + batch.length,
      plainBytes: this.#counts.plainBytes + batch.plainLength,
    };
    inbox.settled();
    decision.onApplied();
    rejections.leftOut(batch, decision);
    onApplied(batch);
  }

  /** Local values that a change of the peer's took the place of stand there again. */
  async #putBack(signal: AbortSignal): Promise<void> {
    const outcome = await this.#back.once(this.#applied, signal);
    if (!outcome) return;
    if (outcome.kind === 'lost') throw outcome.error;
    if (outcome.kind === 'passing') await this.#backOff(outcome.error, signal);
    else this.#backoff.succeeded();
  }

  async #backOff(error: ErrorReply, signal: AbortSignal): Promise<void> {
    this.#telling.enter('backing-off', this.#options.connection.refusal(error, 'EXEC'));
    await sleep(this.#backoff.failed(), undefined, { signal });
  }

  /** Deals with the oldest run's failure; gives the batches that are to be sent (again). */
  async #recover(
    outcome: Outcome,
    failed: readonly Transaction[],
    signal: AbortSignal,
  ): Promise<DeliveredBatch[]> {
    const { planner } = this.#options;
    const [oldest] = failed as [Transaction];
    const batches = failed.map((run) => run.batch);
    switch (outcome.kind) {
      case 'applied':
        return [];
      case 'lost':
        throw outcome.error;
      case 'changed':
        // A watched key was written meanwhile: decided anew.
        return batches;
      case 'passing':
        await this.#backOff(outcome.error, signal);
        return batches;
      case 'unqueueable':
        // The server does not even take these commands into a transaction: they are left out and listed.
        planner.leaveOut(oldest.batch, oldest.decision, outcome.errors);
        return batches;
      case 'failed':
        // Capture has then met all that was written here before the run.
        if (this.#options.rejections.mayBeOvertaken(outcome.failures)) await this.#looks.at([], signal);
        await this.#options.rejections.settle(oldest.batch, oldest.decision, outcome.failures);
        await this.#askAgain(oldest, outcome.failures);
        this.#finish(oldest);
        return batches.slice(1);
    }
  }
}

const BEHIND = new TandemError(
  'SERVER_BUSY',
  "what was applied comes round in the server's replication stream more slowly than it is applied",
);
