import { createInterface } from 'node:readline/promises';
import type { Config } from '../config.js';
import { Lease } from '../control/lease.js';
import { TandemError } from '../errors.js';
import { findOwnKeys, removeOwnKeys, type OwnKey } from '../redis/own-keys.js';
import { connectClient, openClient, whereOf } from '../redis/connect.js';
import { atOwnSite, type OwnSite } from './own-site.js';
import { bytes, grouped, paint, shown } from './terminal.js';

/**
 * Removes all keys of the pair from the local Redis, and says which. Resolves with 0, or with 1 if the person says no.
 * @throws TandemError FENCED while a process works for the site; CONFIG_INVALID when nobody is there to be asked
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
  return atOwnSite(config, 'unpair', async (site) => {
    const { redis, keys } = site;
    // Nothing is written where nothing is: not even the lease.
    if ((await findOwnKeys(redis, keys.prefix)).length === 0) {
      console.log(json ? JSON.stringify({ removed: [] }) : `There are no keys of pair ${config.pair} here.`);
      return 0;
    }
    return withLease(config, site, async (signal) => {
      const found = (await findOwnKeys(redis, keys.prefix)).filter(
        ({ name }) => name.toString('latin1') !== keys.lease,
      );
      if (!json || !yes) console.error(renderFound(found, keys.changes));
      if (!yes && !(await isWanted(`Remove them from ${whereOf(redis)} (${config.site})? [y/N] `))) {
        console.error('Nothing was removed.');
        return 1;
      }
      await removeOwnKeys(redis, { prefix: keys.prefix, last: [keys.lease, keys.fence], signal });
      console.log(json ? JSON.stringify({ removed: found.map(plain) }) : summaryOf(found));
      return 0;
    });
  });
}

/** No process can begin to work meanwhile, and one that wakes up late can no longer write: the token has risen. */
async function withLease(
  { leaseMs, site, localUrl, tls, connectTimeoutMs, commandTimeoutMs }: Config,
  { keys, log }: OwnSite,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  // Of its own: the search goes through all databases, and the lease is in the first.
  const name = `tandem:${site}:lease`;
  const client = openClient({ url: localUrl, tls, log, name, connectTimeoutMs, commandTimeoutMs });
  const lease = new Lease({ client, keys, leaseMs, log });
  const stop = new AbortController();
  try {
    await connectClient(client);
    await lease.acquire(stop.signal, () => {
      throw new TandemError('FENCED', `a process works for site ${site}`, {
        hint: 'stop it first, and all others that were started for this site',
      });
    });
    const keeping = lease.keep(stop.signal);
    const lost = new AbortController();
    keeping.catch((error: unknown) => lost.abort(error));
    try {
      return await work(lost.signal);
    } finally {
      stop.abort();
      await keeping.catch(() => {});
      await lease.release();
    }
  } finally {
    client.disconnect();
  }
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

function plain({ database, name, type, entries, bytes: size }: OwnKey): Record<string, unknown> {
  return { database, name: shown(name), type, entries, bytes: size };
}

/** One line for each key, and what is lost with them. */
function renderFound(found: readonly OwnKey[], changes: string): string {
  const rows = found.map(({ database, name, type, entries, bytes: size }) => [
    `db${database}`,
    shown(name),
    type,
    entries === null ? '' : `${grouped(entries)} ${UNITS[type] ?? 'entries'}`,
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
          paint.yellow(`${grouped(waiting)} batches of changes that the peer may not have yet go with them.`),
        ]),
  ].join('\n');
}

const UNITS: Readonly<Record<string, string>> = {
  string: 'bytes',
  list: 'elements',
  hash: 'fields',
  set: 'members',
  zset: 'members',
  stream: 'entries',
};

function summaryOf(found: readonly OwnKey[]): string {
  const size = found.reduce((sum, key) => sum + (key.bytes ?? 0), 0);
  return `Removed ${grouped(found.length)} keys (${bytes(size)}). A process started now pairs afresh.`;
}
