import type { Redis } from 'ioredis';
import type { Library } from './library.js';
import { WAIT_SECONDS, transaction } from './library.js';

const RESULT_SECONDS = 500;
const WORK_SECONDS = 240;

const seconds = (): number => Math.floor(Date.now() / 1000);

/** The keys of one queue, all under its name, so that queues of one test do not meet. */
function keysOf(queue: string): Record<'wip' | 'finished' | 'scheduled' | 'worker' | 'executions', string> {
  return {
    wip: `rq:wip:${queue}`,
    finished: `rq:finished:${queue}`,
    scheduled: `rq:scheduled:${queue}`,
    worker: `rq:worker:${queue}`,
    executions: `rq:worker:${queue}:executions`,
  };
}

/** Every third job goes to the queue that the worker looks into first, when it works two. */
const isUrgent = (index: number): boolean => index % 3 === 0;

function listOf(queue: string, index: number, two: boolean): string {
  return `rq:queue:${queue}${two && isUrgent(index) ? ':urgent' : ''}`;
}

async function take(redis: Redis, queue: string, two: boolean): Promise<string | undefined> {
  const list = `rq:queue:${queue}`;
  if (two) return (await redis.blpop(`${list}:urgent`, list, WAIT_SECONDS))?.[1];
  const id = await redis.blmove(list, `${list}:intermediate`, 'LEFT', 'RIGHT', WAIT_SECONDS);
  return id ?? undefined;
}

/** What is due by the scheduler's registry becomes ready. */
async function enqueueScheduled(redis: Redis, queue: string, two: boolean): Promise<void> {
  const { scheduled } = keysOf(queue);
  const due = await redis.zrangebyscore(scheduled, 0, Date.now() / 1000);
  if (due.length === 0) return;
  await transaction(redis, (multi) => {
    for (const id of due) {
      const list = listOf(queue, Number(id.split('-').at(-1)), two);
      multi.sadd('rq:queues', list).hset(`rq:job:${id}`, 'status', 'queued').rpush(list, id);
      multi.zrem(scheduled, id);
    }
    return multi;
  });
}

async function start(redis: Redis, queue: string, id: string, execution: string): Promise<void> {
  const { wip, worker, executions } = keysOf(queue);
  await redis.hset(worker, 'last_heartbeat', String(Date.now()));
  await redis.expire(worker, 480);
  await transaction(redis, (multi) =>
    multi
      .hset(`rq:execution:${execution}`, 'job_id', id, 'created_at', String(Date.now()))
      .expire(`rq:execution:${execution}`, WORK_SECONDS)
      .zadd(`rq:executions:${id}`, seconds() + 300, execution)
      .expire(`rq:executions:${id}`, 300)
      .zadd(wip, seconds() + WORK_SECONDS, execution)
      .sadd(executions, execution)
      .expire(executions, 300)
      .hset(worker, 'state', 'busy'),
  );
  await transaction(redis, (multi) =>
    multi
      .hset(worker, 'last_heartbeat', String(Date.now()))
      .expire(worker, WORK_SECONDS)
      .hset(`rq:job:${id}`, 'status', 'started', 'worker_name', worker, 'started_at', String(Date.now()))
      .persist(`rq:job:${id}`)
      .lrem(`rq:queue:${queue}:intermediate`, 1, id),
  );
}

interface Running {
  readonly id: string;
  readonly execution: string;
  /** The list it is put back to, when it has failed. */
  readonly retriedTo?: string;
}

async function end(redis: Redis, queue: string, { id, execution, retriedTo }: Running): Promise<void> {
  const { wip, worker, executions, finished } = keysOf(queue);
  const dependents = `rq:job:${id}:dependents`;
  for (let ended: unknown; ended === undefined;) {
    await redis.watch(dependents);
    await redis.smembers(dependents);
    ended = await transaction(redis, (multi) => {
      multi.hincrby(worker, retriedTo === undefined ? 'successful_job_count' : 'failed_job_count', 1);
      multi.hincrbyfloat(worker, 'total_working_time', 0.25);
      if (retriedTo === undefined)
        multi
          .hset(`rq:job:${id}`, 'status', 'finished', 'ended_at', String(Date.now()))
          .xadd(`rq:results:${id}`, 'MAXLEN', '~', 10, '*', 'type', '1', 'return_value', 'gAVLAC4=')
          .expire(`rq:results:${id}`, RESULT_SECONDS)
          .zadd(finished, seconds() + RESULT_SECONDS, id)
          .expire(`rq:job:${id}`, RESULT_SECONDS)
          .expire(dependents, RESULT_SECONDS);
      else
        multi
          .hset(`rq:job:${id}`, 'status', 'queued', 'retries_left', '2')
          .sadd('rq:queues', retriedTo)
          .rpush(retriedTo, id);
      return multi
        .del(`rq:execution:${execution}`)
        .zrem(wip, execution)
        .zrem(`rq:executions:${id}`, execution)
        .srem(executions, execution);
    });
  }
}

/** RQ 3. A worker of several queues takes by `BLPOP`, that of one by `BLMOVE` to an intermediate list. */
export function rq({ two }: { two: boolean }): Library {
  return {
    async add(redis, queue, index, { delayMs = 0 } = {}) {
      const id = `${queue}-${index}`;
      const list = listOf(queue, index, two);
      await transaction(redis, (multi) => multi.sadd('rq:queues', list));
      await transaction(redis, (multi) => {
        const status = delayMs > 0 ? 'scheduled' : 'queued';
        multi
          .hset(`rq:job:${id}`, 'status', status)
          .hset(`rq:job:${id}`, 'data', String(index), 'timeout', '180');
        return delayMs > 0
          ? multi.zadd(keysOf(queue).scheduled, (Date.now() + delayMs) / 1000, id)
          : multi.rpush(list, id);
      });
    },

    async turn(redis, queue, perform) {
      await enqueueScheduled(redis, queue, two);
      const id = await take(redis, queue, two);
      if (id === undefined) return;
      const execution = `${id}:${Date.now()}`;
      await start(redis, queue, id, execution);
      const index = Number(await redis.hget(`rq:job:${id}`, 'data'));
      const failed = perform(index) === 'failed';
      await end(redis, queue, {
        id,
        execution,
        ...(failed ? { retriedTo: listOf(queue, index, two) } : {}),
      });
    },

    async counts(redis, queue) {
      const { wip, finished, scheduled, executions } = keysOf(queue);
      const list = `rq:queue:${queue}`;
      const [ready, urgent, intermediate, working, later, done, running] = await Promise.all([
        redis.llen(list),
        redis.llen(`${list}:urgent`),
        redis.llen(`${list}:intermediate`),
        redis.zcard(wip),
        redis.zcard(scheduled),
        redis.zcard(finished),
        redis.scard(executions),
      ]);
      return { ready, urgent, intermediate, working, later, running, finished: done };
    },
  };
}
