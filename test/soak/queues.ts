/**
 * Queues that one site fills and the other one empties, under faults: each element is taken once, in order. What is taken is compared
 * as it is taken and not kept, so that an hour's worth of elements needs no memory.
 */

import type { Redis } from 'ioredis';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectNothingWaits } from '../e2e/observe.js';
import { expectEqual } from '../support/equal.js';
import { Random } from '../support/model/random.js';
import type { Site } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { FAULTS, type Fault } from './faults.js';
import { KINDS, type QueueKind } from './queue-kinds.js';
import { Scene } from './scene.js';

export interface QueueSoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Elements a second in each queue. */
  readonly perSecond: number;
  /** Names of kinds of queues, and of faults by which no server forgets anything. */
  readonly kinds: readonly string[];
  readonly faults: readonly string[];
  /** Where the logs of the processes are kept when something is wrong. */
  readonly logs?: string | undefined;
  readonly say: (text: string) => void;
}

/** The rate counts for the whole time: what a fault has held up is made up for, so much at once. */
const MOST_AT_ONCE = 100;
const RETRY_MS = 20;
const EMPTY_MS = 2;
const DRAIN_DEADLINE_MS = 60_000;
const LONG = { deadlineMs: 120_000 };
/** Between two faults, at the most. */
const CALM_MS = 2000;

/** One queue from one site to the other. */
class Lane {
  readonly name: string;
  pushed = 0;
  taken = 0;
  readonly #kind: QueueKind;
  readonly #key: string;
  readonly #producer: Redis;
  readonly #consumer: Redis;

  constructor(name: string, kind: QueueKind, { from, to }: { from: Site; to: Site }) {
    this.#kind = kind;
    this.#key = `${name} from ${from.name}`;
    this.name = this.#key;
    // What was not answered must not be sent again by the client: it may have been done.
    const options = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };
    this.#producer = from.server.client(options);
    this.#consumer = to.server.client(options);
  }

  async prepare(): Promise<void> {
    await this.#kind.prepare?.(this.#consumer, this.#key);
  }

  /** Adds as many elements as are due, until it is told to end. */
  async produce(perSecond: number, signal: AbortSignal): Promise<void> {
    const began = performance.now();
    while (!signal.aborted) {
      const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
      const most = Math.min(due, this.pushed + MOST_AT_ONCE);
      while (
        this.pushed < most &&
        (await tried(() => this.#kind.push(this.#producer, this.#key, String(this.pushed))))
      )
        this.pushed++;
      await sleep(RETRY_MS);
    }
  }

  /** Takes elements until it is told to end. @throws Error at the first that is not the next one */
  async consume(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let elements: readonly string[] = [];
      const isDone = await tried(async () => {
        elements = await this.#kind.take(this.#consumer, this.#key);
      });
      for (const element of elements) this.#expectNext(element);
      if (elements.length === 0) await sleep(isDone ? EMPTY_MS : RETRY_MS);
    }
  }

  async left(redis: Redis): Promise<number> {
    return this.#kind.left(redis, this.#key);
  }

  close(): void {
    this.#producer.disconnect();
    this.#consumer.disconnect();
  }

  #expectNext(element: string): void {
    const wanted = this.taken++;
    if (Number(element) === wanted) return;
    const what = Number(element) < wanted ? 'taken twice' : 'taken before others';
    throw new Error(`${this.name}: ${element} was ${what}, where ${wanted} stood next of ${this.pushed}`);
  }
}

/** A server that refuses a command has not carried it out. @returns whether it was carried out */
async function tried(command: () => Promise<unknown>): Promise<boolean> {
  try {
    await command();
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return false;
    throw error;
  }
}

