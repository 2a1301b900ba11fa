import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ownKeys } from '../e2e/observe.js';
import { allKeys } from '../../src/redis/keys.js';
import type { Site } from '../support/pair.js';
import { until } from '../support/wait.js';
import { CHANGES_BYTES, type Scene } from './scene.js';

/** What a fault may do to the data: nothing; a gap, which mends itself; or its server forgets, and no counter need be right. */
export type Harm = 'none' | 'gap' | 'loss';

export interface Fault {
  readonly harm: Harm;
  /** The site it needs, if not any. */
  readonly at?: 'durable';
  /** Brings the fault about and ends it. What it resolves with is done after the recovery was measured. */
  readonly run: (site: Site, scene: Scene) => Promise<(() => Promise<unknown>) | void>;
  /** Nothing but a person mends it: the sites are then compared and repaired by hand. */
  readonly needsRepair?: boolean;
}

const KEYS = ownKeys();
const ACTIVE = 'active: this process works for the site';
const STANDBY = 'standby: another process works for this site, waiting for its lease';
const OWN_CONNECTIONS = /^id=(\d+).* name=tandem:/gm;
const START_DEADLINE = { deadlineMs: 20_000 };
const FILLING_BYTES = 20_000;
const BACKLOG_BYTES = 64 * 1024;

/** The faults by name. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  kill: { harm: 'none', run: async (site, scene) => restart(site, scene, 'SIGKILL') },
  term: { harm: 'none', run: async (site, scene) => restart(site, scene, 'SIGTERM') },
  takeover: { harm: 'none', run: takeOver },
  cut: {
    harm: 'none',
    run: async (site, scene) => {
      site.network.cut();
      await scene.hold(200, 3000);
      site.network.resume();
    },
  },
  'half-open': {
    harm: 'none',
    run: async (site, scene) => {
      site.network.swallow();
      await scene.hold(500, 5000);
      site.network.resume({ reset: scene.random.chance(0.5) });
    },
  },
  slow: { harm: 'none', run: (site, scene) => weather(site, scene, 32 * 1024, 0) },
  'delay-80': { harm: 'none', run: (site, scene) => weather(site, scene, Infinity, 40) },
  'delay-300': { harm: 'none', run: (site, scene) => weather(site, scene, Infinity, 150) },
  'client-kill': { harm: 'none', run: killConnections },
  oom: {
    harm: 'none',
    run: async (site, scene) => {
      await site.redis.config('SET', 'maxmemory', '1');
      await scene.hold(100, 2500);
      await site.redis.config('SET', 'maxmemory', '0');
    },
  },
  readonly: {
    harm: 'none',
    run: async (site, scene) => {
      await site.redis.replicaof('127.0.0.1', '1');
      await scene.hold(100, 2000);
      await site.redis.replicaof('NO', 'ONE');
    },
  },
  wipe: {
    harm: 'none',
    run: async (site, scene) => {
      for (let i = 0; i < 20; i++) {
        await site.redis.script('FLUSH');
        await site.redis.config('RESETSTAT');
        await scene.hold(1, 50);
      }
      await site.redis.call('FUNCTION', 'FLUSH');
    },
  },
  poison: { harm: 'none', run: poison },
  'redis-restart': {
    harm: 'gap',
    run: async (site, scene) => {
      await site.server.halt();
      await scene.hold(1, 500);
      await startServer(site);
    },
  },
  'redis-kill': {
    harm: 'gap',
    at: 'durable',
    run: async (site, scene) => {
      await site.server.kill();
      await scene.hold(1, 500);
      await startServer(site);
    },
  },
  'redis-older': { harm: 'loss', run: goBack },
  'redis-empty': {
    harm: 'loss',
    run: async (site) => {
      await site.server.kill();
      for (const name of dataOf(site)) rmSync(name, { recursive: true });
      await startServer(site);
    },
  },
  backlog: { harm: 'gap', run: overrunBacklog },
  'peer-away': {
    harm: 'gap',
    run: async (site, scene) => {
      const from = site.log.length;
      site.network.cut();
      await fill(site, scene, CHANGES_BYTES * 1.2);
      await site.waitForLog(/reached its bound/, { from });
      site.network.resume();
    },
  },
  'own-keys': { harm: 'gap', run: deleteOwnKeys },
  flush: { harm: 'loss', needsRepair: true, run: async (site) => void (await site.redis.flushall()) },
};

async function restart(site: Site, scene: Scene, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  await site.kill(signal);
  await scene.hold(1, 1000);
  site.start();
}

/** Stopped for longer than its lease while a second process stands by; then the first wakes up. */
async function takeOver(site: Site, scene: Scene): Promise<() => Promise<unknown>> {
  const second = await scene.another(site);
  second.start();
  await second.waitForLog(STANDBY, START_DEADLINE);
  site.pause();
  await second.waitForLog(ACTIVE, START_DEADLINE);
  const from = site.log.length;
  site.resume();
  return async () => {
    await site.waitForLog(STANDBY, { ...START_DEADLINE, from });
    await second.kill('SIGTERM');
    await site.waitForLog(ACTIVE, { ...START_DEADLINE, from });
  };
}

