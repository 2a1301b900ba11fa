import type { Store } from './redis/store.js';

/** Fields whose deadline has passed are not there any more, before that is captured. */
export function takeEndedFields(store: Store, key: string, now: number): [field: string, at: number][] {
  const hash = store.read(key, 'hash');
  if (!hash) return [];
  const ended = [...(hash.deadlines ?? [])].filter(([, at]) => at < now);
  for (const [field] of ended) store.run(['HDEL', key, field]);
  return ended;
}

export function fieldsAt(store: Store, key: string): ReadonlySet<string> {
  return new Set((store.read(key, 'hash') || undefined)?.cells.keys());
}

export function notMadeAnew<Ended extends readonly [field: string, at: number]>(
  store: Store,
  key: string,
  ended: readonly Ended[],
): Ended[] {
  const present = fieldsAt(store, key);
  return ended.filter(([field]) => !present.has(field));
}
