/** Whether accounts are as they should be: the peer's no more than it needs, the local one there after a restart. */

import type { Redis } from '../redis/connect.js';
import type { ServerFacts } from '../redis/server-facts.js';
import type { Verdict } from './finding.js';
import { withProbeClient } from './probe.js';

/** Of no application, and not one of Tandem's. */
const FOREIGN_KEY = 'no-key-of-tandem:check';
/** What whoever holds the peer's account could do with more rights than it needs. */
const TOO_MUCH: readonly (readonly string[])[] = [
  ['GET', FOREIGN_KEY],
  ['SET', FOREIGN_KEY, ''],
  ['FLUSHALL'],
  ['CONFIG', 'GET', 'save'],
];

/** Asks without trying: what is refused stands in the server's ACL LOG. Servers before 7.0 do not know the question. */
const MAY = `
if not redis.acl_check_cmd then return false end
local may = {}
for _, call in ipairs(cjson.decode(ARGV[1])) do
  if redis.acl_check_cmd(unpack(call)) then may[#may + 1] = call[1] end
end
return may`;

/** Whether the account at the peer can do what it never has to. @param rule what grants what it needs, and no more */
export async function judgePeerAccount(client: Redis, rule: string): Promise<Verdict[]> {
  const name = 'account';
  const may = await withProbeClient(client, async (probe) =>
    probe.call('EVAL', MAY, '0', JSON.stringify(TOO_MUCH)).catch((error: unknown) => {
      if (error instanceof Error && error.name === 'ReplyError') return null;
      throw error;
    }),
  );
  if (!Array.isArray(may)) return [];
  if (may.length === 0) return [{ name, outcome: 'pass', message: 'it can do no more than is needed' }];
  return [
    {
      name,
      outcome: 'warn',
      message: `it can do more than is needed (${may.join(', ')}): whoever has its password can read or change what is there`,
      advice: `ACL SETUSER <name> on '><password>' ${rule}`,
    },
  ];
}

/**
 * Whether the server has its accounts from somewhere when it is started again. Nothing is said where it has a configuration file: whether
 * they stand in that it does not tell.
 */
export async function judgeKeptAccounts(
  client: Redis,
  { configFile }: Pick<ServerFacts, 'configFile'>,
): Promise<Verdict[]> {
  const { username } = client.options;
  if (!username || username === 'default' || configFile !== '') return [];
  // An account that may not ask leaves no trace of it: the same right is asked for by the facts.
  const reply: unknown = await client.config('GET', 'aclfile').catch(() => null);
  if (!Array.isArray(reply) || reply.length < 2 || reply[1] !== '') return [];
  return [
    {
      name: 'accounts',
      outcome: 'warn',
      message: `the server has neither an aclfile nor a configuration file: the account ${username} is gone after a restart, unless its command line names it`,
      advice:
        'Start the server with an aclfile and run ACL SAVE, or with a redis.conf and run CONFIG REWRITE. Without the account Tandem ends with AUTH_FAILED.',
    },
  ];
}
