/**
 * The courier: carries batches from the change list into the peer's inbox, in order, many in flight on one connection.
 *
 * States: **connecting** (the peer is asked how far it has received), **streaming** (batches are on their way), **caught up** (all were
 * accepted), **backing off** (the peer is away, not ready, or full). The peer's answer decides. `accepted` and `duplicate` move on. `gap`
 * and `epoch` say that the peer has other changes than was thought: it is asked again. `full` makes the courier wait. Nothing is
 * forgotten here: a batch leaves the change list only when the peer says that it was applied.
 *
 * It is a gap when the peer lacks a change that is no more in the list, or has one that this site has forgotten. A gap is logged once.
 * Delivery goes on behind it with a batch that says so.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '../async/backoff.js';
import { decodeSealed } from '../protocol/batch.js';
import { TandemError } from '../errors.js';
import { runScript } from '../lua/scripts.js';
import { connectionOf } from '../redis/connect.js';
import { connectPrimary } from '../redis/primary.js';
import { Bandwidth } from './bandwidth.js';
import { answerCopy, behind } from './copied-peer.js';
import type { CourierOptions } from './courier-options.js';
import { DeliveryState, type CourierState } from './delivery-state.js';
import { fly, outcomeOf, readable, type Flying, type Outcome, type SentBatch } from './flight.js';
import { judgeReceived, shakeHands, type Handshake } from './handshake.js';
import { PeerClock } from './peer-clock.js';
import { PeerError, fromPeer, refusedBy } from './peer-error.js';
import { RoundTrip } from './round-trip.js';

/** Batches and bytes on the way without an answer. */
const IN_FLIGHT_BATCHES = 512;
const IN_FLIGHT_BYTES = 8 * 1024 * 1024;
/** How often an idle peer is asked: packets may be lost without an error, and its Redis may have forgotten. */
const LOOK_MS = 5000;
/** First and longest pause after `full`; it doubles. */
const FULL_PAUSE_MS = 100;
const MAX_FULL_PAUSE_MS = 1000;

export class Courier {
  readonly #options: CourierOptions;
  readonly #origin: string;
  readonly #telling: DeliveryState;
  #delivered = 0;
  /** The highest sequence that was ever on the way. */
  #sentThrough = 0;
  /** How far the peer had received when it refused to go on, until it accepts something. */
  #refusedAt = -1;
  /** How far the peer had received at the last gap that was noted. */
  #gapAt = -1;
  /** Set when something went through: what fails next is the first failure. */
  #hasProgressed = false;
  #sent = { changes: 0, bytes: 0, plainBytes: 0 };
  /** The `seen` the peer has been told, in a batch or a heartbeat. */
  #toldSeen = -1;
  #lookedAt = -Infinity;
  #connection: object | undefined;
  readonly #clock: PeerClock;
  readonly #roundTrip = new RoundTrip();
  readonly #bandwidth: Bandwidth;
  /** How often in a row: until the inbox takes something again, one batch at a time is tried. */
  #fullInARow = 0;
  /** The peer's last handshake. */
  #greeting: Handshake | undefined;
  /** The highest sequence that was passed over because it is larger than the peer takes. */
  #passedOver = -1;
  /** Whether the server has been sent the script that delivers, since it was met. */
  #isScriptKnown = false;

  constructor(options: CourierOptions) {
    this.#options = options;
    this.#origin = `${options.pair}/${options.site}`;
    const { client, clockSkewWarnMs: warnMs, wanBytesPerSecond: bytesPerSecond, log, peer } = options;
    this.#telling = new DeliveryState(peer, log);
    this.#bandwidth = new Bandwidth({ client, bytesPerSecond, log });
    this.#clock = new PeerClock({ client, warnMs, log, roundTrip: this.#roundTrip });
  }

  get state(): CourierState {
    return this.#telling.state;
  }

  /** Why, when it is backing off, connects again, or is slower than it could be. */
  get detail(): string | undefined {
    return this.#telling.detail ?? (this.isHeldBack ? 'held back by wanBytesPerSecond' : undefined);
  }

