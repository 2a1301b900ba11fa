import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli, type Outcome } from './run-cli.js';
import { ownKeys } from './observe.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { freePort } from '../support/ports.js';
import { TandemProcess } from '../support/tandem-process.js';
import { until } from '../support/wait.js';

let pair: Pair;
beforeEach(async () => {
  pair = await startPair({ env: { TANDEM_BACKOFF_MAX_MS: '200', TANDEM_LEASE_MS: '10000' } });
});
afterEach(() => pair.close());

const SITES = { TANDEM_PAIR: 'test', TANDEM_SITE: 'east', TANDEM_PEER: 'west' };

function settingsOf({ server, httpUrl }: Site, isHttpAsked: boolean): Record<string, string> {
  const port: Record<string, string> = isHttpAsked ? { TANDEM_HTTP_PORT: new URL(httpUrl).port } : {};
  return { ...SITES, TANDEM_LOCAL_URL: server.url, ...port };
}

/** With the Redis alone, as a script at another machine asks. */
function health(env: Record<string, string> = {}, ...args: string[]): Promise<Outcome> {
  return runCli(['health', ...args], { ...settingsOf(pair.east, false), ...env });
}

/** What the same process says over HTTP: the codes, and 0 where it does not answer. */
async function overHttp(site: Site): Promise<[livez: number, readyz: number]> {
  const code = async (path: string): Promise<number> => {
    const answer = fetch(`${site.httpUrl}${path}`, { headers: { connection: 'close' } });
    return answer.then(
      ({ status }) => status,
      () => 0,
    );
  };
  return [await code('/livez'), await code('/readyz')];
}

/** Waits until all three ways to ask say so, and gives what `tandem health` prints then. */
async function untilAll(
  expected: { code: number; livez: number; readyz: number },
  site = pair.east,
): Promise<string> {
  const wanted = [expected.code, expected.livez, expected.readyz];
  let said = '';
  let last: number[] = [];
  await until(`health, /livez and /readyz to be ${wanted.join(', ')}`, async () => {
    const { code, stdout, stderr } = await runCli(['health'], settingsOf(site, true));
    said = `${stdout}${stderr}`.trim();
    last = [code, ...(await overHttp(site))];
    return last.join() === wanted.join();
  }).catch((error: unknown) => {
    throw new Error(`${last.join()}: ${said}`, { cause: error });
  });
  expect(said).not.toContain('\n');
  return said;
}

/** The status in Redis is up to a second behind what HTTP tells. */
async function untilSaid(code: number, wanted: RegExp): Promise<void> {
  let last: Outcome | undefined;
  await until(`health to say ${String(wanted)}`, async () => {
    last = await health();
    return last.code === code && wanted.test(`${last.stdout}${last.stderr}`.trimEnd());
  }).catch((error: unknown) => {
    throw new Error(JSON.stringify(last), { cause: error });
  });
}

test('a process at work is well: with and without HTTP, as text and as JSON', async () => {
  await untilAll({ code: 0, livez: 200, readyz: 200 });
  await untilSaid(0, /^a process works for site east, up [^;]*, heard of [^;]* ago$/);
  expect((await health()).code).toBe(0);
  const { code, stdout } = await health({}, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ healthy: true, reason: expect.any(String), notReady: [] });
});

test('it stays well while the peer is away, and while it is paused: no new start would mend that', async () => {
  const { east, west } = pair;
  await west.server.kill();
  await east.redis.set('for', 'west');
  await untilAll({ code: 0, livez: 200, readyz: 503 });
  await untilSaid(0, /; not ready: east to west: backing-off \(.*ECONNREFUSED/);
  await west.server.start();
  await untilAll({ code: 0, livez: 200, readyz: 200 });
  await untilSaid(0, /ago$/);
  expect((await runCli(['pause', 'outbound'], settingsOf(east, false))).code).toBe(0);
  await untilAll({ code: 0, livez: 200, readyz: 503 });
  // The gap that the killed server left at west is not mended while the way there is paused, and may be told of behind it.
  await untilSaid(0, /; not ready: east to west: paused(;|$)/);
});

test("a peer's process that is gone is missed, though its Redis takes all that is sent", async () => {
  const { east, west } = pair;
  await untilAll({ code: 0, livez: 200, readyz: 200 });
  await west.kill();
  await until('it to be missed', async () => (await overHttp(east))[1] === 503, { deadlineMs: 30_000 });
  await untilSaid(0, /; not ready: nothing has been heard of west for \d+ s: its process is stopped, /);
  const lag = await runCli(['lag', '--max', '1h'], settingsOf(east, false));
  expect(lag.stdout).toMatch(/^west → east {2}unknown: nothing has been heard of west for \d+ s$/m);
  expect(lag.code).toBe(1);
  west.start();
  await untilAll({ code: 0, livez: 200, readyz: 200 });
}, 120_000);

test('of a process that was killed it is known at once, though its lease has not ended', async () => {
  const { east } = pair;
  await east.kill();
  const { code, stderr } = await health();
  expect(await east.redis.exists(ownKeys().lease)).toBe(1);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: 'the process of site east is gone, and no other one has taken over\n',
  });
  expect(await untilAll({ code: 1, livez: 0, readyz: 0 })).toMatch(/^no process of Tandem answers at http:/);
  await until('the lease to end', async () => (await east.redis.exists(ownKeys().lease)) === 0, {
    deadlineMs: 30_000,
  });
  await until('the status to end', async () => (await east.redis.exists(ownKeys().status)) === 0, {
    deadlineMs: 30_000,
  });
  expect((await health()).stderr).toBe('no process works for site east of pair test\n');
});

