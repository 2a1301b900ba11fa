import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, ownKeys, statusOf } from './observe.js';
import { runCli, type Outcome } from './run-cli.js';

/** Keys that west does not send: there the sites can be made to differ. */
const HELD = 'held:*';

interface Listed {
  total: number;
  entries: {
    id: string;
    database: number | null;
    command: string;
    key: string;
    error: string;
    tries: number;
  }[];
}

interface Waited {
  done: boolean;
  rejectedThere?: number;
}

let pair: Pair;
beforeAll(async () => {
  pair = await startPair({
    env: QUICK,
    server: LONG_BACKLOG,
    west: { env: { TANDEM_FILTERS_KEYS_EXCLUDE: HELD }, server: { config: { databases: '4' } } },
  });
});
afterAll(() => pair.close());
beforeEach(async () => {
  await pair.west.redis.del(ownKeys().rejected, ownKeys().retries);
});

function environment(site: Site): Record<string, string> {
  const peer = site === pair.east ? pair.west : pair.east;
  return {
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: site.name,
    TANDEM_PEER: peer.name,
    TANDEM_LOCAL_URL: site.server.url,
    TANDEM_PEER_URL: peer.server.url,
  };
}

function rejected(site: Site, ...args: string[]): Promise<Outcome> {
  return runCli(['rejected', ...args], environment(site));
}

async function listed(): Promise<Listed> {
  return JSON.parse((await rejected(pair.west, '--json')).stdout) as Listed;
}

async function expectMended(): Promise<void> {
  await until('the list to be empty', async () => (await pair.west.redis.xlen(ownKeys().rejected)) === 0);
  await quiet(pair);
  await expectEqual(pair.east.redis, pair.west.redis);
  expect(await pair.west.redis.hlen(ownKeys().retries)).toBe(0);
}

test('what was refused is listed; tried again, the key is as at the peer, and both entries of it are gone', async () => {
  const { east, west } = pair;
  await west.redis.set('held:hash', 'text');
  await east.redis.hset('held:hash', 'f', 'a\nb');
  await east.redis.hset('held:hash', 'g', '2');
  await until('both to be listed', async () => (await listed()).total === 2);
  const { stdout } = await rejected(west);
  expect(stdout).toMatch(/^\d+-0 {2}20\S+Z {2}db0 {2}HSET held:hash f "a\\nb"\n {2}WRONGTYPE Operation/);
  expect((await listed()).entries).toMatchObject([
    { database: 0, command: 'HSET', key: 'held:hash', tries: 0 },
    { database: 0, command: 'HSET', key: 'held:hash', tries: 0 },
  ]);
  expect(stdout).toMatch(/^ {2}→ tandem rejected retry ID … \(or --all\): east sends the keys again/m);
  // The list counts, whichever process has listed them; and both sites tell.
  await west.kill();
  await west.redis.del(ownKeys().lease);
  const killedMs = Date.now();
  west.start();
  // The first word of the new process counts: it has listed none of them itself.
  const heard = await until('the new process to be heard', async () => {
    const { other } = await statusOf(east);
    return other && other.heardMs > killedMs ? other : undefined;
  });
  expect(heard.rejectedPending).toBe(2);
  expect(await statusOf(west)).toMatchObject({ rejectedPending: 2, rejected: 0 });
  // The verbs read what the process writes down once a second.
  const waited = await until('wait to tell of the list', async () => {
    const told = JSON.parse((await runCli(['wait', '--json'], environment(east))).stdout) as Waited;
    return told.rejectedThere !== undefined && told;
  });
  expect(waited).toMatchObject({ done: true, rejectedThere: 2 });
  const { code, stdout: said } = await rejected(west, 'retry', '--all');
  expect([code, said]).toEqual([
    0,
    expect.stringMatching(/^east is asked for the keys of 1 change \(1 more was about the same keys\)/),
  ]);
  await expectMended();
  expect(await west.redis.hgetall('held:hash')).toEqual({ f: 'a\nb', g: '2' });
});

test('sums are not added twice, whatever was written since; a process that was killed does it when it is back', async () => {
  const { east, west } = pair;
  await west.redis.set('held:sum', 'text');
  await east.redis.incrby('held:sum', 7);
  await until('it to be listed', async () => (await listed()).total === 1);
  await west.redis.del('held:sum');
  await east.redis.incrby('held:sum', 5);
  await until('the second to be applied', async () => (await west.redis.get('held:sum')) === '5');
  await west.kill();
  await west.redis.del(ownKeys().lease);
  const [{ id }] = (await listed()).entries as [Listed['entries'][number]];
  expect(JSON.parse((await rejected(west, 'retry', id, '--json')).stdout)).toEqual({
    asked: [id],
    merged: [],
    refused: [],
    gone: [],
  });
  expect(await listed()).toMatchObject({ total: 1, entries: [{ id, tries: 1 }] });
  await east.redis.incrby('held:sum', 1);
  west.start();
  await expectMended();
  expect(await west.redis.get('held:sum')).toBe('13');
});

test('what is refused again stays, with its tries; what names several keys goes when all have come', async () => {
  const { east, west } = pair;
  await west.redis.set('held:a', 'text');
  const ninth = east.server.client({ db: 9 });
  await ninth.set('only east', '1');
  await east.redis.eval("redis.call('SADD', KEYS[1], 'x')", 1, 'held:a');
  await east.redis.sadd('held:b', 'x', 'y');
  await east.redis.sunionstore('held:c', 'held:a', 'held:b');
  await until('three to be listed', async () => (await listed()).total === 3);
  await quiet(pair);
  const before = await listed();
  const away = before.entries.find(({ database }) => database === 9)!;
  expect(away.error).toMatch(/^TANDEM this server has no database 9/);
  expect((await rejected(west, 'retry', '--all')).code).toBe(0);
  await until('the one that cannot be applied to be listed again', async () => {
    const { entries } = await listed();
    return entries.length === 2 && entries.every(({ database }) => database === 9);
  });
  expect((await listed()).entries).toMatchObject([
    { id: away.id, command: 'SET', key: '"only east"', tries: 1 },
    { command: 'TANDEM.STATE', key: '"only east"', tries: 0 },
  ]);
  await rejected(west, 'retry', '--all');
  await until('it to come again', async () => (await listed()).entries[1]?.command === 'TANDEM.STATE');
  expect((await listed()).entries).toMatchObject([{ id: away.id, tries: 2 }, { tries: 0 }]);
  expect((await rejected(west, 'drop', '--all')).stdout).toMatch(/^2 taken off the list/);
  expect((await rejected(west)).stdout).toBe('No change was rejected.\n');
  await ninth.del('only east');
  await until('its removal to be listed', async () => (await listed()).total === 1);
  expect(await west.redis.smembers('held:a')).toEqual(['x']);
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
});
