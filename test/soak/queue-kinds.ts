import type { Redis } from 'ioredis';

/** How a queue is filled at one site and emptied at the other. What a command refuses has not been done. */
export interface QueueKind {
  /** At the site that takes, before anything is pushed. */
  readonly prepare?: (redis: Redis, key: string) => Promise<unknown>;
  readonly push: (redis: Redis, key: string, element: string) => Promise<unknown>;
  /** Takes the next elements for good, in order; none where there are none. */
  readonly take: (redis: Redis, key: string) => Promise<readonly string[]>;
  /** Elements that are in it. */
  readonly left: (redis: Redis, key: string) => Promise<number>;
}

const GROUP = 'workers';
const CONSUMER = 'one';
const READ_AT_ONCE = 20;

/** Both steps are one, so that a refusal leaves nothing between them. */
const MOVE_AND_REMOVE = `local e = redis.call('RPOPLPUSH', KEYS[1], KEYS[2]) if e then redis.call('LREM', KEYS[2], 1, e) end return e`;
const READ_AND_ACKNOWLEDGE = `
local read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
local taken = {}
for _, entry in ipairs(read and read[1][2] or {}) do
  taken[#taken + 1] = entry[2][2]
  redis.call('XACK', KEYS[1], ARGV[1], entry[1])
  redis.call('XDEL', KEYS[1], entry[1])
end
return taken`;

const one = (element: string | null): readonly string[] => (element === null ? [] : [element]);
const activeOf = (key: string): string => `${key}:active`;

/** By name. */
export const KINDS: Readonly<Record<string, QueueKind>> = {
  list: {
    push: (redis, key, element) => redis.lpush(key, element),
    take: async (redis, key) => one(await redis.rpop(key)),
    left: (redis, key) => redis.llen(key),
  },
  'list-right': {
    push: (redis, key, element) => redis.rpush(key, element),
    take: async (redis, key) => one(await redis.lpop(key)),
    left: (redis, key) => redis.llen(key),
  },
  move: {
    push: (redis, key, element) => redis.lpush(key, element),
    take: async (redis, key) =>
      one((await redis.eval(MOVE_AND_REMOVE, 2, key, activeOf(key))) as string | null),
    left: async (redis, key) => (await redis.llen(key)) + (await redis.llen(activeOf(key))),
  },
  group: {
    prepare: (redis, key) => redis.xgroup('CREATE', key, GROUP, '0', 'MKSTREAM'),
    push: (redis, key, element) => redis.xadd(key, '*', 'n', element),
    take: async (redis, key) =>
      (await redis.eval(READ_AND_ACKNOWLEDGE, 1, key, GROUP, CONSUMER, READ_AT_ONCE)) as string[],
    left: (redis, key) => redis.xlen(key),
  },
  'sorted-set': {
    push: (redis, key, element) => redis.zadd(key, element, element),
    take: async (redis, key) => (await redis.zpopmin(key)).slice(0, 1),
    left: (redis, key) => redis.zcard(key),
  },
};
