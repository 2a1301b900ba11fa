import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import type { Library } from './library.js';
import { WAIT_SECONDS, transaction } from './library.js';

/** A message that is not acknowledged so long is given once more. The only worker is between two messages then. */
const VISIBILITY_MS = 100;
const RESTORED_AT_ONCE = 10;
const RESULT_SECONDS = 86_400;
const SEPARATOR = '\u0006\u0016';

const RELEASE = `
local token = redis.call('get', KEYS[1])
if not token or token ~= ARGV[1] then return 0 end
redis.call('del', KEYS[1])
return 1`;

interface Message {
  readonly body: string;
  readonly headers: { id: string; redelivered?: boolean };
  readonly properties: { delivery_tag: string; priority: number };
}

/** A list for each step of priority. The first is named as the queue is. */
function listsOf(queue: string): string[] {
  return [queue, ...[3, 6, 9].map((step) => `${queue}${SEPARATOR}${step}`)];
}

const listOf = (queue: string, priority: number): string => listsOf(queue)[priority]!;

/** Kombu's global key prefix, which keeps the queues of one test apart. */
const unackedOf = (queue: string): Record<'messages' | 'index' | 'mutex', string> => ({
  messages: `${queue}.unacked`,
  index: `${queue}.unacked_index`,
  mutex: `${queue}.unacked_mutex`,
});

async function restoreByTag(redis: Redis, queue: string, tag: string): Promise<void> {
  const { messages, index } = unackedOf(queue);
  for (let restored: unknown; restored === undefined;) {
    await redis.watch(messages);
    const found = await redis.hget(messages, tag);
    restored = await transaction(redis, (multi) => {
      multi.zrem(index, tag).hdel(messages, tag);
      if (found === null) return multi;
      const [message] = JSON.parse(found) as [Message, string, string];
      message.headers.redelivered = true;
      return multi.rpush(listOf(queue, message.properties.priority), JSON.stringify(message));
    });
  }
}

/** What workers took that have died is given once more. */
async function restoreVisible(redis: Redis, queue: string): Promise<void> {
  const { index, mutex } = unackedOf(queue);
  const token = randomUUID();
  if ((await redis.set(mutex, token, 'PX', 300_000, 'NX')) === null) return;
  const ceiling = (Date.now() - VISIBILITY_MS) / 1000;
  const range = [ceiling, 0, 'BYSCORE', 'REV', 'LIMIT', 0, RESTORED_AT_ONCE, 'WITHSCORES'] as const;
  const visible = (await redis.call('ZRANGE', index, ...range)) as string[];
  for (const tag of visible.filter((_, at) => at % 2 === 0)) await restoreByTag(redis, queue, tag);
  await redis.eval(RELEASE, 1, mutex, token);
}

/** Celery 5 with Kombu: lists of whole messages, and a hash and an index of those that are not acknowledged. */
export const celery: Library = {
  async add(redis, queue, index) {
    const id = `${queue}-${index}`;
    await transaction(redis, (multi) =>
      multi
        .sadd(`_kombu.binding.${queue}`, `${queue}${SEPARATOR}${SEPARATOR}${queue}`)
        .sadd(`_kombu.binding_permanent.${queue}`, `${queue}${SEPARATOR}${SEPARATOR}${queue}`),
    );
    const message: Message = {
      body: Buffer.from(JSON.stringify([[index], {}])).toString('base64'),
      headers: { id },
      properties: { delivery_tag: randomUUID(), priority: index % 4 },
    };
    await redis.lpush(listOf(queue, message.properties.priority), JSON.stringify(message));
  },

  async turn(redis, queue, perform) {
    await restoreVisible(redis, queue);
    const taken = await redis.brpop(...listsOf(queue), WAIT_SECONDS);
    if (taken === null) return;
    const message = JSON.parse(taken[1]) as Message;
    const { messages, index } = unackedOf(queue);
    const tag = message.properties.delivery_tag;
    await transaction(redis, (multi) =>
      multi.zadd(index, Date.now() / 1000, tag).hset(messages, tag, JSON.stringify([message, '', queue])),
    );
    const [[number]] = JSON.parse(Buffer.from(message.body, 'base64').toString()) as [[number], object];
    const outcome = perform(number);
    if (outcome === 'lost') return;
    if (outcome === 'failed') {
      const properties = { ...message.properties, delivery_tag: randomUUID() };
      await redis.lpush(listOf(queue, properties.priority), JSON.stringify({ ...message, properties }));
    } else {
      const result = `celery-task-meta-${message.headers.id}`;
      await transaction(redis, (multi) =>
        multi.setex(result, RESULT_SECONDS, '{"status":"SUCCESS"}').publish(result, '{"status":"SUCCESS"}'),
      );
    }
    await transaction(redis, (multi) => multi.zrem(index, tag).hdel(messages, tag));
  },

  async counts(redis, queue) {
    const { messages, index, mutex } = unackedOf(queue);
    const lengths = await Promise.all(listsOf(queue).map(async (list) => redis.llen(list)));
    const [unacked, indexed, locks, results] = await Promise.all([
      redis.hlen(messages),
      redis.zcard(index),
      redis.exists(mutex),
      redis.keys(`celery-task-meta-${queue}-*`),
    ]);
    const ready = lengths.reduce((sum, length) => sum + length, 0);
    return { ready, unacked, indexed, locks, finished: results.length };
  },
};
