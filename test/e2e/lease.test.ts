import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { freePort } from '../support/ports.js';
import { quiet } from '../support/quiet.js';
import { type LogLine, TandemProcess } from '../support/tandem-process.js';
import { until } from '../support/wait.js';
import { Load } from './load.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, ownKeys } from './observe.js';

const LEASE_MS = 2000;
const TAKE_OVER_MS = LEASE_MS + 1000;
const ACTIVE = 'active: this process works for the site';
/** Less than any lease here. */
const REPLACED_MS = 10_000;
const STANDBY = 'standby: another process works for this site, waiting for its lease';

let pair: Pair;
let second: TandemProcess;

afterEach(async () => {
  // A process that a test has left stopped could not end.
  second.resume();
  await second.close();
  await pair.close();
});

beforeEach(() => startBoth(LEASE_MS));

/** Two sites, and a second process for east. */
async function startBoth(leaseMs: number): Promise<void> {
  const env = { ...QUICK, TANDEM_LEASE_MS: String(leaseMs) };
  pair = await startPair({ env, server: LONG_BACKLOG });
  second = new TandemProcess('east, second', {
    ...env,
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: pair.east.server.url,
    TANDEM_PEER_URL: pair.west.server.url,
    TANDEM_HTTP_PORT: String(await freePort()),
  });
  second.start();
  await second.waitForLog(STANDBY);
}

/** Both anew, with another lease, under load. */
async function loadWith(leaseMs: number): Promise<Load> {
  await second.close();
  await pair.close();
  await startBoth(leaseMs);
  const load = new Load(pair);
  load.start();
  await until('some load', () => load.rounds > 50);
  return load;
}

test('of two processes for a site one works, and the other says that it waits', async () => {
  expect(second.log.map(({ msg }) => msg)).not.toContain(ACTIVE);
  await pair.east.redis.set('key', 'x');
  await quiet(pair);
  expect(await pair.west.redis.get('key')).toBe('x');
});

test('when the active one is killed the other takes over within the lease and a second, and nothing is lost', async () => {
  const load = new Load(pair);
  load.start();
  await until('some load', () => load.rounds > 50);
  const killedAt = Date.now();
  await pair.east.kill();
  const line = await second.waitForLog(ACTIVE);
  expect(timeOf(line) - killedAt).toBeLessThan(TAKE_OVER_MS);
  await until('more load', () => load.rounds > 500);
  await load.stop();
  await expectExact(load);
});

test('a process that is killed is replaced at once, however long its lease, by a new one or by the one that waits', async () => {
  const load = await loadWith(30_000);
  await pair.east.kill();
  const killedAt = Date.now();
  const line = await second.waitForLog(ACTIVE);
  expect(timeOf(line) - killedAt).toBeLessThan(REPLACED_MS);
  await second.kill();
  pair.east.start();
  await pair.east.waitForLog(ACTIVE, { from: pair.east.log.length });
  await until('more load', () => load.rounds > 500);
  await load.stop();
  await expectExact(load);
});

test('an active process whose subscription alone is cut goes on, while another waits', async () => {
  const { east } = pair;
  const from = second.log.length;
  const holder = await east.redis.get(ownKeys().lease);
  expect(holder).toMatch(/\+$/);
  await east.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  const channel = `${ownKeys().lease}:${holder!.slice(0, -1)}`;
  await until('it to be back', async () => {
    const [, subscribers] = (await east.redis.pubsub('NUMSUB', channel)) as [string, number];
    return subscribers === 1;
  });
  expect(await east.redis.get(ownKeys().lease)).toBe(holder);
  expect(second.log.slice(from)).toEqual([]);
});

test('an active process that was stopped past its lease does no harm when it wakes up, and then waits', async () => {
  const { east } = pair;
  const load = new Load(pair);
  load.start();
  await until('some load', () => load.rounds > 50);
  for (const [sleeper, other] of [
    [east, second],
    [second, east],
  ] as const) {
    const from = { sleeper: sleeper.log.length, other: other.log.length };
    sleeper.pause();
    await other.waitForLog(ACTIVE, { from: from.other });
    const rounds = load.rounds;
    await until('more load', () => load.rounds > rounds + 300);
    sleeper.resume();
    await sleeper.waitForLog((line) => line['reason'] === 'FENCED', { from: from.sleeper });
    await sleeper.waitForLog(STANDBY, { from: from.sleeper });
    expect(other.log.slice(from.other).filter(({ level }) => level === 'error')).toEqual([]);
  }
  await load.stop();
  await expectExact(load);
});

test('SIGTERM ends a process with 0 within 5 s, gives its lease back, and nothing is lost', async () => {
  const load = await loadWith(30_000);
  const askedAt = Date.now();
  expect(await pair.east.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  const line = await second.waitForLog(ACTIVE);
  expect(timeOf(line) - askedAt).toBeLessThan(5000);
  await until('more load', () => load.rounds > 300);
  await load.stop();
  await expectExact(load);
});

test('a process that is asked to end while another works leaves the lease alone', async () => {
  const { east } = pair;
  const holder = await east.redis.get(ownKeys().lease);
  expect(await second.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(await east.redis.get(ownKeys().lease)).toBe(holder);
  const from = second.log.length;
  second.start();
  await second.waitForLog(STANDBY, { from });
});

/** Not by `quiet`: that asks for the pair's own processes, and here the second one may be at work. */
async function expectExact(load: Load): Promise<void> {
  await until('both sites to hold what was written', () => load.expectExact().then(() => true), {
    deadlineMs: 45_000,
  });
  await expectEqual(pair.east.redis, pair.west.redis);
  await expectNothingWaits(pair);
}

function timeOf(line: LogLine): number {
  return Date.parse(String(line['time']));
}
