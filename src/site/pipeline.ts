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
import { LateWrites } from '../local-writes/late-writes.js';
import { OverwrittenSets } from '../local-writes/overwritten-sets.js';
import { LocalEntries } from '../local-writes/local-entries.js';
import { Rejections } from '../inbound/rejections.js';
import { settleSuspect } from '../inbound/suspect-transaction.js';
import { Window } from '../local-writes/window.js';
import { loadIntoWindow } from '../local-writes/window-loader.js';
import { Capture } from '../capture/capture.js';
import { loadDeadlines } from '../capture/deadline-loader.js';
import { Signal } from '../async/signal.js';
import { BatchTimer } from '../capture/batch-timer.js';
import { keysNamed } from '../capture/internal-commands.js';
import { Packer } from '../capture/packer.js';
import type { ChangeSource } from '../capture/change-source.js';
import { PsyncSource } from '../capture/psync/psync-source.js';
import type { ReplicationStream } from '../capture/psync/replication-stream.js';
import { lastSequence, type Batch } from '../protocol/batch.js';
import { HybridClock, lagMs, wallMs } from '../protocol/clock.js';
import type { Algorithm } from '../protocol/packing.js';
import { Deadlines } from '../local-writes/deadlines.js';
import type { Position } from '../protocol/position.js';
import { LinkedAbort } from '../async/linked-abort.js';
import { Acknowledgements } from '../outbound/acknowledgements.js';
import { LocalGaps } from './local-gaps.js';
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
import { algorithmFor } from './compression.js';
import { openApplyConnection, openStream } from './connections.js';
import { captureSettings, courierSettings, hurried, plannerSettings } from './stage-settings.js';
import { StreamEvents } from './stream-events.js';
import { StreamProgress } from './stream-progress.js';
import { beginAt, goOnAt } from './stream-start.js';
import { WriteNotes } from './write-notes.js';

