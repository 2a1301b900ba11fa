import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Site } from '../support/pair.js';
import { until } from '../support/wait.js';
import { random, type Random } from './random.js';

export interface WriterOptions {
  readonly seed: number;
  /** Commands a second at each site. */
  readonly rate: number;
  /** Commands sent at once. */
  readonly burst?: number;
  /** What the names of the keys begin with. */
  readonly prefix?: string;
}

type Command = [string, ...(string | number)[]];

const SHARED_KEYS = 200;
const HOT_KEYS = 3;

/** Writes at both sites, on the same keys: what the rules bring together whatever the order. */
export class LiveWriters {
  readonly #stop = new AbortController();
  readonly #clients: Redis[];
  readonly #running: Promise<void>[];
  readonly #prefix: string;
  #written = 0;

  constructor(sites: readonly Site[], options: WriterOptions) {
    this.#prefix = options.prefix ?? 'live';
    this.#clients = sites.map(({ server }) => server.client());
    this.#running = sites.map((site, at) =>
      this.#write(this.#clients[at]!, site.name, { ...options, seed: options.seed + at }),
    );
  }

  get written(): number {
    return this.#written;
  }

  /** Ends writing, and waits until what was to expire is gone: two sites cannot be read at the same moment. @throws the first write that failed */
  async stop(): Promise<void> {
    this.#stop.abort();
    try {
      await Promise.all(this.#running);
      for (const client of this.#clients)
        await until(
          'the keys with an expiry to be gone',
          async () => !(await hasExpiring(client, this.#prefix)),
        );
    } finally {
      for (const client of this.#clients) client.disconnect();
    }
  }

  async #write(
    client: Redis,
    site: string,
    { seed, rate, burst = 20, prefix = 'live' }: WriterOptions,
  ): Promise<void> {
    const next = random(seed);
    const { signal } = this.#stop;
    const began = performance.now();
    for (let sent = 0; !signal.aborted; sent += burst) {
      const pipeline = client.pipeline();
      for (let i = 0; i < burst; i++) {
        const [name, ...args] = commandOf(next, site, prefix);
        pipeline.call(name, ...args);
      }
      for (const [error] of (await pipeline.exec()) ?? [])
        if (error && !error.message.startsWith('WRONGTYPE')) throw error;
      this.#written += burst;
      const waitMs = began + ((sent + burst) * 1000) / rate - performance.now();
      await (waitMs > 1 ? sleep(waitMs, undefined, { signal }).catch(() => {}) : turn());
    }
  }
}

async function hasExpiring(client: Redis, prefix: string): Promise<boolean> {
  const keys = await client.keys(`${prefix}:*`);
  const pipeline = client.pipeline();
  for (const key of keys) pipeline.pttl(key);
  const left = (await pipeline.exec()) ?? [];
  return left.some(([, ms]) => Number(ms) >= 0);
}

/** Nine in ten on keys of the site's own, or sums; the others meet those of the other site. */
function commandOf(next: Random, site: string, prefix: string): Command {
  const isShared = next.below(10) === 0;
  const isHot = next.below(3) === 0;
  const number = isHot ? next.below(HOT_KEYS) : next.below(SHARED_KEYS);
  const key = (type: string): string => `${prefix}:${type}:${isShared ? 'shared' : site}:${number}`;
  const own = (type: string): string => `${prefix}:${type}:${site}:${number}`;
  const value = next.below(1_000_000);
  switch (next.below(13)) {
    case 0:
      return ['SET', key('string'), value];
    case 1:
      return ['SET', key('short'), value, 'PX', 1 + next.below(1500)];
    case 2:
      return ['DEL', key('string')];
    case 3:
      return ['INCRBY', `${prefix}:counter:${number}`, 1 + next.below(9)];
    case 4:
      return ['HSET', key('hash'), `field${next.below(20)}`, value];
    case 5:
      return ['HDEL', key('hash'), `field${next.below(20)}`];
    case 6:
      return ['SADD', key('set'), next.below(30)];
    case 7:
      return ['SREM', key('set'), next.below(30)];
    case 8:
      return ['ZADD', key('zset'), value, next.below(30)];
    case 9:
      return ['PFADD', key('hyperloglog'), value];
    case 10:
      return next.below(2) === 0 ? ['RPUSH', own('list'), value] : ['LTRIM', own('list'), -20, -1];
    case 11:
      return ['XADD', own('stream'), 'MAXLEN', 30, '*', 'field', value];
    default:
      return ['PEXPIRE', own('list'), 200 + next.below(3000)];
  }
}
