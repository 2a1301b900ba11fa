import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/log/log.js';
import { type HttpService, startHttp } from '../../../src/observe/http.js';
import type { SiteStatus } from '../../../src/observe/status.js';
import { until } from '../../support/wait.js';
import { exampleStatus } from './example-status.js';

const log = createLogger({ pair: 'p', site: 's', logLevel: 'silent', logPretty: 'never', logData: false });
let http: HttpService;
let status: () => SiteStatus = exampleStatus;

async function ask(
  path: string,
  init?: RequestInit,
): Promise<{ code: number; type: string | null; body: string }> {
  http = await startHttp({ host: '127.0.0.1', port: 0, status: () => status(), log });
  const response = await fetch(`http://127.0.0.1:${http.port}${path}`, {
    ...init,
    headers: { connection: 'close' },
  });
  return { code: response.status, type: response.headers.get('content-type'), body: await response.text() };
}

afterEach(async () => {
  status = exampleStatus;
  await http.close();
});

describe('the HTTP port', () => {
  it('says that the process lives', async () => {
    status = () => exampleStatus({ role: 'standby' });
    expect(await ask('/livez')).toMatchObject({ code: 200, body: 'alive\n' });
  });

  it('says that the process is ready', async () => {
    expect(await ask('/readyz')).toMatchObject({ code: 200, body: 'ready\n' });
  });

  it('says why the process is not ready', async () => {
    status = () => exampleStatus({ role: 'standby' });
    expect(await ask('/readyz')).toMatchObject({
      code: 503,
      body: expect.stringContaining('another process works') as string,
    });
  });

  it('has a hundred connections at the most, and takes others again when some have gone', async () => {
    http = await startHttp({ host: '127.0.0.1', port: 0, status: () => status(), log });
    const sockets = Array.from({ length: 100 }, () => connect(http.port, '127.0.0.1'));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    const further = connect(http.port, '127.0.0.1').on('error', () => undefined);
    await once(further, 'close');
    for (const socket of sockets) socket.destroy();
    const answered = async (): Promise<boolean> =>
      (await fetch(`http://127.0.0.1:${http.port}/livez`, { headers: { connection: 'close' } })).ok;
    expect(await until('an answer', () => answered().catch(() => false))).toBe(true);
  });

  it('gives the metrics', async () => {
    const { code, type, body } = await ask('/metrics?x=1');
    expect([code, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(body).toContain('tandem_lag_seconds{direction="outbound"}');
  });

  it('gives the status as JSON', async () => {
    expect(JSON.parse((await ask('/status')).body)).toEqual(exampleStatus());
  });

  it('names its paths where there is nothing', async () => {
    expect(await ask('/')).toMatchObject({ code: 404, body: expect.stringContaining('/metrics') as string });
  });

  it('takes nothing', async () => {
    expect((await ask('/status', { method: 'POST' })).code).toBe(405);
  });

  it('answers with 500, and goes on, when the status cannot be had', async () => {
    status = () => {
      throw new Error('sesame');
    };
    const { code, body } = await ask('/status');
    expect(code).toBe(500);
    expect(body).not.toContain('sesame');
  });

  it('that is taken is a mistake in the configuration', async () => {
    await ask('/livez');
    await expect(startHttp({ host: '127.0.0.1', port: http.port, status, log })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('EADDRINUSE') as string,
    });
  });
});
