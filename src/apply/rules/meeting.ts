/**
 * The terms of the conflict rules. A **meeting** is an incoming command on one key together with the own commands on that key
 * which its sender had not seen, in their order. A rule says what is to run here in its place.
 *
 * Two kinds of commands write a key, and within a hash, set, sorted set or bitmap each field, member or bit (a *cell*):
 * - **heads** replace: for a key `SET`, `DEL`, a state transfer; for a cell `HSET`/`HDEL`, `SADD`/`SREM`, `ZADD`/`ZREM`, `SETBIT`; for
 *   the expiry `PEXPIREAT`/`PERSIST`. A head covers all that its site had seen.
 * - **tails** build on what is there: sums, unions, pushes, and for a key every command on one of its cells.
 *
 * Concurrent heads have a **rank**: a removal is lowest, a state transfer carries its own, any other has (timestamp, site).
 */

import type { Argument } from '../../change/encode-command.js';
import type { OwnCommand } from '../own-changes.js';
import type { PayloadCommand } from '../payload.js';

/** A command on one key, as the rules see it. */
export interface Piece {
  readonly role: Role;
  /** The command on this key alone, the name first; for a state transfer the commands that restore it. */
  readonly commands: readonly (readonly Argument[])[];
  readonly timestamp: number;
  readonly site: string;
  /** What a head weighs against a concurrent one. */
  readonly rank: Rank;
  /** Whether it is a state transfer: no write of an application, but what came of several. */
  readonly isState?: boolean;
  /** The cells it names, as Latin-1 text; empty when it names none. */
  readonly cells: readonly Cell[];
}

/** What a command does to one cell. */
export interface Cell {
  readonly name: string;
  /** The command on this cell alone. */
  readonly command: readonly Argument[];
  /** A removal has the lowest rank; a sum is a tail. */
  readonly kind: 'set' | 'remove' | 'sum';
  /** For a sum: what is added. */
  readonly amount?: string;
}

export type Role =
  /** Replaces the whole key: `set` with a value, `removal` with nothing. */
  | 'set'
  | 'removal'
  /** Replaces the whole key with what was made of other keys: a head without a value of its own to run again. */
  | 'derive'
  | 'expiry'
  /** Cells of one type: they clash with anything else but cells of the same type. */
  | 'hash'
  | 'set-members'
  | 'zset'
  | 'bits'
  /** Tails that commute with their own kind. */
  | 'sum'
  | 'union'
  | 'list'
  | 'stream'
  /** Does not commute with anything. */
  | 'clash';

export interface Rank {
  readonly timestamp: number;
  readonly site: string;
}

/** A removal is below every other head. */
export const REMOVAL_TIMESTAMP = -1;

/** Whether the first rank is above the second; the smaller site name breaks ties. */
export function isAbove(first: Rank, second: Rank): boolean {
  return first.timestamp === second.timestamp ? first.site < second.site : first.timestamp > second.timestamp;
}

export interface Meeting {
  readonly incoming: Piece;
  /** From the oldest to the newest. */
  readonly own: readonly Piece[];
}

/** What runs here in place of the incoming command. */
export interface Resolution {
  readonly commands: readonly (readonly Argument[])[];
  /** A rule's word for what happened, for the conflict list and the counters. */
  readonly outcome:
    | 'own-stays'
    | 'theirs-stays'
    | 'merged'
    | 'clash-resolved'
    | 'clash-awaited'
    | 'state-asked';
  /** Set when the peer must be sent the state of the keys, with this rank. */
  readonly state?: Rank;
}

/** Where the pieces of a command come from. */
export type Source = {
  readonly command: PayloadCommand | OwnCommand;
  readonly timestamp: number;
  readonly site: string;
};
