/**
 * Both servers go and come back by turns, some of them killed, under a load of hot keys, and the processes with them. What a server
 * has acknowledged is in its AOF; what was written while nobody read its stream is in a gap, at both sites, so that the repair of
 * each has to tell whose value is the newer.
 */

import type { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, statusOf } from './observe.js';
import { Random } from '../support/model/random.js';

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const AOF = { config: { ...LONG_BACKLOG.config, appendonly: 'yes', appendfsync: 'always' } };
const HOT_KEYS = 55;
const LONG = { timeout: 200_000 };
const MENDED = { deadlineMs: 60_000 };
const SECONDS = Number(process.env['TANDEM_TEST_SECONDS'] ?? 12);
const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);

/** Increases and sets keys of its own, and counts what its server has acknowledged. */
class Load {
  /** Of each key: what was acknowledged at the least, and what may have been done at the most. */
  readonly least = new Map<string, number>();
  readonly most = new Map<string, number>();
  /** The newest value that was acknowledged of the key that is set. */
  set = 0;
  readonly #site: Site;
  readonly #client: Redis;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #sent = 0;

  constructor(site: Site) {
    this.#site = site;
    // What was not answered must not be sent again by the client: it may have been done.
    this.#client = site.server.client({ autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 });
    this.#running = this.#write();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#client.disconnect();
  }

  get #own(): string {
    return `${this.#site.name}:`;
  }

  async #write(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const round = Array.from({ length: HOT_KEYS }, (_, at) => this.#increase(`${this.#own}counter:${at}`));
      const done = await Promise.all([...round, this.#setNext(), this.#client.incr('both').catch(() => {})]);
      await sleep(done.includes(false) ? 20 : 2);
    }
  }

  async #increase(key: string): Promise<boolean> {
    this.most.set(key, (this.most.get(key) ?? 0) + 1);
    try {
      await this.#client.incr(key);
    } catch {
      return false;
    }
    this.least.set(key, (this.least.get(key) ?? 0) + 1);
    return true;
  }

  async #setNext(): Promise<boolean> {
    const value = ++this.#sent;
    try {
      await this.#client.set(`${this.#own}set`, value);
    } catch {
      return false;
    }
    this.set = value;
    return true;
  }

  /** What this site alone has written must be at both. */
  async expectKept(sites: readonly Site[]): Promise<void> {
    for (const site of sites) {
      const wrong: string[] = [];
      for (const [key, least] of this.least) {
        const found = Number(await site.redis.get(key));
        if (found < least || found > this.most.get(key)!)
          wrong.push(`${key}: ${found}, and not ${least} to ${this.most.get(key)}`);
      }
      const set = Number(await site.redis.get(`${this.#own}set`));
      if (set < this.set || set > this.#sent) wrong.push(`set: ${set}, and not ${this.set} to ${this.#sent}`);
      expect(wrong, `what ${this.#site.name} has written, at ${site.name}`).toEqual([]);
    }
  }
}

async function restart(site: Site, how: 'kill' | 'halt', pauseMs: number): Promise<void> {
  await (how === 'kill' ? site.server.kill() : site.server.halt());
  await sleep(pauseMs);
  await site.server.start();
}

async function expectMended(running: Pair): Promise<void> {
  for (const site of [running.east, running.west])
    await until(
      `the gap of ${site.name} to be mended\n${site.tail()}`,
      () =>
        statusOf(site).then(
          ({ gap }) => !gap,
          () => false,
        ),
      MENDED,
    );
}

async function begin(): Promise<{ running: Pair; sites: readonly [Site, Site] }> {
  const running = await startPair({ server: AOF, env: { ...QUICK, TANDEM_BACKOFF_MAX_MS: '500' } });
  pair = running;
  return { running, sites: [running.east, running.west] };
}

test.each([
  ['both servers restart by turns', false],
  ['both servers are killed by turns, and the processes too', true],
])(`what one site alone has written is never lost while %s`, LONG, async (_, kills) => {
  const { running, sites } = await begin();
  const random = new Random(SEED);
  const loads = sites.map((site) => new Load(site));
  const end = Date.now() + SECONDS * 1000;
  await sleep(500);
  while (Date.now() < end) {
    for (const site of sites) {
      await restart(site, kills ? 'kill' : 'halt', random.below(200));
      if (kills && random.chance(0.4)) {
        const one = random.pick(sites);
        await one.kill();
        one.start();
      }
      await sleep(random.below(900));
    }
  }
  await sleep(500);
  for (const load of loads) await load.stop();
  await quiet(running, { deadlineMs: 60_000 });
  await expectMended(running);
  await quiet(running);
  for (const load of loads) await load.expectKept(sites);
  await expectEqual(running.east.redis, running.west.redis);
});

test(
  'a repair of hot keys ends while they are written, though the processes are killed every few seconds',
  LONG,
  async () => {
    const { running, sites } = await begin();
    const loads = sites.map((site) => new Load(site));
    const ended = new AbortController();
    await sleep(300);
    for (const site of sites) await restart(site, 'kill', 50);
    const killing = (async () => {
      for (let at = 0; !ended.signal.aborted; at++) {
        await sleep(2500, undefined, { signal: ended.signal }).catch(() => {});
        if (ended.signal.aborted) return;
        await sites[at % 2]!.kill();
        sites[at % 2]!.start();
      }
    })();
    try {
      await expectMended(running);
    } finally {
      ended.abort();
      await killing;
      for (const load of loads) await load.stop();
    }
    await quiet(running, { deadlineMs: 60_000 });
    await expectMended(running);
    for (const load of loads) await load.expectKept(sites);
    await expectEqual(running.east.redis, running.west.redis);
  },
);

test('one restart is one gap, and changes cross again within seconds', LONG, async () => {
  const running = await startPair({ server: { config: { ...AOF.config, 'repl-diskless-sync-delay': '5' } } });
  pair = running;
  const { east, west } = running;
  const from = east.log.length;
  for (let again = 0; again < 3; again++) {
    await restart(east, 'kill', 10);
    await sleep(300);
  }
  const since = performance.now();
  await quiet(running);
  expect(performance.now() - since, east.tail()).toBeLessThan(4000);
  const gaps = (): number => east.log.slice(from).filter(({ msg }) => /must be compared/.test(msg)).length;
  expect(gaps()).toBeGreaterThan(0);
  expect(gaps()).toBeLessThanOrEqual(3);
  expect((await statusOf(east)).capture.gaps).toBe(gaps());
  expect(west.log.some(({ msg }) => /must be compared/.test(msg))).toBe(false);
});
