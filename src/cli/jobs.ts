import { byNumber, counted } from '../counted.js';
import type { LocalConfig } from '../config/config.js';
import { JobClient, type JobView } from '../jobs/job-client.js';
import { TandemError } from '../errors.js';
import { atLocalSite } from './local-site.js';
import { ProgressLine, showJob } from './progress-line.js';
import { duration, grouped, paint } from './terminal.js';

/** What `tandem jobs` can do. */
export type JobAction = 'list' | 'watch' | 'pause' | 'resume' | 'cancel' | 'retry' | 'drop';

/** Those that concern one job. */
const ON_ONE_JOB: readonly JobAction[] = ['cancel', 'retry', 'drop'];

export interface JobsArguments {
  readonly action: JobAction;
  /** Of the job to cancel, to try again, or to watch alone. */
  readonly id: string | undefined;
  readonly json: boolean;
}

/**
 * Lists or steers the jobs in the local Redis, whether or not a process runs. Resolves with the exit code: 1 when there is
 * nothing to cancel, to drop or to try again, or a job that was watched has failed. @throws TandemError CONFIG_INVALID for arguments that make no sense; WRONG_PAIR, SAME_SITE
 */
export async function jobs(config: LocalConfig, { action, id, json }: JobsArguments): Promise<number> {
  const isOnOneJob = ON_ONE_JOB.includes(action);
  if (action !== 'watch' && isOnOneJob !== (id !== undefined))
    throw wrong(isOnOneJob ? `${action}: which job?` : `${action} takes no ID`);
  return atLocalSite(config, 'jobs-command', async ({ redis, keys, log }) => {
    const client = new JobClient({ client: redis, keys, log });
    try {
      return await act(client, { action, id, json });
    } finally {
      await client.close();
    }
  });
}

async function act(client: JobClient, { action, id, json }: JobsArguments): Promise<number> {
  if (action === 'watch') return watchJobs(client, { id, json });
  if (action === 'pause') {
    await client.pause();
    console.log('No job begins until: tandem jobs resume');
  } else if (action === 'resume') {
    await client.resume();
    console.log('Jobs begin again.');
  } else if (id !== undefined) {
    if (action === 'drop') return drop(client, id);
    return action === 'retry' ? retry(client, id) : cancel(client, id);
  } else {
    const [found, isPaused] = [await client.list(), await client.isPaused()];
    console.log(json ? JSON.stringify({ paused: isPaused, jobs: found }) : renderJobs(found, { isPaused }));
  }
  return 0;
}

async function cancel(client: JobClient, id: string): Promise<number> {
  const done = await client.cancel(id);
  const texts = {
    removed: `${id} waited, and is gone.`,
    asked: `${id} is told to end; it is then failed, as cancelled.`,
    ended: `${id} has ended already: tandem jobs retry ${id}, or tandem jobs drop ${id}`,
    unknown: `There is no job ${id}.`,
  };
  console.log(texts[done]);
  return done === 'removed' || done === 'asked' ? 0 : 1;
}

async function drop(client: JobClient, id: string): Promise<number> {
  const done = await client.drop(id);
  const texts = {
    dropped: `${id} is off the list.`,
    'not ended': `${id} has not ended: tandem jobs cancel ${id}`,
    unknown: `There is no job ${id}.`,
  };
  console.log(texts[done]);
  return done === 'dropped' ? 0 : 1;
}

/**
 * Tells how far a job is until it has ended; without an ID of one after the other, until none waits or is at work. Gives 0, or 1 when one
 * has failed. @throws TandemError CLOSED at a signal
 */
async function watchJobs(
  client: JobClient,
  { id, json }: { id: string | undefined; json: boolean },
): Promise<number> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  const first = async (): Promise<string | undefined> => (await client.list(['active', 'waiting']))[0]?.id;
  let exitCode = 0;
  process.once('SIGINT', abort).once('SIGTERM', abort);
  try {
    for (let next = id ?? (await first()); next !== undefined; next = id ? undefined : await first()) {
      const job = await followed(client, next, stop.signal);
      if (job === undefined) console.log(`There is no job ${next}.`);
      else console.log(json ? JSON.stringify(job) : renderEnd(job));
      if (job?.state !== 'completed') exitCode = 1;
    }
    return exitCode;
  } finally {
    process.off('SIGINT', abort).off('SIGTERM', abort);
  }
}

async function followed(client: JobClient, id: string, signal: AbortSignal): Promise<JobView | undefined> {
  if ((await client.get(id)) === undefined) return undefined;
  const line = new ProgressLine(true);
  try {
    return await client.follow(id, (now) => showJob(line, now), signal);
  } finally {
    line.clear();
  }
}

