import type { Library } from './library.js';
import { WAIT_SECONDS, transaction } from './library.js';

const LOCK_MS = 30_000;
const TOKEN = 'worker';
/** The lower bits of a delayed job's score hold a part of its ID, so that jobs of one millisecond keep their order. */
const PER_MS = 0x1000;

/** KEYS: id, wait, delayed. ARGV: prefix, index, time, delay, the time it is due or 0. */
const ADD = `
local id = redis.call('INCR', KEYS[1])
redis.call('HMSET', ARGV[1] .. id, 'name', '__default__', 'data', ARGV[2], 'opts', '{}',
  'timestamp', ARGV[3], 'delay', ARGV[4], 'priority', 0)
if ARGV[5] ~= '0' then
  redis.call('ZADD', KEYS[3], tonumber(ARGV[5]) * ${PER_MS} + bit.band(id, ${PER_MS - 1}), id)
  redis.call('PUBLISH', KEYS[3], ARGV[5])
else
  redis.call('LPUSH', KEYS[2], id)
  redis.call('PUBLISH', KEYS[2] .. 'ing@' .. '${TOKEN}', id)
end
return id`;

/** KEYS: delayed, active, wait. ARGV: prefix, time. */
const UPDATE_DELAYED = `
local jobs = redis.call('ZRANGEBYSCORE', KEYS[1], 0, tonumber(ARGV[2]) * ${PER_MS}, 'LIMIT', 0, 1000)
if #jobs > 0 then
  redis.call('ZREM', KEYS[1], unpack(jobs))
  for _, id in ipairs(jobs) do
    redis.call('LREM', KEYS[2], 0, id)
    redis.call('LPUSH', KEYS[3], id)
    redis.call('PUBLISH', KEYS[3] .. 'ing@' .. '${TOKEN}', id)
    redis.call('HSET', ARGV[1] .. id, 'delay', 0)
  end
end`;

const START = `
redis.call('SET', prefix .. id .. ':lock', '${TOKEN}', 'PX', ${LOCK_MS})
redis.call('ZREM', priority, id)
redis.call('PUBLISH', active .. '@event', id)
redis.call('HSET', prefix .. id, 'processedOn', now)
return { id, redis.call('HGET', prefix .. id, 'data') }`;

/** KEYS: active, stalled, priority. ARGV: prefix, time, ID of a job that has been moved to active. */
const MOVE_TO_ACTIVE = `
local active, priority, prefix, now, id = KEYS[1], KEYS[3], ARGV[1], ARGV[2], ARGV[3]
redis.call('SREM', KEYS[2], id)
${START}`;

const RELEASE = `
local prefix, now, id = ARGV[1], ARGV[2], ARGV[3]
if redis.call('GET', prefix .. id .. ':lock') ~= '${TOKEN}' then return redis.error_reply('lock mismatch') end
redis.call('DEL', prefix .. id .. ':lock')
redis.call('SREM', KEYS[2], id)
if redis.call('LREM', KEYS[1], -1, id) < 1 then return redis.error_reply('job not in active') end`;

/** KEYS: active, stalled, priority, wait, completed. ARGV: prefix, time, ID. Takes the next job. */
const MOVE_TO_FINISHED = `
${RELEASE}
redis.call('ZADD', KEYS[5], now, id)
redis.call('HMSET', prefix .. id, 'returnvalue', 'null', 'finishedOn', now)
redis.call('PUBLISH', KEYS[5], id)
local active, priority = KEYS[1], KEYS[3]
id = redis.call('RPOPLPUSH', KEYS[4], active)
if not id then return false end
${START}`;

/** KEYS: active, stalled, wait. ARGV: prefix, time, ID. */
const RETRY = `
${RELEASE}
redis.call('LPUSH', KEYS[3], id)`;

const prefixOf = (queue: string): string => `bull:${queue}:`;

/** Bull 4: lists of what waits and of what is at work, a lock for each job, and a sorted set of those that are to wait. */
export const bull: Library = {
  async add(redis, queue, index, { delayMs = 0 } = {}) {
    const prefix = prefixOf(queue);
    const now = Date.now();
    const keys = ['id', 'wait', 'delayed'].map((name) => prefix + name);
    await redis.eval(ADD, 3, ...keys, prefix, index, now, delayMs, delayMs > 0 ? now + delayMs : 0);
  },

  async turn(redis, queue, perform) {
    const prefix = prefixOf(queue);
    const [active, stalled, priority, wait, completed, delayed] = [
      'active',
      'stalled',
      'priority',
      'wait',
      'completed',
      'delayed',
    ].map((name) => prefix + name) as [string, string, string, string, string, string];
    await redis.eval(UPDATE_DELAYED, 3, delayed, active, wait, prefix, Date.now());
    const taken = await redis.brpoplpush(wait, active, WAIT_SECONDS);
    if (taken === null) return;
    const start = [active, stalled, priority] as const;
    let job = (await redis.eval(MOVE_TO_ACTIVE, 3, ...start, prefix, Date.now(), taken)) as
      | [id: string, data: string]
      | null;
    while (job) {
      const [id, data] = job;
      if (perform(Number(data)) === 'failed') {
        await transaction(redis, (multi) =>
          multi
            .hmset(prefix + id, { attemptsMade: '1', stacktrace: '["Error"]', failedReason: 'Error' })
            .eval(RETRY, 3, active, stalled, wait, prefix, Date.now(), id),
        );
        return;
      }
      const keys = [...start, wait, completed];
      job = (await redis.eval(MOVE_TO_FINISHED, 5, ...keys, prefix, Date.now(), id)) as
        | [id: string, data: string]
        | null;
    }
  },

  async counts(redis, queue) {
    const prefix = prefixOf(queue);
    const [waiting, active, delayed, stalled, finished, locks] = await Promise.all([
      redis.llen(`${prefix}wait`),
      redis.llen(`${prefix}active`),
      redis.zcard(`${prefix}delayed`),
      redis.scard(`${prefix}stalled`),
      redis.zcard(`${prefix}completed`),
      redis.keys(`${prefix}*:lock`),
    ]);
    return { waiting, active, delayed, stalled, finished, locks: locks.length };
  },
};
