import { beforeAll, describe, expect, it, test } from 'vitest';
import { readMessages } from '../../src/capture/written-messages.js';
import type { Filter } from '../../src/config/filter.js';
import { fillOf, valueOf } from '../../src/conflicts/rules/states.js';
import { translateComparison } from '../../src/inbound/translate-comparison.js';
import { scriptSource } from '../../src/lua/scripts.js';
import { parseState, type KeyState } from '../../src/protocol/messages/state.js';
import { encodeNoMoreParts } from '../../src/protocol/messages/part.js';
import { payloadCommands } from '../../src/protocol/payload.js';
import type { Argument } from '../../src/redis-commands/encode-command.js';
import { keyNames } from '../../src/redis/keys.js';
import { LargeCopies } from '../../src/sync/large-copies.js';
import { random } from '../e2e/random.js';
import { until } from '../support/wait.js';
import { useServer } from '../support/use-server.js';
import { LARGE, SMALL } from './value-samples.js';

type Words = readonly [string, ...(string | number | Buffer)[]];

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);
const FAR = 1_900_000_000_000;
const ELEMENTS = 3000;
const KEYS = keyNames({ prefix: 'tandem', pair: 'test' });
const ID = 'a1b2-1';
const FILTER = { passesAllKeys: true } as Filter;

const { redis, server } = useServer({ isEmptied: true });
let fieldsExpire = 0;

beforeAll(async () => {
  const known = (await redis.call('COMMAND', 'INFO', 'HPEXPIRETIME')) as unknown[];
  fieldsExpire = known[0] ? 1 : 0;
});

const next = random(SEED);
const bytes = (): Buffer => Buffer.from(Array.from({ length: 1 + next.below(24) }, () => next.below(256)));
const names = Array.from({ length: ELEMENTS }, (_, at) => Buffer.concat([Buffer.from(`${at}:`), bytes()]));
const SCORES = ['-inf', '+inf', '0', '-0', '1e300', '0.1', '3', '-2.5', '12345678901234567'];
const inPieces = (name: string, key: string, elements: readonly (Buffer | string)[]): Words[] =>
  Array.from({ length: Math.ceil(elements.length / 1000) }, (_, at) => [
    name,
    key,
    ...elements.slice(at * 1000, at * 1000 + 1000),
  ]);

const VALUES: Readonly<Record<string, (key: string) => Words[]>> = {
  string: (key) => [['SET', key, Buffer.concat([Buffer.alloc(600_001, 'value'), bytes()])]],
  'a short string': (key) => [['SET', key, 'a']],
  list: (key) => inPieces('RPUSH', key, [...names, ...names.slice(0, 7)]),
  set: (key) => inPieces('SADD', key, names),
  'a set of numbers': (key) =>
    inPieces(
      'SADD',
      key,
      names.map((_, at) => String(at * 3 - 500)),
    ),
  hash: (key) =>
    inPieces(
      'HSET',
      key,
      names.flatMap((name) => [name, bytes()]),
    ),
  zset: (key) =>
    inPieces(
      'ZADD',
      key,
      names.flatMap((name, at) => [SCORES[at % SCORES.length]!, name]),
    ),
};

async function run(commands: readonly Words[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const [name, ...args] of commands) pipeline.call(name, ...args);
  for (const [error] of (await pipeline.exec())!) if (error) throw error;
}

/** What a script writes for capture. */
async function said(
  name: 'copy-part' | 'say-assembled',
  args: Words,
): Promise<{ reply: unknown; message?: Buffer }> {
  const source = scriptSource(name)
    .replace("redis.call('SET', KEYS[2],", "redis.call('SET', 'said',")
    .replace("redis.call('DEL', KEYS[2])", '');
  const reply = await redis.callBuffer('EVAL', source, 2, ...args);
  const message = await redis.getBuffer('said');
  await redis.del('said');
  return message ? { reply, message } : { reply };
}

