import { expect } from 'vitest';
import type { Pair, Site } from '../support/pair.js';

/** One transaction: refused as a whole or made as a whole. */
const COMMANDS = 3;

/**
 * Writers at both sites, for servers that refuse writes for a while: what a server has refused does not count, everything else must be
 * there once. Their connections must not break, for then nobody knows what was made.
 */
export class Tally {
  readonly #pair: Pair;
  readonly #made = new Map<Site, number>();
  #refused = 0;
  #running: Promise<void>[] = [];
  #stop = false;

  constructor(pair: Pair) {
    this.#pair = pair;
    for (const site of [pair.east, pair.west]) this.#made.set(site, 0);
  }

  /** Transactions made so far, at both sites. */
  get made(): number {
    return [...this.#made.values()].reduce((sum, made) => sum + made, 0);
  }

  /** Transactions that a server refused. */
  get refused(): number {
    return this.#refused;
  }

  start(): void {
    this.#stop = false;
    this.#running = [this.#pair.east, this.#pair.west].map((site) => this.#write(site));
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await Promise.all(this.#running);
  }

  /**
   * Once the pair is quiet.
   * @param wasGap whether a gap was repaired: of what both sites have written meanwhile one value stays, with sums as far as they are known
   */
  async expectExact({ wasGap = false } = {}): Promise<void> {
    const { east, west } = this.#pair;
    const shared = await Promise.all([east, west].map(async (at) => Number(await at.redis.get('tally'))));
    if (wasGap) {
      const [one = NaN, other] = shared;
      expect(other, 'the shared counter at west').toBe(one);
      expect(one).toBeGreaterThanOrEqual(Math.min(...this.#made.values()));
      expect(one).toBeLessThanOrEqual(this.made);
    } else expect(shared, 'the shared counter at both').toEqual([this.made, this.made]);
    for (const at of [east, west]) {
      for (const from of [east, west]) {
        const made = this.#made.get(from)!;
        const list = await at.redis.lrange(`tally:list:${from.name}`, 0, -1);
        const wrong = list.findIndex(
          (element, index) => index > 0 && Number(element) <= Number(list[index - 1]),
        );
        expect({ length: list.length, wrong }, `the list of ${from.name} at ${at.name}`).toEqual({
          length: made,
          wrong: -1,
        });
        expect(
          Number(await at.redis.get(`tally:${from.name}`)),
          `the counter of ${from.name} at ${at.name}`,
        ).toBe(made);
      }
    }
  }

  async #write(site: Site): Promise<void> {
    for (let round = 0; !this.#stop; round++) {
      const replies = await site.redis
        .multi()
        .incr('tally')
        .incr(`tally:${site.name}`)
        .rpush(`tally:list:${site.name}`, `${Date.now() * 1000 + (round % 1000)}`)
        .exec()
        .catch((error: Error) => this.#refusal(error));
      if (replies) {
        const errors = replies.filter(([error]) => error !== null);
        if (errors.length > 0 && errors.length < COMMANDS) throw new Error('a transaction was made in part');
        if (errors.length === 0) this.#made.set(site, this.#made.get(site)! + 1);
        else this.#refused++;
      }
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
    }
  }

  #refusal(error: Error): undefined {
    if (error.name !== 'ReplyError') throw error;
    this.#refused++;
  }
}
