/** A program embeds sites: two of a pair in one process, as the test of an application would start them. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Redis } from 'ioredis';
import {
  type LogEntry,
  type RunningSite,
  type SiteSettings,
  type StartOptions,
  TandemError,
  startSite,
} from '../../src/index.js';
import { expectEqual } from '../support/equal.js';
import { type TestServer, startServer } from '../support/server.js';
import { until, within } from '../support/wait.js';
import { runCli } from './run-cli.js';

type Name = 'east' | 'west';
const OTHER = { east: 'west', west: 'east' } as const;
const MiB = 2 ** 20;
/** Some answers that do not come within `commandTimeoutMs`. */
const STOP_MS = 3000;
/** Ends what hangs, on a machine that is busy with other things. */
const PATIENT = { timeoutMs: 120_000 };
const SIGNALS = ['SIGTERM', 'SIGINT', 'uncaughtException', 'unhandledRejection', 'exit'] as const;

let servers: Record<Name, TestServer>;
let clients: Record<Name, Redis>;
const sites = new Set<RunningSite>();

beforeEach(async () => {
  const config = { 'repl-diskless-sync-delay': '0' };
  const [east, west] = await Promise.all([startServer({ config }), startServer({ config })]);
  servers = { east, west };
  clients = { east: east.client(), west: west.client() };
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all([...sites].map((site) => site.stop()));
  sites.clear();
  await Promise.all([servers.east.stop(), servers.west.stop()]);
});

function settingsOf(name: Name, more: Partial<SiteSettings> = {}): SiteSettings {
  const urls = { localUrl: servers[name].url, peerUrl: servers[OTHER[name]].url };
  return { pair: 'shop', site: name, peer: OTHER[name], ...urls, ...more };
}

async function start(
  name: Name,
  more: Partial<SiteSettings> = {},
  options: StartOptions = {},
): Promise<RunningSite> {
  const site = await startSite(settingsOf(name, more), options);
  sites.add(site);
  return site;
}

async function startBoth(): Promise<Record<Name, RunningSite>> {
  const [east, west] = [await start('east'), await start('west')];
  await Promise.all([east.untilReady(PATIENT), west.untilReady(PATIENT)]);
  return { east, west };
}

/** What a promise is rejected with; it must be an error of Tandem's. */
async function failure(promise: Promise<unknown>): Promise<TandemError> {
  const error: unknown = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(TandemError);
  return error as TandemError;
}

describe('a pair in one process', () => {
  test('is ready, carries writes both ways, and is waited for', async () => {
    await clients.east.set('before', 'the pair');
    const { east, west } = await startBoth();
    expect([east.state, west.state]).toEqual(['ready', 'ready']);
    expect(east.reasons()).toEqual([]);
    for (let i = 0; i < 500; i++) await clients.east.set(`key:${i}`, i);
    await east.untilApplied(PATIENT);
    expect(await clients.west.get('key:499')).toBe('499');
    await Promise.all([clients.east.incrby('sum', 7), clients.west.incrby('sum', 5)]);
    await east.untilApplied({ both: true, ...PATIENT });
    expect([await clients.east.get('sum'), await clients.west.get('sum')]).toEqual(['12', '12']);
    expect(await clients.west.get('before')).toBe('the pair');
    await expectEqual(clients.east, clients.west);
    expect(west.status()).toMatchObject({ pair: 'shop', site: 'west', role: 'active' });
    expect(west.metrics()).toContain('\ntandem_active 1\n');
  });

  test('is found by the commands, as one that `tandem run` has started', async () => {
    const { east } = await startBoth();
    const { url } = servers.east;
    const env = { TANDEM_PAIR: 'shop', TANDEM_SITE: 'east', TANDEM_PEER: 'west', TANDEM_LOCAL_URL: url };
    await until('the status to be written', async () => (await runCli(['status'], env)).code === 0);
    expect(await runCli(['wait', '--timeout', '30s'], env)).toMatchObject({ code: 0 });
    await east.stop();
    expect(await runCli(['status'], env)).toMatchObject({ code: 1 });
  });

  test('prints nothing, and adds no listener to the process', async () => {
    const before = SIGNALS.map((name) => process.listenerCount(name));
    const printed = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')];
    const { east } = await startBoth();
    await clients.east.set('a', '1');
    await east.untilApplied(PATIENT);
    expect(SIGNALS.map((name) => process.listenerCount(name))).toEqual(before);
    await Promise.all([...sites].map((site) => site.stop()));
    expect(printed.flatMap(({ mock }) => mock.calls)).toEqual([]);
  });

  test('hands its log to the program, without passwords', async () => {
    const entries: LogEntry[] = [];
    const log = (entry: LogEntry): void => void entries.push(entry);
    const [east] = [await start('east', { logLevel: 'info' }, { log }), await start('west')];
    await east.untilReady(PATIENT);
    expect(entries.map(({ msg }) => msg)).toContain('active: this process works for the site');
    expect(entries[0]).toMatchObject({ pair: 'shop', site: 'east', level: expect.any(String) });
  });
});

