import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { random, type Random } from '../e2e/random.js';
import { type TestServer, startServer } from '../support/server.js';

type Command = [string, ...(string | number | Buffer)[]];

/** Ways to make one value: commands behind settings. */
interface Way {
  readonly settings?: Readonly<Record<string, string>>;
  readonly commands: readonly Command[];
}

interface Sample {
  readonly ways: readonly Way[];
  /** Each of them by itself makes another value. */
  readonly changes: readonly Command[];
}

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = 12;
const KEY = 'key';
const FAR = 1_900_000_000_000;
/** Encodings of small values, and of large ones. Older servers have older names; what a server does not know is left. */
const SMALL = {
  'hash-max-listpack-entries': '1000',
  'hash-max-ziplist-entries': '1000',
  'zset-max-listpack-entries': '1000',
  'zset-max-ziplist-entries': '1000',
  'set-max-listpack-entries': '1000',
  'set-max-intset-entries': '1000',
  'list-max-listpack-size': '-2',
  'list-max-ziplist-size': '-2',
  'stream-node-max-entries': '100',
  'hll-sparse-max-bytes': '3000',
};
const LARGE = {
  ...Object.fromEntries(Object.keys(SMALL).map((name) => [name, '0'])),
  'list-max-listpack-size': '2',
  'list-max-ziplist-size': '2',
  'stream-node-max-entries': '2',
};

let server: TestServer;
let redis: Redis;
let source: string;

beforeAll(async () => {
  server = await startServer();
  redis = server.client();
  const known = (await redis.call('COMMAND', 'INFO', 'HPEXPIRETIME')) as unknown[];
  const [parts] = scriptSource('digest').split('local parts, sizes');
  source = `${parts!.replace("ARGV[3] == '1'", known[0] ? 'true' : 'false')} return entry_of(KEYS[1])`;
});

afterAll(() => server.stop());
beforeEach(() => redis.flushall());

async function entry(): Promise<string> {
  return String(await redis.eval(source, 1, KEY));
}

async function run(commands: readonly Command[]): Promise<void> {
  for (const [name, ...args] of commands) await redis.call(name, ...args);
}

async function entryOf({ settings = SMALL, commands }: Way): Promise<string> {
  for (const [name, value] of Object.entries(settings))
    await redis.config('SET', name, value).catch(() => {});
  await redis.del(KEY);
  await run(commands);
  return entry();
}

function shuffled<T>(next: Random, list: readonly T[]): T[] {
  return list
    .map((one) => [next.below(2 ** 30), one] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, one]) => one);
}

function bytes(next: Random, most = 12): Buffer {
  return Buffer.from(Array.from({ length: 1 + next.below(most) }, () => next.below(256)));
}

function distinct(next: Random, count: number): Buffer[] {
  const all = Array.from({ length: count }, () => bytes(next));
  return [...new Map(all.map((one) => [one.toString('latin1'), one])).values()];
}

const both = (commands: readonly Command[], others: readonly Command[] = commands): Way[] => [
  { settings: SMALL, commands },
  { settings: LARGE, commands: others },
];

