import type { Redis } from 'ioredis';
import { until } from '../support/wait.js';
import type { Site } from '../support/pair.js';

/** A key that differs, as `tandem verify --json` lists it, and what makes it so. */
interface Planted {
  readonly db: number;
  /** Text that is the same in bytes and in UTF-8, unless `bytes` says what it is. */
  readonly key: string;
  readonly kind: string;
  readonly bytes?: Buffer;
  /** What both sites are given. */
  readonly first: readonly string[];
  /** What one of them does unseen. */
  readonly unseen: readonly string[];
  readonly at: 'east' | 'west';
}

const K = '<key>';
const FAR = '1900000000000';

function planted(
  key: string,
  kind: string,
  at: 'east' | 'west',
  first: string,
  unheard: string,
  more: Partial<Planted> = {},
): Planted {
  return { db: 0, key, kind, at, first: first.split(' '), unseen: unheard.split(' '), ...more };
}

/** 25 of them. */
export const DIFFERENCES: readonly Planted[] = [
  planted('planted:string', 'value', 'east', `SET ${K} a`, `SET ${K} b`),
  planted('planted:append', 'value', 'west', `SET ${K} a`, `APPEND ${K} b`),
  planted('planted:bit', 'value', 'east', `SET ${K} a`, `SETBIT ${K} 7 0`),
  planted('planted:number', 'value', 'west', `SET ${K} 10`, `INCR ${K}`),
  planted('planted:hash', 'value', 'east', `HSET ${K} f 1 g 2`, `HSET ${K} g 3`),
  planted('planted:hash-field', 'value', 'west', `HSET ${K} f 1 g 2`, `HDEL ${K} g`),
  planted('planted:hash-swap', 'value', 'east', `HSET ${K} f 1 g 2`, `HSET ${K} f 2 g 1`),
  planted('planted:set', 'value', 'east', `SADD ${K} 1 2 3`, `SADD ${K} 4`),
  planted('planted:zset', 'value', 'west', `ZADD ${K} 1 a 2 b`, `ZADD ${K} 1.5 a`),
  planted('planted:list', 'value', 'east', `RPUSH ${K} a b c`, `LSET ${K} 1 x`),
  planted('planted:list-order', 'value', 'west', `RPUSH ${K} a b`, `RPOPLPUSH ${K} ${K}`),
  planted('planted:stream', 'value', 'east', `XADD ${K} 1-1 f v`, `XADD ${K} 2-1 f v`),
  planted('planted:group', 'value', 'west', `XADD ${K} 1-1 f v`, `XGROUP CREATE ${K} g 0`),
  planted('planted:hll', 'value', 'east', `PFADD ${K} a b c`, `PFADD ${K} d`),
  planted('planted:only-west', 'missing-east', 'east', `SET ${K} a`, `DEL ${K}`),
  planted('planted:only-east', 'missing-west', 'west', `SET ${K} a`, `DEL ${K}`),
  planted('planted:only-west:hash', 'missing-east', 'east', `HSET ${K} f v`, `DEL ${K}`),
  planted('planted:only-east:stream', 'missing-west', 'west', `XADD ${K} 1-1 f v`, `DEL ${K}`),
  planted('planted:type', 'type', 'east', `SET ${K} a`, `GETDEL ${K}`),
  planted('planted:type-too', 'type', 'west', `RPUSH ${K} a`, `LPOP ${K}`),
  planted('planted:expiry', 'expiry', 'east', `SET ${K} a PXAT ${FAR}`, `PEXPIREAT ${K} 1900000000001`),
  planted('planted:persists', 'expiry', 'west', `SET ${K} a PXAT ${FAR}`, `PERSIST ${K}`),
  planted('planted:expires', 'expiry', 'west', `SET ${K} a`, `PEXPIREAT ${K} ${FAR}`),
  planted('planted:elsewhere', 'missing-west', 'west', `SET ${K} a`, `DEL ${K}`, { db: 5 }),
  planted('planted:\\x00\\xff\\x0d\\x0a*', 'value', 'east', `SET ${K} a`, `SET ${K} b`, {
    bytes: Buffer.from('planted:\x00\xff\r\n*', 'latin1'),
  }),
];

const OTHER_TYPE: Readonly<Record<string, string[]>> = {
  'planted:type': ['SADD', K, 'a'],
  'planted:type-too': ['SET', K, 'a'],
};

export function kindsFrom(list: readonly { db: number; key: string; kind: string }[]): string[] {
  return list.map(({ db, key, kind }) => `${db} ${kind} ${key}`).toSorted();
}

/** Gives both sites the keys, and lets them differ without the stream telling. */
export async function plant(east: Site, west: Site): Promise<void> {
  for (const one of DIFFERENCES)
    await inDatabase(east.redis, one.db, (client) => client.call(...worded(one, one.first)));
  for (const one of DIFFERENCES)
    await until(`${one.key} to cross`, () =>
      inDatabase(west.redis, one.db, (client) => client.exists(nameOf(one))),
    );
  for (const one of DIFFERENCES) {
    const site = one.at === 'east' ? east : west;
    const more = OTHER_TYPE[one.key];
    await inDatabase(site.redis, one.db, async (client) => {
      await unseen(client, worded(one, one.unseen));
      if (more) await unseen(client, worded(one, more));
    });
  }
}

async function unseen(client: Redis, [name, ...args]: [string, ...(string | Buffer)[]]): Promise<void> {
  const script = 'redis.set_repl(redis.REPL_NONE) return redis.call(unpack(ARGV))';
  await client.eval(script, 0, name, ...args);
}

function nameOf({ key, bytes }: Planted): string | Buffer {
  return bytes ?? key;
}

function worded(one: Planted, words: readonly string[]): [string, ...(string | Buffer)[]] {
  return words.map((word) => (word === K ? nameOf(one) : word)) as [string, ...(string | Buffer)[]];
}

async function inDatabase<T>(redis: Redis, db: number, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = redis.duplicate({ db });
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}
