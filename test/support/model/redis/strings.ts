import type { Run, Store } from './store.js';

const WHOLE = /^-?\d+$/;

function add(store: Store, key: string, by: number): boolean {
  const value = store.read(key, 'string');
  if (value === false || (value && !WHOLE.test(value.text))) return false;
  store.write(key, { type: 'string', text: String(Number(value?.text ?? 0) + by) });
  return true;
}

/** The text with `part` at `offset`, padded with zero bytes. */
function overwritten(text: string, offset: number, part: string): string {
  const padded = text.padEnd(offset, '\0');
  return padded.slice(0, offset) + part + padded.slice(offset + part.length);
}

/** Commands on strings. Characters are bytes. */
export const STRING_COMMANDS: Readonly<Record<string, Run>> = {
  SET(store, [, key, text, option, at]) {
    const slot = store.get(key!);
    const expiresAt = option === 'PXAT' ? Number(at) : option === 'KEEPTTL' ? slot?.expiresAt : undefined;
    store.put(key!, { value: { type: 'string', text: text! }, expiresAt });
    return true;
  },
  INCR: (store, [, key]) => add(store, key!, 1),
  DECR: (store, [, key]) => add(store, key!, -1),
  INCRBY: (store, [, key, by]) => add(store, key!, Number(by)),
  DECRBY: (store, [, key, by]) => add(store, key!, -Number(by)),
  APPEND(store, [, key, text]) {
    const value = store.read(key!, 'string');
    if (value === false) return false;
    store.write(key!, { type: 'string', text: (value?.text ?? '') + text });
    return true;
  },
  SETRANGE(store, [, key, offset, part]) {
    const value = store.read(key!, 'string');
    if (value === false || part === '') return false;
    store.write(key!, { type: 'string', text: overwritten(value?.text ?? '', Number(offset), part!) });
    return true;
  },
  SETBIT(store, [, key, offset, bit]) {
    const value = store.read(key!, 'string');
    if (value === false) return false;
    const text = value?.text ?? '';
    const at = Number(offset) >> 3;
    const mask = 0x80 >> (Number(offset) & 7);
    const byte = at < text.length ? text.charCodeAt(at) : 0;
    const changed = bit === '1' ? byte | mask : byte & ~mask;
    store.write(key!, { type: 'string', text: overwritten(text, at, String.fromCharCode(changed)) });
    return true;
  },
};
