import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { connectClient } from '../../src/redis/connect.js';
import { Exchange } from '../../src/sync/exchange.js';
import { useServer } from '../support/use-server.js';
import { useTandemClients } from '../support/tandem-clients.js';

const KEYS = [{ database: 0, key: Buffer.from('k') }];

const { server } = useServer();
const open = useTandemClients();

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
    const client = open({ url: server().url });
    await connectClient(client);
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
    await server().client().replicaof('127.0.0.1', '1');
    try {
      const before = timers();
      for (let i = 0; i < 20; i++) await expect(ask(exchange, signal)).rejects.toThrow(/READONLY/);
      expect(timers()).toBeLessThan(before + 5);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    } finally {
      await server().client().replicaof('NO', 'ONE');
    }
  });
});
