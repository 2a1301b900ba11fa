import type { Slot } from '../redis/value.js';
import type { Unit } from './unit.js';

/** What decides between two that exclude each other: the higher number, then the smaller site name. */
export interface Rank {
  readonly at: number;
  readonly site: string;
}

/** When and where something was written. */
interface Made {
  readonly site: string;
  /** Sequence at its origin. */
  readonly n: number;
  /** The other site's highest sequence that its origin had applied before it. */
  readonly seen: number;
  /** Hybrid logical clock. */
  readonly at: number;
}

/** One unit of a command an application wrote. */
export interface UserWrite extends Made {
  readonly kind: 'user';
  readonly unit: Unit;
}

/** The value and expiry of a key at its place in the order: the state transfer. */
export interface StateWrite extends Made {
  readonly kind: 'state';
  readonly key: string;
  readonly slot: Slot | undefined;
  readonly rank: Rank;
  /** The origin's newest own user write on the key that the other site is not known to have seen; 0 when there is none. */
  readonly since: number;
  /** It answers one whose value may lack what nobody took: what that one lacks was not taken there. */
  readonly isWhole: boolean;
}

/** Asks the other site for the key's `STATE`. */
export interface NeedWrite extends Made {
  readonly kind: 'need';
  readonly key: string;
  readonly lack: Lack;
}

/**
 * What the value of the site that asks may lack, what is worse behind what is not: removals, or moves, of the other site's that were
 * left out; what a late write of its own was covered by. With nothing it only doubts an order.
 */
export const LACKS = ['nothing', 'removals', 'writes', 'own'] as const;
export type Lack = (typeof LACKS)[number];

export function isWorse(one: Lack, other: Lack): boolean {
  return LACKS.indexOf(one) > LACKS.indexOf(other);
}

export type Write = UserWrite | StateWrite | NeedWrite;

/** One sequence number: a command, a transaction, a state or a question. */
export interface Change extends Made {
  readonly writes: readonly Write[];
}

export function above(a: Rank, b: Rank): boolean {
  return a.at !== b.at ? a.at > b.at : a.site < b.site;
}

/** A removal ranks below every write. */
export function rankOf(write: UserWrite | StateWrite): Rank {
  if (write.kind === 'state') return write.rank;
  return write.unit.removal ? { at: -1, site: write.site } : { at: write.at, site: write.site };
}

/** Whether the write touches the key. */
export function writesKey(write: Write, key: string): boolean {
  return write.kind === 'user' ? write.unit.writes.includes(key) : write.key === key;
}

export function isUser(write: Write): write is UserWrite {
  return write.kind === 'user';
}

/** Whether the write is a head of the key as a whole. */
export function isHead(write: Write): write is UserWrite | StateWrite {
  return (
    write.kind === 'state' ||
    (write.kind === 'user' && (write.unit.role === 'key-head' || write.unit.role === 'derive'))
  );
}

/**
 * Whether a head of an application stands against a `STATE` it had not seen. A state is no write: it stands for those in
 * it. A head that had seen all of the other site's writes in it has nothing to fear; otherwise rank decides, and a removal loses.
 */
export function beats(head: UserWrite, state: StateWrite): boolean {
  return head.seen >= state.since || (!head.unit.removal && above(rankOf(head), state.rank));
}

/** The keys a write is on, written or read. */
export function keysOf(write: Write): readonly string[] {
  return write.kind === 'user' ? [...write.unit.writes, ...write.unit.reads] : [write.key];
}

export function writesOrReads(write: Write, key: string): write is UserWrite {
  return write.kind === 'user' && (write.unit.writes.includes(key) || write.unit.reads.includes(key));
}
