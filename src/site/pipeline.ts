/**
 * A site at work, while this process holds the lease. It reads as the path of a change: stream → capture → change list → courier (to
 * the peer), and inbox → plan → applier (from the peer). Everything it knows is in Redis: what fails at the local side ends it, and a
 * new one begins from what Redis holds. Only the peer's side is tried again in place.
 */

import { setMaxListeners } from 'node:events';
import type { PipelineOptions } from './pipeline-options.js';
import { Applier } from '../inbound/applier.js';
import { Barriers } from '../inbound/barriers.js';
import { BatchPlanner } from '../conflicts/plan-batch.js';
import { lateRequest } from '../local-writes/late-request.js';
import { LateWrites } from '../local-writes/late-writes.js';
import { isOfEntries } from '../protocol/command-kinds.js';
import { isRemoval } from '../protocol/removals.js';
import { LocalEntries } from '../local-writes/local-entries.js';
import { currentCommand } from '../protocol/payload.js';
import { Marks } from '../conflicts/marks.js';
import { Rejections } from '../inbound/rejections.js';
import { settleSuspect } from '../inbound/suspect-transaction.js';
import { Window } from '../local-writes/window.js';
import { loadIntoWindow } from '../local-writes/window-loader.js';
import { Capture } from '../capture/capture.js';
import { loadDeadlines } from '../capture/deadline-loader.js';
import type { CaptureListener } from '../capture/listener.js';
import { loadMembers } from '../capture/member-loader.js';
import { BatchTimer } from '../capture/batch-timer.js';
import type { ReplicationStream } from '../capture/psync/replication-stream.js';
import { decodeBatch, lastSequence, type Batch } from '../protocol/batch.js';
import { HybridClock, lagMs, wallMs } from '../protocol/clock.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { effectCode, isTandems } from '../redis-commands/effect-code.js';
import { withMarks } from '../protocol/messages/comparison.js';
import { Deadlines } from '../local-writes/deadlines.js';
import { encodeExpired } from '../protocol/messages/messages.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Position } from '../protocol/position.js';
import { keyspaceChanged } from './keyspace-events.js';
import { LinkedAbort } from '../async/linked-abort.js';
import { Acknowledgements } from '../outbound/acknowledgements.js';
import { localGaps } from './local-gaps.js';
import { Pauses } from './pauses.js';
import { ChangeList } from '../outbound/change-list.js';
import { Courier } from '../outbound/courier.js';
import { Inbox } from '../inbound/inbox.js';
import { watchMemory } from '../outbound/memory-watch.js';
import { Plausibility } from '../outbound/plausibility.js';
import { peerHistory } from '../outbound/peer-history.js';
import { savePositions } from '../outbound/position-saver.js';
import { answerOf } from '../redis/connect.js';
import type { RawConnection } from '../redis/raw-connection.js';
import { together } from '../async/together.js';
import { openApplyConnection, openStream } from './connections.js';
import { captureSettings, courierSettings, deciderSettings, listSettings } from './stage-settings.js';
import { beginAt, goOnAt } from './stream-start.js';

