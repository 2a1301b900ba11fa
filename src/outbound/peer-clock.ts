import type { Logger } from '../log/log.js';
import { Trouble } from '../log/trouble.js';
import type { Redis } from '../redis/connect.js';
import type { RoundTrip } from './round-trip.js';
import { fromPeer } from './peer-error.js';

/** It lasts until somebody does something: no reason to be told every minute. */
const REPEAT_MS = 3_600_000;

/** How far the peer's clock is from ours: of concurrent writes the one from the site whose clock is ahead stays. */
export class PeerClock {
  readonly #client: Redis;
  readonly #warnMs: number;
  readonly #log: Logger;
  readonly #farApart = new Trouble({ repeatMs: REPEAT_MS });
  readonly #roundTrip: RoundTrip;
  #skewMs: number | null = null;

  constructor({
    client,
    warnMs,
    log,
    roundTrip,
  }: {
    client: Redis;
    warnMs: number;
    log: Logger;
    roundTrip: RoundTrip;
  }) {
    this.#roundTrip = roundTrip;
    this.#client = client;
    this.#warnMs = warnMs;
    this.#log = log;
  }

  /** The peer's clock minus ours, in milliseconds; null while unknown. */
  get skewMs(): number | null {
    return this.#skewMs;
  }

  /** Asks the peer, and warns while its clock is far away. @throws PeerTrouble */
  async measure(): Promise<void> {
    const asked = Date.now();
    const [seconds, microseconds] = await fromPeer(
      this.#client,
      this.#roundTrip.of(() => this.#client.time()),
    );
    const skewMs = Math.round(
      Number(seconds) * 1000 + Number(microseconds) / 1000 - (asked + Date.now()) / 2,
    );
    this.#skewMs = skewMs;
    if (Math.abs(skewMs) <= this.#warnMs) {
      if (this.#farApart.over()) this.#log.info({ skewMs }, 'the clocks of the sites are close again');
      return;
    }
    const lasting = this.#farApart.met('');
    if (lasting)
      this.#log.warn(
        { skewMs, ahead: skewMs > 0 ? 'peer' : 'own', since: lasting.since },
        'the clocks of the sites are far apart: of concurrent writes the one from the site whose clock is ahead stays',
      );
  }
}
