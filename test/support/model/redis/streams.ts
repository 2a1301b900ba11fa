import type { Run, Store } from './store.js';
import { type Value, compareIds } from './value.js';

type StreamValue = Extract<Value, { type: 'stream' }>;

/**
 * Puts an entry in its place, also before newer ones, which `XADD` itself refuses: on a server the newer entries are taken
 * off, the last ID is lowered, and all are added again, in one script. Of two with the same ID one is moved.
 *
 * @param replaces whether the other one is moved
 */
export function insertEntry(store: Store, [, key, id, ...fields]: readonly string[], replaces = true): void {
  const stream = store.read(key!, 'stream');
  if (stream === false) return;
  const entry = { id: id!, fields: fields.join(',') };
  if (!stream) {
    store.write(key!, { type: 'stream', entries: [entry], lastId: id!, groups: new Map() });
    return;
  }
  const other = stream.entries.find((one) => one.id === id);
  if (other?.fields === entry.fields) return;
  if (!other || replaces) place(stream, entry);
  const moved = other && { id: movedId(id!), fields: (replaces ? other : entry).fields };
  if (moved && !stream.entries.some((one) => one.id === moved.id)) place(stream, moved);
}

/** Where an entry goes whose ID another one has: to an ID that nobody gives out, and the same at both sites. */
export function movedId(id: string): string {
  const [ms, sequence = '0'] = id.split('-');
  return `${ms}-${Number(sequence) + 2 ** 32}`;
}

function place(stream: StreamValue, entry: StreamValue['entries'][number]): void {
  const others = stream.entries.filter(({ id }) => id !== entry.id);
  stream.entries = [...others, entry].toSorted((a, b) => compareIds(a.id, b.id));
  if (compareIds(entry.id, stream.lastId) > 0) stream.lastId = entry.id;
}

/** Takes off the entries with these IDs. */
export function deleteEntries(store: Store, key: string, ids: ReadonlySet<string>): boolean {
  const stream = store.read(key, 'stream');
  if (!stream) return false;
  const before = stream.entries.length;
  stream.entries = stream.entries.filter(({ id }) => !ids.has(id));
  return stream.entries.length < before;
}

/** What is delivered next lies behind this ID. */
export function moveGroup(
  store: Store,
  [name, key, id]: readonly [group: string, key: string, id: string],
): void {
  const stream = store.read(key, 'stream');
  const group = stream ? stream.groups.get(name) : undefined;
  if (group && compareIds(id, group.lastId) > 0) group.lastId = id;
}

/** Commands on streams. `XADD` without options; `XCLAIM key group consumer id` stands for a delivery, which moves the group's last ID too. */
export const STREAM_COMMANDS: Readonly<Record<string, Run>> = {
  XADD(store, argv) {
    const [, key, id] = argv;
    const stream = store.read(key!, 'stream');
    if (stream === false || (stream && compareIds(id!, stream.lastId) <= 0)) return false;
    insertEntry(store, argv);
    return true;
  },
  XDEL: (store, [, key, ...ids]) => deleteEntries(store, key!, new Set(ids)),
  XTRIM(store, [, key, strategy, limit]) {
    const stream = store.read(key!, 'stream');
    if (!stream) return false;
    const before = stream.entries.length;
    stream.entries =
      strategy === 'MAXLEN'
        ? stream.entries.slice(Math.max(0, before - Number(limit)))
        : stream.entries.filter(({ id }) => compareIds(id, limit!) >= 0);
    return stream.entries.length < before;
  },
  XGROUP(store, [, action, key, name, id]) {
    const stream = store.read(key!, 'stream');
    if (!stream) return false;
    if (action === 'DESTROY') return stream.groups.delete(name!);
    if (stream.groups.has(name!)) return false;
    stream.groups.set(name!, { lastId: id === '$' ? stream.lastId : id!, pending: new Map() });
    return true;
  },
  XCLAIM(store, [, key, name, consumer, id]) {
    const stream = store.read(key!, 'stream');
    const group = stream ? stream.groups.get(name!) : undefined;
    if (!stream || !group) return false;
    // What is not in the stream any more cannot be delivered, and is pending no more.
    if (!stream.entries.some((entry) => entry.id === id)) return group.pending.delete(id!);
    group.pending.set(id!, consumer!);
    moveGroup(store, [name!, key!, id!]);
    return true;
  },
  XACK(store, [, key, name, ...ids]) {
    const stream = store.read(key!, 'stream');
    const pending = stream ? stream.groups.get(name!)?.pending : undefined;
    return pending !== undefined && ids.filter((id) => pending.delete(id)).length > 0;
  },
  GONE: (store, [, ...rest]) => store.run(['XACK', ...rest]),
};