/** Fills and empties queues both ways while one fault follows the other. Throws at the first element that is lost, twice or out of order. */
export async function soakQueues(options: QueueSoakOptions): Promise<void> {
  const { seconds, seed, logs, say } = options;
  const random = new Random(seed);
  const kinds = options.kinds.map((name) => [name, known(KINDS, name)] as const);
  const faults = options.faults.map((name) => [name, known(FAULTS, name)] as const);
  const harmful = faults.find(([, { harm }]) => harm !== 'none');
  if (harmful) throw new Error(`${harmful[0]} may lose what nobody else has: no queue need be whole then`);
  const scene = await Scene.start(random);
  const [east, west] = scene.sites;
  const lanes = kinds.flatMap(([name, kind]) => [
    new Lane(name, kind, { from: east, to: west }),
    new Lane(name, kind, { from: west, to: east }),
  ]);
  const stop = new AbortController();
  const full = new AbortController();
  const filling = AbortSignal.any([stop.signal, full.signal]);
  const injected: string[] = [];
  const under: Promise<unknown>[] = [];
  try {
    await scene.recovery();
    for (const lane of lanes) await lane.prepare();
    // A group is made at the site that takes, and is to be there when the other one begins to add.
    await quiet(scene.pair, LONG);
    const producing = Promise.all(lanes.map((lane) => lane.produce(options.perSecond, filling)));
    const consuming = Promise.all(lanes.map((lane) => lane.consume(stop.signal)));
    under.push(producing, consuming);
    const done = (async () => {
      await disturb(scene, faults, { injected, seconds, signal: stop.signal });
      full.abort();
      await producing;
      const filled = performance.now();
      await drained(lanes, stop.signal);
      say(`all taken ${Math.round(performance.now() - filled)} ms after the last was added`);
      stop.abort();
    })();
    under.push(done);
    // Whichever fails first is what is said.
    await Promise.all(under);
    await settled(scene, lanes);
  } catch (error) {
    if (logs !== undefined) keepLogs(scene, logs);
    throw new Error(`seed ${seed}, after ${injected.join(', ')}: ${String(error)}`, { cause: error });
  } finally {
    stop.abort();
    await Promise.allSettled(under);
    for (const lane of lanes) {
      say(`${lane.name}: ${lane.pushed} in, ${lane.taken} out`);
      lane.close();
    }
    say(`seed ${seed}: ${injected.length} faults`);
    await scene.close();
  }
}

/** One fault after the other, each at least once, and for so long. */
async function disturb(
  scene: Scene,
  faults: readonly (readonly [string, Fault])[],
  { injected, seconds, signal }: { injected: string[]; seconds: number; signal: AbortSignal },
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  let left: (readonly [string, Fault])[] = [];
  while (!signal.aborted && (performance.now() < end || injected.length < faults.length)) {
    if (left.length === 0) left = [...faults];
    if (left.length === 0) await sleep(RETRY_MS);
    else {
      const [name, fault] = left.splice(scene.random.below(left.length), 1)[0]!;
      const site = fault.at === 'durable' ? scene.durable : scene.random.pick(scene.sites);
      injected.push(`${name}@${site.name}`);
      const cleanUp = await fault.run(site, scene);
      await scene.recovery();
      await cleanUp?.();
      await scene.hold(1, CALM_MS);
    }
  }
}

async function drained(lanes: readonly Lane[], signal: AbortSignal): Promise<void> {
  const waiting = (): string =>
    lanes
      .filter(({ pushed, taken }) => taken < pushed)
      .map(({ name, pushed, taken }) => `${name}: ${taken} of ${pushed} taken`)
      .join(', ');
  const wait = { deadlineMs: DRAIN_DEADLINE_MS };
  await until(
    'all elements to be taken',
    () => Promise.resolve(signal.aborted || waiting() === ''),
    wait,
  ).catch(() => {
    throw new Error(`elements are lost: ${waiting()}`);
  });
}

/** Nothing is left of any queue, at either site. */
async function settled(scene: Scene, lanes: readonly Lane[]): Promise<void> {
  const { pair, sites } = scene;
  await quiet(pair, LONG);
  for (const { name, redis } of sites)
    for (const lane of lanes) {
      const left = await lane.left(redis);
      if (left > 0)
        throw new Error(`${lane.name}: ${left} elements are left at ${name}, though all were taken`);
    }
  await expectEqual(pair.east.redis, pair.west.redis);
  await expectNothingWaits(pair, LONG.deadlineMs);
}

function known<T>(all: Readonly<Record<string, T>>, name: string): T {
  const found = all[name];
  if (found === undefined) throw new Error(`there is no ${name}, but ${Object.keys(all).join(', ')}`);
  return found;
}

function keepLogs(scene: Scene, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [index, each] of [...scene.sites, ...scene.others].entries())
    writeFileSync(join(folder, `${index}.log`), each.log.map((line) => JSON.stringify(line)).join('\n'));
}