const WINDOW_ENTRIES = 1 << 20;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly clock: HybridClock;
  readonly #window: Window;
  readonly #entries = new LocalEntries(() => this.#window.droppedThrough);
  readonly late: LateWrites;
  /** Local `SET`s that are to be put back. */
  readonly overwritten = new OverwrittenSets({ raise: () => this.inbox.arrived.raise() });
  readonly list: ChangeList;
  readonly inbox: Inbox;
  readonly rejections: Rejections;
  readonly courier: Courier;
  /** Raised when the stream of the local server is read. */
  readonly reading = new Signal();
  readonly pauses: Pauses;
  readonly acknowledgements: Acknowledgements;
  readonly #plausibility: Plausibility;
  readonly #localGaps: LocalGaps;
  readonly #progress: StreamProgress;
  readonly #barriers = new Barriers();
  #source: ChangeSource | undefined;
  #applier: Applier | undefined;
  #planner: BatchPlanner | undefined;
  /** As Redis has it, if nothing of the stream was missed or is skipped. */
  #notedAtStart: number | undefined;
  readonly #deadlines = new Deadlines();
  #stream: ReplicationStream | undefined;
  readonly #cutting: BatchTimer;
  readonly #packer: Packer;
  /** Where this session began to read the stream. */
  #start: Position | undefined;
  /** How far the peer's changes are applied, in their epoch. */
  #applied: { epoch: number; sequence: number };

  constructor(options: PipelineOptions) {
    const { config, log, keys, local, peer, token, opened, events } = options;
    this.#options = options;
    this.#applied = { ...opened.applied };
    this.clock = new HybridClock(opened.clock);
    this.#cutting = new BatchTimer({
      delayMs: config.batchDelayMs,
      capture: () => this.#source!,
      lagMs: () => lagMs(this.list.oldestTimestamp, Date.now()),
    });
    this.#packer = new Packer(() => this.packedBy);
    this.#window = new Window({ recentMs: config.windowSeconds * 1000, maxEntries: WINDOW_ENTRIES });
    this.late = new LateWrites(this.#window, {
      entries: this.#entries,
      overwritten: this.overwritten,
      extra: opened.commands.writes,
      internalPrefix: keys.prefix,
      isSenderFirst: config.peer < config.site,
      onPassed: (name, sequence) => this.#planner?.passed(name, sequence),
      onMisplaced: (name) => this.#planner?.misplaced(name),
      deadlines: this.#deadlines,
      onLifeEnded: (name, through, fields) => this.#planner?.lifeEnded(name, through, fields),
    });
    this.#localGaps = new LocalGaps(options);
    this.list = new ChangeList({
      client: local,
      keys,
      token,
      pair: config.pair,
      site: config.site,
      ...opened,
      maxBytes: config.changesBytes,
      notedThrough: () => this.notedThrough,
      overwritten: (next) => this.overwritten.kept(next),
      log,
      gaps: this.#localGaps,
    });
    this.#progress = new StreamProgress(this.list);
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
    this.#plausibility = new Plausibility({ clock: this.clock, list: this.list, log });
    this.acknowledgements = new Acknowledgements({
      applied: opened.applied.sequence,
      seen: opened.trimmed,
      list: this.list,
      window: this.#window,
    });
    this.courier = new Courier({
      ...courierSettings(options),
      client: peer,
      list: this.list,
      log: log.child({ stage: 'courier' }),
      progress: this.#progress,
      clock: this.clock,
      pauses: this.pauses,
      peerHistory: () => peerHistory(local, keys, this.#applied.sequence),
      events,
    });
  }

  /** By what the next batch may be packed; undefined: by nothing. */
  get packedBy(): Algorithm | undefined {
    return algorithmFor(this.#options.config, this.courier);
  }
  get epoch(): number {
    return this.#options.opened.epoch;
  }
  /** Where the changes of the local server come from; undefined before it is read. */
  get capture(): ChangeSource | undefined {
    return this.#source;
  }
  get applier(): Applier | undefined {
    return this.#applier;
  }
  /** The newest local sequence that places of lists were ever about; undefined as long as it is not known. */
  get notedThrough(): number | undefined {
    return this.#planner ? this.#planner.notedThrough : this.#notedAtStart;
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
    return this.#progress.readThrough;
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
      await this.list.load((batch) => loadIntoWindow(known, batch, writes));
      this.#window.beginBehind(this.list.firstSequence - 1);
      const { local, keys, config, opened, log } = this.#options;
      const { pair, peer } = config;
      const { inbox, rejections } = this;
      if (opened.isSuspect) await settleSuspect({ local, keys, pair, peer, ...opened, rejections, inbox });
      // Kept by the process before this one, or by this one where Redis has forgotten it.
      for (const kept of [opened.overwritten, this.#options.memory.overwritten])
        this.overwritten.begin(keysNamed(Buffer.from(kept.slice('0x'.length), 'hex')));
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
          clock: this.clock,
          stream: this.#source!,
        }),
        this.courier.run(stop.signal),
        claims.run(token, stop.signal),
        this.#apply(stop.signal),
        this.acknowledgements.run(stop.signal),
        savePositions({ list: this.list, progress: this.#progress, clock: this.clock, signal: stop.signal }),
        this.pauses.run(stop.signal),
        watchMemory({ ...config, client: local, list: this.list, log }, stop.signal),
      ];
      await together({ tasks, ended: applying.closed, end });
    } finally {
      stop.abort();
      this.#cutting.stop();
      this.#stream?.close();
      applying?.close();
      this.rejections.close();
    }
  }

  // ---- from the local server to the peer ---------------------------------------------------------------------------

  async #openStream(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const { memory, opened: found } = this.#options;
    const opened = { ...found, position: await goOnAt(this.#options) };
    const stream = await openStream({ ...this.#options, signal }, opened.position);
    this.#stream = stream;
    const { resumed } = stream.start;
    const position = await beginAt(stream.start, {
      ...this.#options,
      opened,
      clock: this.clock.last,
    });
    this.#start = position;
    // What Redis has is that of the saved place. Where the stream goes on behind that, only this process knows the rest.
    const isKnown = resumed && found.noted !== undefined;
    const isWhole = opened.position === found.position || memory.noted !== undefined;
    this.#notedAtStart = isKnown && isWhole ? Math.max(found.noted, memory.noted ?? 0) : undefined;
    this.#source = new PsyncSource(stream, this.#createCapture(position, stream));
    this.#progress.begin(this.#source);
    await this.list.savePosition(position, this.clock.last);
    log.info(
      { resumed, offset: position.offset, next: opened.next, epoch: opened.epoch },
      'reading the replication stream',
    );
    this.reading.raise();
  }

  #createCapture(position: Position, stream: ReplicationStream): Capture {
    const { events, claims } = this.#options;
    return new Capture({
      ...captureSettings(this.#options),
      packer: this.#packer,
      deadlines: this.#deadlines,
      position,
      clock: this.clock,
      sink: {
        batch: (batch) => this.list.enqueue(batch),
        tooLarge: (bytes) => this.#localGaps.tooLarge(bytes),
        skipped: (reason, command) => events.skipped(reason, command),
      },
      writes: new WriteNotes({
        window: this.#window,
        entries: this.#entries,
        claims,
        acknowledgements: this.acknowledgements,
        pipeline: this.#options,
      }),
      events: new StreamEvents({
        pipeline: this.#options,
        stream,
        clock: this.clock,
        late: this.late,
        deadlines: this.#deadlines,
        inbox: this.inbox,
        barriers: this.#barriers,
        timer: this.#cutting,
        acknowledgements: this.acknowledgements,
        plausibility: this.#plausibility,
      }),
    });
  }

  async #readStream(): Promise<void> {
    const [source, { claims }] = [this.#source!, this.#options];
    await source.run({
      begins: () => claims.at(Math.max(Date.now(), wallMs(this.clock.last))),
      ends: () => {
        this.#cutting.set();
        if (this.list.isFull) source.pause();
      },
    });
  }

  // ---- from the peer to the local server ---------------------------------------------------------------------------

  #createApplier(connection: RawConnection): Applier {
    const { config, keys, token, opened, log, events } = this.#options;
    this.#planner = new BatchPlanner({
      ...plannerSettings(this.#options),
      link: this.courier,
      window: this.#window,
      entries: this.#entries,
      deadlines: this.#deadlines,
      appliedAtStart: opened.applied.sequence,
      notedAtStart: this.#notedAtStart,
      captured: this.#progress,
      appended: hurried(this.list, this.#cutting),
      rejections: this.rejections,
      late: this.late,
      events,
    });
    return new Applier({
      connection,
      keys,
      token,
      applied: opened.applied,
      inbox: this.inbox,
      planner: this.#planner,
      rejections: this.rejections,
      barriers: this.#barriers,
      clock: this.clock,
      plausibility: this.#plausibility,
      log: log.child({ stage: 'apply' }),
      backoffMinMs: config.backoffMinMs,
      backoffMaxMs: config.backoffMaxMs,
      pauses: this.pauses,
      late: this.late,
      events,
      onApplied: (batch) => this.#appliedBatch(batch),
    });
  }

  /** Applies only when capture knows all that was written here while no process worked: plans rest on it. */
  async #apply(signal: AbortSignal): Promise<void> {
    const { local, keys } = this.#options;
    const text = `start ${this.clock.tick()}`;
    const passed = this.#barriers.wait(text, signal);
    passed.catch(() => {});
    await answerOf(local, local.set(keys.barrier, text));
    await passed;
    await this.#options.claims.ready;
    await this.#options.longWork.prepare(this.#options.opened, signal);
    await loadDeadlines(local, this.#deadlines, { keys, captured: this.#progress, signal });
    await this.#applier!.run(signal);
  }

  #appliedBatch(batch: Batch): void {
    const { epoch, sequence } = this.#applied;
    if ((epoch !== batch.epoch || sequence + 1 !== batch.first) && sequence > 0)
      this.#options.events.missed();
    this.#applied = { epoch: batch.epoch, sequence: lastSequence(batch) };
    this.acknowledgements.applied(this.#plausibility.isCredible(batch.seen) ? batch : { ...batch, seen: 0 });
  }
}
