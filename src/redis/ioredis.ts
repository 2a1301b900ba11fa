/**
 * The door to what ioredis has at run time. It is CommonJS: `import` would read its sixty files once more, in search of the names that
 * they give, which is a tenth of the time in which a command starts.
 */

import { createRequire } from 'node:module';
import type * as IoRedis from 'ioredis';

export const {
  AbstractConnector,
  Command,
  Redis: RedisClient,
} = createRequire(import.meta.url)('ioredis') as typeof IoRedis;
