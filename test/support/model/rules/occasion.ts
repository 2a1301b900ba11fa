import type { Store } from '../redis/store.js';
import { type Rank, isHead, isUser, type StateWrite, type UserWrite, type Write } from './write.js';
import type { ListMemory } from './list-memory.js';

/** All that a rule may look at: the moment a write of the other site is applied to one key. */
export interface Occasion {
  /** The receiver's data at application. */
  readonly store: Store;
  readonly key: string;
  /** Own writes on the key that the sender had not seen, in order; as the decision knew them. */
  readonly own: readonly (UserWrite | StateWrite)[];
  /** A `STATE` of this key goes out with the run being applied: its rank. */
  readonly pending: Rank | undefined;
  /** This site has asked for the key, and the sender had not seen it ask: the answer will settle everything. */
  readonly isAsking: boolean;
  readonly lists: ListMemory;
  /** Sends the key's `STATE` at the end of the run, in the same atomic step. */
  readonly sendState: (key: string, atLeast: number) => void;
  /** Asks the other site for the key's `STATE`. */
  readonly need: (key: string) => void;
}

/** The last own head of the key. */
export function lastHead(own: readonly (UserWrite | StateWrite)[]): UserWrite | StateWrite | undefined {
  return own.findLast(isHead);
}

/** The own user writes after `head` (all of them, without one). */
export function after(own: readonly (UserWrite | StateWrite)[], head: Write | undefined): UserWrite[] {
  const from = head ? own.indexOf(head as UserWrite) + 1 : 0;
  return own.slice(from).filter(isUser);
}

/** The latest time in what meets here. */
export function latest({ own }: Occasion, incoming: Write): number {
  return Math.max(incoming.at, ...own.map((write) => (write.kind === 'state' ? write.rank.at : write.at)));
}
