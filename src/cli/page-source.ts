/** What the status page shows and does, on the running process's own connection. */

import {
  commandOf,
  countRejected,
  dropRejected,
  findRejected,
  readRejected,
  retryRejected,
} from '../inbound/rejected-list.js';
import { serverCommands } from '../redis/server-commands.js';
import { globToRegExp } from '../config/filter.js';
import type { Config } from '../config/config.js';
import { JobClient } from '../jobs/job-client.js';
import type { JobView } from '../jobs/job-view.js';
import { pause, resume } from '../site/pauses.js';
import { warningsOf, type Logger } from '../log/log.js';
import type { Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import type {
  ListedConflict,
  ListedJob,
  ListedRejection,
  PageAction,
  PageSource,
} from '../observe/page/page-source.js';
import type { SiteStatus } from '../observe/status.js';
import { shown } from './terminal.js';

/** Entries of a list that a page is given, and how many are looked through for them. */
const SHOWN = 100;
const LOOKED_THROUGH = 1000;
const SHOWN_JOBS = 30;

export interface PageSourceOptions {
  readonly config: Config;
  readonly keys: KeyNames;
  /** Connected, or trying to be. */
  readonly redis: Redis;
  readonly status: () => SiteStatus;
  readonly log: Logger;
}

export function pageSource({ config, keys, redis, status, log }: PageSourceOptions): PageSource {
  const showsData = config.httpData;
  const jobs = new JobClient({ client: redis, keys, log });
  return {
    showsData,
    status,
    warnings: () => warningsOf(log),
    conflicts: (pattern) => conflicts({ redis, keys, showsData, pattern }),
    rejected: async () => ({
      total: await countRejected(redis, keys),
      entries: await rejections({ redis, keys, showsData }),
    }),
    jobs: async () => (await jobs.list()).slice(0, SHOWN_JOBS).map(listed),
    act: (action) => act({ redis, keys }, action),
  };
}

/** A job without what it was given and has given back: keys may stand there. */
function listed({ id, task, state, addedAt, startedAt, endedAt, progress, failure }: JobView): ListedJob {
  const { done, total } = (progress ?? {}) as { done?: unknown; total?: unknown };
  return { id, task, state, addedAt, startedAt, endedAt, progress: { done, total }, failure };
}

interface ListOptions {
  readonly redis: Redis;
  readonly keys: KeyNames;
  readonly showsData: boolean;
}

async function conflicts({
  redis,
  keys,
  showsData,
  pattern,
}: ListOptions & { pattern: string }): Promise<ListedConflict[]> {
  const wanted = pattern === '' ? undefined : globToRegExp(pattern);
  const rows = await redis.xrevrangeBuffer(keys.conflicts, '+', '-', 'COUNT', LOOKED_THROUGH);
  const found: ListedConflict[] = [];
  for (const [id, flat] of rows) {
    const field = (name: string): Buffer | undefined => {
      const at = flat.findIndex((one, index) => index % 2 === 0 && one.toString('latin1') === name);
      return at < 0 ? undefined : flat[at + 1];
    };
    const text = (name: string): string => field(name)?.toString('latin1') ?? '';
    // Nothing is to be learnt of names that are not shown, by way of the filter neither.
    if (wanted && !wanted.test(showsData ? text('key') : text('command'))) continue;
    const data = (name: string): string | undefined => {
      const value = field(name);
      return showsData && value ? shown(value) : undefined;
    };
    found.push({
      id: id.toString(),
      at: Number(id.toString().split('-')[0]),
      command: text('command'),
      outcome: text('outcome'),
      database: Number(text('database')),
      key: data('key'),
      theirs: data('theirs'),
      own: data('own'),
    });
    if (found.length >= SHOWN) break;
  }
  return found;
}

async function rejections({ redis, keys, showsData }: ListOptions): Promise<ListedRejection[]> {
  const entries = await readRejected(redis, keys, SHOWN);
  return entries.toReversed().map((entry) => ({
    id: entry.id,
    at: entry.at,
    // Redis puts arguments into some errors.
    error: showsData ? shown(entry.error) : (entry.error.toString('latin1').split(' ', 1)[0] ?? ''),
    tries: entry.tries,
    command: commandOf(entry)?.name,
    key: showsData ? shown(entry.key) : undefined,
  }));
}

async function act({ redis, keys }: Omit<ListOptions, 'showsData'>, action: PageAction): Promise<void> {
  switch (action.kind) {
    case 'pause':
      return pause(redis, keys, [action.direction]);
    case 'resume':
      return resume(redis, keys, [action.direction]);
    case 'drop':
      await dropRejected(redis, keys, [action.id]);
      return;
    case 'retry': {
      const entries = await findRejected(redis, keys, [action.id]);
      const { writes: extra } = await serverCommands(redis);
      await retryRejected(redis, { keys, entries, extra });
    }
  }
}
