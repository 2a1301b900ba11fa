/**
 * The control plane on one connection, from its opening to the first thing that goes wrong. Nothing here is repaired in place:
 * the session ends, and the next one begins from what Redis holds.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { answerOf, openClient, refusalOf, whereOf, type Redis } from '../redis/connect.js';
import { connectPrimary } from '../redis/primary.js';
import type { KeyNames } from '../redis/keys.js';
import { together } from '../async/together.js';
import { JobQueue } from './bullmq/job-queue.js';
import { JobWorker } from './bullmq/job-worker.js';
import type { JobKind, OpenKind } from './job-kind.js';
import { NO_JOBS, type AddOptions, type JobCounts } from './job-view.js';

/** The kind of job that `verifyCron` is about, and the name of its schedule. */
const VERIFY = 'verify';
const STATES = Object.keys(NO_JOBS) as readonly (keyof JobCounts)[];
/** How often the jobs are counted for the status. */
const COUNT_MS = 2000;
/** A session told to end has this long: then what it still asks of Redis is given up. */
const END_LIMIT_MS = 2000;

export interface SessionOptions {
  readonly config: Config;
  readonly keys: KeyNames;
  readonly log: Logger;
  readonly kinds: readonly JobKind[];
  /** The token that came with the site's lease; undefined where there is none. */
  readonly fence: number | undefined;
  /** How many jobs there are, every two seconds. */
  readonly onCounted: (counts: JobCounts) => void;
}

export class JobSession {
  readonly #options: SessionOptions;
  readonly #client: Redis;
  readonly #open = new Map<string, OpenKind>();
  #isOpen = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { config, log } = options;
    this.#client = openClient({
      url: config.localUrl,
      tls: config.tls,
      name: `tandem:${config.site}:jobs`,
      log,
      connectTimeoutMs: config.connectTimeoutMs,
      commandTimeoutMs: config.commandTimeoutMs,
    });
  }

  /** Whether jobs can be added. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Works until the signal aborts, and ends soon then. @throws whatever went wrong */
  async run(signal: AbortSignal): Promise<void> {
    const { kinds } = this.#options;
    const end = new AbortController();
    let limit: NodeJS.Timeout | undefined;
    const abort = (): void => {
      end.abort();
      limit ??= setTimeout(() => this.#client.disconnect(), END_LIMIT_MS);
    };
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      await connectPrimary(this.#client, signal);
      const closed = this.#closed();
      await this.#openKinds();
      this.#isOpen = true;
      const tasks = [
        ...kinds.map(async (kind) => kind.run(this.#open.get(kind.name)!, end.signal)),
        this.#count(end.signal),
      ];
      await together({ tasks, ended: closed, end: abort });
    } catch (error) {
      throw refusalOf(error, whereOf(this.#client));
    } finally {
      this.#isOpen = false;
      clearTimeout(limit);
      signal.removeEventListener('abort', abort);
      this.#client.disconnect();
      await this.#close();
    }
  }

  /** To be called while the session is open, with a kind it has. @throws TandemError when Redis refuses */
  async add(kind: string, data: unknown, options: AddOptions): Promise<string> {
    const id = await this.#open.get(kind)!.queue.add(data, options);
    this.#options.kinds.find(({ name }) => name === kind)?.wake();
    return id;
  }

  #closed(): Promise<Error> {
    return new Promise((resolve) => {
      this.#client.once('close', () =>
        resolve(new TandemError('UNREACHABLE', `${whereOf(this.#client)} closed the connection for jobs`)),
      );
    });
  }

  async #openKinds(): Promise<void> {
    const { keys, kinds, log, config, fence } = this.#options;
    const client = this.#client;
    await this.#nameKinds();
    for (const kind of kinds) {
      const options = { client, keys, kind: kind.name, log };
      const open: OpenKind = {
        queue: await JobQueue.open({ ...options, describes: true }),
        worker: await JobWorker.open(options),
      };
      this.#open.set(kind.name, open);
      await kind.reclaim(open, fence);
      if (kind.name === VERIFY) await open.queue.keepSchedule(VERIFY, config.verifyCron);
    }
  }

  /** Again and again: somebody may have deleted the names, or written something else in their place. */
  async #nameKinds(): Promise<void> {
    const { keys, kinds } = this.#options;
    const client = this.#client;
    if (!['set', 'none'].includes(await answerOf(client, client.type(keys.jobKinds))))
      await answerOf(client, client.del(keys.jobKinds));
    await answerOf(client, client.sadd(keys.jobKinds, ...kinds.map(({ name }) => name)));
  }

  async #count(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#nameKinds();
      const sum = { ...NO_JOBS };
      for (const { queue } of this.#open.values()) {
        const counts = await queue.counts();
        for (const state of STATES) sum[state] += counts[state];
      }
      this.#options.onCounted(sum);
      await sleep(COUNT_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #close(): Promise<void> {
    // The connection is ours and closed already: what is left are listeners.
    for (const { queue, worker } of this.#open.values())
      await Promise.allSettled([queue.close(), worker.close()]);
    this.#open.clear();
  }
}
