import { expect, test } from 'vitest';
import { parseRedisUrl } from '../../src/config/redis-url.js';
import { RawConnection } from '../../src/redis/raw-connection.js';
import { useServer } from '../support/use-server.js';

const LIMITS = { limitMs: 2000, pingMs: 1000 };
const { server } = useServer();

async function open(): Promise<RawConnection> {
  const address = parseRedisUrl(server().url);
  const signal = new AbortController().signal;
  return RawConnection.open({ address, name: 'silence', connectTimeoutMs: 5000, signal });
}

/** Stops the server as a firewall does that has forgotten the connection: nothing is closed, nothing comes. */
async function silenced(connection: RawConnection): Promise<string> {
  await server().pause();
  try {
    return (await connection.closed).code;
  } finally {
    await server().resume();
  }
}

test('a connection whose reply does not come is closed', async () => {
  const connection = await open();
  connection.watchSilence(LIMITS);
  const answered = connection.command('PING');
  await answered;
  const closing = silenced(connection);
  const never = connection.command('BLPOP', 'nothing', '0').catch((error: { code: string }) => error.code);
  expect([await closing, await never]).toEqual(['TIMEOUT', 'TIMEOUT']);
});

test('an idle connection is asked for a sign of life, and closed when none comes', async () => {
  const connection = await open();
  connection.watchSilence(LIMITS);
  expect(await silenced(connection)).toBe('TIMEOUT');
});

test('an idle connection that answers stays', async () => {
  const client = server().client();
  await client.config('SET', 'timeout', '3');
  const connection = await open();
  connection.watchSilence(LIMITS);
  const end = await Promise.race([
    connection.closed,
    new Promise<string>((resolve) => {
      setTimeout(resolve, 5000, 'open');
    }),
  ]);
  expect(end).toBe('open');
  connection.close();
  await client.config('SET', 'timeout', '0');
});

test('a stream on which nothing comes is closed, unless it is paused', async () => {
  const connection = await open();
  connection.stream(() => {});
  connection.pause();
  connection.watchSilence({ limitMs: 2000 });
  const early = await Promise.race([
    connection.closed,
    new Promise<string>((resolve) => {
      setTimeout(resolve, 3500, 'open');
    }),
  ]);
  expect(early).toBe('open');
  connection.resume();
  expect((await connection.closed).code).toBe('TIMEOUT');
});
