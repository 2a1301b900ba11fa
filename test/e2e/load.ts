import { expect } from 'vitest';
import type { Redis } from 'ioredis';
import type { Pair, Site } from '../support/pair.js';

/** What a site's writer has done, as the server has acknowledged it. */
interface Written {
  rounds: number;
}

/** Where the check of a site's witnesses goes on: everything before has been found right. */
interface Checked {
  elements: number;
  entries: number;
  lastEntry: string;
}

export interface LoadOptions {
  /** Part of the names of its keys, for one load after another. */
  name?: string;
  /** Rounds (of ten commands) in one pipeline, and the pause after it: the rate. */
  rounds?: number;
  pauseMs?: number;
}

/** The witnesses of one site. */
const WITNESSES = ['count', 'first', 'second', 'scripted', 'last', 'list', 'stream'] as const;
type Witness = (typeof WITNESSES)[number];

/** Taken from one account and given to the other, in one transaction: their sum stays what it is. */
const TRANSFER = 3;

const SCRIPT = "redis.call('INCR', KEYS[1]) redis.call('SET', KEYS[2], ARGV[1])";

/**
 * Writers at both sites at once, which leave witnesses of every change: a change that was lost, made twice, or made out of order
 * shows in a counter, a list or a stream. Each site has witnesses of its own, and both add to a shared counter.
 */
export class Load {
  readonly #pair: Pair;
  readonly #options: Required<LoadOptions>;
  readonly #written = new Map<Site, Written>();
  readonly #checked = new Map<string, Checked>();
  #running: Promise<void>[] = [];
  #stop = false;

  constructor(pair: Pair, { name = 'load', rounds = 5, pauseMs = 4 }: LoadOptions = {}) {
    this.#pair = pair;
    this.#options = { name, rounds, pauseMs };
    for (const site of this.#sites) this.#written.set(site, { rounds: 0 });
  }

  get #sites(): Site[] {
    return [this.#pair.east, this.#pair.west];
  }

  /** Rounds both writers have written so far. */
  get rounds(): number {
    return this.#sites.reduce((sum, site) => sum + this.#roundsOf(site), 0);
  }

  /** Starts the writers, or lets them go on. */
  start(): void {
    this.#stop = false;
    this.#running = this.#sites.map((site) => this.#write(site));
    // A test that fails before `stop` closes the servers under the writers: its own failure is the one to report.
    for (const writer of this.#running) writer.catch(() => {});
  }

  /** Lets the writers finish; then all they wrote is acknowledged by the servers. */
  async stop(): Promise<void> {
    this.#stop = true;
    await Promise.all(this.#running);
  }

  /** Both sites hold exactly what was written. Only after `stop`, and once the pair is quiet. */
  async expectExact(): Promise<void> {
    for (const at of this.#sites) {
      for (const from of this.#sites) await this.#expectWitnesses(at, from);
      expect(Number(await at.redis.get(this.#sharedKey)), `the shared counter at ${at.name}`).toBe(
        this.rounds,
      );
    }
  }

  /** Deletes the witnesses at one site; that crosses as everything does. */
  async clear(): Promise<void> {
    const own = this.#sites.flatMap((site) => WITNESSES.map((witness) => this.#key(site, witness)));
    await this.#pair.east.redis.unlink(this.#sharedKey, ...own);
  }

  get #sharedKey(): string {
    return `${this.#options.name}:shared`;
  }

  #key(site: Site, witness: Witness): string {
    return `${this.#options.name}:${site.name}:${witness}`;
  }

  #roundsOf(site: Site): number {
    return this.#written.get(site)!.rounds;
  }

  async #write(site: Site): Promise<void> {
    const { rounds, pauseMs } = this.#options;
    const written = this.#written.get(site)!;
    while (!this.#stop) {
      const pipeline = site.redis.pipeline();
      for (let i = 0; i < rounds; i++) this.#addRound(pipeline, site, written.rounds + i);
      const replies = (await pipeline.exec()) ?? [];
      const failed = replies.find(([error]) => error !== null);
      if (failed) throw failed[0] as Error;
      written.rounds += rounds;
      await new Promise((resolve) => {
        setTimeout(resolve, pauseMs);
      });
    }
  }

  /** One round: a change of each kind, single commands, a transaction, a script. */
  #addRound(pipeline: ReturnType<Redis['pipeline']>, site: Site, round: number): void {
    const own = (witness: Witness): string => this.#key(site, witness);
    pipeline
      .incr(own('count'))
      .incr(this.#sharedKey)
      .rpush(own('list'), round)
      .xadd(own('stream'), '*', 'round', round)
      .call('MULTI')
      .decrby(own('first'), TRANSFER)
      .incrby(own('second'), TRANSFER)
      .call('EXEC')
      .eval(SCRIPT, 2, own('scripted'), own('last'), round);
  }

  async #expectWitnesses(at: Site, from: Site): Promise<void> {
    const rounds = this.#roundsOf(from);
    const of = (witness: Witness): string => this.#key(from, witness);
    const where = `of ${from.name} at ${at.name}`;
    const { redis } = at;
    const [count, first, second, scripted, last] = await redis.mget(
      of('count'),
      of('first'),
      of('second'),
      of('scripted'),
      of('last'),
    );
    expect(
      { count, first, second, scripted, last },
      `counters ${where} after ${rounds} rounds\n${at.tail()}`,
    ).toEqual({
      count: String(rounds),
      first: String(-TRANSFER * rounds),
      second: String(TRANSFER * rounds),
      scripted: String(rounds),
      last: String(rounds - 1),
    });
    const checked = this.#checked.get(where) ?? { elements: 0, entries: 0, lastEntry: '-' };
    await expectElements(redis, of('list'), checked, rounds, `the list ${where}`);
    await expectEntries(redis, of('stream'), checked, rounds, `the stream ${where}`);
    this.#checked.set(where, checked);
  }
}

async function expectElements(
  redis: Redis,
  key: string,
  checked: Checked,
  rounds: number,
  what: string,
): Promise<void> {
  const elements = await redis.lrange(key, checked.elements, -1);
  expectSequence(elements.map(Number), checked.elements, rounds, what);
  checked.elements = rounds;
}

async function expectEntries(
  redis: Redis,
  key: string,
  checked: Checked,
  rounds: number,
  what: string,
): Promise<void> {
  const entries = await redis.xrange(key, checked.lastEntry, '+');
  expectSequence(
    entries.map(([, [, round]]) => Number(round)),
    checked.entries,
    rounds,
    what,
  );
  checked.entries = rounds;
  const last = entries.at(-1)?.[0];
  if (last !== undefined) checked.lastEntry = `(${last}`;
}

/** The numbers from `from` up to `to`, each once and in order; the error names the first that is not in its place. */
function expectSequence(found: readonly number[], from: number, to: number, what: string): void {
  const wrong = found.findIndex((value, index) => value !== from + index);
  if (wrong < 0 && found.length === to - from) return;
  const at = wrong < 0 ? found.length : wrong;
  const around = found.slice(Math.max(0, at - 3), at + 5).join(' ');
  expect.fail(
    `${what}: ${from + found.length} of ${to}, and in place of ${from + at} stands ${found[at] ?? 'nothing'} (… ${around} …)`,
  );
}
