import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until, within } from '../support/wait.js';
import { QUICK, expectNothingWaits, ownKeys, statusOf } from './observe.js';
import { StepProxy, type Step } from './step-proxy.js';

/**
 * A local write slips in between the decision about a change of the peer's and its application: the applier's transaction is held
 * on its way to the server, an application writes, and the transaction is let go. Capture finds such a write in the stream; the
 * peer is then asked for the key (TANDEM.NEED), and its answer (TANDEM.STATE) settles it at both sites. Of two `SET`s the later one is put
 * back instead (`put-back.test.ts`).
 */

const KEYS = ownKeys();
const HOLD_DEADLINE_MS = 10_000;
const ASKING = 'local writes slipped in before a change was applied: asking for the state';

type Words = readonly [string, ...(string | number)[]];

interface Case {
  readonly name: string;
  /** At both sites before. */
  readonly before?: Words;
  readonly theirs: Words;
  readonly late: Words;
  /** How many keys the peer is asked for: none when the writes come out the same in either order. */
  readonly asked: number;
  /** Whether the late value is put back without a question, or with one where the peer has taken it by then. */
  readonly isPutBack?: boolean;
  /** What is read, and must be found, at both sites in the end. */
  readonly read: Words;
  readonly expected: unknown;
  /** What is found when both sites write both, and each one's second write slips in. */
  readonly crossing?: unknown;
}

const CASES: readonly Case[] = [
  {
    name: 'a plain key',
    theirs: ['SET', 'k', 'theirs'],
    late: ['SET', 'k', 'late'],
    asked: 0,
    isPutBack: true,
    read: ['GET', 'k'],
    expected: 'late',
    crossing: 'late',
  },
  {
    name: 'a plain key that the peer deletes',
    before: ['SET', 'k', 'before'],
    theirs: ['DEL', 'k'],
    late: ['SET', 'k', 'late'],
    asked: 1,
    read: ['GET', 'k'],
    expected: 'late',
  },
  {
    name: 'a plain key that is deleted',
    before: ['SET', 'k', 'before'],
    theirs: ['SET', 'k', 'theirs'],
    late: ['DEL', 'k'],
    asked: 1,
    read: ['GET', 'k'],
    expected: 'theirs',
  },
  {
    name: 'a field of a hash',
    theirs: ['HSET', 'k', 'f', 'theirs'],
    late: ['HSET', 'k', 'f', 'late'],
    asked: 1,
    read: ['HGETALL', 'k'],
    expected: ['f', 'late'],
    crossing: ['f', 'late'],
  },
  {
    name: 'two fields of a hash',
    before: ['HSET', 'k', 'n', 1],
    theirs: ['HSET', 'k', 'f', 'theirs'],
    late: ['HINCRBY', 'k', 'n', 10],
    asked: 1,
    read: ['HMGET', 'k', 'n', 'f'],
    expected: ['11', 'theirs'],
    crossing: ['21', 'theirs'],
  },
  {
    name: 'a list',
    before: ['RPUSH', 'k', 'before'],
    theirs: ['RPUSH', 'k', 'theirs'],
    late: ['LPUSH', 'k', 'late'],
    asked: 0,
    read: ['LRANGE', 'k', 0, -1],
    expected: ['late', 'before', 'theirs'],
    crossing: ['late', 'late', 'before', 'theirs', 'theirs'],
  },
  {
    name: 'a counter',
    before: ['SET', 'k', 100],
    theirs: ['INCRBY', 'k', 7],
    late: ['INCRBY', 'k', 5],
    asked: 0,
    read: ['GET', 'k'],
    expected: '112',
    crossing: '124',
  },
  {
    name: 'a counter that the peer sets',
    before: ['SET', 'k', 100],
    theirs: ['SET', 'k', 10],
    late: ['INCRBY', 'k', 5],
    asked: 1,
    read: ['GET', 'k'],
    expected: '15',
  },
];