/** The parts of a value, as they are sent, and the state that names them. */
async function sent(
  key: string,
  { database = 0, id = ID, rank = 7 } = {},
): Promise<{ parts: Buffer[]; state: KeyState }> {
  const parts: Buffer[] = [];
  let type = '';
  for (let from = Buffer.alloc(0); ;) {
    const args = [key, KEYS.out, database, id, parts.length + 1, from, 500, 50_000, fieldsExpire] as const;
    const { reply, message } = await said('copy-part', args);
    const [kind, , rest] = reply as [Buffer, number, Buffer];
    type = kind.toString();
    parts.push(message!);
    if (rest.length === 0) break;
    from = Buffer.from(rest);
  }
  const { reply, message } = await said('say-assembled', [
    key,
    KEYS.out,
    database,
    'east',
    rank,
    id,
    parts.length,
    type,
  ]);
  expect(reply).toBe(1);
  return { parts, state: parseState(readMessages(message!)![0]!.args) };
}

/** Runs what a receiver runs for a part. */
async function take(part: Buffer): Promise<unknown> {
  const [command] = payloadCommands(part);
  const about = {
    out: KEYS.out,
    waits: KEYS.waits,
    seen: 0,
    fieldsExpire: false,
    databases: 16,
    filter: FILTER,
  };
  const [script] = payloadCommands(translateComparison(command!, about)!);
  const [name, ...args] = script!.args;
  return redis.call(String(name), ...args);
}

async function place(commands: readonly (readonly Argument[])[], database: number): Promise<unknown[]> {
  await redis.select(database);
  const replies: unknown[] = [];
  try {
    for (const [name, ...args] of commands) replies.push(await redis.call(String(name), ...args));
  } finally {
    await redis.select(0);
  }
  return replies;
}

async function digestOf(key: string, database: number): Promise<string> {
  const [head] = scriptSource('digest-keys').split('local parts, sizes');
  const source = head!.replace("string.sub(ARGV[3], 1, 1) == '1'", fieldsExpire === 1 ? 'true' : 'false');
  return String(
    await redis.eval(`${source} redis.call('SELECT', ARGV[1]) return entry_of(KEYS[1])`, 1, key, database),
  );
}

/** The internal keys that are left, in any database. */
async function leftOvers(): Promise<string[]> {
  const left: string[] = [];
  for (const database of [0, 3]) {
    await redis.select(database);
    left.push(...(await redis.keys('tandem:*')));
  }
  await redis.select(0);
  return left;
}

const PLACES = [
  { database: 0, before: 'nothing' },
  { database: 3, before: 'another value' },
] as const;

describe.each(Object.keys(VALUES))('%s', (type) => {
  it.each(PLACES)(
    'is the same when it was sent in parts to database $database, where $before was',
    async ({ database, before }) => {
      for (const settings of [SMALL, LARGE])
        for (const [name, value] of Object.entries(settings))
          await redis.config('SET', name, value).catch(() => {});
      await redis.select(database);
      await run([...VALUES[type]!('from'), ['PEXPIREAT', 'from', FAR]]);
      if (before === 'another value')
        await run([
          ['RPUSH', 'to', 'x'],
          ['PEXPIRE', 'to', 100_000],
        ]);
      await redis.select(0);
      const { parts, state } = await sent('from', { database });
      expect(parts.length).toBeGreaterThan(type === 'a short string' ? 0 : 1);
      for (const [at, part] of parts.entries()) expect(await take(part)).toBe(at + 1);
      expect(await place(valueOf(Buffer.from('to'), state, KEYS.out), database)).toEqual([1]);
      const [from, to] = [await digestOf('from', database), await digestOf('to', database)];
      expect(to).toBe(from);
      expect(from).toContain(`:${FAR}`);
      expect(state).toMatchObject({ database, rankTimestamp: 7, rankSite: 'east', since: 0 });
      expect(await redis.exists(KEYS.assembled)).toBe(0);
      expect(await leftOvers()).toEqual([KEYS.assembly]);
    },
  );
});

