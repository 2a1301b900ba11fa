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
import { Decider, type Conflict } from './apply/decider.js';
import { Inspector } from './apply/inspector.js';
import { LateWrites } from './apply/late-writes.js';
import { translateWhole } from './apply/whole-databases.js';
import { currentCommand } from './apply/payload.js';
import { Rejections } from './apply/rejections.js';
import { Window } from './apply/window.js';
import { loadIntoWindow } from './apply/window-loader.js';
import { Capture, type CaptureListener } from './capture/capture.js';
import { ReplicationStream } from './capture/stream.js';
import { decodeBatch } from './change/batch.js';
import { HybridClock } from './change/clock.js';
import { effectCode } from './change/effect-code.js';
import { Filter } from './change/filter.js';
import { encodeNeed } from './change/special.js';
import type { Position } from './change/position.js';
import type { Config } from './config.js';
import { TandemError } from './errors.js';
import type { Logger } from './log.js';
import { runScript } from './lua/scripts.js';
import { Acknowledgements } from './queue/acknowledgements.js';
import { ChangeList } from './queue/change-list.js';
import { Courier } from './queue/courier.js';
import { Inbox } from './queue/inbox.js';
import { answerOf, parseRedisUrl, tlsOptions } from './redis/connect.js';
import { allKeys, type KeyNames } from './redis/keys.js';
import { RawConnection } from './redis/raw-connection.js';
import { Signal } from './service/signal.js';
import { beginEpoch, type OpenedState } from './site-state.js';

export interface ActiveSiteOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly keys: KeyNames;
  readonly local: Redis;
  readonly peer: Redis;
  readonly token: number;
  readonly opened: OpenedState;
  readonly onConflict: (conflict: Conflict) => void;
  readonly onSkipped: (reason: string, command: string) => void;
  readonly onGap: () => void;
}

/** Entries the window holds at the most: about 60 MB. */
const WINDOW_ENTRIES = 1 << 20;
/** How often a position that was reached without a change is saved, and after how many bytes of the stream at the latest. */
const SAVE_MS = 1000;
const SAVE_BYTES = 1024 * 1024;
/** How long the connection that applies changes may be idle before it is tried: servers and firewalls drop idle ones. */
const PING_MS = 15_000;

export class ActiveSite {
  readonly #options: ActiveSiteOptions;
  readonly clock: HybridClock;
  readonly #window: Window;
  readonly late: LateWrites;
  readonly list: ChangeList;
  readonly inbox: Inbox;
  readonly rejections: Rejections;
  readonly courier: Courier;
  readonly #acknowledgements: Acknowledgements;
  readonly #barriers = new Barriers();
  #capture: Capture | undefined;
  #applier: Applier | undefined;
  #stream: ReplicationStream | undefined;
  #cutting: NodeJS.Timeout | undefined;