describe('events', () => {
  test('tell each state, also of a site that stands by until the other process ends', async () => {
    const { east } = await startBoth();
    const second = await start('east');
    const states: string[] = [];
    second.on('state', (state) => states.push(state));
    expect((await failure(second.untilReady({ timeoutMs: 300 }))).message).toContain(
      'another process works for site east',
    );
    expect(second.state).toBe('standby');
    await east.stop();
    expect(east.state).toBe('ended');
    await second.untilReady(PATIENT);
    await second.stop();
    await until('the last state', () => states.at(-1) === 'ended');
    expect(states.filter((state) => state !== 'impeded')).toEqual(['ready', 'ended']);
  });

  test('tell a conflict, with its key', async () => {
    const { west } = await startBoth();
    await west.stop();
    await clients.east.set('colour', 'blue');
    await clients.west.set('colour', 'green');
    const again = await start('west');
    const conflicts: string[] = [];
    again.on('conflict', ({ command, outcome, key, database }) =>
      conflicts.push(`${command} ${outcome} ${database} ${key.toString()}`),
    );
    await until('the conflict to be told', () => conflicts.length > 0);
    expect(conflicts).toEqual(['SET own-stays 0 colour']);
  });

  test('tell a gap when it is found, and when it is mended', async () => {
    const [east, west] = [await start('east', { changesBytes: '1MiB' }), await start('west')];
    await Promise.all([east.untilReady(PATIENT), west.untilReady(PATIENT)]);
    await east.untilApplied({ both: true, ...PATIENT });
    const gaps: boolean[] = [];
    east.on('gap', (isOpen) => gaps.push(isOpen));
    await west.stop();
    for (let i = 0; i < 3; i++) await clients.east.set(`large:${i}`, Buffer.alloc(MiB, 'x'));
    await until('the gap', () => gaps.length > 0);
    const again = await start('west');
    await until('the end of the gap', () => gaps.at(-1) === false, { deadlineMs: 30_000 });
    expect(gaps).toEqual([true, false]);
    await again.untilApplied({ both: true, ...PATIENT });
    await expectEqual(clients.east, clients.west);
  });

  test('reach nobody any more who has gone', async () => {
    const site = await start('east');
    const heard: string[] = [];
    const listener = (state: string): void => void heard.push(state);
    site.on('state', listener).off('state', listener);
    await site.stop();
    expect(heard).toEqual([]);
  });
});

describe('what goes wrong', () => {
  test('settings are refused with all that is wrong, and no word of flags or variables', async () => {
    const wrong = { ...settingsOf('east'), peer: '', leaseMs: -1, colour: 'blue' } as SiteSettings;
    const { code, message, hint } = await failure(startSite(wrong));
    expect(code).toBe('CONFIG_INVALID');
    for (const name of ['peer (', 'leaseMs (given)', 'colour: no such setting'])
      expect(message).toContain(name);
    expect(message + hint).not.toMatch(/--|TANDEM_/);
    const port = { ...settingsOf('east'), httpPort: 8080 };
    expect(await failure(startSite(port))).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('nothing is taken from the environment', async () => {
    vi.stubEnv('TANDEM_PEER', 'west');
    const { peer: _peer, ...rest } = settingsOf('east');
    expect((await failure(startSite(rest as SiteSettings))).message).toContain('peer (not given)');
    vi.unstubAllEnvs();
  });

  test('a site that cannot work ends with its reason, and the program lives', async () => {
    const localUrl = servers.east.url.replace('redis://', 'redis://nobody:secret@');
    const site = await start('east', { localUrl });
    const states: string[] = [];
    site.on('state', (state) => states.push(state));
    const { code, message } = await failure(within('the end', 10_000, site.ended));
    expect(code).toBe('AUTH_FAILED');
    expect(message).not.toContain('secret');
    await until('the state', () => states.includes('ended'));
    expect(await failure(site.untilReady(PATIENT))).toMatchObject({ code: 'AUTH_FAILED' });
    expect(await failure(site.untilApplied(PATIENT))).toMatchObject({ code: 'AUTH_FAILED' });
    await site.stop();
  });

  test('servers that die and come back are nothing that the program has to catch', async () => {
    const { east, west } = await startBoth();
    const writing = clients.east.duplicate({ maxRetriesPerRequest: 0 });
    writing.on('error', () => undefined);
    const states: string[] = [];
    east.on('state', (state) => states.push(state));
    try {
      for (const name of ['east', 'west', 'east'] as const) {
        for (let n = 0; n < 200; n++) void writing.incr('counter').catch(() => undefined);
        await servers[name].kill();
        await until('the loss to be seen', () => east.state !== 'ready' || west.state !== 'ready');
        await servers[name].start();
        await Promise.all([east.untilReady(PATIENT), west.untilReady(PATIENT)]);
      }
    } finally {
      writing.disconnect();
    }
    await east.untilApplied({ both: true, ...PATIENT });
    await expectEqual(clients.east, clients.west);
    expect(states).toContain('impeded');
  });

  test('a site is stopped in bounded time, also when its server hangs', async () => {
    const [east, west] = [await start('east', { commandTimeoutMs: 1000 }), await start('west')];
    await Promise.all([east.untilReady(PATIENT), west.untilReady(PATIENT)]);
    await servers.east.pause();
    try {
      await within('the stop', STOP_MS, east.stop());
    } finally {
      await servers.east.resume();
    }
    expect(east.state).toBe('ended');
  });

  test('a peer that is away is waited for, as long as the program wants', async () => {
    await servers.west.kill();
    const east = await start('east');
    expect(await failure(east.untilReady({ timeoutMs: 300 }))).toMatchObject({ code: 'TIMEOUT' });
    expect(await failure(east.untilApplied({ timeoutMs: 300 }))).toMatchObject({ code: 'TIMEOUT' });
    const gaveUp = failure(east.untilReady({ signal: AbortSignal.timeout(100) }));
    expect(await gaveUp).toMatchObject({ code: 'CLOSED' });
    const waiting = failure(east.untilApplied(PATIENT));
    await east.stop();
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    await east.ended;
    await servers.west.start();
  });
});
