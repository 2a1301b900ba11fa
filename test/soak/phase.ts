import { isDeepStrictEqual } from 'node:util';
import { runCli } from '../e2e/run-cli.js';
import { expectNothingWaits, ownKeys, statusOf } from '../e2e/observe.js';
import { expectEqual } from '../support/equal.js';
import type { Random } from '../support/model/random.js';
import type { Site } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import type { LogLine } from '../support/tandem-process.js';
import { until } from '../support/wait.js';
import { FAULTS } from './faults.js';
import type { Scene } from './scene.js';
import { OTHER_DATABASE, Writer, type Written } from './writer.js';

/** One fault that was injected, and how long it took until changes crossed both ways again. */
export interface Injected {
  readonly name: string;
  readonly site: string;
  readonly recoveryMs: number;
}

const KEYS = ownKeys();
const LONG = { deadlineMs: 60_000 };
/** A question whose answer was lost in a gap is given up after two minutes. */
const REPAIR_DEADLINE = { deadlineMs: 180_000 };
/** Volatile keys end at both sites in their own moment. */
const EQUAL_DEADLINE = { deadlineMs: 15_000, maxPauseMs: 500 };
const GAP = /must be compared/;
/** What was delivered has gone: said only where somebody has taken it. */
const MISSING = /the inbox does not hold what was delivered/;
/** What a site may say at level error though nothing is wrong with Tandem. */
const EXPECTED = [GAP, /rejected just before the process died: the whole batch is listed/];

/** Writers at both sites, some faults, and then everything is looked at. */
export class Phase {
  readonly injected: Injected[] = [];
  /** Commands that were acknowledged to the writers. */
  commands = 0;
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #prefix: string;
  readonly #writers: readonly [Writer, Writer];
  readonly #from = new Map<object, number>();