const SAMPLES: Readonly<Record<string, (next: Random) => Sample>> = {
  string: (next) => {
    const value = bytes(next, 100);
    const at = next.below(value.length);
    return {
      ways: [
        { commands: [['SET', KEY, value]] },
        {
          commands: [
            ['SET', KEY, value.subarray(0, at)],
            ['APPEND', KEY, value.subarray(at)],
          ],
        },
        { commands: [['SETRANGE', KEY, 0, value]] },
      ],
      changes: [
        ['APPEND', KEY, 'x'],
        ['SETRANGE', KEY, at, Buffer.from([value[at]! ^ 1])],
        ['SETBIT', KEY, value.length * 8 + 1, 0],
      ],
    };
  },
  number: (next) => {
    const value = next.below(1_000_000);
    return {
      ways: [
        { commands: [['SET', KEY, value]] },
        {
          commands: [
            ['SET', KEY, 0],
            ['INCRBY', KEY, value],
          ],
        },
        {
          commands: [
            ['SET', KEY, ''],
            ['APPEND', KEY, String(value)],
          ],
        },
      ],
      changes: [
        ['INCR', KEY],
        ['APPEND', KEY, '0'],
      ],
    };
  },
  'text like a HyperLogLog': (next) => {
    const value = Buffer.concat([
      Buffer.from(`HYLL${['\x00', '\x01', '\x02'][next.below(3)]}`),
      bytes(next, 60),
    ]);
    return { ways: [{ commands: [['SET', KEY, value]] }], changes: [['APPEND', KEY, 'x']] };
  },
  hyperloglog: (next) => {
    const values = distinct(next, 5 + next.below(200));
    const add = (some: readonly Buffer[]): Command => ['PFADD', KEY, ...some];
    return {
      ways: [
        ...both(
          [add(values)],
          shuffled(next, values).map((one) => add([one])),
        ),
        { commands: [add(values), ['PFCOUNT', KEY]] },
      ],
      changes: [['PFADD', KEY, ...Array.from({ length: 100 }, (_, i) => `more${i}`)]],
    };
  },
  list: (next) => {
    const values = Array.from({ length: 3 + next.below(30) }, () => bytes(next));
    return {
      ways: both(
        [['RPUSH', KEY, ...values]],
        values.toReversed().map((one): Command => ['LPUSH', KEY, one]),
      ),
      changes: [
        ['RPUSH', KEY, 'x'],
        ['RPUSH', KEY, ''],
        ['LPOP', KEY],
        ['LPUSH', KEY, 'x'],
        ['LSET', KEY, next.below(values.length), 'another one'],
        ['LINSERT', KEY, 'AFTER', values[0]!, 'x'],
      ],
    };
  },
  set: (next) => {
    const values = distinct(next, 3 + next.below(40));
    return {
      ways: both(
        [['SADD', KEY, ...values]],
        shuffled(next, values).map((one): Command => ['SADD', KEY, one]),
      ),
      changes: [
        ['SADD', KEY, 'a member that is new'],
        ['SREM', KEY, values[0]!],
      ],
    };
  },
  'set of numbers': (next) => {
    const values = [...new Set(Array.from({ length: 3 + next.below(40) }, () => next.below(1_000_000)))];
    return {
      ways: [
        ...both([['SADD', KEY, ...values]], [['SADD', KEY, ...shuffled(next, values)]]),
        {
          commands: [
            ['SADD', KEY, 'text', ...values],
            ['SREM', KEY, 'text'],
          ],
        },
      ],
      changes: [
        ['SADD', KEY, -1],
        ['SREM', KEY, values[0]!],
        ['SADD', KEY, 'text'],
      ],
    };
  },
  hash: (next) => {
    const fields = distinct(next, 3 + next.below(30)).map((field) => [field, bytes(next)] as const);
    return {
      ways: both(
        [['HSET', KEY, ...fields.flat()]],
        shuffled(next, fields).map((one): Command => ['HSET', KEY, ...one]),
      ),
      changes: [
        ['HSET', KEY, fields[0]![0], 'another value'],
        ['HSET', KEY, 'a field that is new', ''],
        ['HDEL', KEY, fields[0]![0]],
      ],
    };
  },
  zset: (next) => {
    const scores = ['-inf', '+inf', '0', '-0', '1e300', '0.1', '3', '-2.5', '12345678901234567'];
    const members = distinct(next, 3 + next.below(30));
    const pairs = members.map((member) => [scores[next.below(scores.length)]!, member] as const);
    return {
      ways: both(
        [['ZADD', KEY, ...pairs.flat()]],
        shuffled(next, pairs).map((one): Command => ['ZADD', KEY, ...one]),
      ),
      changes: [
        ['ZADD', KEY, '7.25', members[0]!],
        ['ZADD', KEY, 'NX', '1', 'a member that is new'],
        ['ZREM', KEY, members[0]!],
      ],
    };
  },
  stream: (next) => {
    const entries = Array.from({ length: 3 + next.below(10) }, (_, i): Command => [
      'XADD',
      KEY,
      `${i + 1}-${next.below(5)}`,
      bytes(next),
      bytes(next),
    ]);
    const groups: Command[] = [
      ['XGROUP', 'CREATE', KEY, 'one', '0'],
      ['XGROUP', 'CREATE', KEY, 'two', '2-0'],
      [
        'XCLAIM',
        KEY,
        'one',
        'reader',
        0,
        String(entries[0]![2]),
        'TIME',
        1_700_000_000_000,
        'RETRYCOUNT',
        1,
        'FORCE',
        'JUSTID',
      ],
    ];
    const id = String(entries[0]![2]);
    const claim = (group: string, consumer: string, ...more: (string | number)[]): Command => [
      'XCLAIM',
      KEY,
      group,
      consumer,
      0,
      id,
      'TIME',
      1_700_000_000_000,
      'RETRYCOUNT',
      1,
      ...more,
      'FORCE',
      'JUSTID',
    ];
    return {
      ways: both([...entries, ...groups], [...entries, groups[1]!, groups[0]!, groups[2]!]),
      changes: [
        ['XADD', KEY, '100-1', 'f', 'v'],
        ['XDEL', KEY, id],
        ['XGROUP', 'CREATE', KEY, 'three', '0'],
        ['XGROUP', 'DESTROY', KEY, 'two'],
        ['XGROUP', 'SETID', KEY, 'two', '1-0'],
        ['XACK', KEY, 'one', id],
        claim('one', 'another'),
        claim('two', 'reader'),
        ['XSETID', KEY, '200-1'],
      ],
    };
  },
};

