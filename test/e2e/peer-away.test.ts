import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, ownKeys, statusOf, waitingAt } from './observe.js';

const CHANGES = 50_000;
const PIPELINE = 1000;
const CATCH_UP_MS = 50_000;
const KEYS = ownKeys();

let pair: Pair;

afterEach(() => pair.close());

async function link(options: PairOptions = {}): Promise<void> {
  pair = await startPair({ server: LONG_BACKLOG, ...options, env: { ...QUICK, ...options.env } });
}

interface Absence {
  what: string;
  options?: PairOptions;
  begin: (pair: Pair) => Promise<unknown> | void;
  end: (pair: Pair) => Promise<unknown> | void;
  /** Where east's changes wait meanwhile: west may still take them in. */
  waitAt: 'the change list' | 'the inbox' | 'the replication stream';
}

const ABSENCES: readonly Absence[] = [
  {
    what: 'the network is cut',
    options: { proxy: true },
    begin: ({ east, west }) => [east, west].forEach((site) => site.network.cut()),
    end: ({ east, west }) => [east, west].forEach((site) => site.network.resume()),
    waitAt: 'the change list',
  },
  {
    what: "the peer's Redis hangs",
    options: { env: { TANDEM_COMMAND_TIMEOUT_MS: '2000' } },
    begin: ({ west }) => west.server.pause(),
    end: ({ west }) => west.server.resume(),
    waitAt: 'the change list',
  },
  {
    what: "the peer's Redis was killed, and comes back with what it had on disk",
    options: { west: { server: { config: { appendonly: 'yes', appendfsync: 'always' } } } },
    begin: ({ west }) => west.server.kill(),
    end: ({ west }) => west.server.start(),
    waitAt: 'the change list',
  },
  {
    what: "the peer's process is not running",
    begin: ({ west }) => west.kill(),
    end: ({ west }) => west.start(),
    waitAt: 'the inbox',
  },
  {
    what: "the peer's process hangs",
    begin: ({ west }) => west.pause(),
    end: ({ west }) => west.resume(),
    waitAt: 'the inbox',
  },
  {
    what: "the site's own process is not running",
    begin: ({ east }) => east.kill(),
    end: ({ east }) => east.start(),
    waitAt: 'the replication stream',
  },
];

test.each(ABSENCES)(
  'while $what, 50,000 changes wait in $waitAt; then they arrive in order',
  async (absence) => {
    await link(absence.options);
    const { east, west } = pair;
    await absence.begin(pair);
    await push(east, CHANGES);
    if (absence.waitAt === 'the change list') {
      await until('the changes to stand in the change list', async () => (await lengthOf(east)) >= CHANGES);
      expect((await waitingAt(east, KEYS)).changesBytes).toBeGreaterThan(CHANGES * 20);
    } else if (absence.waitAt === 'the inbox') {
      await until('all changes to be delivered', async () => await isDelivered(east));
      expect((await waitingAt(west, KEYS)).inbox).toBeGreaterThan(CHANGES / 1000);
    }
    await absence.end(pair);
    await expectInOrder(CHANGES);
  },
);

test('a full inbox slows the sender, and loses nothing', async () => {
  const limit = 1024 * 1024;
  await link({ west: { env: { TANDEM_INBOX_BYTES: String(limit) } } });
  const { east, west } = pair;
  await west.kill();
  await push(east, CHANGES, 'x'.repeat(60));
  await until('the sender to say that the inbox is full', async () => {
    const { state, detail } = (await statusOf(east)).outbound;
    return state === 'backing-off' && /inbox is full/.test(detail ?? '');
  });
  const { inboxBytes } = await waitingAt(west, KEYS);
  expect(inboxBytes).toBeGreaterThan(limit / 2);
  expect(inboxBytes).toBeLessThanOrEqual(limit);
  expect((await waitingAt(east, KEYS)).changesBytes).toBeGreaterThan(limit);
  west.start();
  await expectInOrder(CHANGES, 'x'.repeat(60));
});

test.each([
  { what: 'breaks', reset: true },
  { what: 'brings everything after all', reset: false },
])(
  'a network that swallows everything is noticed; nothing is lost or doubled when it $what',
  async ({ reset }) => {
    await link({ proxy: true, env: { TANDEM_COMMAND_TIMEOUT_MS: '1000' } });
    const { east, west } = pair;
    for (const site of [east, west]) site.network.swallow();
    await Promise.all([push(east, 5000), increase(west, 5000)]);
    for (const site of [east, west])
      await until(
        `${site.name} to notice`,
        async () => (await statusOf(site)).outbound.state === 'backing-off',
        {
          deadlineMs: 20_000,
        },
      );
    for (const site of [east, west]) site.network.resume({ reset });
    await expectInOrder(5000);
    expect(await east.redis.get('counter')).toBe('5000');
  },
);

test('an idle network that died without a word is noticed, and what follows crosses', async () => {
  await link({ proxy: true, env: { TANDEM_COMMAND_TIMEOUT_MS: '1000' } });
  const { east, west } = pair;
  for (let round = 0; round < 3; round++) {
    for (const site of [east, west]) site.network.reset();
    await east.redis.set('round', round);
    await until('the write to cross', async () => (await west.redis.get('round')) === String(round));
  }
  await expectNothingWaits(pair);
});

async function push(site: Site, count: number, filling = ''): Promise<void> {
  for (let done = 0; done < count; done += PIPELINE) {
    const pipeline = site.redis.pipeline();
    for (let i = done; i < Math.min(done + PIPELINE, count); i++) pipeline.rpush('list', `${i}${filling}`);
    await pipeline.exec();
  }
}

async function increase(site: Site, count: number): Promise<void> {
  const pipeline = site.redis.pipeline();
  for (let i = 0; i < count; i++) pipeline.incr('counter');
  await pipeline.exec();
}

/** Changes in the change list, by the sequences the process tells: what it has captured less what the peer has seen. */
async function lengthOf(site: Site): Promise<number> {
  const { capture, outbound } = await statusOf(site);
  return capture.nextSequence - 1 - outbound.seenByPeer;
}

async function isDelivered(site: Site): Promise<boolean> {
  const { capture, outbound } = await statusOf(site);
  return outbound.deliveredSequence > CHANGES && outbound.deliveredSequence === capture.nextSequence - 1;
}

async function expectInOrder(count: number, filling = ''): Promise<void> {
  const { east, west } = pair;
  const options = { deadlineMs: CATCH_UP_MS };
  await until('all changes to arrive', async () => (await west.redis.llen('list')) >= count, options);
  await quiet(pair, options);
  const list = await west.redis.lrange('list', 0, -1);
  const wrong = list.findIndex((element, index) => element !== `${index}${filling}`);
  expect({ length: list.length, wrong }).toEqual({ length: count, wrong: -1 });
  await expectEqual(east.redis, west.redis);
  await expectNothingWaits(pair);
}