  /** The code of the error behind it, if it is one. */
  get reason(): string | undefined {
    return this.#telling.reason;
  }

  /** Whether the bound of the bandwidth holds changes back. */
  get isHeldBack(): boolean {
    return this.#bandwidth.isHolding;
  }

  /** The highest sequence the peer has accepted. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Whether a change of this process's time was sent, so that its number is known to the peer. */
  get hasSent(): boolean {
    return this.#sentThrough >= this.#options.next;
  }

  /** Changes and bytes accepted since the process began; `plainBytes`: with nothing packed. */
  get sent(): { readonly changes: number; readonly bytes: number; readonly plainBytes: number } {
    return this.#sent;
  }

  /** The peer's clock minus ours, in milliseconds; null while unknown. */
  get skewMs(): number | null {
    return this.#clock.skewMs;
  }

  /** Versions of dumps that the peer's server takes, as it has told when it was met last; empty before that. */
  get peerRestores(): string {
    return this.#greeting?.restores ?? '';
  }

  /** How long an answer of the peer's server takes, in ms; undefined while unknown. */
  get roundTripMs(): number | undefined {
    return this.#roundTrip.ms;
  }

  /** The ways of packing that the peer can unpack, as of the last handshake; undefined before the first. */
  get peerReads(): readonly string[] | undefined {
    return this.#greeting?.reads;
  }