  constructor(options: ActiveSiteOptions) {
    const { config, log, keys, local, peer, token, opened } = options;
    this.#options = options;
    this.clock = new HybridClock(opened.clock);
    this.#window = new Window({ recentMs: config.windowSeconds * 1000, maxEntries: WINDOW_ENTRIES });
    this.late = new LateWrites(this.#window, { extra: opened.commands.writes });
    this.list = new ChangeList({
      client: local,
      keys,
      token,
      epoch: opened.epoch,
      next: opened.next,
      bytes: opened.bytes,
      maxBytes: config.changesBytes,
      log,
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
    this.#acknowledgements = new Acknowledgements({
      applied: () => this.#applier?.appliedSequence ?? 0,
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
      list: this.list,
      log: log.child({ stage: 'courier' }),
      heartbeatMs: config.heartbeatMs,
      backoffMinMs: config.backoffMinMs,
      backoffMaxMs: config.backoffMaxMs,
      clockSkewWarnMs: config.clockSkewWarnMs,
      seen: () => this.#capture!.seen,
      isSettled: () => this.#isSettled(),
      clock: () => this.clock.last,
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
  get seenByPeer(): number {
    return this.#acknowledgements.seen;
  }

  /** Works until the signal aborts or something on the local side fails; then throws the reason. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const abort = (): void => stop.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    let applying: RawConnection | undefined;
    try {
      const { writes } = this.#options.opened.commands;
      await this.list.load((bytes) => loadIntoWindow(this.#window, decodeBatch(bytes), writes));
      this.#window.beginBehind(this.list.firstSequence - 1);
      await this.#settleSuspect();
      applying = await this.#openConnection('apply', stop.signal);
      await this.#openStream(stop.signal);
      this.#applier = this.#createApplier(applying);
      await this.#together(stop, [
        this.#readStream(),
        this.list.run(stop.signal, { clock: () => this.clock.last, onAppended: () => this.#onAppended() }),
        this.courier.run(stop.signal),
        this.#applier.run(stop.signal),
        applying.closed.then((reason) => Promise.reject(reason)),
        this.#acknowledgements.run(stop.signal),
        this.#savePositions(stop.signal),
      ]);
    } finally {
      signal.removeEventListener('abort', abort);
      stop.abort();
      clearTimeout(this.#cutting);
      this.#stream?.close();
      applying?.close();
    }
  }

  /** Ends with the first task that ends; the others are told to, and waited for. */
  async #together(stop: AbortController, tasks: readonly Promise<void>[]): Promise<void> {
    const endAll = (): void => {
      stop.abort();
      this.#stream?.close();
    };
    stop.signal.addEventListener('abort', endAll, { once: true });
    try {
      await Promise.race(tasks);
    } finally {
      endAll();
      await Promise.allSettled(tasks.slice(0, 4));
    }
  }

  // ---- from the local server to the peer ---------------------------------------------------------------------------

  async #openStream(signal: AbortSignal): Promise<void> {
    const { config, log, opened, onGap } = this.#options;
    const address = parseRedisUrl(config.streamUrl ?? config.localUrl);
    const stream = await ReplicationStream.open({
      address,
      tls: tlsOptions(config.tls, address.host),
      name: `tandem:${config.site}:stream`,
      connectTimeoutMs: config.connectTimeoutMs,
      from: opened.position,
      signal,
    });
    this.#stream = stream;
    const { replid, offset, resumed } = stream.start;
    const { applied } = opened;
    const position: Position = resumed
      ? { ...opened.position!, replid }
      : { replid, offset, database: 0, seen: applied.sequence, seenEpoch: applied.epoch };
    if (!resumed && opened.position) {
      onGap();
      log.error(
        { wanted: opened.position.offset, offset },
        'the replication stream no longer reaches back to the saved position: changes were missed, the sites must be compared',
      );
      await beginEpoch({
        ...this.#options,
        epoch: opened.epoch + 1,
        next: opened.next,
        position,
        clock: this.clock.last,
      });
      throw new TandemError('STREAM_GAP', 'the history of this site was cut; it goes on in a new epoch');
    }
    this.#capture = this.#createCapture(position);
    await this.list.savePosition(position, this.clock.last);
    log.info(
      { resumed, offset: position.offset, next: opened.next, epoch: opened.epoch },
      'reading the replication stream',
    );
  }

  #createCapture(position: Position): Capture {
    const { config, keys, opened } = this.#options;
    const { filters, publishChannels } = config;
    return new Capture({
      pair: config.pair,
      site: config.site,
      epoch: opened.epoch,
      nextSequence: opened.next,
      position,
      keys,
      clock: this.clock,
      filter: new Filter({
        ...filters,
        channelsInclude: publishChannels.include,
        channelsExclude: publishChannels.exclude,
      }),
      flush: config.flush,
      publish: config.publish,
      functions: config.functions,
      batchBytes: config.batchBytes,
      batchCommands: config.batchCommands,
      extraCommands: opened.commands.writes,
      listener: this.#listener(),
    });
  }

  #listener(): CaptureListener {
    const { onSkipped } = this.#options;
    return {
      batch: (batch) => this.list.enqueue(batch),
      write: (low, high, sequence, effect) => this.#window.record(low, high, sequence, effectCode(effect)),
      delivered: (bytes) => this.inbox.delivered(bytes),
      acknowledged: (fields) => {
        this.clock.observe(Number(fields.get('beatClock')));
        const [sequence, seen] = [Number(fields.get('beat')), Number(fields.get('beatSeen'))];
        if (Number.isSafeInteger(sequence) && this.#isCredible(seen))
          this.#acknowledgements.heartbeat({ sequence, seen });
      },
      applied: (sequence, decided) => this.late.applied(sequence, decided),
      echoed: (reader, database) => {
        if (this.late.isWatching)
          this.late.command(currentCommand(reader, database, this.#options.opened.commands.writes));
      },
      appliedEnd: () => this.#askForLate(),
      barrier: (text) => this.#barriers.passed(text),
      keyspace: (event, databases) => void this.#keyspaceChanged(event, databases),
      askedForAcknowledgement: () => this.#stream?.acknowledge(),
      skipped: onSkipped,
    };
  }

  #askForLate(): Buffer | undefined {
    const late = this.late.end();
    if (late.length === 0) return undefined;
    this.#options.log.debug(
      { keys: late.length },
      'local writes slipped in before a change was applied: asking for the state',
    );
    return encodeNeed(this.clock.tick(), late);
  }

  async #readStream(): Promise<void> {
    const stream = this.#stream!;
    const capture = this.#capture!;
    await stream.run(
      (reader) => {
        capture.read(reader);
        if (capture.gathered > 0 && this.#cutting === undefined)
          this.#cutting = setTimeout(() => this.#cut(), this.#options.config.batchDelayMs);
        if (this.list.isFull) stream.pause();
      },
      () => {},
    );
  }

  #cut(): void {
    this.#cutting = undefined;
    this.#capture!.cut();
  }

