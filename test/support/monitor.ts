import type { Redis } from 'ioredis';

const TRIES = 5;

/**
 * A client that is told of every command its server carries out, with a `monitor` event each. The caller disconnects it. A command that
 * comes in one piece with the answer to `MONITOR` is taken by ioredis for a second answer, and fails the client: then another one asks.
 */
export async function monitorOf(redis: Redis): Promise<Redis> {
  for (let tries = 1; ; tries++) {
    const client = redis.duplicate({ monitor: true, retryStrategy: () => null });
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('monitoring', resolve);
        client.on('error', reject);
      });
      return client;
    } catch (error) {
      client.disconnect();
      if (tries === TRIES) throw error;
    }
  }
}