  /** Delivers until the signal aborts; nothing the peer does ends it. @throws only what the local side throws, and the abort */
  async run(signal: AbortSignal): Promise<void> {
    const { backoffMinMs: minMs, backoffMaxMs: maxMs } = this.#options;
    const backoff = new Backoff({ minMs, maxMs });
    for (;;) {
      try {
        this.#telling.enter('connecting');
        await fromPeer(this.#options.client, connectPrimary(this.#options.client, signal));
        this.#connection = connectionOf(this.#options.client);
        await this.#session(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof PeerError)) throw error;
        if (this.#hasProgressed) backoff.succeeded();
        this.#hasProgressed = false;
        this.#telling.enter('backing-off', error.reason);
        await sleep(backoff.failed(), undefined, { signal });
      }
    }
  }

  async #session(signal: AbortSignal): Promise<void> {
    let next = await this.#handshake();
    this.#telling.enter('streaming');
    for (;;) {
      const outcome = await this.#stream(next, signal);
      next = outcome.next;
      // Another version works there than the one that was met.
      if (outcome.refusal === 'unreadable') next = await this.#handshake();
      if (outcome.refusal === 'full') {
        this.#fullInARow++;
        this.#telling.enter(
          'backing-off',
          new TandemError(
            'SERVER_BUSY',
            "the peer's inbox is full: it applies more slowly than changes come",
          ),
        );
        const pauseMs = Math.min(FULL_PAUSE_MS * 2 ** (this.#fullInARow - 1), MAX_FULL_PAUSE_MS);
        await sleep(pauseMs, undefined, { signal });
      }
    }
  }

  /** Asks the peer how far it has received; gives the sequence to go on with. */
  async #handshake(): Promise<number> {
    await answerCopy(this.#options, (place) => (this.#sentThrough = Math.max(this.#sentThrough, place)));
    const greeting = await shakeHands(this.#options);
    const { epoch, received, adopted } = greeting;
    if (adopted !== this.#greeting?.adopted) this.#options.events.adopted();
    this.#greeting = greeting;
    this.#isScriptKnown = false;
    const { epoch: own, next } = this.#options;
    judgeReceived({ epoch, received }, { epoch: own, last: Math.max(next - 1, this.#sentThrough) });
    this.#delivered = received;
    this.#toldSeen = -1;
    await this.#clock.measure();
    return this.#delivered + 1;
  }

  /** Whether the history has a hole right behind `received`. Says so, once, if it is not as it should be there. */
  #isCutBehind(received: number): boolean {
    const { list, log, events } = this.#options;
    const continuity = list.continuity(received);
    if (continuity === 'whole') return false;
    if (this.#gapAt !== received) {
      events.gap(continuity === 'hole' ? 'own' : 'peer');
      const details = { received, from: list.firstSequence, last: list.last };
      if (continuity === 'hole')
        log.error(
          details,
          'changes that the peer has not received are here no more: the sites must be compared',
        );
      else log.error(details, 'the peer has changes that this site has lost: the sites must be compared');
    }
    this.#gapAt = received;
    return continuity === 'hole';
  }

  /** Sends batches from `next` on until the peer answers something else than yes. */
  async #stream(from: number, signal: AbortSignal): Promise<Outcome> {
    const { client, list } = this.#options;
    const inFlight: Flying[] = [];
    let bytes = 0;
    let next = from;
    let isCut = this.#isCutBehind(from - 1);
    try {
      for (;;) {
        while (inFlight.length < this.#room() && bytes < IN_FLIGHT_BYTES && list.reaches(next)) {
          if (this.#heldMs() > 0) break;
          const most = Math.min(IN_FLIGHT_BYTES - bytes, this.#bandwidth.atOnceBytes);
          const batches = await list.read(next, most);
          if (batches.length === 0) break;
          for (const listed of batches.slice(0, this.#room() - inFlight.length)) {
            if (this.#heldMs() > 0) break;
            const whole = listed.first < next ? behind(listed, next) : listed;
            const batch = readable(whole, this.#greeting!.reads);
            next = batch.last + 1;
            if (batch.bytes.length > this.#greeting!.maxBulkBytes) {
              this.#passOver(batch);
              isCut = true;
              continue;
            }
            inFlight.push(this.#fly(batch, isCut));
            isCut = false;
            bytes += batch.bytes.length;
            this.#sentThrough = Math.max(this.#sentThrough, batch.last);
          }
        }
        const [oldest] = inFlight;
        if (!oldest) {
          const back = await this.#idle(signal);
          if (back !== undefined) return { next: back };
          continue;
        }
        // A batch that is appended meanwhile must not wait for an answer that is a round trip away.
        if (!oldest.isAnswered) {
          await list.appended.wait(signal, this.#bandwidth.waitMs || undefined);
          continue;
        }
        const { batch } = inFlight.shift()!;
        const { verdict, epoch, received } = await fromPeer(client, oldest.answer);
        bytes -= batch.bytes.length;
        signal.throwIfAborted();
        if (verdict === 'accepted' || verdict === 'duplicate') {
          this.#hasTaken(batch, verdict === 'accepted');
          continue;
        }
        if (verdict === 'forgotten') {
          this.#isScriptKnown = false;
          return { next: this.#delivered + 1 };
        }
        this.#judge(verdict, epoch, received);
        return outcomeOf(verdict, received);
      }
    } finally {
      // Batches behind the one that was refused have answers of their own. All must be in before anything is sent again.
      await Promise.allSettled(inFlight.map((one) => one.answer));
    }
  }

  /** The peer has a batch. @param isNew whether it had it not before */
  #hasTaken(batch: SentBatch, isNew: boolean): void {
    this.#delivered = Math.max(this.#delivered, batch.last);
    this.#hasProgressed = true;
    this.#refusedAt = -1;
    this.#fullInARow = 0;
    this.#telling.enter('streaming');
    this.#telling.passed();
    if (!isNew) return;
    const { changes, bytes, plainBytes } = this.#sent;
    this.#sent = {
      changes: changes + batch.last - batch.first + 1,
      bytes: bytes + batch.bytes.length,
      plainBytes: plainBytes + batch.plainLength,
    };
  }

  /** The peer's server would close the connection over it, again and again. Delivery goes on behind it, as behind a gap. */
  #passOver({ first, last, bytes }: SentBatch): void {
    if (last <= this.#passedOver) return;
    this.#passedOver = last;
    const { log, events } = this.#options;
    // A state that was to repair a key is no new gap: the repair finds the key different still, and would send it for ever.
    const { special, commands } = decodeSealed(bytes);
    if (special < commands - 1) events.gap('own');
    log.error(
      { sequence: first, bytes: bytes.length, maxBytes: this.#greeting!.maxBulkBytes },
      'a change is larger than the server of the peer takes, and was passed over: the sites must be compared',
    );
  }

  get #isPaused(): boolean {
    return this.#options.pauses.since('outbound') !== undefined;
  }

  /** How many batches may be on the way. */
  #room(): number {
    if (this.#isPaused) return 0;
    return this.#fullInARow > 0 ? 1 : IN_FLIGHT_BATCHES;
  }

  /** How long the bound of the bandwidth holds back what is there to be sent, in ms; 0: it does not. */
  #heldMs(): number {
    const { waitMs } = this.#bandwidth;
    if (waitMs > 0) this.#bandwidth.held();
    return waitMs;
  }

  #judge(verdict: string, epoch: number, received: number): void {
    if (verdict === 'full' || verdict === 'unreadable') return;
    if (verdict === 'gap') {
      this.#options.log.debug({ received }, 'the peer has received less than expected: going back');
      if (this.#refusedAt !== received) {
        this.#refusedAt = received;
        return;
      }
    }
    throw refusedBy(verdict, { epoch, received });
  }

  /** Nothing to send: waits for changes, and tells what was applied meanwhile. Gives the place to go back to, if there is one. */
  async #idle(signal: AbortSignal): Promise<number | undefined> {
    const { list, heartbeatMs, progress } = this.#options;
    if (this.#isPaused) this.#telling.enter('paused');
    else if (list.reaches(this.#delivered + 1)) this.#telling.enter('streaming');
    else if (this.#telling.state === 'streaming' || this.#telling.state === 'paused')
      this.#telling.enter('caught-up');
    await list.appended.wait(signal, Math.min(heartbeatMs, this.#bandwidth.waitMs || heartbeatMs));
    const isDue = await this.#look();
    // Without them nothing may be told either: what is told counts for all that was made before it.
    if (list.reaches(this.#delivered + 1)) return undefined;
    if ((progress.seen.sequence === this.#toldSeen && !isDue) || !progress.isSettled) return undefined;
    if (this.#bandwidth.waitMs > 0) return undefined;
    return this.#beat();
  }

  /** Notices a peer that has gone while there is nothing to send. Gives whether it was time to ask. */
  async #look(): Promise<boolean> {
    const { client } = this.#options;
    if (this.#connection === undefined || connectionOf(client) !== this.#connection)
      throw new PeerError(new TandemError('UNREACHABLE', 'the connection to the peer was lost'));
    if (performance.now() - this.#lookedAt < LOOK_MS) return false;
    await this.#clock.measure();
    this.#lookedAt = performance.now();
    return true;
  }

  /** Tells what is applied here. Everything was delivered: if the peer has less now, gives the place to go back to. */
  async #beat(): Promise<number | undefined> {
    const { client, keys, epoch, progress, clock } = this.#options;
    const told = progress.seen;
    const args = [this.#origin, epoch, this.#delivered, told.epoch, told.sequence, clock.last];
    const beat = this.#roundTrip.of(() => runScript(client, 'deliver-heartbeat', [keys.received], args));
    const reply = (await fromPeer(client, beat)) as [string, number, number];
    const [verdict, itsEpoch, received] = reply;
    if (verdict !== 'accepted') this.#judge(verdict, itsEpoch, received);
    this.#toldSeen = told.sequence;
    this.#hasProgressed = true;
    if (received >= this.#delivered) return undefined;
    this.#delivered = received;
    return received + 1;
  }

  #fly(batch: SentBatch, isCut: boolean): Flying {
    const { client, keys, list } = this.#options;
    const onAnswered = (): void => list.appended.raise();
    const [origin, isScriptKnown, roundTrip] = [this.#origin, this.#isScriptKnown, this.#roundTrip];
    // The server takes them in order: what is sent behind it finds it.
    this.#isScriptKnown = true;
    return fly(batch, { client, keys, origin, isCut, isScriptKnown, roundTrip, onAnswered });
  }
}
