/**
 * A queue is handed over from one region to the other: what fills and works it is stopped, `tandem wait` runs, and it is begun at the
 * other site. Whatever state the work is in, nothing is lost by it, and nothing is done twice.
 */

import { FlowProducer, Queue, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK } from './observe.js';
import { runCli } from './run-cli.js';

const PLAIN_JOBS = 40;
const ELEMENTS = 60;
const HOUR_MS = 3_600_000;
const DEADLINE = { deadlineMs: 60_000 };

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG, proxy: { delayMs: 20 } });
}, 60_000);

afterAll(() => pair.close());

/** The command between the end of the work at one site and its beginning at the other. */
async function handOverFrom({ name, server }: Site): Promise<void> {
  const { code, stderr } = await runCli(
    ['wait', '--timeout', '60s'],
    {
      TANDEM_PAIR: pair.name,
      TANDEM_SITE: name,
      TANDEM_PEER: name === 'east' ? 'west' : 'east',
      TANDEM_LOCAL_URL: server.url,
    },
    90_000,
  );
  expect(code, stderr).toBe(0);
}

function connectionOf({ server }: Site): { host: string; port: number } {
  return { host: server.host, port: server.port };
}

/** Each run of a job: its name, which attempt it was, and where. */
interface Done {
  readonly name: string;
  readonly attempt: number;
  readonly at: string;
}

/** Fails a job called `fails …` the first time, and gives of any other what its children gave, and its own name. */
async function perform(job: Job, at: Site, done: Done[]): Promise<string> {
  done.push({ name: `${job.name} ${job.id}`, attempt: job.attemptsStarted, at: at.name });
  if (job.name.startsWith('fails') && job.attemptsMade === 0) throw new Error('not yet');
  const children = Object.values(await job.getChildrenValues<string>());
  return [...children.toSorted(), job.name].join('+');
}

class Works {
  readonly queue: Queue;
  readonly flows: FlowProducer;
  readonly #worker: Worker;
  readonly errors: string[] = [];

  constructor(site: Site, done: Done[]) {
    const connection = connectionOf(site);
    this.queue = new Queue('mail', { connection });
    this.flows = new FlowProducer({ connection });
    this.#worker = new Worker('mail', async (job) => perform(job, site, done), {
      connection: { ...connection, maxRetriesPerRequest: null },
      concurrency: 2,
      drainDelay: 1,
    });
    this.#worker.on('error', (error) => this.errors.push(error.message));
  }

  /** Lets the jobs at work end, as an application does that is told to stop. */
  async stop(): Promise<void> {
    await this.#worker.close();
    await this.flows.close();
  }

  async close(): Promise<void> {
    await this.stop();
    await this.queue.close();
  }

  /** Lets what waits for its time be done now. */
  async hurry(): Promise<void> {
    for (const job of await this.queue.getDelayed()) if (job.name !== 'tick') await job.promote();
  }
}

function ticksAt({ name }: Site, done: readonly Done[]): number {
  return done.filter((one) => one.name.startsWith('tick') && one.at === name).length;
}

/** Stopped in the middle: some are done, some wait, for their time or for children, and some have failed once. */
async function beginAt(east: Site, done: Done[]): Promise<void> {
  const works = new Works(east, done);
  const { queue, flows } = works;
  try {
    await queue.upsertJobScheduler('ticks', { every: 300 }, { name: 'tick' });
    for (let i = 0; i < PLAIN_JOBS; i++) await queue.add(`plain ${i}`, {});
    for (let i = 0; i < 5; i++) await queue.add(`delayed ${i}`, {}, { delay: HOUR_MS });
    const retried = { attempts: 3, backoff: { type: 'fixed', delay: HOUR_MS } };
    for (let i = 0; i < 5; i++) await queue.add(`fails ${i}`, {}, retried);
    const later = { name: 'later', queueName: 'mail', opts: { delay: HOUR_MS } };
    for (let i = 0; i < 3; i++)
      await flows.add({
        name: `parent ${i}`,
        queueName: 'mail',
        children: [{ name: 'soon', queueName: 'mail' }, later],
      });
    const isDone = (): boolean => done.filter(({ name }) => name.startsWith('soon')).length === 3;
    await until('the first half to be done, and a tick', () => isDone() && ticksAt(east, done) > 0, DEADLINE);
    await works.stop();
    // The last word at this site: with another one too early, both give out the same IDs.
    for (let i = PLAIN_JOBS; i < PLAIN_JOBS * 2; i++) await queue.add(`plain ${i}`, {});
  } finally {
    await works.close();
  }
  expect(works.errors).toEqual([]);
}

/** Goes on with what was begun at the other site, and with more. */
async function goOnAt(west: Site, done: Done[]): Promise<string[]> {
  const works = new Works(west, done);
  try {
    for (let i = PLAIN_JOBS * 2; i < PLAIN_JOBS * 3; i++) await works.queue.add(`plain ${i}`, {});
    await works.hurry();
    await until('ticks at the other site', () => ticksAt(west, done) > 1, DEADLINE);
    expect(await works.queue.getJobSchedulersCount()).toBe(1);
    await works.queue.removeJobScheduler('ticks');
    const wanted = PLAIN_JOBS * 3 + 5 + 5 + 9;
    const others = async (): Promise<string[]> =>
      (await works.queue.getCompleted()).filter(({ name }) => name !== 'tick').map(({ name }) => name);
    await until('all others to be done', async () => (await others()).length >= wanted, DEADLINE);
    const parents = (await works.queue.getCompleted()).filter(({ name }) => name.startsWith('parent'));
    return parents.map(({ returnvalue }) => String(returnvalue));
  } finally {
    await works.close();
    expect(works.errors).toEqual([]);
  }
}