for (const [name, sampleOf] of Object.entries(SAMPLES)) {
  test(
    `a digest of a ${name} is the same however it was built, and another one after any change`,
    { timeout: 60_000 },
    async () => {
      const next = random(SEED);
      for (let round = 0; round < ROUNDS; round++) {
        const { ways, changes } = sampleOf(next);
        const about = `seed ${SEED}, round ${round}`;
        const entries: string[] = [];
        for (const way of ways) entries.push(await entryOf(way));
        expect(new Set(entries).size, `${about}: ${entries.join(' ')}`).toBe(1);
        const [before] = entries;
        for (const change of changes) {
          await entryOf(ways[round % ways.length]!);
          await run([change]);
          expect(await entry(), `${about}: ${String(change)}`).not.toBe(before);
        }
        await entryOf(ways[0]!);
        await redis.pexpireat(KEY, FAR);
        const expiring = await entry();
        expect(expiring.startsWith(`${before}:`), about).toBe(true);
        await redis.pexpireat(KEY, FAR + 60_000);
        expect(await entry(), about).not.toBe(expiring);
        await redis.persist(KEY);
        expect(await entry(), about).toBe(before);
        await restoredElsewhere();
        expect(await entry(), about).toBe(before);
      }
    },
  );
}

test('values of different types have different entries, and no key has none', async () => {
  const entries = [await entry()];
  expect(entries).toEqual(['-']);
  for (const command of [
    ['SET', KEY, 'a'],
    ['RPUSH', KEY, 'a'],
    ['SADD', KEY, 'a'],
    ['HSET', KEY, 'a', 'a'],
    ['ZADD', KEY, 1, 'a'],
    ['XADD', KEY, '1-1', 'a', 'a'],
  ] as Command[])
    entries.push(await entryOf({ commands: [command] }));
  expect(new Set(entries.map((one) => one[0])).size).toBe(entries.length);
});

test('the expiry of a field counts, and a field that is about to go makes the entry passing', async (context) => {
  const known = (await redis.call('COMMAND', 'INFO', 'HPEXPIREAT')) as unknown[];
  if (!known[0]) return context.skip();
  const way = (at: number): Command[] => [
    ['HSET', KEY, 'f', 'v', 'g', 'v'],
    ['HPEXPIREAT', KEY, at, 'FIELDS', 1, 'f'],
  ];
  const plain = await entryOf({ commands: [['HSET', KEY, 'f', 'v', 'g', 'v']] });
  const [small, large] = [
    await entryOf({ settings: SMALL, commands: way(FAR) }),
    await entryOf({ settings: LARGE, commands: way(FAR) }),
  ];
  expect(small).toBe(large);
  expect(small).not.toBe(plain);
  expect(await entryOf({ commands: way(FAR + 1) })).not.toBe(small);
  expect(await entryOf({ commands: way(Date.now() + 900) })).toMatch(/!$/);
});

/** The value as a `DUMP` carries it, which is how a copy gets it. */
async function restoredElsewhere(): Promise<void> {
  const dump = await redis.dumpBuffer(KEY);
  for (const [name, value] of Object.entries(LARGE)) await redis.config('SET', name, value).catch(() => {});
  await redis.restore(KEY, 0, dump, 'REPLACE');
}
