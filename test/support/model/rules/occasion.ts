import type { Argv, Store } from '../redis/store.js';
import {
  type Lack,
  type Rank,
  isHead,
  isUser,
  type StateWrite,
  type UserWrite,
  type Write,
} from './write.js';
import type { ListMemory } from './list-memory.js';

/** All that a rule may look at: the moment a write of the other site is applied to one key. */
export interface Occasion {
  /** The receiver's name. */
  readonly site: string;
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
  /** A late write has been met wrongly here: the list may lack what nobody took. */
  readonly isMisplaced: boolean;
  /** What is known of the lives of this key. */
  readonly life: Life;
  /** The same of one of its fields. */
  readonly fieldLife: (field: string) => FieldLife;
  /** Sends the key's `STATE` at the end of the run, in the same atomic step. */
  readonly sendState: (key: string, atLeast: number) => void;
  /** A write that stands in the own order at this place, and is done here already. */
  readonly tell: (argv: Argv) => void;
  /** Tells the other site at the end of the run which deadline the key has then. */
  readonly tellDeadline: (key: string) => void;
  /** Asks the other site for the key's `STATE`. */
  readonly need: (key: string, lack?: Lack) => void;
}

/** The deadline of a key's last life here: a time, none, or not known. */
export type Deadline = number | 'none' | 'unknown';

/** What a site knows of the lives of one key beside its value. */
export interface Life {
  /** By this site's clock. */
  readonly now: number;
  /** The deadline it has, or had before it was removed. */
  readonly deadline: Deadline;
  /** Own removals up to this sequence are matched by a head of the sender's: what it writes now is a new life there as well. */
  readonly matchedThrough: number;
  /** A sender that had seen own writes up to here may have built on them again, after the removal that matches. */
  readonly madeAgainBy: number;
  /** Own removals up to this sequence may be matched, or not: it has been forgotten. */
  readonly forgottenThrough: number;
  /** Whether an open request says that writes of the other site's are left out here. */
  readonly leavesOut: boolean;
  /** The last own request for the key that is open; 0 without one. */
  readonly askedAt: number;
  /** @param madeAgainBy an own write before them that may have made the key again at the other site */
  matched(through: number, madeAgainBy: number | undefined): void;
  /** All that was built here on the ended life is over too. */
  ended(): void;
  /** The sender's life has another deadline than the one known here. */
  deadlineIs(deadline: Deadline): void;
}

/** What a site knows of the lives of a field. */
export interface FieldLife extends Life {
  /** Whether it has the deadline, as far as was known at the decision, and has not come to its end. */
  readonly isLiving: boolean;
  /** The sender's life, which is not here, has this deadline. */
  livesThere(deadline: number): void;
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

/** The other site is asked for what a removal that is left out here has come to. It may have taken the last of the key, and the expiry. */
export function leaveOutRemoval({ key, need, tellDeadline }: Occasion): void {
  need(key, 'removals');
  tellDeadline(key);
}