test('a BullMQ queue: plain and delayed jobs, failed ones, flows and a schedule go on, each once', async () => {
  const { east, west } = pair;
  const done: Done[] = [];
  await beginAt(east, done);
  await handOverFrom(east);
  const parents = await goOnAt(west, done);
  expect(parents.toSorted()).toEqual([0, 1, 2].map((i) => `later+soon+parent ${i}`));
  const runs = done.map(({ name, attempt }) => `${name} ${attempt}`);
  expect(runs.filter((run, at) => runs.indexOf(run) !== at)).toEqual([]);
  const names = done.filter(({ name }) => !name.startsWith('tick')).map(({ name }) => name.split(' ')[0]!);
  const counts = Object.fromEntries(
    ['plain', 'delayed', 'fails', 'soon', 'later', 'parent'].map((kind) => [
      kind,
      names.filter((name) => name === kind).length,
    ]),
  );
  expect(counts).toEqual({
    plain: PLAIN_JOBS * 3,
    delayed: 5,
    fails: 10,
    soon: 3,
    later: 3,
    parent: 3,
  });
  await handOverFrom(west);
  await expectEqual(east.redis, west.redis);
}, 180_000);

/** Takes an element to the list of those at work, as a reliable queue does; `isEnded`: its work ends. */
async function take(redis: Redis, isEnded = true): Promise<string | null> {
  const element = await redis.lmove('list', 'list:active', 'RIGHT', 'LEFT');
  if (element !== null && isEnded) await redis.lrem('list:active', 1, element);
  return element;
}

test('a list, and what a worker had taken that has died', async () => {
  const { east, west } = pair;
  const taken: (string | null)[] = [];
  for (let i = 0; i < ELEMENTS; i++) await east.redis.lpush('list', i);
  for (let i = 0; i < ELEMENTS / 2; i++) taken.push(await take(east.redis));
  for (let i = 0; i < 3; i++) await take(east.redis, false);
  await handOverFrom(east);
  while ((await west.redis.lmove('list:active', 'list', 'LEFT', 'RIGHT')) !== null);
  for (let i = ELEMENTS; i < ELEMENTS + 10; i++) await west.redis.lpush('list', i);
  for (let element = await take(west.redis); element !== null; element = await take(west.redis))
    taken.push(element);
  expect(taken).toEqual(Array.from({ length: ELEMENTS + 10 }, (_, i) => String(i)));
  await handOverFrom(west);
  expect(await east.redis.exists('list', 'list:active')).toBe(0);
}, 120_000);

type Entry = [id: string, fields: string[]];
type Pending = [id: string, consumer: string, idleMs: number, times: number];

async function readGroup(redis: Redis, count: number): Promise<string[]> {
  const reply = (await redis.xreadgroup('GROUP', 'g', 'a', 'COUNT', count, 'STREAMS', 'stream', '>')) as
    | [string, Entry[]][]
    | null;
  return (reply?.[0]?.[1] ?? []).map(([, fields]) => fields[1]!);
}

test('a stream and its group: what was delivered and not acknowledged is pending at the other site, for the same consumer', async () => {
  const { east, west } = pair;
  await east.redis.xgroup('CREATE', 'stream', 'g', '$', 'MKSTREAM');
  const ids: string[] = [];
  for (let i = 0; i < ELEMENTS; i++) ids.push((await east.redis.xadd('stream', '*', 'n', i))!);
  const done = await readGroup(east.redis, ELEMENTS / 2);
  const [acknowledged, open] = [done.slice(0, -5), done.slice(-5)];
  await east.redis.xack('stream', 'g', ...ids.slice(0, acknowledged.length));
  await handOverFrom(east);
  const pending = (await west.redis.xpending('stream', 'g', '-', '+', 100)) as Pending[];
  expect(pending.map(([id, consumer, , times]) => [id, consumer, times])).toEqual(
    ids.slice(acknowledged.length, done.length).map((id) => [id, 'a', 1]),
  );
  const [, claimed] = (await west.redis.xautoclaim('stream', 'g', 'b', 0, '0')) as [string, Entry[]];
  expect(claimed.map(([, fields]) => fields[1])).toEqual(open);
  await west.redis.xack('stream', 'g', ...claimed.map(([id]) => id));
  await west.redis.xadd('stream', '*', 'n', ELEMENTS);
  const rest = await readGroup(west.redis, ELEMENTS);
  expect([...acknowledged, ...open, ...rest]).toEqual(
    Array.from({ length: ELEMENTS + 1 }, (_, i) => String(i)),
  );
  await handOverFrom(west);
  await expectEqual(east.redis, west.redis);
}, 120_000);
