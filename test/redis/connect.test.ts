import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { parseRedisUrl } from '../../src/config/redis-url.js';
import { TandemError } from '../../src/errors.js';
import { type ClientOptions, type Redis, connectClient } from '../../src/redis/connect.js';
import { RawConnection } from '../../src/redis/raw-connection.js';
import { NoTlsError, type TestServer, startServer } from '../support/server.js';
import { useServer } from '../support/use-server.js';
import { until, within } from '../support/wait.js';
import { NO_TLS, useTandemClients } from '../support/tandem-clients.js';

const { server } = useServer({ requirepass: 'sesame' });

const openAt = useTandemClients({ connectTimeoutMs: 500, commandTimeoutMs: 500, backoffMaxMs: 100 });

function open(options: Partial<ClientOptions> = {}): Redis {
  return openAt({ url: server().url, ...options });
}

describe('a client', () => {
  it('connects, under its name, with RESP2', async () => {
    const client = open({ name: 'tandem:s:test' });
    await connectClient(client);
    expect(await client.call('CLIENT', 'GETNAME')).toBe('tandem:s:test');
    await client.hset('h', 'f', 'v');
    expect(await client.call('HGETALL', 'h')).toEqual(['f', 'v']);
  });

  it.each([
    ['a wrong password', () => `redis://:wrong@127.0.0.1:${server().port}`, 'AUTH_FAILED'],
    ['no password', () => `redis://127.0.0.1:${server().port}`, 'AUTH_FAILED'],
    ['no such host', () => 'redis://nobody.invalid', 'UNREACHABLE'],
    ['no server at the port', () => 'redis://127.0.0.1:1', 'UNREACHABLE'],
  ])('with %s says so', async (_, url, code) => {
    await expect(connectClient(open({ url: url() }))).rejects.toMatchObject({ code });
  });

  it('does not keep a command for later while there is no connection', async () => {
    const client = open();
    await expect(client.set('a', '1')).rejects.toThrow(/writeable/);
    await connectClient(client);
    expect(await client.exists('a')).toBe(0);
  });

  it('neither repeats a command nor leaves it without an answer when the connection breaks, and comes back by itself', async () => {
    const client = open({ commandTimeoutMs: 20_000 });
    await connectClient(client);
    const waiting = client.blpop('nothing', 0).catch((error: unknown) => error);
    const other = open();
    await connectClient(other);
    await until('the command to wait', async () =>
      String(await other.call('CLIENT', 'LIST')).includes('cmd=blpop'),
    );
    await other.call('CLIENT', 'KILL', 'ID', String(await blockedId(other)));
    expect(await within('the command to fail', 2000, waiting)).toBeInstanceOf(Error);
    await until('the client to be back', () => client.status === 'ready');
    expect(String(await other.call('CLIENT', 'LIST'))).not.toContain('cmd=blpop');
  });

  it('gives up on a server that does not answer', async () => {
    const client = open();
    await connectClient(client);
    await server().pause();
    await expect(connectClient(client)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await server().resume();
  });

  it('stops waiting when told to', async () => {
    const stop = new AbortController();
    const attempt = connectClient(
      open({ url: 'redis://10.255.255.1', connectTimeoutMs: 20_000 }),
      stop.signal,
    );
    stop.abort();
    await expect(attempt).rejects.toMatchObject({
      code: expect.stringMatching(/CLOSED|UNREACHABLE/) as string,
    });
  });
});

describe('TLS', () => {
  it('works with the authority in caFile, and is refused without it', async (context) => {
    let secure: TestServer;
    try {
      secure = await startServer({ tls: true });
    } catch (error) {
      if (error instanceof NoTlsError) return context.skip();
      throw error;
    }
    try {
      await connectClient(open({ url: secure.url, tls: { ...NO_TLS, caFile: secure.caFile ?? null } }));
      await expect(connectClient(open({ url: secure.url }))).rejects.toMatchObject({ code: 'TLS_FAILED' });
      await expect(
        connectClient(open({ url: secure.url, tls: { ...NO_TLS, rejectUnauthorized: false } })),
      ).resolves.toBeUndefined();
    } finally {
      await secure.stop();
    }
  });

  it('says that a socket cannot be made with the files there are, and does not wait for one', async () => {
    // Which may be so only later: a key is exchanged before its certificate.
    const dir = mkdtempSync(join(tmpdir(), 'tandem-connect-'));
    try {
      const file = join(dir, 'garbage');
      writeFileSync(file, 'garbage');
      const client = open({ url: 'rediss://127.0.0.1:1', tls: { ...NO_TLS, certFile: file, keyFile: file } });
      for (let attempt = 0; attempt < 2; attempt++)
        await expect(within('the refusal', 2000, connectClient(client))).rejects.toMatchObject({
          code: 'TLS_FAILED',
        });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('a server that turns a client away', () => {
  /** Both kinds of connections, each with the error it ends with. */
  async function refusals(url: string): Promise<TandemError[]> {
    const signal = new AbortController().signal;
    const raw = { address: parseRedisUrl(url), name: 'tandem:s:raw', connectTimeoutMs: 1000, signal };
    const tried = await Promise.allSettled([connectClient(open({ url })), RawConnection.open(raw)]);
    return tried.map((one) => {
      if (one.status === 'rejected') return one.reason as TandemError;
      one.value?.close();
      return new TandemError('INTERNAL', 'it was let in');
    });
  }

  it('because it is in protected mode is said to be, with what to do', async (context) => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((one) => one?.internal === false && one.family === 'IPv4')?.address;
    if (address === undefined) return context.skip();
    const shy = await startServer({ config: { 'protected-mode': 'yes', bind: '0.0.0.0' } });
    for (const error of await refusals(`redis://${address}:${shy.port}`))
      expect(error).toMatchObject({
        code: 'NO_PERMISSION',
        message: `${address}:${shy.port} takes no connections from other machines (protected mode)`,
        hint: expect.stringContaining('requirepass') as string,
      });
    await shy.stop();
  });

  it('because it has no connection left is waited for', async () => {
    const full = await startServer({ config: { maxclients: '3' } });
    const held = await Promise.all(
      [1, 2, 3].map(async () => {
        const client = full.client();
        await client.ping();
        return client;
      }),
    );
    for (const error of await refusals(full.url))
      expect(error).toMatchObject({
        code: 'SERVER_BUSY',
        message: expect.stringContaining('has no connection left (maxclients)') as string,
      });
    for (const client of held) client.disconnect();
    await full.stop();
  });

  it('because a password is given that it does not have: nothing is printed, no connection stands', async () => {
    const printed = vi.spyOn(console, 'warn');
    const trusting = await startServer();
    for (const error of await refusals(`redis://:sesame@127.0.0.1:${trusting.port}`))
      expect(error).toMatchObject({
        code: 'AUTH_FAILED',
        message: `127.0.0.1:${trusting.port} has no password, and the URL has one`,
        hint: expect.stringContaining('take it out of the URL') as string,
      });
    expect(printed).not.toHaveBeenCalled();
    printed.mockRestore();
    await trusting.stop();
  });
});

async function blockedId(redis: Redis): Promise<string | undefined> {
  const lines = String(await redis.call('CLIENT', 'LIST')).split('\n');
  return /^id=(\d+)/.exec(lines.find((line) => line.includes('cmd=blpop')) ?? '')?.[1];
}
