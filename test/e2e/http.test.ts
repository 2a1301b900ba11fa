import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SiteStatus } from '../../src/observe/status.js';
import { type Pair, startPair } from '../support/pair.js';
import { until } from '../support/wait.js';

let pair: Pair;

beforeAll(async () => {
  pair = await startPair();
});
afterAll(() => pair.close());

async function ask(path: string): Promise<{ code: number; body: string }> {
  const response = await fetch(`${pair.east.httpUrl}${path}`, { headers: { connection: 'close' } });
  return { code: response.status, body: await response.text() };
}

describe('the HTTP port of a running site', () => {
  it('says ready once both directions flow', async () => {
    await until('the site to be ready', async () => (await ask('/readyz')).code === 200);
    expect(await ask('/livez')).toEqual({ code: 200, body: 'alive\n' });
  });

  it('counts what passes, in both directions', async () => {
    await pair.east.redis.set('from-east', '1');
    await pair.west.redis.set('from-west', '1');
    await until('both changes to be counted', async () => {
      const { outbound, inbound, capture } = JSON.parse((await ask('/status')).body) as SiteStatus;
      return outbound.seenByPeer >= 1 && inbound.appliedSequence >= 1 && capture.nextSequence >= 2;
    });
    const { body } = await ask('/metrics');
    expect(Number(/^tandem_changes_captured_total (\d+)$/m.exec(body)?.[1])).toBeGreaterThanOrEqual(1);
    expect(
      Number(/^tandem_changes_total\{direction="inbound"\} (\d+)$/m.exec(body)?.[1]),
    ).toBeGreaterThanOrEqual(1);
  });

  it('says why it is not ready when the peer is away, still alive', async () => {
    await pair.west.server.kill();
    await pair.east.redis.set('while-west-is-away', '1');
    await until('the site to be not ready', async () => (await ask('/readyz')).code === 503);
    const { body } = await ask('/readyz');
    expect(body).toMatch(/^not ready\neast to west: /);
    expect((await ask('/livez')).code).toBe(200);
    await pair.west.server.start();
    await until('the site to be ready again', async () => (await ask('/readyz')).code === 200, {
      deadlineMs: 20_000,
    });
  });
});
