import { afterEach, describe, expect, test } from 'vitest';
import { decodeBatch, decodeSealed } from '../../src/protocol/batch.js';
import { expectEqual } from '../support/equal.js';
import { writeMixed } from '../support/mixed-keys.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { expectNothingWaits, ownKeys, QUICK, statusOf } from './observe.js';

const KEYS = ownKeys();
const TEXT = 'a value that says the same again and again, '.repeat(20);

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

/** @param east and west what each of them is set to */
async function linked(east: string, west: string, options: PairOptions = {}): Promise<Pair> {
  pair = await startPair({
    ...options,
    env: { ...QUICK, ...options.env },
    east: { ...options.east, env: { TANDEM_COMPRESS: east } },
    west: { ...options.west, env: { TANDEM_COMPRESS: west } },
  });
  return pair;
}

/** By what the batches in a list are packed. */
async function packedBy(site: Site, key: string): Promise<string[]> {
  const elements = await site.redis.lrangeBuffer(key, 0, -1);
  return elements.map((element) => decodeSealed(element).packing?.algorithm ?? 'none');
}

/** Writes at `from` while nothing is applied at `to`: what is delivered stays in the inbox, and what was sent in the change list. */
async function written(from: Site, to: Site, commands: number): Promise<void> {
  await until(
    `${from.name} to have met its peer`,
    async () => (await statusOf(from)).outbound.state === 'caught-up',
  );
  const before = Number(await to.redis.hget(KEYS.received, 'n'));
  to.pause();
  const pipeline = from.redis.pipeline();
  for (let n = 0; n < commands; n++) pipeline.set(`text:${n}`, `${n} ${TEXT}`);
  await pipeline.exec();
  await until(
    'all to be delivered',
    async () => Number(await to.redis.hget(KEYS.received, 'n')) >= before + commands,
  );
}

const SETTINGS: [east: string, west: string][] = [
  ['brotli', 'deflate-raw'],
  ['deflate-raw', 'none'],
  ['none', 'brotli'],
  ['none', 'none'],
  // As far as this Node.js has it.
  ...(process.versions['zstd'] === undefined ? [] : [['zstd', 'brotli'] satisfies [string, string]]),
];

describe.each(SETTINGS)('with %s at east and %s at west', (east, west) => {
  test('keys of all types, written at both sites, come to be the same', async () => {
    const running = await linked(east, west);
    await Promise.all([
      writeMixed(running.east.redis, { prefix: 'east', count: 800 }),
      writeMixed(running.west.redis, { prefix: 'west', count: 800, word: 'b' }),
      ...[running.east, running.west].map(async ({ redis, name }) => {
        for (let n = 0; n < 200; n++)
          await redis.multi().incr('sum').hset('both', name, n).rpush('list', name).exec();
      }),
    ]);
    await quiet(running);
    await expectEqual(running.east.redis, running.west.redis);
    expect(await running.west.redis.get('sum')).toBe('400');
    for (const [site, setting] of [
      [running.east, east],
      [running.west, west],
    ] as const) {
      const { outbound, rejected } = await statusOf(site);
      expect([outbound.compression, rejected]).toEqual([setting, 0]);
      if (setting === 'none') expect(outbound.bytesTotal).toBe(outbound.plainBytesTotal);
      else expect(outbound.bytesTotal).toBeLessThan(outbound.plainBytesTotal);
    }
  });
});