let pair: Pair;
const proxies = {} as Record<'east' | 'west', StepProxy>;

beforeAll(async () => {
  for (const name of ['east', 'west'] as const) proxies[name] = await StepProxy.start();
  pair = await startPair({
    env: { ...QUICK, TANDEM_LOG_LEVEL: 'debug', TANDEM_LEASE_MS: '60000' },
    east: { localUrl: (server) => proxies.east.urlTo(server) },
    west: { localUrl: (server) => proxies.west.urlTo(server) },
  });
});

afterAll(async () => {
  await pair?.close();
  await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
});

beforeEach(async () => {
  await pair.east.redis.del('k');
  await quiet(pair);
});

describe.each(['at once', 'when the peer has the late write'] as const)('applied %s', (when) => {
  test.each(CASES)('a write that slips in on $name is settled at both sites', async (one) => {
    const { east, west } = pair;
    if (one.before) await run(west.redis, one.before);
    await quiet(pair);
    const [before, from] = [await statusOf(east), east.log.length];
    const letGo = await decidedAbout(east, () => run(west.redis, one.theirs));
    await run(east.redis, one.late);
    if (when !== 'at once') await appliedAt(west);
    letGo();
    await settled(one);
    expect((await statusOf(east)).late - before.late).toBe(one.isPutBack ? 1 : one.asked);
    expect(askedFor(east, from)).toBe(one.asked);
  });
});

test.each([
  ['', []],
  [' that is capped', ['MAXLEN', '~', 100]],
] as const)(
  'the first local entry of a stream%s slips in above one of the peer, which is neither lost nor rejected',
  async (_, trim) => {
    const { east, west } = pair;
    const key = `stream:${trim.length}`;
    const rejected = await east.redis.xlen(KEYS.rejected);
    const letGo = await decidedAbout(east, () =>
      run(west.redis, ['XADD', key, ...trim, '5-1', 'from', 'theirs']),
    );
    await run(east.redis, ['XADD', key, ...trim, '7-1', 'from', 'late']);
    letGo();
    await settled({
      read: ['XRANGE', key, '-', '+'],
      expected: [
        ['5-1', ['from', 'theirs']],
        ['7-1', ['from', 'late']],
      ],
    });
    expect(await east.redis.xlen(KEYS.rejected)).toBe(rejected);
  },
);

test.each(CASES.filter(({ crossing }) => crossing !== undefined))(
  'writes that slip in at both sites at once on $name are settled at both',
  async (one) => {
    const { east, west } = pair;
    if (one.before) await run(west.redis, one.before);
    await quiet(pair);
    const letGo = await Promise.all([
      decidedAbout(east, () => run(west.redis, one.theirs)),
      decidedAbout(west, () => run(east.redis, one.theirs)),
    ]);
    for (const site of [east, west]) await run(site.redis, one.late);
    for (const goOn of letGo) goOn();
    await settled({ ...one, expected: one.crossing });
  },
);

test('a removal that slips in where the local value was to stay is settled, though the process that decided so dies', async () => {
  const { east, west } = pair;
  // Of what is older than the first batch of a process it is not known whether the value stands there.
  await run(west.redis, ['SET', 'before', 1]);
  await quiet(pair);
  const applied = Number(await east.redis.hget(KEYS.applied, 'n'));
  east.pause();
  // It stands before the other in the stream, and is read, and so dated, behind it.
  await run(east.redis, ['SET', 'k', 'own']);
  await decidedAbout(east, async () => {
    await run(west.redis, ['SET', 'k', 'theirs']);
    await until('the change to be delivered', async () => (await east.redis.llen(KEYS.inbox)) > 0);
    east.resume();
  });
  await run(east.redis, ['DEL', 'k']);
  const letGo = proxies.east.cutAndHold();
  await east.kill();
  letGo();
  const isApplied = async (): Promise<boolean> => Number(await east.redis.hget(KEYS.applied, 'n')) > applied;
  await until('the transaction to be carried out', isApplied);
  expect(await east.redis.exists('k')).toBe(0);
  east.start();
  await settled({ read: ['GET', 'k'], expected: 'theirs' });
});

