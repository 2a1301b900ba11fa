import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalConfig } from '../config/config.js';
import { LinkedAbort } from '../async/linked-abort.js';
import { passesByItself } from '../errors.js';
import type { JobClient, JobView } from '../jobs/job-client.js';
import { QUIET_LOG } from '../log/quiet-log.js';
import { readStatusKey } from '../observe/status-key.js';
import { answerOf, refusalOf, whereOf } from '../redis/connect.js';
import { parseInfo } from '../redis/server-facts.js';
import { memoryOf } from '../redis/server-memory.js';
import { WorkRate } from './bars.js';
import { atLocalRedis, type LocalWork } from './clients.js';
import { Screen } from './screen.js';
import { paint } from './terminal.js';
import { History, SHOWN_JOBS, watchLine, watchLines, type Watched } from './watch-view.js';

const INTERVAL_MS = 1000;

/**
 * Shows what the running process does, anew every second, until `q`, Ctrl-C or a signal: on a terminal as a picture, in a pipe as a line
 * each time. It goes on while no process runs, and while the Redis is away. Resolves with 0.
 */
export function watch(config: LocalConfig, { json }: { json: boolean }): Promise<number> {
  return atLocalRedis(config, { purpose: 'watch', untilSignal: true }, async (local) => {
    const screen = !json && process.stdout.isTTY ? new Screen() : undefined;
    const isOver = new LinkedAbort(local.stop, ...(screen ? [screen.closed] : []));
    const end = isOver.signal;
    const looks = new Looks(config, local);
    try {
      while (!end.aborted) {
        const found = await looks.look(screen !== undefined);
        if (end.aborted) break;
        if (screen) screen.draw(pictureOf(found, config));
        else
          console.log(
            json ? JSON.stringify(found.watched?.site ?? { running: false }) : lineOf(found, config),
          );
        await sleep(INTERVAL_MS, undefined, { signal: end }).catch(() => {});
      }
    } finally {
      isOver.abort();
      screen?.close();
      await looks.close();
    }
    return 0;
  });
}

/** What a look has shown: the site, or why there is nothing to be shown. */
interface Found {
  readonly watched?: Watched | undefined;
  readonly trouble?: string;
}

function pictureOf({ watched, trouble }: Found, { pair, site }: LocalConfig): string[] {
  const lines = watched
    ? watchLines(watched)
    : [paint.bold(`pair ${pair}, site ${site}`), '', paint.red(trouble ?? nobody({ pair, site }))];
  return [...lines, '', paint.dim('q ends')];
}

function lineOf({ watched, trouble }: Found, config: LocalConfig): string {
  return watched ? watchLine(watched) : `${new Date().toISOString()}  ${trouble ?? nobody(config)}`;
}

function nobody({ pair, site }: Pick<LocalConfig, 'pair' | 'site'>): string {
  return `no process runs for site ${site} of pair ${pair}`;
}

class Looks {
  readonly #config: LocalConfig;
  readonly #local: LocalWork;
  readonly #history = new History();
  #rates = new Map<string, WorkRate>();
  #jobs: JobClient | undefined;

  constructor(config: LocalConfig, local: LocalWork) {
    this.#config = config;
    this.#local = local;
  }

  /** @param isWhole also what only a picture shows @throws TandemError what does not pass by itself */
  async look(isWhole: boolean): Promise<Found> {
    const { redis, keys } = this.#local;
    try {
      const site = await readStatusKey(redis, keys.status);
      if (site === null) return {};
      this.#history.note(site);
      const { changesBytes, inboxBytes } = this.#config;
      const isBusy = isWhole && site.jobs.active + site.jobs.waiting > 0;
      return {
        watched: {
          site,
          history: this.#history,
          memory: isWhole ? memoryOf(parseInfo(await answerOf(redis, redis.info('memory')))) : undefined,
          bounds: { changesBytes, inboxBytes },
          jobs: isBusy ? this.#rated(await this.#jobsAtWork()) : [],
          now: Date.now(),
        },
      };
    } catch (error) {
      const refusal = refusalOf(error, whereOf(redis));
      if (!passesByItself(refusal)) throw error;
      return { trouble: refusal.message };
    }
  }

  async close(): Promise<void> {
    await this.#jobs?.close();
  }

  async #jobsAtWork(): Promise<JobView[]> {
    const { redis, keys } = this.#local;
    if (this.#jobs === undefined) {
      // What jobs need takes long to load, and most of the time there are none.
      const { JobClient: Client } = await import('../jobs/job-client.js');
      this.#jobs = new Client({ client: redis, keys, log: QUIET_LOG });
    }
    return (await this.#jobs.list(['active', 'waiting'])).slice(0, SHOWN_JOBS);
  }

  /** The rates of jobs that are gone go with them. */
  #rated(jobs: readonly JobView[]): Watched['jobs'] {
    this.#rates = new Map(jobs.map(({ id }) => [id, this.#rates.get(id) ?? new WorkRate()]));
    return jobs.map((job) => ({ job, rate: this.#rates.get(job.id)! }));
  }
}
