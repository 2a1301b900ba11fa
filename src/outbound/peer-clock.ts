import type { Logger } from '../log/log.js';
import type { Redis } from '../redis/connect.js';
import { fromPeer } from './peer-error.js';

/** How far the peer's clock is from ours: of concurrent writes the one from the site whose clock is ahead stays. */
export class PeerClock {
  readonly #client: Redis;
  readonly #warnMs: number;
  readonly #log: Logger;
  #skewMs: number | null = null;

  constructor({ client, warnMs, log }: { client: Redis; warnMs: number; log: Logger }) {
    this.#client = client;
    this.#warnMs = warnMs;
    this.#log = log;
  }

  /** The peer's clock minus ours, in milliseconds; null while unknown. */
  get skewMs(): number | null {
    return this.#skewMs;
  }

  /** Asks the peer, and warns when its clock has come to be far away. @throws PeerTrouble */
  async measure(): Promise<void> {
    const asked = Date.now();
    const [seconds, microseconds] = await fromPeer(this.#client, this.#client.time());
    const skewMs = Math.round(
      Number(seconds) * 1000 + Number(microseconds) / 1000 - (asked + Date.now()) / 2,
    );
    const wasFar = Math.abs(this.#skewMs ?? 0) > this.#warnMs;
    this.#skewMs = skewMs;
    if (Math.abs(skewMs) > this.#warnMs && !wasFar)
      this.#log.warn(
        { skewMs },
        'the clocks of the sites are far apart: of concurrent writes the one from the site whose clock is ahead stays',
      );
  }
}
