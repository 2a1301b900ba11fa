import { beforeAll, expect, test } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { random } from '../e2e/random.js';
import { useServer } from '../support/use-server.js';
import { KEY, LARGE, NEEDS, SAMPLES, SMALL, type Command, type Way } from './value-samples.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = 12;
const FAR = 1_900_000_000_000;

const { redis } = useServer({ isEmptied: true });
let source: string;

beforeAll(async () => {
  const known = (await redis.call('COMMAND', 'INFO', 'HPEXPIRETIME')) as unknown[];
  const [parts] = scriptSource('digest-keys').split('local parts, sizes');
  source = `${parts!.replace("string.sub(ARGV[3], 1, 1) == '1'", known[0] ? 'true' : 'false')} return entry_of(KEYS[1])`;
});

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

for (const [name, sampleOf] of Object.entries(SAMPLES)) {
  test(
    `a digest of a ${name} is the same however it was built, and another one after any change`,
    { timeout: 60_000 },
    async (context) => {
      const [known] = (await redis.call('COMMAND', 'INFO', NEEDS[name] ?? 'GET')) as unknown[];
      if (!known) return context.skip();
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
