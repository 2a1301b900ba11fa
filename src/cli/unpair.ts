import { byNumber, counted } from '../counted.js';
import { createInterface } from 'node:readline/promises';
import type { Config } from '../config/config.js';
import { TandemError } from '../errors.js';
import { findInternalKeys, removeInternalKeys, type InternalKey } from '../redis/internal-keys.js';
import { answerOf, connectClient, whereOf } from '../redis/connect.js';
import { parseInfo } from '../redis/server-facts.js';
import { quietClients } from './clients.js';
import { atLocalSite, type LocalSite } from './local-site.js';
import { bytes, paint, shown } from './terminal.js';
import { withLease } from './with-lease.js';

/**
 * Removes all keys of the pair from the local Redis, and says which. Resolves with 0, or with 1 if the person says no.
 * @throws TandemError FENCED while a process works for the site; CONFIG_INVALID when nobody is there to be asked; SAME_SITE at a copy of
 * the Redis of this site, in which the data would be taken for the other site's own
 */
export async function unpair(
  config: Config,
  { yes, json }: { yes: boolean; json: boolean },
): Promise<number> {
  if (!yes && !process.stdin.isTTY)
    throw new TandemError(
      'CONFIG_INVALID',
      'unpair asks before it removes anything, and here is nobody to ask',
      {
        hint: 'say --yes',
      },
    );
  return atLocalSite(
    config,
    'unpair',
    async (site) => {
      const { redis, keys } = site;
      // Nothing is written where nothing is: not even the lease.
      if ((await findInternalKeys(redis, keys.prefix)).length === 0) {
        console.log(
          json ? JSON.stringify({ removed: [] }) : `There are no keys of pair ${config.pair} here.`,
        );
        return 0;
      }
      await expectNoCopy(config, site);
      return withLease(config, site, async (signal) => {
        const found = (await findInternalKeys(redis, keys.prefix)).filter(
          ({ name }) => name.toString('latin1') !== keys.lease,
        );
        if (!json || !yes) console.error(renderFound(found, keys.changes));
        if (!yes && !(await isWanted(`Remove them from ${whereOf(redis)} (${config.site})? [y/N] `))) {
          console.error('Nothing was removed.');
          return 1;
        }
        const last = [keys.lease, keys.fence];
        await removeInternalKeys(redis, { prefix: keys.prefix, kept: last, signal });
        await answerOf(redis, redis.unlink(...last));
        console.log(json ? JSON.stringify({ removed: found.map(plain) }) : summaryOf(found));
        return 0;
      });
    },
    { mayBeNew: true },
  );
}

/** A peer that cannot be asked is no reason to keep anybody from unpairing. @throws TandemError SAME_SITE */
async function expectNoCopy(config: Config, { redis, keys }: LocalSite): Promise<void> {
  const { site, peer, peerUrl } = config;
  const [replid, born] = [
    await answerOf(redis, redis.hget(keys.state, 'replid')),
    await answerOf(redis, redis.hget(keys.site, 'born')),
  ];
  const here = parseInfo(await answerOf(redis, redis.info('replication')));
  if (born === null || here.get('master_replid') === replid) return;
  const client = quietClients(config, 'unpair').open(peerUrl);
  try {
    await connectClient(client);
    const [itsSite, itsBorn] = await client.hmget(keys.site, 'site', 'born');
    if (itsSite !== site || itsBorn !== born) return;
  } catch {
    return;
  } finally {
    client.disconnect();
  }
  throw new TandemError(
    'SAME_SITE',
    `${whereOf(redis)} is a copy of the Redis of site ${site} at ${whereOf(client)}`,
    {
      hint: `Changes that the copy has already would come once more. To make it the Redis of ${peer}, run tandem adopt as site ${peer} with peer ${site}; to begin without the data, FLUSHALL.`,
    },
  );
}

async function isWanted(question: string): Promise<boolean> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<string>((resolve) => {
    asking.once('close', () => resolve(''));
  });
  try {
    return /^y(es)?$/i.test((await Promise.race([asking.question(question), closed])).trim());
  } finally {
    asking.close();
  }
}

function plain({ database, name, type, entries, bytes: size }: InternalKey): Record<string, unknown> {
  return { database, name: shown(name), type, entries, bytes: size };
}

/** One line for each key, and what is lost with them. */
function renderFound(found: readonly InternalKey[], changes: string): string {
  const rows = found.map(({ database, name, type, entries, bytes: size }) => [
    `db${database}`,
    shown(name),
    type,
    entries === null ? '' : counted(entries, UNITS[type] ?? 'entry'),
    size === null ? '' : bytes(size),
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd(),
  );
  const waiting = found.find(({ name }) => name.toString('latin1') === changes)?.entries ?? 0;
  return [
    ...lines,
    ...(waiting === 0
      ? []
      : [
          paint.yellow(
            `${counted(waiting, 'batch of changes')} that the peer may not have yet ${byNumber(waiting, 'goes', 'go')} with them.`,
          ),
        ]),
  ].join('\n');
}

const UNITS: Readonly<Record<string, string>> = {
  string: 'byte',
  list: 'element',
  hash: 'field',
  set: 'member',
  zset: 'member',
  stream: 'entry',
};

function summaryOf(found: readonly InternalKey[]): string {
  const size = found.reduce((sum, key) => sum + (key.bytes ?? 0), 0);
  return `Removed ${counted(found.length, 'key')} (${bytes(size)}). A process started now pairs afresh.`;
}
