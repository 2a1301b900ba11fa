import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { digestInParts } from '../../src/sync/digest-in-parts.js';
import { runUnlessWritten, watchKey, Watchers } from '../../src/sync/watchers.js';
import { random } from '../e2e/random.js';
import { useServer } from '../support/use-server.js';
import { KEY, LARGE, SMALL, type Command } from './value-samples.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);
const ELEMENTS = 5000;
const FAR = 1_900_000_000_000;
const key = Buffer.from(KEY);

const { redis } = useServer({ isEmptied: true });
let fieldsExpire: boolean;
let inOneStep: string;
let parts: number;

beforeAll(async () => {
  const known = (await redis.call('COMMAND', 'INFO', 'HPEXPIRETIME')) as unknown[];
  fieldsExpire = Boolean(known[0]);
  const [head] = scriptSource('digest-keys').split('local parts, sizes');
  inOneStep = `${head!.replace("string.sub(ARGV[3], 1, 1) == '1'", String(fieldsExpire))} return entry_of(KEYS[1], ARGV[1] == '1')`;
});
beforeEach(async () => {
  await encodings(LARGE);
});

async function encodings(settings: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(settings))
    await redis.config('SET', name, value).catch(() => {});
}

async function run(commands: readonly Command[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const [name, ...args] of commands) pipeline.call(name, ...args);
  for (const [error] of (await pipeline.exec())!) if (error) throw error;
}

async function inParts({ arrives = false } = {}): Promise<{ entry: string; bytes: number } | undefined> {
  parts = 0;
  const onPart = (): Promise<void> => Promise.resolve(void parts++);
  const found = await digestInParts(redis, key, { fieldsExpire, arrives, onPart });
  return found && { entry: found.entry, bytes: found.bytes };
}

async function oneStep(arrives = false): Promise<string> {
  return String(await redis.eval(inOneStep, 1, KEY, arrives ? '1' : '0'));
}

const next = random(SEED);
const bytes = (most = 24): Buffer =>
  Buffer.from(Array.from({ length: 1 + next.below(most) }, () => next.below(256)));
const names = Array.from({ length: ELEMENTS }, (_, at) => Buffer.concat([Buffer.from(`${at}:`), bytes()]));
const SCORES = ['-inf', '+inf', '0', '-0', '1e300', '0.1', '3', '-2.5', '12345678901234567'];
const inPieces = (name: string, elements: readonly (Buffer | string)[]): Command[] =>
  Array.from({ length: Math.ceil(elements.length / 1000) }, (_, at) => [
    name,
    KEY,
    ...elements.slice(at * 1000, at * 1000 + 1000),
  ]);

const VALUES: Readonly<Record<string, { commands: readonly Command[]; change: Command }>> = {
  string: {
    commands: [['SET', KEY, Buffer.alloc(3_000_001, 'value')]],
    change: ['SETRANGE', KEY, 2_900_000, 'x'],
  },
  list: { commands: inPieces('RPUSH', names), change: ['LSET', KEY, 4000, 'another'] },
  set: { commands: inPieces('SADD', names), change: ['SREM', KEY, names[4000]!] },
  zset: {
    commands: inPieces(
      'ZADD',
      names.flatMap((name, at) => [SCORES[at % SCORES.length]!, name]),
    ),
    change: ['ZINCRBY', KEY, '1.5', names[4004]!],
  },
  hash: {
    commands: inPieces(
      'HSET',
      names.flatMap((name) => [name, bytes()]),
    ),
    change: ['HSET', KEY, names[4000]!, 'another'],
  },
};

