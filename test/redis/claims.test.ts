import { beforeEach, expect, test } from 'vitest';
import { Claims } from '../../src/sync/claims.js';
import { KeyHash } from '../../src/protocol/key-hash.js';
import { keyNames } from '../../src/redis/keys.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';
import { SILENT } from '../support/tandem-clients.js';

const KEYS = keyNames({ prefix: 'tandem', pair: 'test' });
const TOKEN = 5;
const MAX_BYTES = 16 * 1024 * 1024;
const DEADLINE = { deadlineMs: 10_000 };

const { redis } = useServer({ isEmptied: true });

beforeEach(() => redis.set(KEYS.fence, TOKEN));

function claims(): Claims {
  return new Claims({ local: redis, keys: KEYS, log: SILENT });
}

const hash = new KeyHash();
function hashOf(name: string): [number, number] {
  const key = Buffer.from(name);
  hash.of(0, key, 0, key.length);
  return [hash.low, hash.high];
}
const placed = (name: string): { database: number; key: Buffer } => ({ database: 0, key: Buffer.from(name) });

async function kept(
  work: (claims: Claims) => void | Promise<void>,
  count: () => Promise<boolean>,
  token = TOKEN,
): Promise<Claims> {
  const [one, stop] = [claims(), new AbortController()];
  await one.load();
  const running = one.run(token, stop.signal);
  await work(one);
  await until('it to be kept', count, DEADLINE).finally(() => stop.abort());
  await running;
  return one;
}

const hasChunks = async (): Promise<boolean> => (await redis.llen(KEYS.claims)) > 0;

test('who wrote what is known to the next process', async () => {
  const nowMs = Date.now();
  await kept((one) => {
    one.at(nowMs);
    one.own(...hashOf('mine'));
    one.peer(...hashOf('theirs'), nowMs - 500);
    one.own(...hashOf('both'));
    one.peer(...hashOf('both'), nowMs + 3);
  }, hasChunks);
  const next = claims();
  await next.load();
  expect(next.of(placed('mine'))).toEqual({ ownMs: nowMs, peerMs: 0 });
  expect(next.of(placed('theirs'))).toEqual({ ownMs: 0, peerMs: nowMs - 500 });
  expect(next.of(placed('both'))).toEqual({ ownMs: nowMs, peerMs: nowMs + 3 });
  expect(next.of(placed('nobody'))).toEqual({ ownMs: 0, peerMs: 0 });
});

async function bytesKept(): Promise<number> {
  return (await redis.lrangeBuffer(KEYS.claims, 0, -1)).reduce((sum, { length }) => sum + length, 0);
}

test('it stays within its bound, and what is still the newest of its key is said again before it goes', async () => {
  const nowMs = Date.now();
  await kept((one) => {
    one.at(nowMs);
    one.own(...hashOf('old'));
  }, hasChunks);
  const filling = Buffer.alloc(8 + 16 * 65_535);
  for (let at = 0; at < 16; at++) await redis.rpush(KEYS.claims, filling);
  expect(await bytesKept()).toBeGreaterThan(MAX_BYTES - 1000);
  const newest = await redis.lindexBuffer(KEYS.claims, -1);
  await kept(
    (one) => {
      one.at(nowMs + 1);
      for (let at = 1; at < 10_000; at++) one.own(Math.imul(at, 0x9e3779b1) >>> 0, at);
    },
    async () => !(await redis.lindexBuffer(KEYS.claims, -1))!.equals(newest!),
  );
  expect(await bytesKept()).toBeLessThanOrEqual(MAX_BYTES);
  const next = claims();
  await next.load();
  expect(next.of(placed('old')).ownMs).toBe(nowMs);
});

test('a process that has lost the lease keeps nothing, and one that cannot keep it remembers it', async () => {
  const one = claims();
  const stop = new AbortController();
  await redis.set(KEYS.fence, TOKEN + 1);
  const running = one.run(TOKEN, stop.signal);
  one.own(...hashOf('mine'));
  await until(
    'it to have been tried',
    async () => (await redis.info('commandstats')).includes('cmdstat_eval'),
    DEADLINE,
  );
  stop.abort();
  await running;
  expect(await redis.exists(KEYS.claims)).toBe(0);
  expect(one.of(placed('mine')).ownMs).toBeGreaterThan(0);
});

test('what somebody else has written there is passed over', async () => {
  await redis.rpush(
    KEYS.claims,
    'x',
    '',
    Buffer.alloc(25, 0xff),
    'something that is longer than a chunk with one key in it',
  );
  const one = claims();
  await one.load();
  expect(one.of(placed('mine'))).toEqual({ ownMs: 0, peerMs: 0 });
});
