/**
 * A site at work: what runs while this process holds the lease. It reads top to bottom as the path of a change:
 * stream → capture → change list → courier (to the peer), and inbox → decider → applier (from the peer).
 *
 * Everything it knows is in Redis, so there is no repair of a half-broken site: whatever goes wrong on the local side ends it, and
 * a new one begins from what Redis holds. Only the peer's side is tried again in place.
 */

import type { Redis } from 'ioredis';
import { Applier } from './apply/applier.js';
import { Barriers } from './apply/barriers.js';
import { Decider } from './apply/decider.js';
import type { Conflict } from './apply/resolved.js';
import { isRemoval, LateWrites } from './apply/late-writes.js';
import { currentCommand } from './apply/payload.js';
import { Rejections } from './apply/rejections.js';
import { settleSuspect } from './apply/suspect-run.js';
import { Window } from './apply/window.js';
import { loadIntoWindow } from './apply/window-loader.js';
import { Capture } from './capture/capture.js';
import type { CaptureListener } from './capture/listener.js';
import { CutTimer } from './capture/cut-timer.js';
import type { ReplicationStream } from './capture/stream.js';
import { decodeBatch, lastSequence, type Batch } from './change/batch.js';
import { HybridClock, lagMs } from './change/clock.js';
import { effectCode } from './change/effect-code.js';
import { withMarks } from './change/comparison.js';
import { encodeNeed, LACK, type PlacedKey } from './change/special.js';
import type { Position } from './change/position.js';
import type { Config } from './config.js';
import { TandemError } from './errors.js';
import { LinkedAbort } from './linked-abort.js';
import type { Logger } from './log.js';
import { Acknowledgements } from './queue/acknowledgements.js';
import { ownCuts } from './own-cuts.js';
import { Pauses } from './control/pauses.js';
import { ChangeList } from './queue/change-list.js';
import { Courier } from './queue/courier.js';
import { Inbox } from './queue/inbox.js';
import { PeerClaims } from './queue/peer-claims.js';
import { savePositions } from './queue/position-saver.js';
import { answerOf } from './redis/connect.js';
import type { KeyNames } from './redis/keys.js';
import type { RawConnection } from './redis/raw-connection.js';
import { together } from './service/together.js';
import { openApplyConnection, openStream } from './session-connections.js';
import { captureSettings, deciderSettings } from './stage-settings.js';
import { hasOwnKeys, type Memory, type OpenedState } from './site-state.js';
import { beginAt, goOnAt } from './stream-start.js';

export interface ActiveSiteOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly keys: KeyNames;
  readonly local: Redis;
  readonly peer: Redis;
  readonly token: number;
  readonly opened: OpenedState;
  /** What the process remembers of its last session. */
  readonly memory: Memory;
  readonly onConflict: (conflict: Conflict) => void;
  readonly onSkipped: (reason: string, command: string) => void;
  /** The histories were cut. `whose`: the site whose values count where the sites now differ. */
  readonly onGap: (whose: 'own' | 'peer') => void;
  /** What must be done before the first change of the peer's is applied. */
  readonly prepare: (signal: AbortSignal) => Promise<void>;
  /** Whether this site had no such key when the sites first met. */
  readonly isNew: (key: PlacedKey) => boolean;
  /** The peer has answered a question about its keys. */
  readonly onAnswer: (args: readonly Buffer[]) => void;
  /** Changes of the peer's, and answers among them, will never come. */
  readonly onMissed: () => void;
}

/** Entries the window holds at the most, 24 bytes each. */
const WINDOW_ENTRIES = 1 << 20;

