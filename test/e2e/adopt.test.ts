import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, ownKeys, statusOf } from './observe.js';
import { runCli, startCli, type Outcome } from './run-cli.js';

let pair: Pair;
afterEach(() => pair.close());

const KEYS = ownKeys();
const GAP = /the sites must be compared/;
/** Redis 6.2 says where the data of an RDB file stands in its origin's stream to replicas alone. */
const hasPlace = !/6\.2/.test(process.env['TANDEM_TEST_REDIS'] ?? '');

function start(options: PairOptions = {}): Promise<Pair> {
  return startPair({ server: LONG_BACKLOG, start: false, ...options, env: { ...QUICK, ...options.env } });
}

function settings(site: Site, as = site.name, server = site.server): Record<string, string> {
  const peer = site === pair.east ? pair.west : pair.east;
  return {
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: as,
    TANDEM_PEER: as === 'east' ? 'west' : 'east',
    TANDEM_LOCAL_URL: server.url,
    TANDEM_PEER_URL: peer.server.url,
  };
}

function adopt(): Promise<Outcome> {
  return runCli(['adopt', '--json'], settings(pair.west), 70_000);
}

/** Writes what shows each change that is lost, made twice, or made out of order; all acknowledged by one server. */
class Writer {
  readonly #name: string;
  readonly #redis: Redis;
  #rounds = 0;
  #stop = false;
  #running: Promise<void> = Promise.resolve();

  constructor(name: string, redis: Redis) {
    this.#name = name;
    this.#redis = redis;
  }

  get rounds(): number {
    return this.#rounds;
  }

  start(): this {
    this.#running = this.#write();
    this.#running.catch(() => {});
    return this;
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await this.#running;
  }

