import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.js';
import type { Finding } from '../../src/preflight/finding.js';
import { localAclRule, peerAclRule } from '../../src/preflight/rights.js';
import { keyNames } from '../../src/redis/keys.js';
import { startServer } from '../support/server.js';
import { useServer } from '../support/use-server.js';
import { findingsOf, withUser } from './checking.js';

const keys = keyNames({ prefix: 'tandem', pair: 'orders' });
const { server: east } = useServer();
const { redis: westRedis, server: west } = useServer();

async function found(name: string, urls: { local?: string; peer?: string }): Promise<Finding | undefined> {
  const env = {
    TANDEM_PAIR: 'orders',
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: urls.local ?? east().url,
    TANDEM_PEER_URL: urls.peer ?? west().url,
  };
  return (await findingsOf(loadConfig({ env }))).find((one) => one.name === name);
}

async function knowsTheQuestion(): Promise<boolean> {
  return (await westRedis.eval('return redis.acl_check_cmd and 1 or 0', 0)) === 1;
}

test('an account at the peer that can do more than is needed is warned of, with what it can do', async (context) => {
  if (!(await knowsTheQuestion())) return context.skip();
  expect(await found('account', {})).toMatchObject({
    subject: 'peer',
    outcome: 'warn',
    message: expect.stringContaining('(GET, SET, FLUSHALL, CONFIG)') as string,
    advice: expect.stringContaining(peerAclRule(keys)) as string,
  });
  await withUser(west(), `${peerAclRule(keys)} +get ~*`, async (peer) => {
    expect((await found('account', { peer }))?.message).toContain('(GET)');
  });
});

test('one that can do no more passes, and the question leaves no trace', async (context) => {
  if (!(await knowsTheQuestion())) return context.skip();
  // Where nobody has worked yet it is looked for other pairs, which this account may not do.
  await westRedis.hset(keys.site, { pair: 'orders', site: 'west', version: '0.1.0', startedAt: '0' });
  await westRedis.call('ACL', 'LOG', 'RESET');
  await withUser(west(), peerAclRule(keys), async (peer) => {
    expect(await found('account', { peer })).toMatchObject({ outcome: 'pass' });
  });
  expect(await westRedis.call('ACL', 'LOG')).toEqual([]);
});

test('an account of which the server keeps nothing is warned of', async () => {
  await withUser(east(), localAclRule(), async (local) => {
    expect(await found('accounts', { local })).toMatchObject({
      subject: 'local',
      outcome: 'warn',
      message: expect.stringContaining('the account tandem is gone after a restart') as string,
    });
  });
  expect(await found('accounts', {})).toBeUndefined();
});

test('one at a server with an aclfile is not', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tandem-acl-'));
  const file = join(dir, 'users.acl');
  writeFileSync(file, 'user default on nopass ~* &* +@all\n');
  const server = await startServer({ config: { aclfile: file } });
  try {
    await withUser(server, localAclRule(), async (local) => {
      expect(await found('accounts', { local })).toBeUndefined();
    });
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true });
  }
});
