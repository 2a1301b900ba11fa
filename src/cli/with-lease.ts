import type { Config } from '../config/config.js';
import { Lease } from '../lease/lease.js';
import { TandemError } from '../errors.js';
import { connectClient, openClient } from '../redis/connect.js';
import type { LocalSite } from './local-site.js';

/**
 * Does work for which no process may be at work. None can begin meanwhile, and one that wakes up late can no longer write: the token
 * has risen.
 * @param waitMs how long a lease that somebody has is waited for: one that came with a copy of the data ends by itself
 * @throws TandemError FENCED while a process works for the site
 */
export async function withLease<T>(
  { leaseMs, site, localUrl, tls, connectTimeoutMs, commandTimeoutMs }: Config,
  { keys, log, waitMs = 0 }: Pick<LocalSite, 'keys' | 'log'> & { readonly waitMs?: number },
  work: (signal: AbortSignal, token: number) => Promise<T>,
): Promise<T> {
  // Of its own: the search goes through all databases, and the lease is in the first.
  const name = `tandem:${site}:lease`;
  const client = openClient({ url: localUrl, tls, log, name, connectTimeoutMs, commandTimeoutMs });
  const lease = new Lease({ client, keys, leaseMs, log });
  const stop = new AbortController();
  const until = performance.now() + waitMs;
  try {
    await connectClient(client);
    const token = await lease.acquire(stop.signal, () => {
      if (performance.now() < until) return;
      throw new TandemError('FENCED', `a process works for site ${site}`, {
        hint: 'stop it first, and all others that were started for this site',
      });
    });
    const keeping = lease.keep(stop.signal);
    const lost = new AbortController();
    keeping.catch((error: unknown) => lost.abort(error));
    try {
      return await work(lost.signal, token);
    } finally {
      stop.abort();
      await keeping.catch(() => {});
      await lease.release();
    }
  } finally {
    client.disconnect();
  }
}