async function weather(site: Site, scene: Scene, bytesPerSecond: number, delayMs: number): Promise<void> {
  site.network.throttle(bytesPerSecond);
  site.network.delay(delayMs);
  await scene.hold(1000, 5000);
  site.network.throttle(Infinity);
  site.network.delay(0);
}

async function killConnections(site: Site, scene: Scene): Promise<void> {
  for (let i = 0; i < 1 + scene.random.below(5); i++) {
    const list = String(await site.redis.call('CLIENT', 'LIST'));
    const ids = [...list.matchAll(OWN_CONNECTIONS)].map(([, id]) => String(id));
    const chosen = scene.random.chance(0.3) ? ids : ids.length > 0 ? [scene.random.pick(ids)] : [];
    for (const id of chosen) await site.redis.call('CLIENT', 'KILL', 'ID', id);
    await scene.hold(1, 400);
  }
}

/** A key of another type that no stream has told of: what the peer writes to it is refused here. */
async function poison(site: Site, scene: Scene): Promise<void> {
  const key = `poison:${scene.random.below(1e9)}`;
  const plant = "redis.set_repl(redis.REPL_NONE) return redis.call('SET', KEYS[1], 'x')";
  await site.redis.eval(plant, 1, key);
  for (let i = 0; i < 3; i++) await scene.other(site).redis.rpush(key, i);
}

async function startServer(site: Site): Promise<void> {
  await site.server.start();
  await until('the server to be back', () => site.redis.ping().catch(() => undefined), START_DEADLINE);
}

/** What the server would load at its start. */
function dataOf(site: Site): string[] {
  const { dir } = site.server;
  return readdirSync(dir)
    .filter((name) => name === 'dump.rdb' || name === 'appendonlydir' || name === 'appendonly.aof')
    .map((name) => join(dir, name));
}

/** The server comes back with what it had a while ago. */
async function goBack(site: Site, scene: Scene): Promise<void> {
  if (site !== scene.durable) await site.redis.save();
  const kept = dataOf(site).map((name) => ({ name, copy: `${name}.kept` }));
  for (const { name, copy } of kept) cpSync(name, copy, { recursive: true });
  await scene.hold(200, 2000);
  await site.server.kill();
  for (const { name, copy } of kept) {
    rmSync(name, { recursive: true });
    cpSync(copy, name, { recursive: true });
    rmSync(copy, { recursive: true });
  }
  await startServer(site);
}

/** More is written than the backlog holds while nobody reads it. */
async function overrunBacklog(site: Site, scene: Scene): Promise<void> {
  const [, size] = (await site.redis.config('GET', 'repl-backlog-size')) as [string, string];
  await site.kill();
  await site.redis.config('SET', 'repl-backlog-size', String(BACKLOG_BYTES));
  await fill(site, scene, BACKLOG_BYTES * 3);
  await site.redis.config('SET', 'repl-backlog-size', size);
  site.start();
}

/** Large values, of which few are kept. */
async function fill(site: Site, scene: Scene, bytes: number): Promise<void> {
  const value = 'x'.repeat(FILLING_BYTES);
  for (let written = 0; written < bytes; written += FILLING_BYTES)
    await site.redis.set(`filling:${site.name}:${scene.random.below(20)}`, value + written);
}

async function deleteOwnKeys(site: Site, scene: Scene): Promise<void> {
  const names = allKeys(KEYS);
  const jobs = (await site.redis.keys(`${KEYS.jobsPrefix}*`)).slice(0, 5);
  for (let i = 0; i < 4; i++) {
    await site.redis.del(scene.random.pick([...names, ...jobs]));
    await scene.hold(50, 800);
  }
}
