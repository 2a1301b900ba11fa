import type { Redis } from './connect.js';

/** Time after which the search for other pairs gives up: it walks through all keys. */
const SEARCH_LIMIT_MS = 5000;
const SEARCH_COUNT = 5000;

/** The names of other pairs with keys at a server; null without the right to look, or when it takes too long. */
export async function findStrangers(
  client: Redis,
  { keyPrefix, pair }: { readonly keyPrefix: string; readonly pair: string },
): Promise<string[] | null> {
  const pattern = new RegExp(`^${keyPrefix}:\\{([^}]*)\\}:(?:state|in:site)$`);
  const found = new Set<string>();
  const deadline = performance.now() + SEARCH_LIMIT_MS;
  let cursor = '0';
  try {
    do {
      const [next, names] = await client.scan(cursor, 'MATCH', `${keyPrefix}:{*}:*`, 'COUNT', SEARCH_COUNT);
      for (const name of names) found.add(pattern.exec(name)?.[1] ?? pair);
      cursor = next;
      if (performance.now() > deadline) return null;
    } while (cursor !== '0');
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return null;
    throw error;
  }
  found.delete(pair);
  return [...found];
}
