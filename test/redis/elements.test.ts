import { beforeAll, expect, test } from 'vitest';
import { CommandReader } from '../../src/redis-commands/command-reader.js';
import { valueOf } from '../../src/conflicts/rules/states.js';
import { messageFault } from '../../src/protocol/messages/messages.js';
import { type KeyState, parseState } from '../../src/protocol/messages/state.js';
import { scriptSource } from '../../src/lua/scripts.js';
import { restorableVersions, takes } from '../../src/redis/restorable.js';
import { random } from '../e2e/random.js';
import { useServer } from '../support/use-server.js';
import { KEY, SAMPLES, type Command } from './value-samples.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);
const FAR = 1_900_000_000_000;
const OUT = 'tandem:{test}:out';

const { redis } = useServer({ isEmptied: true });
let fieldsExpire: boolean;

beforeAll(async () => {
  const [known] = (await redis.call('COMMAND', 'INFO', 'HPEXPIRETIME')) as unknown[];
  fieldsExpire = known !== null && known !== undefined;
});

async function run(commands: readonly Command[]): Promise<void> {
  for (const [name, ...args] of commands) await redis.call(name, ...args);
}

/** The value as a comparison sees it. */
async function entry(): Promise<string> {
  const source = scriptSource('digest-keys').replace(
    /redis\.call\('SET', KEYS\[1\].*\n.*\n/,
    'do return parts[1] end\n',
  );
  return String(await redis.eval(source, 1, OUT, 's', 1, fieldsExpire ? 1 : 0, 1000, 1, 0, KEY));
}

/** What is sent of the key to a server that takes dumps of these versions. */
async function sent(accepted: string, wants = '0'): Promise<{ args: Buffer[]; state: KeyState }> {
  const source = scriptSource('write-states').replace(
    "redis.call('UNLINK', KEYS[1])",
    "do return redis.call('GET', KEYS[1]) end",
  );
  const about = ['east', accepted, fieldsExpire ? 1 : 0, 0, KEY, 5, 0, wants];
  const bytes = (await redis.callBuffer('EVAL', source, 1, OUT, ...about)) as Buffer;
  await redis.del(OUT);
  const reader = new CommandReader();
  reader.push(bytes);
  expect(reader.next()).toBe(true);
  const args = reader.arguments();
  expect(messageFault(args)).toBeUndefined();
  return { args, state: parseState(args) };
}

/** Runs what makes the key what a state says. */
async function receive(state: KeyState): Promise<void> {
  for (const [name, ...args] of valueOf(Buffer.from(KEY), state, OUT))
    await redis.callBuffer(String(name), ...args);
}

for (const [name, sampleOf] of Object.entries(SAMPLES).filter(([kind]) => kind !== 'vector set'))
  test(`a ${name} that is made of its elements is the same in every way`, { timeout: 60_000 }, async () => {
    const next = random(SEED);
    for (let round = 0; round < 6; round++) {
      const { ways, changes } = sampleOf(next);
      for (const change of [undefined, ...changes]) {
        await redis.flushall();
        await run(ways[round % ways.length]!.commands);
        if (change) await run([change]);
        if (round % 2 === 1) await redis.pexpireat(KEY, FAR + round);
        const before = await entry();
        const { state } = await sent(',1,2,');
        expect(state.made, 'no dump that old').toBeDefined();
        // Whatever stands there is replaced.
        await redis.set(KEY, 'something else');
        await receive(state);
        expect(await entry(), `seed ${SEED}, round ${round}: ${String(change)}`).toBe(before);
        expect(await redis.keys('*')).toEqual([KEY]);
      }
    }
  });

test('a stream keeps its groups, consumers, what is pending in them, deleted entries among that, and its counters', async () => {
  await run([
    ['XADD', KEY, '1-1', 'a', '1'],
    ['XADD', KEY, '5-1', 'a', '2', 'b', ''],
    ['XADD', KEY, '18446744073709551000-7', 'a', '3'],
    ['XGROUP', 'CREATE', KEY, 'g', '0'],
    ['XGROUP', 'CREATE', KEY, 'empty', '$'],
    ['XREADGROUP', 'GROUP', 'g', 'c1', 'COUNT', 2, 'STREAMS', KEY, '>'],
    ['XREADGROUP', 'GROUP', 'g', 'c2', 'STREAMS', KEY, '>'],
    ['XREADGROUP', 'GROUP', 'g', 'c3', 'STREAMS', KEY, '>'],
    ['XCLAIM', KEY, 'g', 'c2', 0, '1-1', 'RETRYCOUNT', 7],
    ['XDEL', KEY, '5-1'],
  ]);
  const about = async (): Promise<unknown> => {
    const flat = (await redis.call('XINFO', 'STREAM', KEY, 'FULL', 'COUNT', 0)) as unknown[];
    // How it is kept, and when somebody last looked.
    const words = JSON.stringify(flat).replace(/"radix-tree-(keys|nodes)",\d+/g, '');
    return words.replace(/"(seen|active)-time",-?\d+/g, '');
  };
  const [before, digest] = [await about(), await entry()];
  const { state } = await sent('', '1');
  await redis.del(KEY);
  await receive(state);
  expect(await about()).toBe(before);
  expect(await entry()).toBe(digest);
});

test('an empty stream is there, with its last ID', async () => {
  for (const last of ['0-0', '7-3']) {
    await redis.flushall();
    await run([
      ['XGROUP', 'CREATE', KEY, 'g', '0', 'MKSTREAM'],
      ['XGROUP', 'DESTROY', KEY, 'g'],
      ...(last === '0-0' ? [] : [['XSETID', KEY, last] as Command]),
    ]);
    const before = await entry();
    const { state } = await sent('', '1');
    await redis.del(KEY);
    await receive(state);
    expect(await entry()).toBe(before);
  }
});

test('the expiries of fields are kept', async (context) => {
  if (!fieldsExpire) return context.skip();
  await run([
    ['HSET', KEY, 'a', '1', 'b', '2', 'c', '3'],
    ['HPEXPIREAT', KEY, FAR, 'FIELDS', 2, 'a', 'c'],
  ]);
  const before = await entry();
  const { state } = await sent('', '1');
  await redis.del(KEY);
  await receive(state);
  expect(await entry()).toBe(before);
});

test('large collections go in commands of bounded length', { timeout: 60_000 }, async () => {
  const members = Array.from({ length: 25_001 }, (_, i) => `member ${i}`);
  const pairs = members.flatMap((member, i) => [i, member]);
  for (const command of [
    ['RPUSH', KEY, ...members],
    ['SADD', KEY, ...members],
    ['ZADD', KEY, ...pairs],
    ['HSET', KEY, ...members, 'last'],
  ] as Command[]) {
    await redis.flushall();
    await run([command]);
    const before = await entry();
    const { state } = await sent('', '1');
    expect(Math.max(...state.made!.map((made) => made.length))).toBeLessThanOrEqual(1002);
    await redis.del(KEY);
    await receive(state);
    expect(await entry()).toBe(before);
  }
});

test('what cannot be made leaves the key as it was, and nothing else behind', async () => {
  await run([['RPUSH', KEY, 'old']]);
  const { state } = await sent('', '1');
  const wrong = { ...state, made: [...state.made!, ['SADD', KEY, 'x'].map((word) => Buffer.from(word))] };
  await expect(receive(wrong)).rejects.toThrow(/WRONGTYPE/);
  expect(await redis.lrange(KEY, 0, -1)).toEqual(['old']);
  expect(await redis.keys('*')).toEqual([KEY]);
});

test('a server tells which dumps it takes, and writes nothing for it', async () => {
  await redis.set(KEY, 'v');
  const dump = await redis.dumpBuffer(KEY);
  const before = /master_repl_offset:(\d+)/.exec(await redis.info('replication'))?.[1];
  const versions = await restorableVersions(redis, 'tandem:{test}:restored');
  expect(/master_repl_offset:(\d+)/.exec(await redis.info('replication'))?.[1]).toBe(before);
  expect(versions).toMatch(/^,(\d+,)+$/);
  expect(takes(versions, dump)).toBe(true);
  const newer = Buffer.from(dump);
  newer.writeUInt16LE(126, newer.length - 10);
  expect(takes(versions, newer)).toBe(false);
  expect(takes('', newer)).toBe(true);
  // What it takes is sent as it is.
  expect((await sent(versions)).args).toHaveLength(9);
});