export class ActiveSite {
  readonly #options: ActiveSiteOptions;
  readonly clock: HybridClock;
  readonly #window: Window;
  readonly late: LateWrites;
  readonly list: ChangeList;
  readonly inbox: Inbox;
  readonly rejections: Rejections;
  readonly courier: Courier;
  readonly pauses: Pauses;
  readonly #acknowledgements: Acknowledgements;
  readonly #claims: PeerClaims;
  readonly #barriers = new Barriers();
  #capture: Capture | undefined;
  #applier: Applier | undefined;
  #stream: ReplicationStream | undefined;
  readonly #cutting: CutTimer;
  /** Where this session began to read the stream. */
  #start: Position | undefined;
  /** How far the peer's changes are applied, in their epoch. */
  #applied: { epoch: number; sequence: number };

  constructor(options: ActiveSiteOptions) {
    const { config, log, keys, local, peer, token, opened, onGap } = options;
    this.#options = options;
    this.#applied = { ...opened.applied };
    this.clock = new HybridClock(opened.clock);
    this.#cutting = new CutTimer({
      delayMs: config.batchDelayMs,
      capture: () => this.#capture!,
      lagMs: () => lagMs(this.list.oldestTimestamp, Date.now()),
    });
    this.#window = new Window({ recentMs: config.windowSeconds * 1000, maxEntries: WINDOW_ENTRIES });
    this.late = new LateWrites(this.#window, { extra: opened.commands.writes, ownPrefix: keys.prefix });
    this.list = new ChangeList({
      client: local,
      keys,
      token,
      pair: config.pair,
      site: config.site,
      ...opened,
      maxBytes: config.changesBytes,
      log,
      onDropped: ownCuts(options).dropped,
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
    this.rejections = new Rejections({ client: local, keys, token, log });
    this.pauses = new Pauses({ client: local, keys, log });
    this.#claims = new PeerClaims({
      clock: this.clock,
      appendedThrough: () => this.list.appendedThrough,
      log,
    });
    this.#acknowledgements = new Acknowledgements({
      applied: () => this.#applied.sequence,
      made: () => this.list.last,
      seen: opened.trimmed,
      trim: (seen) => this.list.trim(seen),
      onSeen: (seen) => this.#window.advance(seen),
    });
    this.courier = new Courier({
      client: peer,
      keys,
      pair: config.pair,
      site: config.site,
      peer: config.peer,
      epoch: opened.epoch,
      next: opened.next,
      list: this.list,
      log: log.child({ stage: 'courier' }),
      heartbeatMs: config.heartbeatMs,
      backoffMinMs: config.backoffMinMs,
      backoffMaxMs: config.backoffMaxMs,
      clockSkewWarnMs: config.clockSkewWarnMs,
      seen: () => this.#capture!.seen,
      isSettled: () => this.#isSettled(),
      clock: () => this.clock.last,
      isPaused: () => this.pauses.since('outbound') !== undefined,
      onGap,
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
  get seenByPeer(): number {
    return this.#acknowledgements.seen;
  }

  /** Works until the signal aborts or something on the local side fails; then throws the reason. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new LinkedAbort(signal);
    let applying: RawConnection | undefined;
    try {
      const { writes } = this.#options.opened.commands;
      await this.list.load((bytes) => loadIntoWindow(this.#window, decodeBatch(bytes), writes));
      this.#window.beginBehind(this.list.firstSequence - 1);
      const { local, keys, config, opened } = this.#options;
      const { pair, peer } = config;
      const rewind = (): Promise<void> => this.inbox.rewindAtStart();
      if (opened.isSuspect)
        await settleSuspect({ local, keys, pair, peer, ...opened, rejections: this.rejections, rewind });
      await this.inbox.begin();
      await this.pauses.look();
      applying = await openApplyConnection({ ...this.#options, signal: stop.signal });
      await this.#openStream(stop.signal);
      this.#applier = this.#createApplier(applying);
      this.#acknowledgements.heartbeat(opened.heartbeat);
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
        this.#apply(stop.signal),
        this.#acknowledgements.run(stop.signal),
        this.#savePositions(stop.signal),
        this.pauses.run(stop.signal),
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
      onGap: () => this.#options.onGap('own'),
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
    return new Capture({ ...settings, position, clock: this.clock, listener: this.#listener() });
  }

  #listener(): CaptureListener {
    const { onSkipped } = this.#options;
    return {
      batch: (batch) => this.list.enqueue(batch),
      write: (low, high, sequence, effect) => this.#window.record(low, high, sequence, effectCode(effect)),
      delivered: (bytes) => this.inbox.delivered(bytes),
      rewound: (id) => this.inbox.rewound(id),
      acknowledged: (fields) => {
        this.#claims.observe(Number(fields.get('beatClock')));
        const [sequence, seen] = [Number(fields.get('beat')), Number(fields.get('beatSeen'))];
        if (Number.isSafeInteger(sequence) && this.#claims.isCredible(seen))
          this.#acknowledgements.heartbeat({ sequence, seen });
      },
      applied: (sequence, decided, kept) => this.late.applied(sequence, decided, kept),
      echoed: (reader, database, name) => {
        if (this.late.isWatching || isRemoval(name))
          this.late.echoed(currentCommand(reader, database, this.#options.opened.commands.writes));
      },
      appliedEnd: (sequence) => this.#askForLate(sequence),
      answering: (args) =>
        withMarks(args, { isBusy: (key, seen) => this.late.isUnseen(key, seen), isNew: this.#options.isNew }),
      barrier: (text) => this.#barriers.passed(text),
      keyspace: (event, databases) => void this.#keyspaceChanged(event, databases),
      askedForAcknowledgement: () => this.#stream?.acknowledge(),
      tooLarge: ownCuts(this.#options).tooLarge,
      skipped: onSkipped,
    };
  }

  #askForLate(sequence: number): Buffer | undefined {
    const late = this.late.end(sequence);
    if (late.length === 0) return undefined;
    this.#options.log.debug(
      { keys: late.length },
      'local writes slipped in before a change was applied: asking for the state',
    );
    return encodeNeed({ timestamp: this.clock.tick(), lack: LACK.own, keys: late });
  }

  async #readStream(): Promise<void> {
    const [stream, capture] = [this.#stream!, this.#capture!];
    await stream.run(
      (reader) => {
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
    const decider = new Decider({
      ...deciderSettings(this.#options, this.#options.onAnswer),
      window: this.#window,
      appliedAtStart: opened.applied.sequence,
      capturedThrough: () => this.#capture!.nextSequence - 1,
      appendedThrough: () => this.list.appendedThrough,
      appended: (sequence, signal) => this.list.waitFor(sequence, signal),
      fetch: (sequence) => this.list.fetch(sequence),
      timestampOf: (sequence) => this.list.timestampOf(sequence),
      rejection: (batch, command, error) => this.rejections.entry(batch, command, error),
      onDecided: (batch, how) => this.late.decided(batch, how),
      onConflict,
    });
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
    await this.#options.prepare(signal);
    await this.#applier!.run(signal);
  }

  #appliedBatch(batch: Batch): void {
    const { epoch, sequence } = this.#applied;
    const isNext = epoch === batch.epoch && sequence + 1 === batch.first;
    if (!isNext && sequence > 0) this.#options.onMissed();
    this.#applied = { epoch: batch.epoch, sequence: lastSequence(batch) };
    this.#acknowledgements.applied(this.#claims.isCredible(batch.seen) ? batch : { ...batch, seen: 0 });
  }

  /** Own keys may have gone with a database; if they have, this site ends, and the next one finds or makes them. */
  async #keyspaceChanged(event: 'flush' | 'swap', databases: readonly number[]): Promise<void> {
    const { local, keys, token, log } = this.#options;
    try {
      if (!(await hasOwnKeys({ local, keys, token, event, databases })))
        this.#stream?.close(
          new TandemError('STATE_LOST', `Tandem's own keys are gone after a ${event} of database 0`),
        );
    } catch (err) {
      log.debug({ err }, 'the own keys could not be looked for');
    }
  }
}
