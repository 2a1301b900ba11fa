/**
 * The courier: carries batches from the change list into the peer's inbox, in order, many in flight on one connection.
 *
 * States: **connecting** (the peer is asked how far it has received), **streaming** (batches are on their way), **caught up**
 * (all were accepted), **backing off** (the peer is away, not ready, or full). What the peer answers decides: `accepted` and
 * `duplicate` move on; `gap` and `epoch` mean that our idea of what it has is wrong, so it is asked again; `full` makes us wait.
 * Nothing is forgotten here: a batch leaves the change list only when the peer says that it was applied.
 */

import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { TandemError } from '../errors.js';
import type { Logger } from '../log.js';
import { runScript } from '../lua/scripts.js';
import { backoffDelayMs, connectClient, hostAndPort, refusalOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import type { ChangeList, ListedBatch } from './change-list.js';

export type CourierState = 'connecting' | 'streaming' | 'caught-up' | 'backing-off';

export interface CourierOptions {
  /** A client at the peer's Redis, not connected yet. */
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly pair: string;
  readonly site: string;
  readonly peer: string;
  readonly epoch: number;
  readonly list: ChangeList;
  readonly log: Logger;
  readonly heartbeatMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  readonly clockSkewWarnMs: number;
  /** What this site has applied of the peer's changes, standing before all that is captured later. */
  readonly seen: () => { epoch: number; sequence: number };
  /** Whether every captured change is in the change list, so that `seen` may be told without a batch. */
  readonly isSettled: () => boolean;
  readonly clock: () => number;
}

/** Batches and bytes on the way without an answer. */
const IN_FLIGHT_BATCHES = 64;
const IN_FLIGHT_BYTES = 4 * 1024 * 1024;
/** How often an idle connection is tried: packets may be swallowed without anybody being told. */
const LOOK_MS = 5000;
/** Longest pause after `full`. */
const FULL_PAUSE_MS = 100;

interface Answer {
  readonly verdict: string;
  readonly epoch: number;
  readonly received: number;
}

export class Courier {
  readonly #options: CourierOptions;
  readonly #origin: string;
  #state: CourierState = 'connecting';
  #detail: string | undefined;
  #delivered = 0;
  #sent = { changes: 0, bytes: 0 };
  /** The `seen` the peer has been told, in a batch or a heartbeat. */
  #told = -1;
  #lookedAt = 0;
  #skewMs: number | null = null;
  #full = 0;
  /** Whether the log knows that all is well. */
  #isTold = false;

  constructor(options: CourierOptions) {
    this.#options = options;
    this.#origin = `${options.pair}/${options.site}`;
  }

  get state(): CourierState {
    return this.#state;
  }

  /** Why, when it is backing off. */
  get detail(): string | undefined {
    return this.#detail;
  }

  /** The highest sequence the peer has accepted. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Changes and bytes accepted since the process began. */
  get sent(): { readonly changes: number; readonly bytes: number } {
    return this.#sent;
  }

  /** The peer's clock minus ours, in milliseconds; null while unknown. */
  get skewMs(): number | null {
    return this.#skewMs;
  }

  /** How often the peer's inbox was full. */
  get fullCount(): number {
    return this.#full;
  }

  /** Delivers until the signal aborts; nothing the peer does ends it. @throws only what the local side throws, and the abort */
  async run(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        this.#enter('connecting');
        await this.#fromPeer(connectClient(this.#options.client, signal));
        await this.#session(signal, () => (attempt = 0));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof PeerTrouble)) throw error;
        const pauseMs = backoffDelayMs({
          attempt: Math.max(attempt, 1),
          minMs: this.#options.backoffMinMs,
          maxMs: this.#options.backoffMaxMs,
        });
        this.#enter('backing-off', error.reason);
        await sleep(pauseMs, undefined, { signal });
      }
    }
  }

  async #session(signal: AbortSignal, onProgress: () => void): Promise<void> {
    let next = await this.#handshake();
    onProgress();
    this.#enter('streaming');
    for (;;) {
      const outcome = await this.#stream(next, signal);
      next = outcome.next;
      if (outcome.full) {
        this.#full++;
        this.#enter(
          'backing-off',
          new TandemError(
            'SERVER_BUSY',
            "the peer's inbox is full: it applies more slowly than changes come",
          ),
        );
        await sleep(FULL_PAUSE_MS, undefined, { signal });
        this.#enter('streaming');
      }
    }
  }

  /** Asks the peer how far it has received; gives the sequence to go on with. */
  async #handshake(): Promise<number> {
    const { client, keys, peer, epoch, list, pair } = this.#options;
    const [receivedFields, siteFields] = await this.#fromPeer(
      Promise.all([
        client.hmget(keys.received, 'epoch', 'n', 'origin'),
        client.hmget(keys.site, 'pair', 'site'),
      ]),
    );
    const [receivedEpoch, received, origin] = receivedFields;
    const [itsPair, itsSite] = siteFields;
    if (receivedEpoch == null || received == null || itsSite == null) {
      throw new PeerTrouble(
        new TandemError('PEER_NOT_READY', 'no Tandem process has worked at the peer yet', {
          hint: `start Tandem for site ${peer}`,
        }),
      );
    }
    if (itsSite !== peer || itsPair !== pair || origin !== this.#origin) {
      throw new PeerTrouble(
        new TandemError(
          'WRONG_PAIR',
          `the peer's Redis belongs to site ${itsSite} of pair ${itsPair}, which pairs with ${String(origin)}`,
          {
            hint: `check peerUrl and peer here, and site and peer there: this is ${this.#origin} and expects ${pair}/${peer}`,
          },
        ),
      );
    }
    if (
      Number(receivedEpoch) > epoch ||
      (Number(receivedEpoch) === epoch && Number(received) > list.appendedThrough)
    ) {
      throw new TandemError(
        'EPOCH',
        "the peer has received more of this site's changes than this site knows of: its Redis has lost writes",
        {
          details: { epoch: Number(receivedEpoch), received: Number(received) },
        },
      );
    }
    this.#delivered = Math.min(Number(received), list.appendedThrough);
    this.#told = -1;
    await this.#measureSkew();
    return this.#delivered + 1;
  }

  /** Sends batches from `next` on until the peer answers something else than yes. */
  async #stream(from: number, signal: AbortSignal): Promise<{ next: number; full: boolean }> {
    const { list } = this.#options;
    const inFlight: { batch: ListedBatch; answer: Promise<Answer> }[] = [];
    let bytes = 0;
    let next = from;
    try {
      for (;;) {
        while (
          inFlight.length < IN_FLIGHT_BATCHES &&
          bytes < IN_FLIGHT_BYTES &&
          list.appendedThrough >= next
        ) {
          const batches = await list.read(next, IN_FLIGHT_BYTES - bytes);
          if (batches.length === 0) break;
          for (const batch of batches) {
            const answer = this.#send(batch);
            // Its failure is met when its turn comes; until then it must not count as unhandled.
            answer.catch(() => {});
            inFlight.push({ batch, answer });
            bytes += batch.bytes.length;
            next = batch.last + 1;
          }
        }
        const oldest = inFlight.shift();
        if (!oldest) {
          await this.#idle(signal);
          continue;
        }
        const { batch } = oldest;
        const { verdict, epoch, received } = await this.#fromPeer(oldest.answer);
        bytes -= batch.bytes.length;
        signal.throwIfAborted();
        if (verdict === 'accepted' || verdict === 'duplicate') {
          this.#delivered = Math.max(this.#delivered, batch.last);
          if (verdict === 'accepted')
            this.#sent = {
              changes: this.#sent.changes + batch.last - batch.first + 1,
              bytes: this.#sent.bytes + batch.bytes.length,
            };
          continue;
        }
        this.#judge(verdict, epoch, received);
        return { next: received + 1, full: verdict === 'full' };
      }
    } finally {
      // What was sent behind the answer that stopped us has its own answers; they must be in before anything is sent again.
      await Promise.allSettled(inFlight.map((one) => one.answer));
    }
  }

  #judge(verdict: string, epoch: number, received: number): void {
    if (verdict === 'full') return;
    if (verdict === 'gap') {
      this.#options.log.debug({ received }, 'the peer has received less than expected: going back');
      return;
    }
    if (verdict === 'unready')
      throw new PeerTrouble(
        new TandemError('PEER_NOT_READY', "Tandem's keys at the peer are missing", {
          hint: 'they come back when Tandem works there',
        }),
      );
    throw new PeerTrouble(
      new TandemError('WRONG_PAIR', `the peer refuses this site's changes: ${verdict}`, {
        details: { epoch },
      }),
    );
  }

  /** Nothing to send: waits for changes, and tells what was applied meanwhile. */
  async #idle(signal: AbortSignal): Promise<void> {
    const { list, heartbeatMs, seen } = this.#options;
    if (this.#state === 'streaming') this.#enter('caught-up');
    await list.appended.wait(signal, heartbeatMs);
    await this.#look();
    if (list.appendedThrough > this.#delivered) {
      this.#enter('streaming');
      return;
    }
    if (seen().sequence === this.#told || !this.#options.isSettled()) return;
    await this.#beat();
  }

  /** Notices a peer that has gone while there is nothing to send. */
  async #look(): Promise<void> {
    const { client } = this.#options;
    if (client.status !== 'ready')
      throw new PeerTrouble(new TandemError('UNREACHABLE', 'the connection to the peer was lost'));
    if (Date.now() - this.#lookedAt < LOOK_MS) return;
    await this.#measureSkew();
    this.#lookedAt = Date.now();
  }

  /** The peer's clock minus ours: a clock that is ahead makes its site win. */
  async #measureSkew(): Promise<void> {
    const { client, clockSkewWarnMs, log } = this.#options;
    const asked = Date.now();
    const [seconds, microseconds] = await this.#fromPeer(client.time());
    const skewMs = Math.round(
      Number(seconds) * 1000 + Number(microseconds) / 1000 - (asked + Date.now()) / 2,
    );
    const wasFar = Math.abs(this.#skewMs ?? 0) > clockSkewWarnMs;
    this.#skewMs = skewMs;
    if (Math.abs(skewMs) > clockSkewWarnMs && !wasFar)
      log.warn(
        { skewMs },
        'the clocks of the sites are far apart: of concurrent writes the one from the site whose clock is ahead stays',
      );
  }

  async #beat(): Promise<void> {
    const { client, keys, epoch, list, seen, clock } = this.#options;
    const told = seen();
    const args = [this.#origin, epoch, list.appendedThrough, told.epoch, told.sequence, clock()];
    const reply = (await this.#fromPeer(runScript(client, 'beat', [keys.received], args))) as [
      string,
      number,
      number,
    ];
    const [verdict, itsEpoch, received] = reply;
    if (verdict === 'accepted') this.#told = told.sequence;
    else this.#judge(verdict, itsEpoch, received);
  }

  async #send(batch: ListedBatch): Promise<Answer> {
    const { client, keys } = this.#options;
    const isOldest = batch.isOldest ? 1 : 0;
    const args = [this.#origin, batch.epoch, batch.first, batch.last, batch.bytes, isOldest];
    const [verdict, epoch, received] = (await runScript(
      client,
      'deliver',
      [keys.received, keys.inbox],
      args,
    )) as [string, number, number];
    return { verdict, epoch, received };
  }

  /** Marks what goes wrong at the peer, so that it is told from what goes wrong here. */
  async #fromPeer<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const { host, port } = this.#options.client.options;
      throw new PeerTrouble(refusalOf(error, hostAndPort({ host: host ?? '', port: port ?? 0, tls: false })));
    }
  }

  #enter(state: CourierState, reason?: TandemError): void {
    const { log, peer } = this.#options;
    const detail = reason?.message;
    if (state === this.#state && detail === this.#detail) return;
    this.#state = state;
    this.#detail = detail;
    if (reason)
      log.warn(
        { peer, state, reason: reason.code, detail, hint: reason.hint },
        'delivery to the peer is backing off',
      );
    // Between streaming and caught up it goes to and fro with every burst: that is nothing to tell each time.
    else if (state === 'connecting' || !this.#isTold) log.info({ peer, state }, 'delivery to the peer');
    this.#isTold = state === 'caught-up' || (this.#isTold && state === 'streaming');
  }
}

/** Something at the peer that may pass: the courier backs off and tries again. */
class PeerTrouble extends Error {
  readonly reason: TandemError;

  constructor(reason: TandemError) {
    super(reason.message, { cause: reason });
    this.reason = reason;
  }
}
