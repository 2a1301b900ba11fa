import type { Redis } from 'ioredis';
import { afterEach, beforeEach } from 'vitest';
import type { Signal } from '../../src/async/signal.js';
import { loadConfig } from '../../src/config/config.js';
import { JobClient, type JobView } from '../../src/jobs/job-client.js';
import { ControlPlane, type Task } from '../../src/jobs/jobs.js';
import { createLogger } from '../../src/log/log.js';
import { connectClient, type Redis as OwnClient } from '../../src/redis/connect.js';
import { type KeyNames, keyNames } from '../../src/redis/keys.js';
import type { TestServer } from './server.js';
import { tandemClient } from './tandem-clients.js';
import { useServer } from './use-server.js';
import { until } from './wait.js';

/** A control plane at work, and how to end it. */
export interface RunningPlane {
  readonly plane: ControlPlane;
  readonly stop: () => Promise<void>;
}

const PAIR = 'test';

/** A server, a client of its jobs, and control planes that end with the test. Made once for a file. */
export class JobsBench {
  readonly keys: KeyNames = keyNames({ prefix: 'tandem', pair: PAIR });
  readonly redis: Redis;
  client!: JobClient;
  log: { level: string; msg: string }[] = [];
  readonly #running: (() => Promise<void>)[] = [];
  readonly #server: () => TestServer;
  #own!: OwnClient;

  constructor() {
    const { redis, server } = useServer({ isEmptied: true });
    this.redis = redis;
    this.#server = server;
    beforeEach(() => this.#begin());
    afterEach(() => this.#end());
  }

  get server(): TestServer {
    return this.#server();
  }

  start(
    tasks: Record<string, Task>,
    env: Record<string, string> = {},
    fence?: number,
    reading?: Signal,
  ): RunningPlane {
    const plane = new ControlPlane({
      config: this.#config(env),
      keys: this.keys,
      log: this.#logger(),
      tasks,
    });
    const end = new AbortController();
    const over = plane.run(end.signal, fence, reading);
    const stop = async (): Promise<void> => {
      end.abort();
      await over;
    };
    this.#running.push(stop);
    return { plane, stop };
  }

  /** The job as it ended. */
  async ended(id: string): Promise<JobView> {
    return until(`the job ${id} to end`, async () => {
      const job = await this.client.get(id);
      return job?.state === 'completed' || job?.state === 'failed' ? job : undefined;
    });
  }

  /** Resolves once the job is at work. */
  async begun(id: string): Promise<void> {
    await until(`the job ${id} to begin`, async () => (await this.client.get(id))?.state === 'active');
  }

  async #begin(): Promise<void> {
    this.log = [];
    const log = this.#logger();
    this.#own = tandemClient({ url: this.server.url, name: 'test', log, commandTimeoutMs: 5000 });
    await connectClient(this.#own);
    this.client = new JobClient({ client: this.#own, keys: this.keys, log });
  }

  async #end(): Promise<void> {
    for (const stop of this.#running.splice(0)) await stop();
    await this.client.close();
    this.#own.disconnect();
  }

  #config(env: Record<string, string> = {}): ReturnType<typeof loadConfig> {
    const urls = { TANDEM_LOCAL_URL: this.server.url, TANDEM_PEER_URL: 'redis://127.0.0.1:1' };
    return loadConfig({
      env: { TANDEM_PAIR: PAIR, TANDEM_SITE: 'east', TANDEM_PEER: 'west', ...urls, ...env },
    });
  }

  #logger(): ReturnType<typeof createLogger> {
    const write = (line: string): void => void this.log.push(JSON.parse(line) as (typeof this.log)[number]);
    return createLogger(
      { pair: PAIR, site: 'east', logLevel: 'debug', logPretty: 'never', logData: false },
      { write },
    );
  }
}

/** Works until it is told to end. */
export const untilAborted: Task = ({ signal }) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

/** Closes every connection of this name. */
export async function killConnections(redis: Redis, name: string): Promise<void> {
  const list = String(await redis.client('LIST'));
  for (const line of list.split('\n').filter((one) => one.includes(` name=${name} `)))
    await redis.client('KILL', 'ID', /\bid=(\d+)/.exec(line)![1]!);
}