  constructor(scene: Scene, number: number) {
    this.#scene = scene;
    this.#random = scene.random;
    this.#prefix = `phase${number}:`;
    const [east, west] = scene.sites;
    for (const each of this.#processes) this.#from.set(each, each.log.length);
    this.#writers = [
      new Writer(east, this.#prefix, scene.random),
      new Writer(west, this.#prefix, scene.random),
    ];
  }

  get name(): string {
    return `${this.#prefix} ${this.injected.map(({ name, site }) => `${name}@${site}`).join(', ')}`;
  }

  /** Injects a fault, ends it, and waits until changes cross again. */
  async inject(name: string): Promise<Injected> {
    const fault = FAULTS[name]!;
    const site = fault.at === 'durable' ? this.#scene.durable : this.#random.pick(this.#scene.sites);
    const place = { name, site: site.name };
    this.injected.push({ ...place, recoveryMs: NaN });
    const cleanUp = await fault.run(site, this.#scene);
    const done = { ...place, recoveryMs: await this.#scene.recovery() };
    this.injected[this.injected.length - 1] = done;
    await cleanUp?.();
    return done;
  }

  /** Ends the writers, lets everything settle, and throws if anything is not as it must be. */
  async settle(): Promise<void> {
    for (const writer of this.#writers) await writer.stop();
    this.commands = this.#writers.reduce((sum, writer) => sum + writer.commands, 0);
    const { pair, sites } = this.#scene;
    await quiet(pair, LONG);
    for (const site of sites) await this.#mended(site);
    for (const site of sites) await this.#retried(site);
    const site = this.#random.pick(sites);
    if (this.#faults.some(({ needsRepair }) => needsRepair === true)) await this.#verify(site, 'repair');
    await quiet(pair, LONG);
    await this.#expectEqual();
    await this.#verify(site, 'verify');
    this.#expectFitting();
    if (!this.#faults.some(({ harm }) => harm === 'loss')) await this.#expectAllOwn();
    if (!this.#isCut && !this.#hasLost) await this.#expectShared();
    this.#expectCleanLogs();
    await quiet(pair, LONG);
    await expectNothingWaits(pair, LONG.deadlineMs);
    await this.#clear();
  }

  /** Ends the writers, whatever has happened. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#writers.map((writer) => writer.stop()));
  }

  get #faults(): (typeof FAULTS)[string][] {
    return this.injected.map(({ name }) => FAULTS[name]!);
  }

  get #processes(): { log: LogLine[] }[] {
    return [...this.#scene.sites, ...this.#scene.others];
  }

  get #lines(): LogLine[] {
    return this.#processes.flatMap((each) => each.log.slice(this.#from.get(each) ?? 0));
  }

  get #isCut(): boolean {
    return this.#lines.some(({ msg }) => GAP.test(msg));
  }

  get #hasLost(): boolean {
    return this.#writers.some(({ hasLost }) => hasLost);
  }

  /** A gap is repaired by itself, and no job is left. */
  async #mended(site: Site): Promise<void> {
    const unmended = async (): Promise<string | undefined> => {
      const { gap, jobs } = await statusOf(site);
      return gap || jobs.active + jobs.waiting + jobs.delayed > 0 ? JSON.stringify({ gap, jobs }) : undefined;
    };
    let last: string | undefined;
    const isMended = async (): Promise<boolean> => (last = await unmended()) === undefined;
    await until(`${site.name} to be mended`, isMended, REPAIR_DEADLINE).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${last}`, { cause: error });
    });
  }

  /** What the site refused is tried again: the peer is asked for the keys. */
  async #retried(site: Site): Promise<void> {
    if ((await site.redis.xlen(KEYS.rejected)) === 0) return;
    const outcome = await runCli(['rejected', 'retry', '--all', '--json'], this.#scene.environment(site));
    await until(
      `the list of rejected changes of ${site.name} to be empty: ${outcome.stdout}${outcome.stderr}`,
      async () => (await site.redis.xlen(KEYS.rejected)) === 0,
    );
  }

  async #verify(site: Site, command: 'verify' | 'repair'): Promise<void> {
    const outcome = await runCli([command, '--json'], this.#scene.environment(site));
    if (outcome.code !== 0) throw new Error(`tandem ${command} at ${site.name}: ${JSON.stringify(outcome)}`);
  }

  async #expectEqual(): Promise<void> {
    const { east, west } = this.#scene.pair;
    let last: unknown;
    const isEqual = (): Promise<boolean> =>
      expectEqual(east.redis, west.redis).then(
        () => true,
        (error: unknown) => ((last = error), false),
      );
    await until('both sites to be equal', isEqual, EQUAL_DEADLINE).catch((error: unknown) => {
      throw new Error(`the sites differ: ${String(last)}`, { cause: error });
    });
  }

  /** Faults that do no harm must do none. */
  #expectFitting(): void {
    const harms = new Set(this.#faults.map(({ harm }) => harm));
    if (this.#hasLost && !harms.has('loss')) throw new Error('a server has lost writes that it acknowledged');
    const harm = this.#lines.find(({ msg }) => GAP.test(msg) || MISSING.test(msg));
    if (harm && !harms.has('gap') && !harms.has('loss'))
      throw new Error(`a gap that nothing explains: ${JSON.stringify(harm)}`);
  }

  async #expectShared(): Promise<void> {
    const [east, west] = this.#writers;
    const all = east.written.rounds + west.written.rounds;
    for (const site of this.#scene.sites) {
      const shared = (name: string): string => `${this.#prefix}both:${name}`;
      const found = {
        count: Number(await site.redis.get(shared('count'))),
        sums: Number(await site.redis.hget(shared('sums'), 'n')),
        scores: Number(await site.redis.zscore(shared('scores'), 'm')),
      };
      expectSame(`the shared sums at ${site.name}`, found, { count: 3 * all, sums: 2 * all, scores: all });
    }
  }

  /** What one site alone writes is exact whatever is in a gap, as long as no server forgets. */
  async #expectAllOwn(): Promise<void> {
    const [east, west] = this.#writers;
    for (const site of this.#scene.sites) {
      await this.#expectOwn(site, 'east', east.written);
      await this.#expectOwn(site, 'west', west.written);
    }
  }

  async #expectOwn(at: Site, from: string, written: Written): Promise<void> {
    const own = (name: string): string => `${this.#prefix}${from}:${name}`;
    const elsewhere = at.server.client({ db: OTHER_DATABASE });
    try {
      const list = await at.redis.lrange(own('list'), 0, -1);
      const found = {
        last: Number(await at.redis.get(own('last'))),
        count: Number(await at.redis.get(own('count'))),
        text: await at.redis.strlen(own('text')),
        list: list.length,
        firstWrong: list.findIndex((element, index) => Number(element) !== index + 1),
        stream: await at.redis.xlen(own('stream')),
        singles: Number(await at.redis.get(own('singles'))),
        elsewhere: Number(await elsewhere.get(own('elsewhere'))),
      };
      const { rounds, singles } = written;
      const counted = { last: rounds, count: rounds, text: rounds, list: rounds, stream: rounds };
      const expected = { ...counted, firstWrong: -1, singles, elsewhere: written.elsewhere };
      expectSame(`what ${from} has written, at ${at.name}`, found, expected);
    } finally {
      elsewhere.disconnect();
    }
  }

  #expectCleanLogs(): void {
    const wrong = this.#lines.filter(
      (line) =>
        ['text', 'fatal'].includes(line.level) ||
        JSON.stringify(line).includes('INTERNAL') ||
        (line.level === 'error' &&
          !EXPECTED.some((expected) => expected.test(line.msg)) &&
          !isFirstCopy(line)),
    );
    if (wrong.length > 0)
      throw new Error(`log lines that nothing explains: ${JSON.stringify(wrong, null, 1)}`);
  }

  /** The next phase begins without what this one has written; that crosses as everything does. */
  async #clear(): Promise<void> {
    const { redis, server } = this.#scene.pair.east;
    const elsewhere = server.client({ db: OTHER_DATABASE });
    try {
      for (const client of [redis, elsewhere]) {
        const keys = [...(await client.keys(`${this.#prefix}*`)), ...(await client.keys('filling:*'))];
        if (keys.length > 0) await client.unlink(...keys);
      }
    } finally {
      elsewhere.disconnect();
    }
  }
}

function expectSame(what: string, found: object, expected: object): void {
  if (isDeepStrictEqual(found, expected)) return;
  throw new Error(`${what}: ${JSON.stringify(found)}, and not ${JSON.stringify(expected)}`);
}

/** A server that comes back empty begins with a first copy, which overwrites nothing that differs; the repair at its peer does. */
function isFirstCopy({ msg, err }: LogLine): boolean {
  return msg === 'a job has failed' && (err as { code?: string } | undefined)?.code === 'SITES_DIFFER';
}
