import { afterEach, expect, test } from 'vitest';
import { composeAccounts } from '../support/compose-accounts.js';
import { expectEqual } from '../support/equal.js';
import { type Pair, type SiteOptions, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { startServer } from '../support/server.js';
import { runCli } from './run-cli.js';

/** Not a base of RDB but the commands themselves, as they stand in the file between two rewrites. */
const AOF = { appendonly: 'yes', appendfsync: 'always', 'aof-use-rdb-preamble': 'no' };

let pair: Pair | undefined;
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

function siteOf(name: 'east' | 'west'): SiteOptions {
  const { aclLines, passwords } = composeAccounts(name);
  const password = (purpose: string): string => passwords[`${name.toUpperCase()}_${purpose}_PASSWORD`]!;
  return {
    server: { aclLines, config: AOF },
    account: { username: 'app', password: password('APP') },
    localUrl: (server) => server.urlFor('tandem', password('TANDEM')),
    peerUrl: (server) => server.urlFor('tandem-peer', password('PEER')),
  };
}

/** What stands in the internal keys, which scripts and transactions alone write. */
async function ownState({
  redis,
}: Pair['east']): Promise<Record<'state' | 'applied', Record<string, string>>> {
  const [state, applied] = await Promise.all([
    redis.hgetall('tandem:{demo}:state'),
    redis.hgetall('tandem:{demo}:applied'),
  ]);
  return { state, applied };
}

async function writeAt({ redis, name }: Pair['east']): Promise<void> {
  await redis.set(`bare:${name}`, '1');
  await redis.multi().incr('counter').hset('hash', name, '1').exec();
  await redis.eval(
    "redis.call('RPUSH', KEYS[1], ARGV[1]) redis.call('INCR', KEYS[2])",
    2,
    'list',
    'counter',
    name,
  );
}

test('a server with the accounts of docker-compose.yml gets back from its append-only file what transactions, scripts and Tandem wrote', async () => {
  pair = await startPair({ pair: 'demo', east: siteOf('east'), west: siteOf('west') });
  const { east, west } = pair;
  await writeAt(east);
  await quiet(pair);
  await writeAt(west);
  await quiet(pair);
  // Alone: no repair may bring back what a server has lost.
  await Promise.all([east.kill('SIGTERM'), west.kill('SIGTERM')]);
  const before = await Promise.all([east, west].map(ownState));
  for (const { server } of [east, west]) {
    await server.kill();
    await server.start();
  }
  expect(await Promise.all([east, west].map(ownState))).toEqual(before);
  expect(before.map(({ applied }) => Object.keys(applied).length > 0)).toEqual([true, true]);
  await expectEqual(east.redis, west.redis);
  for (const { redis } of [east, west]) {
    expect(await redis.mget('counter', 'bare:east', 'bare:west')).toEqual(['4', '1', '1']);
    expect(await redis.hgetall('hash')).toEqual({ east: '1', west: '1' });
    expect(await redis.lrange('list', 0, -1)).toEqual(['east', 'west']);
  }
  for (const site of [east, west]) site.start();
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
});

test('the check fails on a default user without rights, where a server looks at them while it loads, and says so before the loss', async () => {
  const { aclLines, passwords } = composeAccounts('east');
  const closed = aclLines.map((line) => line.replace(/^user default .*/, 'user default off'));
  const [own, peer] = await Promise.all([startServer({ aclLines: closed, config: AOF }), startServer()]);
  const env = {
    TANDEM_PAIR: 'demo',
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: own.urlFor('tandem', passwords['EAST_TANDEM_PASSWORD']!),
    TANDEM_PEER_URL: peer.url,
  };
  try {
    const redis = own.client({ username: 'app', password: passwords['EAST_APP_PASSWORD']! });
    await redis.set('bare', '1');
    await redis.multi().set('within', '1').set('beside', '1').exec();
    const { code, stdout } = await runCli(['check'], env);
    await own.restart();
    const isKept = (await redis.mget('bare', 'within')).join() === '1,1';
    expect({ code, isNamed: stdout.includes('FAIL  append-only file') }).toEqual(
      isKept ? { code: 0, isNamed: false } : { code: 1, isNamed: true },
    );
    if (!isKept) expect(stdout).toContain('ACL SETUSER default ~* &* +@all');
  } finally {
    await Promise.all([own.stop(), peer.stop()]);
  }
});
