import { afterEach, describe, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { findServer } from '../support/find-server.js';
import { type Pair, startPair } from '../support/pair.js';
import { Proxy } from '../support/proxy.js';
import { quiet } from '../support/quiet.js';
import { type TestServer, startServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { QUICK, statusOf } from './observe.js';

const CONFIG = { 'repl-backlog-size': '64mb', 'repl-diskless-sync-delay': '0' };
const EACH = 50;
/** The looks at roles and addresses, the repair of a gap, and a loaded machine. */
const DEADLINE = { deadlineMs: 40_000 };

/** A pair whose east is a primary with a replica, behind an address that can be moved. */
interface Behind {
  readonly pair: Pair;
  readonly address: Proxy;
  readonly old: TestServer;
  readonly next: TestServer;
}

let undo: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of undo.toReversed()) await step();
  undo = [];
});

async function behindAddress(): Promise<Behind> {
  const address = await Proxy.start({ port: 1 });
  undo.push(() => address.close());
  const url = (server: TestServer): string => address.through(server.url);
  const pair = await startPair({
    start: false,
    env: QUICK,
    server: { config: CONFIG },
    east: { localUrl: url, peerUrl: url },
  });
  const old = pair.east.server;
  address.lead(old);
  const next = await startServer({ config: { ...CONFIG, replicaof: `127.0.0.1 ${old.port}` } });
  undo.push(() => next.stop());
  undo.push(() => pair.close());
  await until('the replica to be linked', async () =>
    (await next.client().info('replication')).includes('master_link_status:up'),
  );
  for (const site of [pair.east, pair.west]) site.start();
  await quiet(pair);
  return { pair, address, old, next };
}

describe.skipIf((await findServer()).kind !== 'program')('behind a virtual address', () => {
  test.each([
    { what: 'has become a replica and keeps its connections', how: 'demoted' },
    { what: 'has died', how: 'killed' },
    { what: 'lives and takes writes', how: 'left' },
  ] as const)('a switch away from a primary that $what is followed at both ends', async ({ how }) => {
    const { pair, address, old, next } = await behindAddress();
    const [before, west, after] = [old.client(), pair.west.redis, next.client()];
    const { epoch } = await statusOf(pair.east);
    for (let i = 0; i < EACH; i++) await Promise.all([before.incr('n'), west.incr('m')]);
    await quiet(pair);
    await until('the replica to have all', async () => (await after.get('m')) === String(EACH));
    await before.wait(1, 2000);
    await after.replicaof('NO', 'ONE');
    address.lead(next);
    if (how === 'demoted') await before.replicaof('127.0.0.1', String(next.port));
    if (how === 'killed') await old.kill();
    for (let i = 0; i < EACH; i++) await Promise.all([after.incr('n'), west.incr('m')]);
    const all = String(2 * EACH);
    const counters = async (): Promise<boolean> => {
      const [north, south] = await Promise.all([after.mget('n', 'm'), west.mget('n', 'm')]);
      return [...north, ...south].every((value) => value === all);
    };
    await until('all to be counted at both ends', counters, DEADLINE);
    await until('a new epoch', async () => (await statusOf(pair.east)).epoch > epoch, DEADLINE);
    await until(
      'the histories to be whole',
      async () => !(await statusOf(pair.east)).gap && !(await statusOf(pair.west)).gap,
      DEADLINE,
    );
    await expectEqual(after, west);
    if (how !== 'killed')
      await until(
        'the old server to be left by all',
        async () => !String(await before.call('CLIENT', 'LIST')).includes('name=tandem:'),
        DEADLINE,
      );
  });
});