test('a process that was told to stop has left', async () => {
  await pair.east.kill('SIGTERM');
  expect(await health()).toMatchObject({
    code: 1,
    stderr: 'no process works for site east of pair test\n',
  });
});

test('a process that hangs is not well, though all its connections stand', async () => {
  await untilAll({ code: 0, livez: 200, readyz: 200 });
  pair.east.pause();
  await untilSaid(1, /^the process of site east has been silent for .*: it hangs, or is cut off$/);
  pair.east.resume();
  await untilAll({ code: 0, livez: 200, readyz: 200 });
}, 60_000);

test('without its own Redis a process cannot work, and is alive all the same', async () => {
  const { east } = pair;
  await east.server.kill();
  const said = await untilAll({ code: 1, livez: 200, readyz: 503 });
  expect(said).toMatch(/^127\.0\.0\.1:\d+ refuses the connection \(ECONNREFUSED\)/);
  await east.server.start();
  await untilAll({ code: 0, livez: 200, readyz: 200 });
});

test('a Redis that does not answer is waited for 2 s', async () => {
  await pair.east.server.pause();
  const { code, stderr } = await health();
  await pair.east.server.resume();
  expect(code).toBe(1);
  expect(stderr).toMatch(/^no answer from 127\.0\.0\.1:\d+ within 2000 ms\n$/);
});

test('a process with a full server is well, and goes on telling how it is', async () => {
  const { east } = pair;
  await untilAll({ code: 0, livez: 200, readyz: 200 });
  await east.redis.config('SET', 'maxmemory', '1mb');
  await expect(east.redis.set('no', 'room')).rejects.toThrow('OOM');
  const before = Date.now();
  await until('a status from behind that', async () => {
    const text = await east.redis.get(ownKeys().status);
    return text !== null && (JSON.parse(text) as { at: number }).at > before + 2000;
  });
  await east.redis.config('SET', 'maxmemory', '0');
  await untilAll({ code: 0, livez: 200, readyz: 200 });
});

test('who stands by is well as long as another process works, and takes over', async () => {
  const { east } = pair;
  const port = String(await freePort());
  const standby = new TandemProcess('standby', {
    ...settingsOf(east, false),
    TANDEM_PEER_URL: pair.west.server.url,
    TANDEM_HTTP_PORT: port,
  });
  const there = Object.assign(Object.create(east) as Site, { httpUrl: `http://127.0.0.1:${port}` });
  try {
    standby.start();
    await standby.waitForLog(/^standby/);
    expect(await untilAll({ code: 0, livez: 200, readyz: 503 }, there)).toMatch(
      /^a process works for site east/,
    );
    await east.kill();
    expect(await untilAll({ code: 0, livez: 200, readyz: 200 }, there)).toMatch(
      /^a process works for site east/,
    );
    expect(await untilAll({ code: 1, livez: 0, readyz: 0 })).toMatch(/ECONNREFUSED$/);
  } finally {
    await standby.close();
  }
});

test('the Redis of another site, and settings that are wrong, are reasons in one sentence', async () => {
  const wrong = await health({ TANDEM_LOCAL_URL: pair.west.server.url });
  expect(wrong).toEqual({
    code: 1,
    stdout: '',
    stderr: 'this Redis is that of site west, not of east\n',
  });
  const { code, stderr } = await health({ TANDEM_PAIR: '' });
  expect([code, stderr.trimEnd().includes('\n')]).toEqual([1, false]);
  expect(stderr).toMatch(/^The configuration cannot be used: pair /);
  expect((await health({ TANDEM_PAIR: 'another' })).stderr).toMatch(/belongs to pair test/);
});
