/** The keys of the measurement of copies and comparisons, and the writers beside it. */
import { setTimeout as sleep } from 'node:timers/promises';

const PIPELINE = 1000;
const TICK_MS = 5;
const LARGE_BYTES = 10 * 1024 * 1024;
const WRITTEN_KEYS = 50_000;
const EXPIRY_MS = 1_900_000_000_000;
const PLANTED = 25;

/** Fills a server with keys of mixed types, one in five with an expiry, some of 10 MB, and a collection of each kind with many members. */
export async function fill(redis, { keys, large, members = 0 }) {
  for (let from = 0; from < keys; from += PIPELINE) {
    const pipeline = redis.pipeline();
    for (let number = from; number < Math.min(keys, from + PIPELINE); number++) {
      const key = `data:${number}`;
      make(pipeline, key, number);
      if (number % 5 === 0) pipeline.pexpireat(key, EXPIRY_MS + number);
    }
    await pipeline.exec();
  }
  for (let number = 0; number < large; number++)
    await redis.set(`large:${number}`, Buffer.alloc(LARGE_BYTES, number));
  for (let from = 0; from < members; from += PIPELINE) {
    const numbers = Array.from({ length: Math.min(PIPELINE, members - from) }, (_, at) => from + at);
    await redis.hset('many:hash', ...numbers.flatMap((number) => [`field ${number}`, number]));
    await redis.rpush('many:list', ...numbers.map((number) => `element ${number}`));
    await redis.sadd('many:set', ...numbers.map((number) => `member ${number}`));
    await redis.zadd('many:zset', ...numbers.flatMap((number) => [number, `member ${number}`]));
  }
}

function make(pipeline, key, number) {
  switch (number % 10) {
    case 0:
      return pipeline.hset(key, 'name', `n${number}`, 'mail', `m${number}@example.com`, 'age', number % 90);
    case 1:
      return pipeline.rpush(key, number, number + 1, number + 2);
    case 2:
      return pipeline.sadd(key, `a${number}`, `b${number}`);
    case 3:
      return pipeline.zadd(key, number, 'a', number / 2, 'b');
    case 4:
      return pipeline.xadd(key, '1-1', 'field', number);
    default:
      return pipeline.set(key, `value of the key with the number ${number}`);
  }
}

/** Writes at a steady rate to a site's own keys, and to counters of both, until it is stopped; keeps how long each round took. */
export class Writer {
  #isOver = false;
  #running;
  #took = [];
  written = 0;
  /** Whether the counters are those of both sites. Two that were made before the sites met would differ. */
  hasMet = false;

  constructor(redis, { site, rate }) {
    this.#running = rate > 0 ? this.#write(redis, site, rate) : Promise.resolve();
  }

  /** The p50 and p99 in ms of the rounds since the last call. */
  latency() {
    const sorted = this.#took.splice(0).toSorted((a, b) => a - b);
    const at = (share) => sorted[Math.floor(sorted.length * share)] ?? 0;
    return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0, rounds: sorted.length };
  }

  async stop() {
    this.#isOver = true;
    await this.#running;
  }

  async #write(redis, site, rate) {
    const began = performance.now();
    while (!this.#isOver) {
      const due = Math.min(200, Math.floor(((performance.now() - began) * rate) / 1000) - this.written);
      if (due > 0) {
        const pipeline = redis.pipeline();
        for (let i = 0; i < due; i++) this.#one(pipeline, site, this.written + i);
        const sentAt = performance.now();
        await pipeline.exec();
        this.#took.push(performance.now() - sentAt);
        this.written += due;
      }
      await sleep(TICK_MS);
    }
  }

  #one(pipeline, site, number) {
    const key = (number * 7919) % WRITTEN_KEYS;
    if (number % 50 === 0) pipeline.incr(`counter:${this.hasMet ? 'both' : site}:${number % 7}`);
    else if (number % 3 === 0) pipeline.hset(`hash:${site}:${key}`, `f${number % 10}`, number);
    else pipeline.set(`string:${site}:${key}`, number);
  }
}

/** Holds all keys but Tandem's own against each other by what each server says of them itself: `DEBUG DIGEST-VALUE`, with the expiry. */
export async function compareByServer(east, west) {
  const different = [];
  let compared = 0;
  for (const [one, other, isSecond] of [
    [east, west, false],
    [west, east, true],
  ]) {
    let cursor = '0';
    do {
      const [next, found] = await one.scan(cursor, 'COUNT', PIPELINE);
      cursor = next;
      const keys = found.filter((key) => !key.startsWith('tandem:'));
      if (keys.length === 0) continue;
      const [own, others] = await Promise.all([one, other].map((redis) => toldOf(redis, keys)));
      if (!isSecond) compared += keys.length;
      different.push(...keys.filter((_, at) => own[at] !== others[at]));
    } while (cursor !== '0');
  }
  return { compared, different: [...new Set(different)] };
}

async function toldOf(redis, keys) {
  const pipeline = redis.pipeline().debug('DIGEST-VALUE', ...keys);
  for (const key of keys) pipeline.call('PEXPIRETIME', key);
  const [digests, ...expiries] = (await pipeline.exec()).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
  return digests.map((digest, at) => `${digest} ${expiries[at]}`);
}

/** Makes 25 keys differ without the stream telling. */
export async function plant(redis) {
  const unseen = (script, key) => redis.eval(`redis.set_repl(redis.REPL_NONE) ${script}`, 1, key);
  const scripts = [
    "redis.call('DEL', KEYS[1])",
    "redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], 'another')",
    "redis.call('PEXPIREAT', KEYS[1], 1800000000000)",
    "redis.call('SET', KEYS[1] .. ':more', '1')",
    "redis.call('DEL', KEYS[1]) redis.call('SADD', KEYS[1], 'another')",
  ];
  for (let i = 0; i < PLANTED; i++) await unseen(scripts[i % scripts.length], `data:${i * 17 + 1}`);
  return PLANTED;
}