describe(`a digest in parts (seed ${SEED})`, () => {
  for (const [type, { commands, change }] of Object.entries(VALUES))
    it(`of a large ${type} is that of one step, however the value is kept, and another one after a change`, async () => {
      const entries: (string | undefined)[] = [];
      for (const settings of [LARGE, SMALL]) {
        await encodings(settings);
        await redis.del(KEY);
        await run(commands);
        const found = await inParts();
        expect(found?.entry).toBe(await oneStep());
        expect(found?.bytes).toBeGreaterThan(ELEMENTS);
        expect(parts).toBeGreaterThan(4);
        entries.push(found?.entry);
      }
      expect(entries[0]).toBe(entries[1]);
      await run([change]);
      const changed = await inParts();
      expect(changed?.entry).toBe(await oneStep());
      expect(changed?.entry).not.toBe(entries[0]);
      await redis.pexpireat(KEY, FAR);
      const expiring = (await inParts())!.entry;
      expect(expiring).toBe(await oneStep());
      expect(expiring).toMatch(/:1\d{12}~?$/);
    });

  it('of a hash counts the deadlines of its fields', async (context) => {
    if (!fieldsExpire) return context.skip();
    await run(VALUES['hash']!.commands);
    const without = await inParts();
    await redis.call('HPEXPIREAT', KEY, FAR, 'FIELDS', 2, names[3]!, names[4500]!);
    const found = await inParts();
    expect(found?.entry).toBe(await oneStep());
    expect(found?.entry).not.toBe(without?.entry);
    const soon = Date.now() + 900_000;
    await redis.call('HPEXPIREAT', KEY, soon, 'FIELDS', 1, names[7]!);
    const onPart = (): Promise<void> => Promise.resolve();
    expect(await digestInParts(redis, key, { fieldsExpire, arrives: false, onPart })).toMatchObject({
      fieldEndsMs: soon,
    });
  });

  it('of a stream counts entries, last ID, groups and what is pending', async () => {
    const entries = names.map((name, at): Command => ['XADD', KEY, `${at + 1}-1`, 'f', name]);
    const read: Command[] = [
      ['XGROUP', 'CREATE', KEY, 'one', '0'],
      ['XGROUP', 'CREATE', KEY, 'two', '5-0'],
      ['XREADGROUP', 'GROUP', 'one', 'reader', 'COUNT', 3000, 'STREAMS', KEY, '>'],
    ];
    const told: string[] = [];
    for (const settings of [LARGE, SMALL]) {
      await encodings(settings);
      await redis.del(KEY);
      await run([...entries, ...read]);
      told.push((await inParts())!.entry);
    }
    expect(told[0]).toMatch(/^x[\da-f]{16}$/);
    expect(told[1]).toBe(told[0]);
    for (const change of [
      ['XACK', KEY, 'one', '2000-1'],
      ['XGROUP', 'SETID', KEY, 'two', '7-0'],
      ['XDEL', KEY, '4000-1'],
      ['XADD', KEY, '90000-1', 'f', 'v'],
      ['XCLAIM', KEY, 'one', 'another', 0, '3-1', 'JUSTID'],
      ['XGROUP', 'CREATE', KEY, 'three', '0'],
    ] as Command[]) {
      await run([change]);
      told.push((await inParts())!.entry);
    }
    expect(new Set(told.slice(1)).size).toBe(told.length - 1);
  });

  it('of a stream in the order of arrival is that of one step, whatever the IDs', async () => {
    await run(names.map((name): Command => ['XADD', KEY, '*', 'f', name]));
    const found = await inParts({ arrives: true });
    expect(found?.entry).toBe(await oneStep(true));
    await redis.del(KEY);
    await run(names.toReversed().map((name, at): Command => ['XADD', KEY, `${at + 1}-7`, 'f', name]));
    expect((await inParts({ arrives: true }))?.entry).toBe(found?.entry);
    await redis.xadd(KEY, '*', 'f', 'v');
    expect((await inParts({ arrives: true }))?.entry).not.toBe(found?.entry);
  });

  it('of a small value, and of no value, is made in one step', async () => {
    expect(await inParts()).toEqual({ entry: '-', bytes: 0 });
    await redis.pfadd(KEY, ...names.slice(0, 500));
    expect((await inParts())?.entry).toBe(await oneStep());
    expect(parts).toBe(0);
  });

  it('reads few large elements a few at a time', async () => {
    const text = Buffer.alloc(100_000, 'x');
    await run(
      inPieces(
        'RPUSH',
        Array.from({ length: 40 }, () => text),
      ),
    );
    expect((await inParts())?.entry).toBe(await oneStep());
    expect(parts).toBe(3);
  });
});