  async #write(): Promise<void> {
    while (!this.#stop) {
      const pipeline = this.#redis.pipeline();
      for (let i = 0; i < 5; i++) {
        const round = this.#rounds + i;
        pipeline.incr(`${this.#name}:count`).incr('shared').rpush(`${this.#name}:list`, round);
        pipeline
          .call('MULTI')
          .incr(`${this.#name}:a`)
          .decr(`${this.#name}:b`)
          .append(`${this.#name}:text`, 'x')
          .call('EXEC');
        pipeline.set(`${this.#name}:last`, round);
      }
      const replies = (await pipeline.exec()) ?? [];
      const failed = replies.find(([error]) => error !== null);
      if (failed) throw failed[0] as Error;
      this.#rounds += 5;
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
    }
  }

  async expectExact(site: Site): Promise<void> {
    const { redis } = site;
    const name = this.#name;
    const [count, a, b, last] = await redis.mget(`${name}:count`, `${name}:a`, `${name}:b`, `${name}:last`);
    const list = await redis.lrange(`${name}:list`, 0, -1);
    expect(
      {
        count,
        a,
        b,
        last,
        text: await redis.strlen(`${name}:text`),
        length: list.length,
        misplaced: list.findIndex((element, at) => element !== String(at)),
      },
      `what the writer ${name} left at ${site.name}\n${site.tail()}`,
    ).toEqual({
      count: String(this.#rounds),
      a: String(this.#rounds),
      b: String(-this.#rounds),
      last: String(this.#rounds - 1),
      text: this.#rounds,
      length: this.#rounds,
      misplaced: -1,
    });
  }
}

/** Both sites hold all that the writers wrote, once. */
async function expectExact(...writers: Writer[]): Promise<void> {
  for (const writer of writers) await writer.stop();
  await quiet(pair);
  for (const site of [pair.east, pair.west]) {
    for (const writer of writers) await writer.expectExact(site);
    const sum = writers.reduce((rounds, writer) => rounds + writer.rounds, 0);
    expect(await site.redis.get('shared'), `the shared counter at ${site.name}`).toBe(String(sum));
  }
  await expectEqual(pair.east.redis, pair.west.redis);
}

/** What could not be told has been compared. */
async function expectRepaired(): Promise<void> {
  const { east } = pair;
  await until('the repair to end', async () => !(await statusOf(east)).gap, { deadlineMs: 30_000 }).catch(
    (error: unknown) => expect.fail(`${String(error)}\n${east.tail()}`),
  );
}

/** West's server comes up with what east's holds at this moment. */
async function copyFile(): Promise<void> {
  const { east, west } = pair;
  await west.server.halt();
  await east.redis.call('SAVE');
  copyFileSync(join(east.server.dir, 'dump.rdb'), join(west.server.dir, 'dump.rdb'));
  await west.server.start();
}

/** West's server becomes a replica of east's, and then a primary. */
async function promote(): Promise<void> {
  const { east, west } = pair;
  await west.redis.replicaof(east.server.host, east.server.port);
  await until('the replica to be in step', async () =>
    (await west.redis.info('replication')).includes('master_link_status:up'),
  );
  await until('the replica to have more than the snapshot', async () => {
    const [there, here] = await Promise.all([east.redis.get('east:count'), west.redis.get('east:count')]);
    return Number(here) > 0 && Number(there) - Number(here) < 500;
  });
  await west.redis.replicaof('NO', 'ONE');
}

const WAYS = { 'the RDB file': copyFile, 'a replica that was promoted': promote };

/** East's process works, nobody at west; there is something from before and much that is written. */
async function eastAlone(): Promise<Writer> {
  const { east } = pair;
  await east.redis.mset('before', '1', 'other', '2');
  east.start();
  await east.waitForLog('reading the replication stream');
  await until('the first position', () => east.redis.hexists(KEYS.state, 'replid'));
  const writer = new Writer('east', east.redis).start();
  await until('much to be written', () => writer.rounds > 2000);
  return writer;
}

test.each(Object.entries(WAYS))(
  'a copy of the data by %s is taken over exactly while both are written, though both processes are killed in between',
  async (way, copy) => {
    if (way === 'the RDB file' && !hasPlace) return;
    pair = await start();
    const { east, west } = pair;
    const writer = await eastAlone();
    await copy();
    const atWest = new Writer('west', west.redis).start();
    await east.kill();
    // Without east's process nobody answers; it is cut off, and begun again.
    const cutOff = startCli(['adopt'], settings(west));
    await until('the question', () => west.redis.exists(KEYS.copy));
    expect((await cutOff.end('SIGKILL')).stdout).toBe('');
    east.start();
    const outcome = await adopt();
    expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(outcome.stdout)).toMatchObject({ adopted: true, isExact: true, isCompared: false });
    expect(JSON.parse((await adopt()).stdout)).toEqual({ adopted: false });
    west.start();
    await west.waitForLog('reading the replication stream');
    await west.kill();
    west.start();
    await until('more to be written', () => atWest.rounds > 1500);
    await expectExact(writer, atWest);
    for (const site of [east, west]) {
      expect((await statusOf(site)).gap).toBe(false);
      expect(site.log.filter(({ msg }) => GAP.test(msg))).toEqual([]);
      await until(`nothing to be copied at ${site.name}`, () => site.redis.hexists(KEYS.state, 'copied'));
    }
    expect((await runCli(['verify'], settings(west))).code).toBe(0);
  },
  60_000,
);

test('a site that is brought up anew from a copy of the other one goes on behind what it had sent before', async () => {
  if (!hasPlace) return;
  pair = await start({ start: true });
  const { east, west } = pair;
  const before = [new Writer('old', west.redis).start(), new Writer('east', east.redis).start()] as const;
  await until('much to be written', () => before.every(({ rounds }) => rounds > 1000));
  await before[0].stop();
  await quiet(pair);
  await west.kill();
  await copyFile();
  expect(JSON.parse((await adopt()).stdout)).toMatchObject({ isExact: true, isCompared: false });
  west.start();
  const again = new Writer('new', west.redis).start();
  await until('more to be written', () => again.rounds > 500);
  await expectExact(...before, again);
  for (const site of [east, west]) expect(site.log.filter(({ msg }) => GAP.test(msg))).toEqual([]);
}, 60_000);

test('a copy whose place is in the change list no more is said to be inexact, and both sites become equal', async () => {
  pair = await start({ env: { TANDEM_CHANGES_BYTES: '1MiB' } });
  const { east, west } = pair;
  const writer = await eastAlone();
  await copyFile();
  const from = east.log.length;
  for (let i = 0; i < 12; i++) await east.redis.set(`large:${i % 3}`, 'x'.repeat(100_000));
  await east.waitForLog(/^the change list reached its bound/, { from });
  const outcome = await adopt();
  expect(JSON.parse(outcome.stdout)).toMatchObject({ adopted: true, isExact: false, isCompared: true });
  await east.waitForLog(/^the peer's Redis is a copy of this one, of which it cannot be told what it has/);
  west.start();
  await writer.stop();
  await expectRepaired();
  await expectExact(writer);
}, 60_000);

test('a copy that was read from another file since is inexact, and is compared', async () => {
  pair = await start();
  const { west } = pair;
  const writer = await eastAlone();
  await copyFile();
  await west.redis.call('SAVE');
  await west.server.restart();
  const outcome = await runCli(['adopt'], settings(west), 70_000);
  expect(outcome.stdout).toMatch(
    /^This Redis is that of site west now\.\nIt cannot be told which changes of east/,
  );
  west.start();
  await writer.stop();
  await expectRepaired();
  await expectExact(writer);
}, 60_000);

test('nothing but adopt takes a copy over: unpair refuses there, run names it, and the origin goes on beside it', async () => {
  pair = await start();
  const { east, west } = pair;
  const writer = await eastAlone();
  await copyFile();
  const unpaired = await runCli(['unpair', '--yes'], settings(west, 'east'));
  expect([unpaired.code, unpaired.stderr]).toEqual([
    6,
    expect.stringMatching(/is a copy of[^]*tandem adopt/),
  ]);
  west.start();
  expect((await west.ended()).code).toBe(6);
  expect(west.log.at(-1)).toMatchObject({ hint: expect.stringMatching(/run tandem adopt here/) as string });
  // A start of the origin's process is not kept from its stream by what stands at the other end.
  await east.kill('SIGTERM');
  const from = east.log.length;
  east.start();
  await east.waitForLog('reading the replication stream', { from });
  // The origin itself is no copy of itself, nor of the copy.
  const mistaken = { ...settings(west, 'west', east.server), TANDEM_PEER_URL: west.server.url };
  expect(await runCli(['adopt'], mistaken)).toMatchObject({
    code: 6,
    stderr: expect.stringMatching(/is the Redis of site east, and no copy/) as string,
  });
  expect(JSON.parse((await adopt()).stdout)).toMatchObject({ isExact: hasPlace });
  const owner = await runCli(['unpair', '--yes'], settings(west, 'east'));
  expect([owner.code, owner.stderr]).toEqual([6, expect.stringMatching(/is that of site west/)]);
  west.start();
  await expectExact(writer);
}, 60_000);

test('a Redis without anything of the pair, or still a replica, is not taken over', async () => {
  pair = await start();
  const { east, west } = pair;
  east.start();
  await east.waitForLog('reading the replication stream');
  expect(await adopt()).toMatchObject({
    code: 6,
    stderr: expect.stringMatching(/no copy of east's/) as string,
  });
  await west.redis.replicaof(east.server.host, east.server.port);
  await until('the data to be there', () => west.redis.exists(KEYS.state));
  expect(await adopt()).toMatchObject({
    code: 5,
    stderr: expect.stringMatching(/REPLICAOF NO ONE/) as string,
  });
}, 30_000);
