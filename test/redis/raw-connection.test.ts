import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ReplicationStream } from '../../src/capture/psync/replication-stream.js';
import { parseRedisUrl } from '../../src/config/redis-url.js';
import { connectClient } from '../../src/redis/connect.js';
import { RawConnection } from '../../src/redis/raw-connection.js';
import { sendCommand } from '../../src/redis/send-command.js';
import { NoTlsError, startServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { NO_TLS, useTandemClients } from '../support/tandem-clients.js';

const VALUE_BYTES = 3000;
const WRITES = 2000;

describe.each([{ tls: false }, { tls: true }])('with TLS $tls', ({ tls }) => {
  const open = useTandemClients({ connectTimeoutMs: 5000, commandTimeoutMs: 5000 });
  let server: TestServer | undefined;

  beforeAll(async () => {
    server = await startServer({ tls, config: { 'repl-diskless-sync-delay': '0' } }).catch(
      (error: unknown) => {
        if (error instanceof NoTlsError) return undefined;
        throw error;
      },
    );
  });
  afterAll(() => server?.stop());

  function optionsFor({ url, caFile }: TestServer): Parameters<typeof RawConnection.open>[0] {
    return {
      address: parseRedisUrl(url),
      tls: caFile === undefined ? {} : { ca: readFileSync(caFile) },
      name: 'tandem:test',
      connectTimeoutMs: 5000,
      signal: new AbortController().signal,
    };
  }

  test('what is read stays what it was while the same buffer is filled again and again', async (context) => {
    if (!server) return context.skip();
    const connection = await RawConnection.open(optionsFor(server));
    const value = Buffer.alloc(600_000, 'v');
    await connection.command('SET', 'large', value);
    const replies = await Promise.all([
      connection.command('GET', 'large'),
      connection.command('ECHO', 'between'),
      connection.command('GET', 'large'),
    ]);
    expect(replies.map((reply) => (reply as Buffer).length)).toEqual([600_000, 7, 600_000]);
    expect(replies[0]).toEqual(value);
    expect(replies[1]).toEqual(Buffer.from('between'));
    connection.close();
    await connection.closed;
  });

  test('a stream that is paused in the middle loses nothing and ends with the server', async (context) => {
    if (!server) return context.skip();
    const stream = await ReplicationStream.open({ ...optionsFor(server), from: undefined });
    const seen: number[] = [];
    const ending = stream
      .run((reader) => {
        while (reader.next())
          if (reader.argument(0).toString().toUpperCase() === 'SET')
            seen.push(Number(reader.argument(1).toString()));
        if (seen.length % 7 === 0) {
          stream.pause();
          setTimeout(() => stream.resume(), 1);
        }
      })
      .catch((error: unknown) => error);
    const redis = server.client();
    await until('the stream to have begun', async () => {
      await redis.set('0', 'x');
      return seen.length > 0;
    });
    seen.length = 0;
    const value = 'x'.repeat(VALUE_BYTES);
    await Promise.all(Array.from({ length: WRITES }, (_, i) => redis.set(String(i + 1), value)));
    await until('all writes to be seen', () => seen.at(-1) === WRITES);
    expect(seen.filter((key) => key > 0)).toEqual(Array.from({ length: WRITES }, (_, i) => i + 1));
    await server.kill();
    expect(await ending).toMatchObject({ code: 'UNREACHABLE' });
    await server.start();
  });

  test('a command sent without copying arrives as it is, also many at once', async (context) => {
    if (!server) return context.skip();
    const client = open({ url: server.url, tls: { ...NO_TLS, caFile: server.caFile ?? null } });
    await connectClient(client);
    const values = [Buffer.from([0, 13, 10, 255]), Buffer.alloc(0), Buffer.alloc(300_000, 7)];
    await Promise.all(
      values.map((value, i) => sendCommand(client, ['SET', `ключ:${i}`, value, 'EX', 60 + i])),
    );
    const stored = await Promise.all(values.map((_, i) => client.getBuffer(`ключ:${i}`)));
    expect(stored).toEqual(values);
    const refused = sendCommand(client, ['SET', 'a', Buffer.from('secret'), 'NONSENSE']);
    await expect(refused).rejects.toThrow(/syntax/);
    expect(JSON.stringify(await refused.catch((error: unknown) => error))).not.toContain('secret');
    client.disconnect();
  });
});
