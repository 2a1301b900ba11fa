import { afterEach, describe, expect, it } from 'vitest';
import { connectClient } from '../../src/redis/connect.js';
import { judgeAppendOnlyFile } from '../../src/preflight/append-only-file.js';
import { readFacts } from '../../src/redis/server-facts.js';
import type { Verdict } from '../../src/preflight/finding.js';
import { localAclRule } from '../../src/preflight/rights.js';
import { useServer } from '../support/use-server.js';
import { tandemClient } from '../support/tandem-clients.js';

const WITHOUT = localAclRule().replace(' +acl|dryrun', '');

/** Another version of this server's looks at nobody's rights. */
const old = { product: 'Redis', version: '7.0.15' } as const;

const { redis: admin, server } = useServer({
  config: { appendonly: 'yes' },
  aclLines: [
    'user admin on >admin ~* &* +@all',
    `user tandem on >sesame ${localAclRule()}`,
    `user asks on >sesame ${WITHOUT} +acl|getuser`,
    `user blind on >sesame ${WITHOUT}`,
  ],
  client: { username: 'admin', password: 'admin' },
});
afterEach(async () => {
  await admin.call('ACL', 'SETUSER', 'default', 'on', 'nopass', '~*', '&*', '+@all');
  await admin.config('SET', 'appendonly', 'yes');
});

async function judged(account: string, changes: object = old): Promise<Verdict> {
  const client = tandemClient({ url: server().urlFor(account, 'sesame') });
  try {
    await connectClient(client);
    return await judgeAppendOnlyFile(client, {
      ...(await readFacts(client, { settings: false })),
      ...changes,
    });
  } finally {
    client.disconnect();
  }
}

async function defaultUser(...rules: string[]): Promise<void> {
  await admin.call('ACL', 'SETUSER', 'default', 'reset', ...rules);
}

describe('the check of the append-only file', () => {
  it.each(['tandem', 'asks'])(
    'passes a default user that is off and has all rights, for %s',
    async (account) => {
      await defaultUser('off', '~*', '&*', '+@all');
      expect((await judged(account)).outcome).toBe('pass');
    },
  );

  it.each([
    ['off', []],
    ['off, with keys', ['~*', '&*']],
    ['off, with commands', ['+@all']],
    ['off, with some keys', ['+@all', '~app:*']],
    ['off, with reading alone', ['~*', '&*', '+@read']],
    ['on, without what is dangerous', ['on', '~*', '&*', '+@all', '-@dangerous']],
  ])('fails on a default user that is %s, whichever way the account may ask', async (_, rules) => {
    await defaultUser(...rules);
    for (const account of ['tandem', 'asks'])
      expect(await judged(account)).toMatchObject({
        outcome: 'fail',
        code: 'NO_PERMISSION',
        advice: expect.stringContaining('ACL SETUSER default ~* &* +@all') as string,
      });
  });

  it('warns an account that may not ask, whatever the default user may do', async () => {
    for (const rules of [[], ['~*', '&*', '+@all']]) {
      await defaultUser(...rules);
      expect(await judged('blind')).toMatchObject({
        outcome: 'warn',
        advice: expect.stringContaining('+acl|dryrun') as string,
      });
    }
  });

  it('has nothing to say without a file', async () => {
    await defaultUser('off');
    await admin.config('SET', 'appendonly', 'no');
    expect(await judged('blind')).toEqual({ name: 'append-only file', outcome: 'pass', message: 'off' });
  });

  it.each([
    ['Redis', '8.4.0', 'fail'],
    ['Redis', '8.6.0', 'pass'],
    ['Redis', '10.0.1', 'pass'],
    ['Valkey', '9.1.1', 'fail'],
    ['Valkey', '9.1.2', 'pass'],
    ['Valkey', '10.0.0', 'pass'],
    ['Redis', null, 'fail'],
  ])('knows which servers look at rights while they load: %s %s', async (product, version, outcome) => {
    await defaultUser('off');
    expect((await judged('tandem', { product, version })).outcome).toBe(outcome);
  });

  it('leaves nothing in the log of refusals for the account with the documented rights', async () => {
    await admin.call('ACL', 'LOG', 'RESET');
    await judged('tandem');
    expect(await admin.call('ACL', 'LOG')).toEqual([]);
  });
});
