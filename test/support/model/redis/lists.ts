import type { Run, Store } from './store.js';

/** Puts elements before `index`; the list comes into being if need be. False for another type. */
export function insertAt(store: Store, key: string, index: number, elements: readonly string[]): boolean {
  const list = store.read(key, 'list');
  if (list === false) return false;
  if (list) list.elements.splice(index, 0, ...elements);
  else store.write(key, { type: 'list', elements: [...elements] });
  return true;
}

/** Takes off the element at `index`. */
export function removeAt(store: Store, key: string, index: number): void {
  const list = store.read(key, 'list');
  if (!list) return;
  list.elements.splice(index, 1);
  store.vanishIfEmpty(key);
}

/** Keeps `elements` alone. */
function keep(store: Store, key: string, before: readonly string[], elements: string[]): boolean {
  if (elements.length === before.length) return false;
  store.write(key, { type: 'list', elements });
  store.vanishIfEmpty(key);
  return true;
}

/** First index and number of elements that `LTRIM start stop` keeps of `length`. */
export function trimmedRange(length: number, start: number, stop: number): { from: number; count: number } {
  const from = Math.max(0, start < 0 ? length + start : start);
  const to = Math.min(length - 1, stop < 0 ? length + stop : stop);
  return from > to ? { from: 0, count: 0 } : { from, count: to - from + 1 };
}

/** Indexes that `LREM count element` takes off. */
export function removedIndexes(elements: readonly string[], count: number, element: string): number[] {
  const found = elements.flatMap((item, index) => (item === element ? [index] : []));
  if (count === 0) return found;
  return count > 0 ? found.slice(0, count) : found.slice(count);
}

const pop =
  (side: 'left' | 'right'): Run =>
  (store, [, key, count = '1']) => {
    const list = store.read(key!, 'list');
    if (!list || count === '0') return false;
    const { elements } = list;
    const kept = Math.max(0, elements.length - Number(count));
    return keep(
      store,
      key!,
      elements,
      side === 'left' ? elements.slice(elements.length - kept) : elements.slice(0, kept),
    );
  };

const move: Run = (store, [, source, target, from = 'RIGHT', to = 'LEFT']) => {
  const list = store.read(source!, 'list');
  if (!list || store.read(target!, 'list') === false) return false;
  const element = list.elements.at(from === 'RIGHT' ? -1 : 0)!;
  store.run([from === 'RIGHT' ? 'RPOP' : 'LPOP', source!]);
  return store.run([to === 'RIGHT' ? 'RPUSH' : 'LPUSH', target!, element]);
};

/** Commands on lists. */
export const LIST_COMMANDS: Readonly<Record<string, Run>> = {
  RPUSH: (store, [, key, ...elements]) =>
    insertAt(store, key!, (store.read(key!, 'list') || undefined)?.elements.length ?? 0, elements),
  LPUSH: (store, [, key, ...elements]) => insertAt(store, key!, 0, elements.toReversed()),
  LMOVE: move,
  RPOPLPUSH: move,
  LPOP: pop('left'),
  RPOP: pop('right'),
  LSET(store, [, key, index, element]) {
    const list = store.read(key!, 'list');
    if (!list) return false;
    const at = Number(index) < 0 ? list.elements.length + Number(index) : Number(index);
    if (at < 0 || at >= list.elements.length) return false;
    list.elements[at] = element!;
    return true;
  },
  LTRIM(store, [, key, start, stop]) {
    const list = store.read(key!, 'list');
    if (!list) return false;
    const { from, count } = trimmedRange(list.elements.length, Number(start), Number(stop));
    return keep(store, key!, list.elements, list.elements.slice(from, from + count));
  },
  LREM(store, [, key, count, element]) {
    const list = store.read(key!, 'list');
    if (!list) return false;
    const gone = new Set(removedIndexes(list.elements, Number(count), element!));
    return keep(
      store,
      key!,
      list.elements,
      list.elements.filter((_, index) => !gone.has(index)),
    );
  },
  LINSERT(store, [, key, where, pivot, element]) {
    const list = store.read(key!, 'list');
    const at = list ? list.elements.indexOf(pivot!) : -1;
    return at >= 0 && insertAt(store, key!, where === 'BEFORE' ? at : at + 1, [element!]);
  },
};
