/**
 * Both sites leave out a command that makes a key of others, and ask each other for that key. Before it has the other's request one
 * of them makes the key again, of others. Whichever request is answered, both sites must end with one value.
 */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { FailingWatches } from '../support/failing-watches.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet, ROUNDS_WHEN_CONTENDED } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, ownKeys, QUICK } from './observe.js';
import { StepProxy } from './step-proxy.js';

type SiteName = 'east' | 'west';
type Words = readonly [string, ...string[]];

const KEYS = ownKeys();

/** What makes the key anew, or removes it, at one site. */
const MAKING: Readonly<Record<string, Words>> = {
  COPY: ['COPY', 'third', 'made', 'REPLACE'],
  RENAME: ['RENAME', 'third', 'made'],
  'RENAME of the key': ['RENAME', 'made', 'elsewhere'],
  SUNIONSTORE: ['SUNIONSTORE', 'made', 'third', 'fourth'],
  'SINTERSTORE of nothing': ['SINTERSTORE', 'made', 'third', 'absent'],
  'SORT … STORE': ['SORT', 'third', 'ALPHA', 'STORE', 'made'],
  SET: ['SET', 'made', 'text'],
  DEL: ['DEL', 'made'],
};
const CASES = Object.entries(MAKING);

let pair: Pair;
/** The way into each site's server for the process of the other one. */
const ways = {} as Record<SiteName, StepProxy>;
/** Whether a site can look at its keys. */
const looks = { east: new FailingWatches(), west: new FailingWatches() };

beforeAll(async () => {
  for (const name of ['east', 'west'] as const) ways[name] = await StepProxy.start();
  pair = await startPair({
    server: LONG_BACKLOG,
    env: { ...QUICK, TANDEM_LEASE_MS: '60000' },
    east: { peerUrl: (server) => ways.east.urlTo(server), env: looks.east.env },
    west: { peerUrl: (server) => ways.west.urlTo(server), env: looks.west.env },
  });
});

beforeEach(async () => {
  const { redis } = pair.east;
  await redis.del('first', 'second', 'third', 'fourth', 'made', 'elsewhere');
  for (const [key, member] of Object.entries({ first: 'a', second: 'b', third: 'c', fourth: 'd' }))
    await redis.sadd(key, member);
  await quiet(pair);
});

afterAll(async () => {
  await pair.close();
  await Promise.all(Object.values(ways).map((way) => way.close()));
  for (const one of Object.values(looks)) one.remove();
});

function isRequest(args: readonly Buffer[]): boolean {
  return (
    args.some((one) => one.equals(Buffer.from(KEYS.inbox))) && args.some((one) => one.includes('TANDEM.NEED'))
  );
}

/** Both make the key, and ask for it. @returns what lets their requests go */
async function bothAsk(): Promise<Record<SiteName, () => void>> {
  const { east, west } = pair;
  const requests = { east: ways.west.hold(isRequest), west: ways.east.hold(isRequest) };
  for (const site of [east, west]) site.pause();
  await east.redis.copy('first', 'made', 'REPLACE');
  await west.redis.copy('second', 'made', 'REPLACE');
  for (const site of [east, west]) site.resume();
  return { east: await requests.east, west: await requests.west };
}

/** Writes, and waits until it is in the change list. @returns the last sequence there */
async function write({ name, redis }: Site, [command, ...args]: Words): Promise<number> {
  const next = async (): Promise<number> => Number(await redis.hget(KEYS.state, 'next'));
  const before = await next();
  await redis.call(command, ...args);
  await until(`a change to be captured at ${name}`, async () => (await next()) > before);
  return (await next()) - 1;
}

async function applied({ name, redis }: Site, sequence: number): Promise<void> {
  const n = async (): Promise<number> => Number(await redis.hget(KEYS.applied, 'n'));
  await until(`a change to be applied at ${name}`, async () => (await n()) >= sequence);
}

test.each(
  CASES.flatMap(([how, words]) => (['east', 'west'] as const).map((name) => [name, how, words] as const)),
)('a key that both ask for ends the same where %s writes it meanwhile: %s', async (name, _, words) => {
  const [site, other] = name === 'east' ? [pair.east, pair.west] : [pair.west, pair.east];
  const letGo = await bothAsk();
  const last = await write(site, words);
  letGo[name]();
  await applied(other, last);
  letGo[name === 'east' ? 'west' : 'east']();
  await quiet(pair);
  await expectEqual(pair.east.redis, pair.west.redis);
});

test.each(CASES)(
  'so it does where the asked site counts the request for settled by an answer to its own: %s',
  async (_, words) => {
    const { east, west } = pair;
    looks.east.begin(1);
    const letGo = await bothAsk();
    // West has made it anew when east's request comes, and does not look at it: it awaits the answer to its own.
    const last = await write(west, words);
    const asked = Number(await east.redis.hget(KEYS.state, 'next')) - 1;
    looks.east.end();
    looks.west.begin(1);
    letGo.east();
    await applied(west, asked);
    looks.west.end();
    letGo.west();
    await applied(east, last);
    await quiet(pair, { rounds: ROUNDS_WHEN_CONTENDED });
    await expectEqual(east.redis, west.redis);
  },
);

test('a value that was left out while a request was open is not lost, though the process that left it out dies', async () => {
  const { east, west } = pair;
  looks.east.begin(1);
  const request = ways.west.hold(isRequest);
  for (const site of [east, west]) site.pause();
  await west.redis.incr('made');
  east.resume();
  // In a batch before the request: west has it when it writes again.
  const appended = await write(east, ['APPEND', 'made', 'a']);
  west.resume();
  await request;
  await applied(west, appended);
  const last = await write(west, ['SET', 'made', 'later']);
  await applied(east, last);
  await east.kill('SIGKILL');
  looks.east.end();
  await east.redis.del(KEYS.lease);
  east.start();
  await quiet(pair, { rounds: ROUNDS_WHEN_CONTENDED });
  await expectEqual(east.redis, west.redis);
  expect(await east.redis.get('made')).toBe('later');
});
