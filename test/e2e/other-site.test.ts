/** Each site knows how the other one is, though nothing can cross: where a change waits is told at both ends alike. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { until } from '../support/wait.js';
import { QUICK, statusOf } from './observe.js';
import { type Outcome, runCli } from './run-cli.js';

/** Longer than anything that waits for no reason. */
const LAG_MS = 3000;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK });
}, 60_000);

afterAll(() => pair.close());

async function run({ name, server }: Site, ...args: string[]): Promise<Outcome> {
  return runCli(args, {
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: name,
    TANDEM_PEER: name === 'east' ? 'west' : 'east',
    TANDEM_LOCAL_URL: server.url,
  });
}

async function cli(site: Site, ...args: string[]): Promise<string> {
  return (await run(site, ...args)).stdout;
}

async function readiness({ httpUrl }: Site): Promise<string> {
  return (await fetch(`${httpUrl}/readyz`, { headers: { connection: 'close' } })).text();
}

test('what a pause holds back at one site is lag at both, and the reason is told at both', async () => {
  const { east, west } = pair;
  await until('each to have heard of the other', async () =>
    [await statusOf(east), await statusOf(west)].every(({ other, version }) => other?.version === version),
  );
  await cli(west, 'pause', 'outbound');
  await until('west to be paused', async () => (await statusOf(west)).outbound.state === 'paused');
  await west.redis.set('held', 'back');
  await until('the lag to be told at both sites', async () => {
    const lags = [(await statusOf(west)).outbound.lagMs, (await statusOf(east)).inbound.lagMs];
    return lags.every((lagMs) => lagMs > LAG_MS);
  });
  expect((await statusOf(east)).other?.outbound).toMatchObject({
    state: 'paused',
    pausedSince: expect.any(Number) as number,
  });
  expect(await readiness(east)).toContain('west to east: paused at west');
  expect(await readiness(west)).toContain('west to east: paused');
  const metrics = await (await fetch(`${east.httpUrl}/metrics`)).text();
  expect(metrics).toContain('tandem_peer_paused{direction="inbound"} 1\n');
  await until('tandem status to tell it', async () =>
    /^west: tandem .*west → east is paused there$/m.test(await cli(east, 'status')),
  );
  expect(await run(east, 'status', '--exit-code')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^not ready: west to east: paused at west$/m) as string,
  });
  expect((await run(east, 'status')).code).toBe(0);
  const { stdout } = await run(east, 'lag', '--json');
  const { inbound, outbound } = JSON.parse(stdout) as Record<string, { direction: string; lagMs: number }>;
  expect([outbound!.direction, inbound!.direction]).toEqual(['east → west', 'west → east']);
  expect(outbound!.lagMs).toBeLessThan(inbound!.lagMs);
  await until('a script to be told that it is late', async () => {
    const late = await run(east, 'lag', '--max', '10ms');
    return late.code === 1 && /^west → east: .* behind, more than 10 ms; paused at west$/m.test(late.stderr);
  });
  expect((await run(east, 'lag', '--max', '1h')).code).toBe(0);
  await cli(west, 'resume');
  await until('both to be ready, and without lag', async () => {
    const [there, here] = [await readiness(west), await readiness(east)];
    const lagMs = (await statusOf(east)).inbound.lagMs;
    return there === 'ready\n' && here === 'ready\n' && lagMs < LAG_MS;
  });
  await until('a script to be told so', async () => (await run(east, 'status', '--exit-code')).code === 0);
  expect(await east.redis.get('held')).toBe('back');
}, 120_000);
