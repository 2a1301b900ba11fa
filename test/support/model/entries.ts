/** Which entries a change of the other site's takes off, and whether that had not seen them. */

import type { Store } from './redis/store.js';
import { keysOf, type Write } from './rules/write.js';

/** Tells, when it is applied, which entries of a stream were there and are not any more; nothing for what is no removal of entries. */
export function entriesRemovedBy(store: Store, write: Write): (() => string[]) | undefined {
  if (write.kind !== 'user' || !(write.unit.argv[0] === 'XDEL' || write.unit.role === 'trim'))
    return undefined;
  const ids = (): string[] => {
    const stream = store.read(write.unit.key, 'stream');
    return stream ? stream.entries.map(({ id }) => id) : [];
  };
  const before = ids();
  return () => {
    const left = new Set(ids());
    return before.filter((id) => !left.has(id));
  };
}

/** Whether an entry was added here by what the sender of a write had not seen. */
export function isUnseenEntry(owns: readonly Write[], { seen, ...write }: Write, id: string): boolean {
  const key = keysOf(write as Write)[0]!;
  return owns.some(
    (own) =>
      own.kind === 'user' &&
      own.n > seen &&
      own.unit.key === key &&
      own.unit.argv[0] === 'XADD' &&
      own.unit.cell === id,
  );
}