  #onAppended(): void {
    if (this.list.hasRoom) this.#stream?.resume();
  }

  #isSettled(): boolean {
    const capture = this.#capture!;
    return capture.gathered === 0 && this.list.appendedThrough === capture.nextSequence - 1;
  }

  /** What went by in the stream without a change is saved too, so that a restart does not read it again. */
  async #savePositions(signal: AbortSignal): Promise<void> {
    const wake = new Signal();
    for (;;) {
      await wake.wait(signal, SAVE_MS);
      const position = this.#capture!.position;
      const isWorthIt =
        position.seen !== this.list.savedSeen || position.offset - this.list.savedOffset > SAVE_BYTES;
      if (isWorthIt && this.#isSettled()) await this.list.savePosition(position, this.clock.last);
    }
  }

  // ---- from the peer to the local server ---------------------------------------------------------------------------

  #createApplier(connection: RawConnection): Applier {
    const { config, keys, token, opened, log, onConflict, onGap } = this.#options;
    const own = allKeys(keys);
    const decider = new Decider({
      site: config.site,
      keys,
      conflictsKept: config.conflictsKept,
      conflictValueBytes: config.conflictValueBytes,
      window: this.#window,
      capturedThrough: () => this.#capture!.nextSequence - 1,
      appended: (sequence, signal) => this.list.waitFor(sequence, signal),
      fetch: (sequence) => this.list.fetch(sequence),
      translate: (command) => translateWhole(command, own, opened.databases),
      inspector: new Inspector({
        server: opened.commands,
        databases: opened.databases,
        ownPrefix: keys.prefix,
      }),
      extraCommands: opened.commands.writes,
      rejection: (batch, command, error) => this.rejections.entry(batch, command, error),
      onDecided: (batch) => this.late.decided(batch),
      onState: (key) => this.late.answered(key),
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
      log: log.child({ stage: 'apply' }),
      backoffMinMs: config.backoffMinMs,
      backoffMaxMs: config.backoffMaxMs,
      onGap,
      onApplied: (batch) =>
        this.#acknowledgements.applied(this.#isCredible(batch.seen) ? batch : { ...batch, seen: 0 }),
    });
  }

  /** Whether the peer may have seen so much: what it cannot have seen must not be taken off the change list. Never for NaN. */
  #isCredible(seen: number): boolean {
    const { appendedThrough } = this.list;
    if (seen <= appendedThrough) return true;
    this.#options.log.error(
      { seen, appendedThrough },
      'the peer acknowledges changes that were never made here: the acknowledgement is ignored',
    );
    return false;
  }

  /** A run failed in part, and the process died before it said what: the batch still lies in the inbox. */
  async #settleSuspect(): Promise<void> {
    const { local, keys, opened } = this.#options;
    if (!opened.isSuspect) return;
    const bytes = await answerOf(local, local.lindexBuffer(keys.inbox, 0));
    if (bytes === null) throw new TandemError('STATE_LOST', 'the batch of a suspect run is not in the inbox');
    await this.rejections.settleUnknown({ ...decodeBatch(bytes), length: bytes.length });
  }

  // ---- the rest ----------------------------------------------------------------------------------------------------

  async #openConnection(purpose: string, signal: AbortSignal): Promise<RawConnection> {
    const { config } = this.#options;
    const address = parseRedisUrl(config.localUrl);
    const connection = await RawConnection.open({
      address,
      tls: tlsOptions(config.tls, address.host),
      name: `tandem:${config.site}:${purpose}`,
      connectTimeoutMs: config.connectTimeoutMs,
      signal,
    });
    connection.watchSilence({ limitMs: config.commandTimeoutMs, pingMs: PING_MS });
    return connection;
  }

  /** Own keys may have gone with a database; if they have, this site ends, and the next one finds or makes them. */
  async #keyspaceChanged(event: 'flush' | 'swap', databases: readonly number[]): Promise<void> {
    const { local, keys, log } = this.#options;
    try {
      if (event === 'swap') {
        const other = databases.find((database) => database !== 0);
        if (other !== undefined) await runScript(local, 'home', allKeys(keys), [other]);
      }
      if ((await local.exists(keys.state)) === 0)
        this.#stream?.close(
          new TandemError('STATE_LOST', `Tandem's own keys are gone after a ${event} of database 0`),
        );
    } catch (err) {
      log.debug({ err }, 'the own keys could not be looked for');
    }
  }
}
