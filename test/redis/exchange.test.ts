import { getEventListeners } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/log/log.js';
import { type Redis, connectClient, openClient } from '../../src/redis/connect.js';
import { Exchange } from '../../src/sync/exchange.js';
import { type TestServer, startServer } from '../support/server.js';

const log = createLogger({ pair: 'p', site: 's', logLevel: 'silent', logPretty: 'never', logData: false });
const KEYS = [{ database: 0, key: Buffer.from('k') }];

let server: TestServer;
let client: Redis;

beforeAll(async () => {
  server = await startServer();
  client = openClient({
    url: server.url,
    tls: { caFile: null, certFile: null, keyFile: null, rejectUnauthorized: true },
    name: 'tandem:s:sync',
    log,
    connectTimeoutMs: 1000,
    commandTimeoutMs: 1000,
  });
  await connectClient(client);
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

describe('a question to the peer', () => {
  it.each([
    ['compare', (exchange: Exchange, signal: AbortSignal) => exchange.compare(KEYS, signal)],
    [
      'list',
      (exchange: Exchange, signal: AbortSignal) =>
        exchange.list({ database: 0, cursor: '0', count: 1 }, signal),
    ],
  ])('whose script is refused (%s) leaves no timer and no listener', async (_, ask) => {
    const exchange = new Exchange({
      client,
      // What a script cannot write to.
      out: 'out',
      site: 's',
      session: 'session',
      fieldsExpire: false,
      filter: { arrives: () => false },
      link: { peerRestores: '' },
      large: { compare: () => Promise.reject(new Error('there are no large keys')) },
    });
    const { signal } = new AbortController();
    await server.client().replicaof('127.0.0.1', '1');
    try {
      const before = timers();
      for (let i = 0; i < 20; i++) await expect(ask(exchange, signal)).rejects.toThrow(/READONLY/);
      expect(timers()).toBeLessThan(before + 5);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    } finally {
      await server.client().replicaof('NO', 'ONE');
    }
  });
});
