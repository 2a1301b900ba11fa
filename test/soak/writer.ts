import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Site } from '../support/pair.js';
import type { Random } from '../support/model/random.js';
import { until } from '../support/wait.js';

/** What one writer has done under one prefix, as its server has acknowledged it. */
export interface Written {
  /** Transactions. */
  rounds: number;
  /** Single `INCR`s in database 0, and in `OTHER_DATABASE`. */
  singles: number;
  elsewhere: number;
}

/** Beside database 0. */
export const OTHER_DATABASE = 3;

/** Slow enough that what is unseen after a fault is caught up with: see the known faults about many unseen changes in docs/guide/limits.md. */
const PAUSE_MS = 40;
const RETRY_MS = 20;
const SETTLE_DEADLINE_MS = 60_000;
/** Keys of each kind that come and go. */
const MANY = 20;

/**
 * Writes at one site all the time, with all types. Its connection may break at any moment and its server refuse or lose what it
 * likes: after each failure it asks the server what was done, so that what it counts is what the server holds.
 */
export class Writer {
  readonly written: Written = { rounds: 0, singles: 0, elsewhere: 0 };
  /** Commands acknowledged in all. */
  commands = 0;
  /** Whether the server was found to have forgotten what it had acknowledged. */
  hasLost = false;
  readonly #site: Site;
  readonly #random: Random;
  readonly #prefix: string;
  readonly #clients: Redis[];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(site: Site, prefix: string, random: Random) {
    this.#site = site;
    this.#prefix = prefix;
    this.#random = random;
    // What was not answered must not be sent again by the client: it may have been done.
    const options = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };
    this.#clients = [0, OTHER_DATABASE].map((db) => site.server.client({ ...options, db }));
    this.#running = this.#write();
    this.#running.catch(() => {});
  }

  /** Lets it finish; then `written` is what its server holds. */
  async stop(): Promise<void> {
    this.#stop.abort();
    try {
      await this.#running;
    } finally {
      for (const client of this.#clients) client.disconnect();
    }
  }

  async #write(): Promise<void> {
    const [main, other] = this.#clients as [Redis, Redis];
    while (!this.#stop.signal.aborted) {
      try {
        await this.#round(main, this.written.rounds + 1);
        await main.incr(this.#own('singles'));
        this.written.singles++;
        await other.incr(this.#own('elsewhere'));
        this.written.elsewhere++;
        await this.#anything(main);
        this.commands += 2;
        await sleep(PAUSE_MS);
      } catch {
        await sleep(RETRY_MS);
        await this.#lookUp(main, other);
      }
    }
    await this.#lookUp(main, other);
  }

  /** What was done of what failed without an answer, or with one. */
  async #lookUp(main: Redis, other: Redis): Promise<void> {
    const ask = async (): Promise<Written> => ({
      rounds: Number(await main.get(this.#own('last'))),
      singles: Number(await main.get(this.#own('singles'))),
      elsewhere: Number(await other.get(this.#own('elsewhere'))),
    });
    const what = `the server of ${this.#site.name} to say what was written`;
    const held = await until(what, ask, { deadlineMs: SETTLE_DEADLINE_MS, maxPauseMs: RETRY_MS });
    for (const name of ['rounds', 'singles', 'elsewhere'] as const) {
      if (held[name] < this.written[name]) this.hasLost = true;
      this.written[name] = held[name];
    }
  }

  #own(name: string): string {
    return `${this.#prefix}${this.#site.name}:${name}`;
  }

  #shared(name: string): string {
    return `${this.#prefix}both:${name}`;
  }

  /** One transaction: done as a whole or not at all, and which of the two its key `last` tells. */
  async #round(client: Redis, round: number): Promise<void> {
    const own = (name: string): string => this.#own(name);
    const transaction = client
      .multi()
      .set(own('last'), round)
      .incr(own('count'))
      .incrby(this.#shared('count'), 3)
      .hincrby(this.#shared('sums'), 'n', 2)
      .zincrby(this.#shared('scores'), 1, 'm')
      .pfadd(this.#shared('visitors'), own(String(round)))
      .sadd(this.#shared('set'), own(String(round % MANY)))
      .rpush(own('list'), round)
      .xadd(own('stream'), '*', 'round', round)
      .hset(own('hash'), `field${round % MANY}`, round)
      .zadd(own('zset'), round, `member${round % MANY}`)
      .append(own('text'), String(round % 10));
    const replies = await transaction.exec();
    const failed = replies?.find(([error]) => error !== null)?.[0];
    if (failed) throw failed;
    this.written.rounds = round;
    this.commands += replies!.length;
  }

  /** Some commands whose effect nobody counts: both sites must only come to the same. */
  async #anything(client: Redis): Promise<void> {
    const [random, name] = [this.#random, this.#site.name];
    const some = (): number => random.below(MANY);
    const choices: readonly (() => readonly (string | number)[])[] = [
      () => ['SET', this.#shared(`plain${some()}`), `${name}${some()}`],
      () => ['SET', this.#shared(`plain${some()}`), `${name}${some()}`, 'PX', 200 + random.below(5000)],
      () => ['DEL', this.#shared(`plain${some()}`)],
      () => ['SADD', this.#shared('members'), some()],
      () => ['SREM', this.#shared('members'), some()],
      () => ['HSET', this.#shared(`hash${some()}`), `f${random.below(5)}`, `${name}${some()}`],
      () => ['HDEL', this.#shared(`hash${some()}`), `f${random.below(5)}`],
      // Longer than any change is on its way: an expiry that ends before it arrives and was made longer since is a known fault.
      () => ['PEXPIRE', this.#shared(`hash${some()}`), 600_000 + random.below(60_000)],
      () => ['SETBIT', this.#shared('bits'), random.below(500), random.below(2)],
      () => ['SET', this.#own(`volatile${some()}`), some(), 'PX', 100 + random.below(3000)],
      () => ['PERSIST', this.#shared(`hash${some()}`)],
      () => ['LPUSH', this.#own('queue'), some()],
      () => ['RPOP', this.#own('queue')],
      () => ['LMOVE', this.#own('queue'), this.#own('done'), 'LEFT', 'RIGHT'],
      () => ['LTRIM', this.#own('done'), -10, -1],
      () => ['SADD', this.#own('bag'), some(), some()],
      () => ['SPOP', this.#own('bag')],
      () => ['GEOADD', this.#own('places'), random.below(180), random.below(80), some()],
      () => ['ZPOPMIN', this.#own('places')],
      () => ['XADD', this.#own('log'), 'MAXLEN', '~', 50, '*', 'n', some()],
      () => ['SETRANGE', this.#own('range'), random.below(100), name],
      () => ['INCRBYFLOAT', this.#own('float'), '0.5'],
      () => ['SET', this.#own(`source${some()}`), some()],
      () => ['COPY', this.#own(`source${some()}`), this.#own(`copy${some()}`), 'REPLACE'],
      () => ['SUNIONSTORE', this.#own('union'), this.#own('bag'), this.#own('bag2')],
    ];
    for (let i = 0; i < 4; i++) {
      const [command, ...args] = random.pick(choices)();
      await client.call(String(command), ...args);
      this.commands++;
    }
  }
}
