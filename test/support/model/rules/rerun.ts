import type { Store } from '../redis/store.js';
import { insertEntry, moveGroup } from '../redis/streams.js';
import { MOVED } from './unit.js';
import type { UserWrite } from './write.js';

/** Takes or overwrites what happens to stand at a position: an element of a list, the first member of a sorted set. */
const BY_POSITION: ReadonlySet<string> = new Set([
  'LPOP',
  'RPOP',
  'LSET',
  'LTRIM',
  'LREM',
  'ZPOPMIN',
  'ZPOPMAX',
]);

/**
 * Runs a write again on a value it has not seen. What takes by position is not run: it would take something nobody has
 * asked for, and what it did take comes back instead.
 */
export function rerun(store: Store, { unit: { argv, key, role } }: UserWrite, replaces = true): void {
  if (BY_POSITION.has(argv[0]!) || argv.includes(MOVED) || role === 'derive') return;
  if (argv[0] === 'XADD') insertEntry(store, argv, replaces);
  else if (argv[0] === 'XCLAIM') {
    store.run(argv);
    moveGroup(store, [argv[2]!, argv[1]!, argv[4]!]);
  } else if (!store.run(argv) && argv[0] === 'LINSERT') store.run(['RPUSH', key, argv[4]!]);
}

/** Runs a write again on a `STATE` it has not seen. A trim is not run either: it would take entries it had not seen. */
export function rerunOnState(store: Store, write: UserWrite, origin: string): void {
  if (write.unit.role !== 'trim') rerun(store, write, write.site < origin);
}

/** Whether the write is left out when it meets a value it has not seen. */
export function isByPosition({ unit: { argv } }: UserWrite): boolean {
  return BY_POSITION.has(argv[0]!) || argv.includes(MOVED);
}
