import { randomBytes } from 'node:crypto';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ownKeys } from '../e2e/observe.js';
import { allKeys } from '../../src/redis/keys.js';
import type { Site } from '../support/pair.js';
import { type TestServer, startServer as startReplica } from '../support/server.js';
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
  'address-switch': { harm: 'none', run: (site, scene) => switchAddress(site, scene, { isRead: true }) },
  // A server knows of one history before its own: whoever has missed two switches cannot be told where it was.
  'address-flap': { harm: 'gap', run: (site, scene) => switchAddress(site, scene, { isRead: false }) },
  'full-log': { harm: 'none', run: loseLog },
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
  // Both within moments, and again: each has a gap, of which the other one's repair knows nothing yet.
  'both-restart': { harm: 'gap', run: (_, scene) => bothByTurns(scene, 'halt') },
  'both-kill': { harm: 'gap', run: (_, scene) => bothByTurns(scene, 'kill') },
  'aof-reload': {
    harm: 'gap',
    at: 'durable',
    run: async (site, scene) => {
      await site.redis.call('DEBUG', 'LOADAOF');
      await scene.hold(1, 300);
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

/**
 * As a managed service does it: a replica takes over, the address is moved, and the old primary stays as a replica, with all its
 * connections. Then it is moved back: when changes have crossed, or as soon as it may.
 */
async function switchAddress(site: Site, scene: Scene, { isRead }: { isRead: boolean }): Promise<void> {
  await site.redis.config('SET', 'repl-diskless-sync-delay', '0');
  const config = { 'repl-backlog-size': '64mb', replicaof: `${site.server.host} ${site.server.port}` };
  const next = await startReplica({ config });
  const redis = next.client();
  try {
    await inStep(redis);
    // What the process has saved is what the replica's backlog reaches back to.
    await scene.hold(1500, 3000);
    await handOver(site.redis, next);
    scene.lead(site, next);
    const key = `switched:${scene.random.below(1e9)}`;
    await redis.set(key, site.name);
    if (isRead) await until('a change to cross', () => scene.other(site).redis.exists(key), START_DEADLINE);
    else await scene.hold(1, 1500);
    await inStep(site.redis);
    await handOver(redis, site.server);
    scene.lead(site, site.server);
  } finally {
    scene.lead(site, site.server);
    redis.disconnect();
    await next.stop();
  }
}

/** The server gives all it has to a replica, and becomes the replica's replica. */
async function handOver(from: Site['redis'], to: TestServer): Promise<void> {
  const begun = (): Promise<boolean> =>
    from.call('FAILOVER', 'TO', to.host, String(to.port), 'TIMEOUT', '5000').then(() => true);
  await until('a failover to begin', begun, START_DEADLINE);
  await until(
    'the failover to be over',
    async () => /role:slave[^]*master_link_status:up/.test(await from.info('replication')),
    START_DEADLINE,
  );
}

/** Waits until a replica has its primary's data and hears of every write. */
async function inStep(replica: Site['redis']): Promise<void> {
  await until(
    'the replica to be in step',
    async () => (await replica.info('replication')).includes('master_link_status:up'),
    START_DEADLINE,
  );
}

/** The log of the process cannot be written for a while: it works all the same, and ends in order. */
async function loseLog(site: Site, scene: Scene): Promise<void> {
  await site.kill('SIGTERM');
  site.start({ isLogLost: true });
  await scene.recovery();
  await scene.hold(1, 1500);
  const { code } = await site.kill('SIGTERM');
  if (code !== 0) throw new Error(`a process whose log cannot be written ends with ${code}`);
  site.start();
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

/** Each server goes and comes back, a few times by turns. One that would forget in a kill is ended in order. */
async function bothByTurns(scene: Scene, how: 'halt' | 'kill'): Promise<void> {
  for (let again = 0; again < 1 + scene.random.below(3); again++)
    for (const site of scene.sites) {
      await (how === 'kill' && scene.isDurable(site) ? site.server.kill() : site.server.halt());
      await scene.hold(1, 300);
      await startServer(site);
      if (scene.random.chance(0.3)) await restart(scene.random.pick(scene.sites), scene, 'SIGKILL');
      await scene.hold(1, 800);
    }
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
  if (!scene.isDurable(site)) await site.redis.save();
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

/** Large values, of which few are kept. None is smaller where it is packed: on a busy machine the way to the peer may count as long. */
async function fill(site: Site, scene: Scene, bytes: number): Promise<void> {
  for (let written = 0; written < bytes; written += FILLING_BYTES)
    await site.redis.set(`filling:${site.name}:${scene.random.below(20)}`, randomBytes(FILLING_BYTES));
}

async function deleteOwnKeys(site: Site, scene: Scene): Promise<void> {
  const names = allKeys(KEYS);
  const jobs = (await site.redis.keys(`${KEYS.jobsPrefix}*`)).slice(0, 5);
  for (let i = 0; i < 4; i++) {
    await site.redis.del(scene.random.pick([...names, ...jobs]));
    await scene.hold(50, 800);
  }
}