function renderEnd({ id, state, failure }: JobView): string {
  return state === 'completed' ? `${id}  ${paint.green(state)}` : `${id}  ${paint.red(state)}: ${failure}`;
}

async function retry(client: JobClient, id: string): Promise<number> {
  const done = await client.retry(id);
  const isPaused = done === 'waits' && (await client.isPaused());
  const texts = {
    waits: `${id} is tried again${isPaused ? ', after: tandem jobs resume' : '.'}`,
    'not failed': `${id} has not failed.`,
    unknown: `There is no job ${id}.`,
  };
  console.log(texts[done]);
  return done === 'waits' ? 0 : 1;
}

function wrong(message: string): TandemError {
  return new TandemError('CONFIG_INVALID', message, {
    hint: 'tandem jobs [list], tandem jobs watch [ID], tandem jobs pause, tandem jobs resume, tandem jobs cancel ID, tandem jobs retry ID, tandem jobs drop ID',
  });
}

/** One line for each job, and why it failed. `now` in ms since 1970. */
export function renderJobs(
  found: readonly JobView[],
  { isPaused, now = Date.now() }: { isPaused: boolean; now?: number },
): string {
  const paused = isPaused ? [paint.yellow('Paused: no job begins until: tandem jobs resume')] : [];
  if (found.length === 0) return [...paused, 'No jobs.'].join('\n');
  const width = Math.max(...found.map(({ id }) => id.length));
  const lines = found.flatMap((job) => {
    const done = job.state === 'completed' ? resultText(job.result) : progressText(job.progress);
    const line = `${job.id.padEnd(width)}  ${stateText(job)}  ${timeText(job, now)}${done}`;
    const rejected = rejectedIn(job.result);
    if (rejected > 0)
      return [
        line,
        paint.yellow(`  the other site has rejected ${counted(rejected, 'value')}: tandem rejected, there`),
      ];
    const left = leftDifferent(job.result);
    if (left > 0)
      return [
        line,
        paint.yellow(`  ${counted(left, 'key')} ${byNumber(left, 'differs', 'differ')}: tandem repair`),
      ];
    return job.failure === null || job.state === 'completed' ? [line] : [line, `  ${job.failure}`];
  });
  return [...paused, ...lines].join('\n');
}

function stateText({ state }: JobView): string {
  const text = state.padEnd('completed'.length);
  if (state === 'failed') return paint.red(text);
  return state === 'active' ? paint.green(text) : text;
}

function timeText(
  { state, addedAt, startedAt, endedAt, attempts, maxAttempts }: JobView,
  now: number,
): string {
  const tries =
    attempts > 1 || (attempts === 1 && endedAt === null) ? `, ${attempts} of ${maxAttempts} attempts` : '';
  if (endedAt !== null)
    return `${duration(now - endedAt)} ago, took ${duration(endedAt - (startedAt ?? endedAt))}${tries}`;
  if (state === 'active') return `for ${duration(now - (startedAt ?? now))}${tries}`;
  return `added ${duration(now - addedAt)} ago${tries}`;
}

/** Values that did not come to be at the other site, by the result of a job. */
function rejectedIn(result: unknown): number {
  const { rejected } = (result ?? {}) as { rejected?: unknown };
  return typeof rejected === 'number' ? rejected : 0;
}

/** Keys that a comparison has left different, by the result of a job. */
function leftDifferent(result: unknown): number {
  const { differing, repaired } = (result ?? {}) as { differing?: unknown; repaired?: unknown };
  return typeof differing === 'number' && typeof repaired === 'number' ? differing - repaired : 0;
}

/** What a job has come to that is done. How far it was last is no measure: the total is an estimate. */
function resultText(result: unknown): string {
  const { compared, looked, sent } = (result ?? {}) as Record<string, unknown>;
  if (typeof compared === 'number') return `, ${counted(compared, 'key')} compared`;
  if (typeof looked !== 'number') return '';
  return `, ${counted(looked, 'key')} looked at${typeof sent === 'number' ? `, ${grouped(sent)} sent` : ''}`;
}

function progressText(progress: unknown): string {
  if (typeof progress !== 'object' || progress === null) return '';
  const { done, total } = progress as { done?: unknown; total?: unknown };
  if (typeof done !== 'number') return '';
  return typeof total === 'number' && total > 0
    ? `, ${grouped(done)} of ${grouped(total)} (${Math.floor((done / total) * 100)} %)`
    : `, ${grouped(done)}`;
}
