import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { encodeBatch } from '../../src/change/batch.js';
import { encodeCommand } from '../../src/change/encode-command.js';
import { createLogger } from '../../src/log.js';
import { Inbox } from '../../src/queue/inbox.js';
import { keyNames } from '../../src/redis/keys.js';
import { type TestServer, startServer } from '../support/server.js';

const PAIR = 'test';
const TOKEN = 7;
const KEYS = keyNames({ prefix: 'tandem', pair: PAIR });

let server: TestServer;
let client: Redis;

beforeAll(async () => {
  server = await startServer();
  client = server.client();
});

afterAll(() => server.stop());

beforeEach(async () => {
  await client.flushall();
  await client.set(KEYS.fence, TOKEN);
});
