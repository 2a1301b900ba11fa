import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import { until } from '../support/wait.js';
import { SITES, type SiteName, type Stack } from './stack.js';

const PAUSE_MS = 3;
const ANSWER_MS = 60_000;

/**
 * An application at each site, which adds to a counter of its own and to one that both share, in one transaction. When a connection
 * breaks before the answer it looks, as soon as its server is back, whether the transaction was made: nobody else writes its counter.
 */
export class Load {
  readonly #clients: Record<SiteName, Redis>;
  readonly #made: Record<SiteName, number>;
  #running: Promise<void>[] = [];
  #isOver = false;
  /** Counters that had less than they had had. */
  readonly #lost: string[] = [];
  readonly #name: string;

  /** @param name what the names of its counters begin with */
  constructor(stack: Stack, name: string) {
    this.#name = name;
    this.#clients = { east: stack.redis('east'), west: stack.redis('west') };
    this.#made = { east: 0, west: 0 };
    this.#running = SITES.map((site) => this.#write(site));
  }

  /** Transactions made so far at a site. */
  made(site: SiteName): number {
    return this.#made[site];
  }

  /** Resolves when each site has written so many more. */
  async more(count: number): Promise<void> {
    const from = { ...this.#made };
    await until(
      `${count} more writes at each site`,
      () => SITES.every((site) => this.#made[site] >= from[site] + count),
      { deadlineMs: ANSWER_MS },
    );
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  /** At a site: every transaction is there once. */
  async expectExact(redis: Redis): Promise<void> {
    const { east, west } = this.#made;
    await this.expectOwnExact(redis);
    expect(Number(await redis.get(this.#shared))).toBe(east + west);
  }

  /** At a site: what one site alone has written is there once. */
  async expectOwnExact(redis: Redis): Promise<void> {
    const { east, west } = this.#made;
    expect(this.#lost).toEqual([]);
    expect((await redis.mget(...SITES.map((site) => this.#own(site)))).map(Number)).toEqual([east, west]);
  }

  #own(site: SiteName): string {
    return `${this.#name}:${site}`;
  }

  get #shared(): string {
    return `${this.#name}:shared`;
  }

  async #write(site: SiteName): Promise<void> {
    const redis = this.#clients[site];
    while (!this.#isOver) {
      const replies = await redis
        .multi()
        .incr(this.#own(site))
        .incr(this.#shared)
        .exec()
        .catch(() => null);
      const reply = replies?.[0]?.[1];
      this.#take(site, reply === undefined ? await this.#found(site) : Number(reply));
      await new Promise((resolve) => {
        setTimeout(resolve, PAUSE_MS);
      });
    }
  }

  #take(site: SiteName, value: number): void {
    if (value < this.#made[site]) this.#lost.push(`${site}: ${value} after ${this.#made[site]}`);
    this.#made[site] = value;
  }

  /** What is there of the own counter once the server answers. */
  #found(site: SiteName): Promise<number> {
    const look = async (): Promise<{ n: number }> => ({
      n: Number(await this.#clients[site].get(this.#own(site))),
    });
    return until(`the Redis of ${site} to answer`, look, { deadlineMs: ANSWER_MS }).then(({ n }) => n);
  }
}