describe('a value that has not come whole', () => {
  const PLACED = 'TANDEM the value has not come whole';

  async function begun(): Promise<{ parts: Buffer[]; state: KeyState }> {
    await run([...VALUES['list']!('from'), ['SET', 'to', 'as it was']]);
    return sent('from');
  }

  it.each([
    ['its last part', (parts: readonly Buffer[]) => parts.slice(0, -1)],
    ['its first part', (parts: readonly Buffer[]) => parts.slice(1)],
    ['a part in the middle', (parts: readonly Buffer[]) => [...parts.slice(0, 2), ...parts.slice(3)]],
    ['all of it', () => []],
    [
      'all of it, by its end',
      (parts: readonly Buffer[]) => [
        ...parts,
        encodeNoMoreParts({ database: 0, key: Buffer.from('from') }, ID),
      ],
    ],
  ] as const)('for want of %s is not placed, and the key stays as it was', async (_, left) => {
    const { parts, state } = await begun();
    for (const part of left(parts)) await take(part);
    await expect(place(valueOf(Buffer.from('to'), state, KEYS.out), 0)).rejects.toThrow(PLACED);
    expect(await redis.get('to')).toBe('as it was');
  });

  it('gives way to the first part of another, and what is left of it counts for nothing', async () => {
    const { parts, state } = await begun();
    const other = await sent('from', { id: 'other-1' });
    for (const part of parts.slice(0, 3)) await take(part);
    for (const part of other.parts) await take(part);
    for (const part of parts.slice(3)) expect(await take(part)).toBe(0);
    await expect(place(valueOf(Buffer.from('to'), state, KEYS.out), 0)).rejects.toThrow(PLACED);
    await place(valueOf(Buffer.from('to'), other.state, KEYS.out), 0);
    expect(await digestOf('to', 0)).toBe(await digestOf('from', 0));
  });

  it('goes by itself', async () => {
    const { parts } = await begun();
    await take(parts[0]!);
    for (const key of [KEYS.assembly, KEYS.assembled])
      expect(await redis.pttl(key)).toBeGreaterThan(3_000_000);
  });
});

test('where a key is left out, a value fills it only where there is none', async () => {
  await run([...VALUES['set']!('from'), ['SET', 'taken', '1']]);
  const { parts, state } = await sent('from');
  for (const part of parts) await take(part);
  expect(await place([fillOf(Buffer.from('taken'), state, KEYS.out)!], 0)).toEqual([0]);
  expect(await redis.get('taken')).toBe('1');
  expect(await place([fillOf(Buffer.from('free'), state, KEYS.out)!], 0)).toEqual([1]);
  expect(await digestOf('free', 0)).toBe(await digestOf('from', 0));
});

test('a value with a deadline that is past ends behind the transaction that places it', async () => {
  await run([
    ['RPUSH', 'from', 'a'],
    ['PEXPIREAT', 'from', FAR],
  ]);
  const { parts, state } = await sent('from');
  for (const part of parts) await take(part);
  const late = { ...state, expiry: Buffer.from('1000') };
  await place(valueOf(Buffer.from('to'), late, KEYS.out), 0);
  expect(await redis.pttl('to')).toBeGreaterThan(0);
  await until('the key to end', async () => (await redis.exists('to')) === 0);
});

test('what comes in no parts is left to be sent in one step', async () => {
  await run([['XADD', 'stream', '1-1', 'f', 'v']]);
  for (const key of ['stream', 'gone']) {
    const { reply, message } = await said('copy-part', [
      key,
      KEYS.out,
      0,
      ID,
      1,
      '',
      500,
      50_000,
      fieldsExpire,
    ]);
    expect(String((reply as unknown[])[0])).toBe('none');
    expect(message).toBeUndefined();
  }
});

test('a key that has another type when all is sent is not said', async () => {
  await run(VALUES['set']!('from'));
  const { reply, message } = await said('say-assembled', ['from', KEYS.out, 0, 'east', 0, ID, 3, 'hash']);
  expect([reply, message]).toEqual([0, undefined]);
});

describe('a value that is written while it is sent', () => {
  it.each([
    ['once', 1, true],
    ['again and again', Infinity, false],
  ] as const)('%s', async (_, times, isSent) => {
    await run(VALUES['set']!('from'));
    let [written, parts] = [0, 0];
    const copies = new LargeCopies({
      open: () => server().client(),
      out: KEYS.out,
      site: 'east',
      session: 'a1b2',
      fieldsExpire: fieldsExpire === 1,
      pace: {
        take: async () => {
          parts++;
          if (written < times && parts % 2 === 1) await redis.sadd('from', `new ${++written}`);
        },
      },
      hasRoom: () => true,
      isRead: () => Promise.resolve(true),
    });
    const bytesSent = await copies.send(
      { database: 0, key: Buffer.from('from') },
      0,
      new AbortController().signal,
    );
    copies.close();
    expect(bytesSent !== undefined).toBe(isSent);
    expect(await redis.exists(KEYS.out)).toBe(0);
  });
});