test('the change list and the inbox hold the packed batches, and count their bytes', async () => {
  const { east, west } = await linked('brotli', 'none');
  await written(east, west, 2000);
  const [changes, inbox] = await Promise.all([
    east.redis.lrangeBuffer(KEYS.changes, 0, -1),
    west.redis.lrangeBuffer(KEYS.inbox, 0, -1),
  ]);
  expect(new Set(await packedBy(west, KEYS.inbox))).toContain('brotli');
  expect(new Set(await packedBy(east, KEYS.changes))).toContain('brotli');
  const bytes = (elements: Buffer[]): number => elements.reduce((sum, { length }) => sum + length, 0);
  expect(Number(await west.redis.hget(KEYS.received, 'bytes'))).toBe(bytes(inbox));
  expect(Number(await east.redis.hget(KEYS.state, 'bytes'))).toBe(bytes(changes));
  const whole = changes.reduce((sum, element) => sum + decodeBatch(element).payload.length, 0);
  expect(whole).toBeGreaterThan(2000 * TEXT.length);
  expect(bytes(changes)).toBeLessThan(whole / 10);
  west.resume();
  await quiet(pair!);
  await expectEqual(east.redis, west.redis);
  await expectNothingWaits(pair!);
});

test('more than the bounds of inbox and memory crosses, since what is packed counts', async () => {
  const { east, west } = await linked('brotli', 'none', {
    env: { TANDEM_CHANGES_BYTES: '1MiB', TANDEM_INBOX_BYTES: '1MiB' },
  });
  await written(east, west, 4000);
  west.resume();
  await quiet(pair!);
  await expectEqual(east.redis, west.redis);
  const { outbound, gap, capture } = await statusOf(east);
  expect(outbound.plainBytesTotal).toBeGreaterThan(3 * 2 ** 20);
  expect([gap, capture.gaps]).toEqual([false, 0]);
});

test('a peer of an older build, which does not say what it reads, gets plain batches, also of those that wait packed', async () => {
  const { east, west } = await linked('brotli', 'none');
  await east.redis.set('before', TEXT);
  await quiet(pair!);
  // An older process that begins to work there leaves the field, and writes the time of its own start.
  await west.redis.hincrby(KEYS.site, 'startedAt', 1);
  await written(east, west, 500);
  expect(new Set(await packedBy(west, KEYS.inbox))).toEqual(new Set(['none']));
  await until('east to know', async () => (await statusOf(east)).outbound.compression === 'none');
  expect(new Set(await packedBy(east, KEYS.changes))).toContain('brotli');
  west.resume();
  await quiet(pair!);
  await expectEqual(east.redis, west.redis);
});

test('auto packs for a peer that is far', async () => {
  const { east, west } = await linked('auto', 'auto', { proxy: { delayMs: 20 } });
  await written(east, west, 200);
  const far = await statusOf(east);
  expect(far.outbound.compression).toBe('brotli');
  expect(far.outbound.roundTripMs).toBeGreaterThanOrEqual(40);
  expect(new Set(await packedBy(west, KEYS.inbox))).toContain('brotli');
  west.resume();
  await quiet(pair!);
  await expectEqual(east.redis, west.redis);
});

test('a batch that cannot be unpacked stops the application as any damaged one does, and the process lives', async () => {
  const { east, west } = await linked('brotli', 'none');
  await written(east, west, 100);
  const elements = await west.redis.lrangeBuffer(KEYS.inbox, 0, -1);
  const at = elements.findIndex((element) => decodeSealed(element).packing !== undefined);
  const { body } = decodeSealed(elements[at]!);
  body.fill(0xff);
  await west.kill();
  await west.redis.lset(KEYS.inbox, at, elements[at]!);
  west.start();
  await west.waitForLog("application of the peer's changes has stopped");
  const { inbound } = await statusOf(west);
  expect([inbound.state, inbound.detail]).toEqual(['stopped', expect.stringContaining('unpacked')]);
  expect(west.running).toBe(true);
});

test('values of megabytes, noise and text, cross', async () => {
  const running = await linked('deflate-raw', 'brotli');
  const { east, west } = running;
  await east.redis.set('text', TEXT.repeat(3000));
  await east.redis.set('larger than what is packed', 'x'.repeat(6 * 2 ** 20));
  await west.redis.set(
    'noise',
    Buffer.from(Array.from({ length: 1 << 20 }, () => Math.floor(Math.random() * 256))),
  );
  await quiet(running);
  await expectEqual(east.redis, west.redis);
});
