import type { Run } from './store.js';

const sunionstore: Run = (store, [, target, ...sources]) => {
  const cells = new Map<string, string>();
  for (const source of sources) {
    const set = store.read(source, 'set');
    if (set === false) return false;
    for (const member of set?.cells.keys() ?? []) cells.set(member, '');
  }
  if (cells.size === 0 && !store.get(target!)) return false;
  store.put(target!, cells.size === 0 ? undefined : { value: { type: 'set', cells }, expiresAt: undefined });
  return true;
};

const del: Run = (store, [, ...keys]) => {
  const present = keys.filter((key) => store.get(key));
  for (const key of present) store.put(key, undefined);
  return present.length > 0;
};

/** Commands on whole keys. */
export const KEY_COMMANDS: Readonly<Record<string, Run>> = {
  DEL: del,
  UNLINK: del,
  /** The end of a life as it is captured: `EXPIRED key deadline`. */
  EXPIRED: (store, [, key]) => del(store, ['DEL', key!]),
  PEXPIREAT(store, [, key, at]) {
    const slot = store.get(key!);
    if (!slot) return false;
    slot.expiresAt = Number(at);
    return true;
  },
  PERSIST(store, [, key]) {
    const slot = store.get(key!);
    if (slot?.expiresAt === undefined) return false;
    slot.expiresAt = undefined;
    return true;
  },
  RENAME(store, [, source, target]) {
    const slot = store.copy(source!);
    if (!slot || source === target) return false;
    store.put(source!, undefined);
    store.put(target!, slot);
    return true;
  },
  COPY(store, [, source, target, replace]) {
    const slot = store.copy(source!);
    if (!slot || source === target || (store.get(target!) && replace !== 'REPLACE')) return false;
    store.put(target!, slot);
    return true;
  },
  SUNIONSTORE: sunionstore,
};
