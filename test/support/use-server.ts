import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type ServerOptions, type TestServer, startServer } from './server.js';

export interface UseServerOptions extends ServerOptions {
  /** Each test begins with an empty server. */
  readonly isEmptied?: boolean;
  /** How `redis` connects, where that differs from any client of the server's. */
  readonly client?: RedisOptions;
}

export interface UsedServer {
  /** A client of the server's. It connects when the server runs, and no command may be sent before. */
  readonly redis: Redis;
  /** The server itself, once it runs. */
  readonly server: () => TestServer;
}

/**
 * A server for the tests of a file, or of a `describe`. It starts before the first of them and stops behind the last.
 * Hooks that are registered after this call find it running.
 */
export function useServer({ isEmptied = false, client = {}, ...options }: UseServerOptions = {}): UsedServer {
  let started: TestServer | undefined;
  const redis = new Redis({ ...client, lazyConnect: true });
  const server = (): TestServer => {
    if (!started) throw new Error('the server does not run yet: it starts before the first test');
    return started;
  };
  beforeAll(async () => {
    started = await startServer(options);
    await started.adopt(redis, client);
  });
  afterAll(() => started?.stop());
  if (isEmptied) beforeEach(() => redis.flushall());
  return { redis, server };
}