describe('a key that is watched', () => {
  it.each([
    ['nothing', undefined, true],
    ['another key', (other: Redis) => other.set('other', 1), true],
    [
      'the same name in another database',
      (other: Redis) => other.multi().select(1).set(KEY, 1).select(0).exec(),
      true,
    ],
    ['the key', (other: Redis) => other.rpush(KEY, 'x'), false],
    [
      'a value that comes to the same',
      (other: Redis) => other.multi().rpush(KEY, 'x').rpop(KEY).exec(),
      false,
    ],
    ['its expiry', (other: Redis) => other.pexpireat(KEY, FAR), false],
    ['all keys', (other: Redis) => other.flushall(), false],
    ['its database', (other: Redis) => other.swapdb(0, 1), false],
  ] as const)('tells of a write to %s', async (_, write, isRun) => {
    await redis.rpush(KEY, 'a');
    const watching = redis.duplicate();
    try {
      await watchKey(watching, { database: 0, key });
      await write?.(redis);
      const replies = await runUnlessWritten(watching, [
        ['SELECT', 2],
        ['SET', 'told', 1],
      ]);
      expect(replies === undefined).toBe(!isRun);
      await redis.select(2);
      expect(await redis.exists('told')).toBe(isRun ? 1 : 0);
      await redis.select(0);
    } finally {
      watching.disconnect();
    }
  });

  it('counts as written where the connection that watches it was lost and made anew', async () => {
    await redis.rpush(KEY, 'a');
    const watching = redis.duplicate();
    try {
      await watchKey(watching, { database: 0, key });
      const anew = once(watching, 'ready');
      await redis.client('KILL', 'ID', await watching.client('ID'));
      await anew;
      await redis.rpush(KEY, 'b');
      expect(await runUnlessWritten(watching, [['SET', 'told', 1]])).toBeUndefined();
      expect(await redis.exists('told')).toBe(0);
      await watchKey(watching, { database: 0, key });
      expect(await runUnlessWritten(watching, [['SET', 'told', 1]])).toEqual(['OK']);
    } finally {
      watching.disconnect();
    }
  });

  it('tells of its end', async () => {
    const watching = redis.duplicate();
    try {
      // Connected before the key's time runs, so that it is watched while it is there.
      await watching.ping();
      await redis.set(KEY, 1, 'PX', 200);
      await watchKey(watching, { database: 0, key });
      await expect.poll(() => redis.exists(KEY)).toBe(0);
      expect(await runUnlessWritten(watching, [])).toBeUndefined();
    } finally {
      watching.disconnect();
    }
  });
});

describe('connections that watch', () => {
  const signal = new AbortController().signal;

  it('are no more than their limit, and go from one piece of work to the next, also when it fails', async () => {
    let opened = 0;
    const open = (): Redis => {
      opened++;
      return redis.duplicate({ lazyConnect: true });
    };
    const watchers = new Watchers({ open, limit: 2 });
    try {
      let atOnce = 0;
      const work = async (client: Redis): Promise<string> => {
        expect(++atOnce).toBeLessThanOrEqual(2);
        await client.ping();
        atOnce--;
        throw new Error('as it is meant to');
      };
      const all = Array.from({ length: 5 }, () => watchers.use(signal, work));
      for (const { status } of await Promise.allSettled(all)) expect(status).toBe('rejected');
      expect(opened).toBe(2);
      expect(await watchers.use(signal, (client) => client.ping())).toBe('PONG');
    } finally {
      watchers.close();
    }
  });

  it('are not made anew behind their end', async () => {
    const clients: Redis[] = [];
    const open = (): Redis => (clients.push(redis.duplicate({ lazyConnect: true })), clients.at(-1)!);
    const watchers = new Watchers({ open, limit: 1 });
    const first = watchers.use(signal, () => Promise.resolve(watchers.close()));
    const second = watchers.use(signal, () => Promise.resolve());
    await first;
    await expect(second).rejects.toMatchObject({ code: 'CLOSED' });
    await expect.poll(() => clients.map(({ status }) => status)).toEqual(['end']);
  });
});
