/**
 * The control plane: long work, such as a comparison, as jobs in the local Redis, done by the process that has the lease.
 * Replication does not depend on it: whatever goes wrong here is logged, counted and tried again with back-off.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { describeError, TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { Trouble } from '../log/trouble.js';
import { Backoff } from '../async/backoff.js';
import type { Signal } from '../async/signal.js';
import type { KeyNames } from '../redis/keys.js';
import { JobKind } from './job-kind.js';
import { NO_JOBS, type AddOptions, type JobCounts } from './job-view.js';
import { JobSession } from './job-session.js';
import type { Task } from './task.js';

export type { JobContext, JobProgress, Task } from './task.js';

/** After this long without a failure the next one begins at the shortest pause again. */
const STEADY_MS = 10_000;
/** `add` waits this long for a connection. */
const ADD_LIMIT_MS = 10_000;
const ADD_PAUSE_MS = 50;
/** How long jobs wait for changes to cross, and for the first of them behind that. */
const READING_MS = 2000;
const FIRST_CHANGES_MS = 100;

export interface ControlPlaneOptions {
  readonly config: Config;
  readonly keys: KeyNames;
  readonly log: Logger;
  /** Name of the kind → what does the work. */
  readonly tasks: Readonly<Record<string, Task>>;
}

export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #log: Logger;
  readonly #kinds: readonly JobKind[];
  /** The one at work, or the last one. */
  #session: JobSession | undefined;
  #counts: JobCounts = NO_JOBS;
  #faults = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#log = options.log.child({ stage: 'jobs' });
    this.#kinds = Object.entries(options.tasks).map(
      ([name, task]) => new JobKind({ name, task, log: this.#log }),
    );
  }

  /** Jobs by state, as last counted, and how often the control plane itself has failed. */
  get status(): JobCounts & { faults: number } {
    return { ...this.#counts, faults: this.#faults };
  }

  /**
   * Does jobs until the signal aborts, and ends within two seconds then. The caller has the site's lease, and `fence` is the
   * token that came with it. Never rejects. Called again it begins when the run before has ended.
   * @param reading raised when changes cross: jobs wait for that, within bounds, since nothing else is done while their library is loaded
   */
  async run(signal: AbortSignal, fence?: number, reading?: Signal): Promise<void> {
    const before = this.#running;
    this.#running = (async () => {
      await before;
      if (reading) await firstChanges(reading, signal).catch(() => {});
      if (this.#kinds.length > 0) await this.#sessions(signal, fence);
    })();
    return this.#running;
  }

  /**
   * Adds a job unless one of this id is waiting or at work, and gives its id. Waits for a connection.
   * @param signal ends the waiting
   * @throws TandemError when there is none for ten seconds, the kind is unknown, or Redis refuses; the signal's reason
   */
  async add(task: string, data: unknown, options: AddOptions = {}, signal?: AbortSignal): Promise<string> {
    if (!this.#kinds.some(({ name }) => name === task))
      throw new TandemError('INTERNAL', `there are no jobs of the kind ${task}`);
    const end = Date.now() + ADD_LIMIT_MS;
    while (this.#session?.isOpen !== true) {
      if (Date.now() > end) throw new TandemError('CLOSED', 'jobs cannot be added now');
      await sleep(ADD_PAUSE_MS, undefined, { signal });
    }
    return this.#session.add(task, data, options);
  }

  async #sessions(signal: AbortSignal, fence: number | undefined): Promise<void> {
    const { backoffMinMs: minMs, backoffMaxMs: maxMs } = this.#options.config;
    const backoff = new Backoff({ minMs, maxMs });
    const trouble = new Trouble();
    while (!signal.aborted) {
      const began = Date.now();
      const session = new JobSession({
        ...this.#options,
        log: this.#log,
        kinds: this.#kinds,
        fence,
        onCounted: (counts) => {
          this.#counts = counts;
          const ended = trouble.over();
          if (ended) this.#log.info(ended, 'jobs go on');
        },
      });
      this.#session = session;
      try {
        await session.run(signal);
      } catch (error) {
        if (signal.aborted) break;
        this.#faults++;
        if (Date.now() - began > STEADY_MS) backoff.succeeded();
        const pauseMs = backoff.failed();
        const fields = { err: error, faults: this.#faults, pauseMs };
        const lasting = trouble.met(describeError(error).message);
        if (lasting) this.#log.warn({ ...fields, ...lasting }, 'jobs are backing off');
        else this.#log.debug(fields, 'jobs are still backing off');
        await sleep(pauseMs, undefined, { signal }).catch(() => {});
      }
    }
  }
}

/** Waits until the first changes can have crossed, or long enough. @throws the signal's reason when it aborts */
async function firstChanges(reading: Signal, signal: AbortSignal): Promise<void> {
  await reading.wait(signal, READING_MS);
  await sleep(FIRST_CHANGES_MS, undefined, { signal });
}