const WINDOW_ENTRIES = 1 << 20;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly clock: HybridClock;
  readonly #window: Window;
  readonly #entries = new LocalEntries(() => this.#window.droppedThrough);
  readonly late: LateWrites;
  readonly list: ChangeList;
  readonly inbox: Inbox;
  readonly rejections: Rejections;
  readonly courier: Courier;
  readonly pauses: Pauses;
  readonly acknowledgements: Acknowledgements;
  readonly #claims: Plausibility;
  readonly #barriers = new Barriers();
  #capture: Capture | undefined;
  #applier: Applier | undefined;
  #decider: BatchPlanner | undefined;
  readonly #deadlines = new Deadlines();
  #stream: ReplicationStream | undefined;
  readonly #cutting: BatchTimer;
  /** Where this session began to read the stream. */
  #start: Position | undefined;
  /** How far the peer's changes are applied, in their epoch. */
  #applied: { epoch: number; sequence: number };

  constructor(options: PipelineOptions) {
    const { config, log, keys, local, peer, token, opened, onGap, onAdopted } = options;
    this.#options = options;
    this.#applied = { ...opened.applied };
    this.clock = new HybridClock(opened.clock);
    this.#cutting = new BatchTimer({
      delayMs: config.batchDelayMs,
      capture: () => this.#capture!,
      lagMs: () => lagMs(this.list.oldestTimestamp, Date.now()),
    });
    this.#window = new Window({ recentMs: config.windowSeconds * 1000, maxEntries: WINDOW_ENTRIES });
    this.late = new LateWrites(this.#window, {
      entries: this.#entries,
      extra: opened.commands.writes,
      ownPrefix: keys.prefix,
      isSenderFirst: config.peer < config.site,
      onPassed: (name, sequence) => this.#decider?.passed(name, sequence),
      onMisplaced: (name) => this.#decider?.misplaced(name),
      deadlines: this.#deadlines,
      onLifeEnded: (name, through, fields) => this.#decider?.lifeEnded(name, through, fields),
    });
    this.list = new ChangeList({
      client: local,
      keys,
      token,
      pair: config.pair,
      site: config.site,
      ...opened,
      maxBytes: config.changesBytes,
      log,
      onDropped: localGaps(options).dropped,
    });
    this.inbox = new Inbox({
      client: local,
      keys,
      pair: config.pair,
      peer: config.peer,
      applied: opened.applied,
      token,
      log,
    });
    this.rejections = new Rejections({ client: local, keys, token, log, entries: this.#entries });
    this.pauses = new Pauses({ client: local, keys, log });
    this.#claims = new Plausibility({
      clock: this.clock,
      appendedThrough: () => this.list.appendedThrough,
      log,
    });
    this.acknowledgements = new Acknowledgements({
      applied: () => this.#applied.sequence,
      made: () => this.list.last,
      seen: opened.trimmed,
      trim: (seen) => this.list.trim(seen),
      onSeen: (seen) => this.#window.advance(seen),
    });
    this.courier = new Courier({
      ...courierSettings(options),
      client: peer,
      list: this.list,
      log: log.child({ stage: 'courier' }),
      seen: () => this.#capture!.seen,
      isSettled: () => this.#isSettled(),
      clock: () => this.clock.last,
      isPaused: () => this.pauses.since('outbound') !== undefined,
      readThrough: () => this.readThrough?.offset,
      peerHistory: () => peerHistory(local, keys, this.#applied.sequence),
      onGap,
      onAdopted,
    });
  }

  get epoch(): number {
    return this.#options.opened.epoch;
  }
  get capture(): Capture | undefined {
    return this.#capture;
  }
  get applier(): Applier | undefined {
    return this.#applier;
  }
  /** How far the peer's changes are applied here, in their epoch. */
  get applied(): { readonly epoch: number; readonly sequence: number } {
    return this.#applied;
  }
  /** Where this session began to read the stream; undefined before it does. */
  get start(): Position | undefined {
    return this.#start;
  }
  /** How far this session has read the stream; undefined when something of it is not in the change list yet. */
  get readThrough(): Position | undefined {
    return this.#capture && this.#isSettled() ? this.#capture.position : undefined;
  }

  /** Works until the signal aborts or something on the local side fails; then throws the reason. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new LinkedAbort(signal);
    // More stages wait side by side than Node.js takes for a leak.
    setMaxListeners(0, stop.signal);
    let applying: RawConnection | undefined;
    try {
      const { writes } = this.#options.opened.commands;
      const { claims, token } = this.#options;
      const known = { window: this.#window, entries: this.#entries, claims };
      await this.list.load((bytes) => loadIntoWindow(known, decodeBatch(bytes), writes));
      this.#window.beginBehind(this.list.firstSequence - 1);
      const { local, keys, config, opened, log } = this.#options;
      const { pair, peer } = config;
      const rewind = (): Promise<void> => this.inbox.rewindAtStart();
      if (opened.isSuspect)
        await settleSuspect({ local, keys, pair, peer, ...opened, rejections: this.rejections, rewind });
      await this.inbox.begin();
      await this.pauses.look();
      applying = await openApplyConnection({ ...this.#options, signal: stop.signal });
      await this.#openStream(stop.signal);
      this.#applier = this.#createApplier(applying);
      this.acknowledgements.heartbeat(opened.heartbeat);
      const end = (): void => {
        stop.abort();
        this.#stream?.close();
      };
      stop.signal.addEventListener('abort', end, { once: true });
      if (stop.signal.aborted) end();
      const tasks = [
        this.#readStream(),
        this.list.run(stop.signal, {
          clock: () => this.clock.last,
          onAppended: () => this.list.hasRoom && this.#stream?.resume(),
        }),
        this.courier.run(stop.signal),
        claims.run(token, stop.signal),
        this.#apply(stop.signal),
        this.acknowledgements.run(stop.signal),
        this.#savePositions(stop.signal),
        this.pauses.run(stop.signal),
        watchMemory({ ...config, client: local, list: this.list, log }, stop.signal),
      ];
      await together({ tasks, ended: applying.closed, end });
    } finally {
      stop.abort();
      this.#cutting.stop();
      this.#stream?.close();
      applying?.close();
    }
  }

  // ---- from the local server to the peer ---------------------------------------------------------------------------

  async #openStream(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const opened = { ...this.#options.opened, position: await goOnAt(this.#options) };
    const stream = await openStream({ ...this.#options, signal }, opened.position);
    this.#stream = stream;
    const { resumed } = stream.start;
    const position = await beginAt(stream.start, {
      ...this.#options,
      opened,
      onGap: (isSame) => this.#options.onGap('own', isSame),
      clock: this.clock.last,
    });
    this.#start = position;
    this.#capture = this.#createCapture(position);
    await this.list.savePosition(position, this.clock.last);
    log.info(
      { resumed, offset: position.offset, next: opened.next, epoch: opened.epoch },
      'reading the replication stream',
    );
  }

  #createCapture(position: Position): Capture {
    const settings = captureSettings(this.#options);
    return new Capture({
      ...settings,
      deadlines: this.#deadlines,
      position,
      clock: this.clock,
      listener: this.#listener(),
    });
  }

  #listener(): CaptureListener {
    const { onSkipped, claims, cut, isNew, isCopied, onTold: told } = this.#options;
    const asked = (): number => this.acknowledgements.askedCount;
    const passing = new Marks({ asked, isCut: () => cut() !== undefined, isCopied });
    const isBusy = (key: PlacedKey, seen: number): boolean => this.late.isUnseen(key, seen);
    return {
      batch: (batch) => this.list.enqueue(batch),
      write: (low, high, sequence, effect, isRead) => {
        if (effect === 'need') this.acknowledgements.asked(sequence);
        this.#window.record(low, high, sequence, effectCode(effect));
        if (isRead !== true && !isTandems(effect)) claims.own(low, high);
      },
      flushed: (sequence) => this.#window.recordFlush(sequence),
      named: (name, args, database, sequence) => this.#entries.record({ name, args, database }, sequence),
      popped: (key, end, untold) => void loadMembers(this.#options, { key, end }, untold),
      delivered: (bytes) => this.inbox.delivered(bytes),
      rewound: (id) => this.inbox.rewound(id),
      acknowledged: (fields) => {
        this.#claims.observe(Number(fields.get('beatClock')));
        const [sequence, seen] = [Number(fields.get('beat')), Number(fields.get('beatSeen'))];
        if (Number.isSafeInteger(sequence) && this.#claims.isCredible(seen))
          this.acknowledgements.heartbeat({ sequence, seen });
      },
      applied: (sequence, decided, kept) => {
        this.#deadlines.comingRound(sequence);
        this.late.applied(sequence, decided, kept);
      },
      echoed: (reader, database, name) => {
        this.#cutting.echoed(name);
        if (this.late.isWatching || isRemoval(name) || isOfEntries(name))
          this.late.echoed(currentCommand(reader, database, this.#options.opened.commands.writes));
      },
      appliedEnd: (sequence) => [
        ...lateRequest(this.late, sequence, { clock: this.clock, log: this.#options.log }),
        ...this.late.takeEnded().map((key) => encodeExpired(key, key.at)),
      ],
      answering: (args) => {
        const marks = { isBusy, isNew, claimOf: (key: PlacedKey) => claims.of(key), cut: cut() };
        const answer = withMarks(args, marks);
        // It may be the answer to a question that the peer has put in this site's name.
        this.#options.onAnswer(answer);
        return encodeCommand(answer);
      },
      told,
      marking: (args) => passing.told(args),
      barrier: (text) => this.#barriers.passed(text),
      keyspace: (event, databases) =>
        void keyspaceChanged(this.#options, { event, databases }, (error) => this.#stream?.close(error)),
      askedForAcknowledgement: () => this.#stream?.acknowledge(),
      tooLarge: localGaps(this.#options).tooLarge,
      skipped: onSkipped,
    };
  }

  async #readStream(): Promise<void> {
    const [stream, capture, { claims }] = [this.#stream!, this.#capture!, this.#options];
    await stream.run(
      (reader) => {
        claims.at(Math.max(Date.now(), wallMs(this.clock.last)));
        capture.read(reader);
        this.#cutting.set();
        if (this.list.isFull) stream.pause();
      },
      () => {},
    );
  }

  #savePositions(signal: AbortSignal): Promise<void> {
    const [position, isSettled] = [() => this.#capture!.position, () => this.#isSettled()];
    return savePositions({ list: this.list, position, isSettled, clock: () => this.clock.last, signal });
  }

  #isSettled(): boolean {
    const capture = this.#capture!;
    return capture.gathered === 0 && this.list.appendedThrough === capture.nextSequence - 1;
  }

  // ---- from the peer to the local server ---------------------------------------------------------------------------

  #createApplier(connection: RawConnection): Applier {
    const { config, keys, token, opened, log, onConflict, onGap } = this.#options;
    const decider = (this.#decider = new BatchPlanner({
      ...deciderSettings(this.#options, this.#options.onAnswer),
      ...listSettings(this.list, this.#cutting),
      peerRestores: () => this.courier.peerRestores,
      window: this.#window,
      entries: this.#entries,
      deadlines: this.#deadlines,
      appliedAtStart: opened.applied.sequence,
      capturedThrough: () => this.#capture!.nextSequence - 1,
      rejection: (batch, command, error) => this.rejections.entry(batch, command, error),
      onDecided: (batch, how) => this.late.decided(batch, how),
      onConflict,
    }));
    return new Applier({
      connection,
      keys,
      token,
      applied: opened.applied,
      inbox: this.inbox,
      decider,
      rejections: this.rejections,
      barrier: (text, signal) => this.#barriers.wait(text, signal),
      clock: this.clock,
      observe: (timestamp) => this.#claims.observe(timestamp),
      log: log.child({ stage: 'apply' }),
      backoffMinMs: config.backoffMinMs,
      backoffMaxMs: config.backoffMaxMs,
      isPaused: () => this.pauses.since('inbound') !== undefined,
      isBehind: () => this.late.isFull,
      onGap: () => onGap('peer'),
      onApplied: (batch) => this.#appliedBatch(batch),
    });
  }

  /** Applies only when capture knows all that was written here while nobody worked: it is what decisions rest on. */
  async #apply(signal: AbortSignal): Promise<void> {
    const { local, keys } = this.#options;
    const text = `start ${this.clock.tick()}`;
    const passed = this.#barriers.wait(text, signal);
    passed.catch(() => {});
    await answerOf(local, local.set(keys.barrier, text));
    await passed;
    await this.#options.claims.ready;
    await this.#options.prepare(signal);
    await loadDeadlines(local, this.#deadlines, signal);
    await this.#applier!.run(signal);
  }

  #appliedBatch(batch: Batch): void {
    const { epoch, sequence } = this.#applied;
    if ((epoch !== batch.epoch || sequence + 1 !== batch.first) && sequence > 0) this.#options.onMissed();
    this.#applied = { epoch: batch.epoch, sequence: lastSequence(batch) };
    this.acknowledgements.applied(this.#claims.isCredible(batch.seen) ? batch : { ...batch, seen: 0 });
  }
}