interface Crossing {
  readonly name: string;
  readonly theirs: Words;
  readonly late: Words;
  /** Written at both sites when each has asked the other for the key, and none has answered. */
  readonly more: Words;
  readonly read: Words;
  readonly expected: unknown;
}

const CROSSINGS: readonly Crossing[] = [
  {
    name: 'a list',
    theirs: ['RPUSH', 'k', 'theirs'],
    late: ['RPUSH', 'k', 'late'],
    more: ['RPUSH', 'k', 'more'],
    read: ['LLEN', 'k'],
    expected: 6,
  },
  {
    name: 'a hash',
    theirs: ['HSET', 'k', 'f', 'theirs'],
    late: ['HSET', 'k', 'f', 'late'],
    more: ['HINCRBY', 'k', 'n', 100],
    read: ['HGET', 'k', 'n'],
    expected: '200',
  },
  {
    name: 'a sorted set',
    theirs: ['ZADD', 'k', 1, 'm'],
    late: ['ZADD', 'k', 2, 'm'],
    more: ['ZINCRBY', 'k', 100, 'n'],
    read: ['ZSCORE', 'k', 'n'],
    expected: '200',
  },
];

test.each(CROSSINGS)(
  'of $name nothing is lost that is written while both states are on the way',
  async (one) => {
    const { east, west } = pair;
    const letGo = await Promise.all([
      decidedAbout(east, () => run(west.redis, one.theirs)),
      decidedAbout(west, () => run(east.redis, one.theirs)),
    ]);
    for (const site of [east, west]) await run(site.redis, one.late);
    const next = [proxies.east.hold(isRun), proxies.west.hold(isRun)];
    for (const goOn of letGo) goOn();
    const letNext = await within('the next transactions to be held', HOLD_DEADLINE_MS, Promise.all(next));
    for (const site of [east, west]) await run(site.redis, one.more);
    for (const goOn of letNext) goOn();
    await settled(one);
  },
);

/** Writes at the peer, and resolves when the site has decided about it and its transaction is held back; gives what lets it go. */
async function decidedAbout(site: Site, write: () => Promise<unknown>): Promise<() => void> {
  const held = proxies[site.name as 'east' | 'west'].hold(isRun);
  await write();
  return within(`a transaction to be held at ${site.name}\n${site.tail()}`, HOLD_DEADLINE_MS, held);
}

const isRun: Step = (args) => args[0]?.toString() === 'WATCH' && args[1]?.toString() === KEYS.fence;

/** Resolves when the other site's last change has been applied at this one. */
async function appliedAt(site: Site): Promise<void> {
  const other = site === pair.west ? pair.east : pair.west;
  await until(`the write to be applied at ${site.name}`, async () => {
    const next = (await statusOf(other)).capture.nextSequence;
    return Number(await site.redis.hget(KEYS.applied, 'n')) === next - 1 && next > 1;
  });
}

async function settled({ read, expected }: Pick<Case, 'read' | 'expected'>): Promise<void> {
  const { east, west } = pair;
  await quiet(pair);
  expect(await Promise.all([run(east.redis, read), run(west.redis, read)])).toEqual([expected, expected]);
  await expectEqual(east.redis, west.redis);
  await expectNothingWaits(pair);
}

/** Keys that the peer was asked for, as the log has it from this line on. */
function askedFor(site: Site, from: number): number {
  return site.log
    .slice(from)
    .filter(({ msg }) => msg === ASKING)
    .reduce((sum, { keys }) => sum + Number(keys), 0);
}

function run(redis: Redis, [name, ...args]: Words): Promise<unknown> {
  return redis.call(name, ...args);
}
