import { expect, test } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { ANSWER_MESSAGE, parseAnswer } from '../../src/protocol/messages/answer.js';
import { CommandReader } from '../../src/redis-commands/command-reader.js';
import { useServer } from '../support/use-server.js';

const FAR = 1_900_000_000_000;
const OUT = 'tandem:{test}:out';
const KEY = 'key';
/** More than a quick entry is made for. */
const LARGE = 'x'.repeat(20_000);

const { redis } = useServer({ isEmptied: true });

/** What a script writes for the peer, in words. */
async function said(
  script: 'compare-keys' | 'digest-keys',
  args: readonly (string | number)[],
): Promise<Buffer[]> {
  const source = scriptSource(script).replace(
    "redis.call('UNLINK', KEYS[1])",
    "do return redis.call('GET', KEYS[1]) end",
  );
  const bytes = (await redis.callBuffer('EVAL', source, 1, OUT, ...args)) as Buffer;
  await redis.del(OUT);
  const reader = new CommandReader();
  reader.push(bytes);
  expect(reader.next()).toBe(true);
  return reader.arguments();
}

async function entry(): Promise<string> {
  const args = await said('digest-keys', ['s', 1, '00', 1000, 2, 0, KEY]);
  return args[5]!.toString();
}

async function finding(theirs: string): Promise<string> {
  const args = await said('compare-keys', ['s', 1, 0, '00', 16, 0, KEY, theirs]);
  expect(ANSWER_MESSAGE.fault(args)).toBeUndefined();
  const found = parseAnswer(args).found;
  return found[0]!.finding;
}

test('equal dumps are of equal values, and unequal ones say nothing', async () => {
  const values: [string, () => Promise<unknown>][] = [
    ['a string', () => redis.set(KEY, 'a')],
    ['a hash', () => redis.hset(KEY, 'a', 1, 'b', 2)],
    ['the same hash in another order', () => redis.hset(KEY, 'b', 2, 'a', 1)],
    ['a list', () => redis.rpush(KEY, 'a', 'b')],
    ['a stream', () => redis.xadd(KEY, '1-1', 'a', 'b')],
  ];
  const entries: string[] = [];
  for (const [, make] of values) {
    await redis.del(KEY);
    await make();
    entries.push(await entry());
  }
  expect(
    entries.every((one) => /^d[\da-f]{16}$/.test(one)),
    entries.join(' '),
  ).toBe(true);
  for (const [own, [name, make]] of values.entries()) {
    await redis.del(KEY);
    await make();
    for (const [at, theirs] of entries.entries())
      expect(await finding(theirs), `${values[at]![0]} there, ${name} here`).toBe(
        at === own ? 'equal' : 'left',
      );
  }
});

test('a quick entry tells of expiries and of keys that are missing, like any other', async () => {
  await redis.set(KEY, 'a');
  const plain = await entry();
  await redis.pexpireat(KEY, FAR);
  const expiring = await entry();
  expect(expiring).toMatch(new RegExp(`^${plain}:\\d+~?$`));
  expect(await finding(plain)).toBe('expiry');
  expect(await finding(expiring)).toBe('equal');
  await redis.del(KEY);
  expect(await finding(plain)).toBe('missing-there');
  expect(await entry()).toBe('-');
  await redis.set(KEY, 'a');
  expect(await finding('-')).toBe('missing-here');
});

test('a set and a hash that are kept as tables have no quick entry: each server has another order of them', async () => {
  await redis
    .config('SET', 'hash-max-listpack-entries', 1)
    .catch(() => redis.config('SET', 'hash-max-ziplist-entries', 1));
  await redis.hset(KEY, 'a', 1, 'b', 2);
  expect(await entry()).toMatch(/^h[\da-f]{16}$/);
  await redis.del(KEY);
  await redis.sadd(KEY, ...Array.from({ length: 200 }, (_, at) => `member ${at}`));
  expect(await entry()).toMatch(/^e[\da-f]{16}$/);
});

test('a value that is not small has no quick entry, and is not held against one', async () => {
  await redis.set(KEY, 'a');
  const small = await entry();
  await redis.set(KEY, LARGE);
  expect(await entry()).toMatch(/^s[\da-f]{16}$/);
  expect(await finding(small)).toBe('left');
});
