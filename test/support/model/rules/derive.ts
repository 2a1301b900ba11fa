import type { Store } from '../redis/store.js';
import { type UserWrite, type Write, isUser, writesKey } from './write.js';

/**
 * A command of the other site that makes keys out of keys. With nothing unseen on any of them it makes the same here.
 * Otherwise it is left out, and its origin is asked for what it has written.
 *
 * @param local all own writes, states and questions the sender had not seen
 */
export function applyDerive(
  store: Store,
  incoming: UserWrite,
  own: readonly Write[],
  isStatePending: (key: string) => boolean,
  need: (key: string) => void,
): void {
  const { argv, writes, reads } = incoming.unit;
  const touches = (write: Write, key: string): boolean =>
    writesKey(write, key) || (isUser(write) && write.unit.reads.includes(key));
  const isMet = [...writes, ...reads].some(
    (key) => isStatePending(key) || own.some((write) => touches(write, key)),
  );
  if (isMet) writes.forEach(need);
  else store.run(argv);
}
