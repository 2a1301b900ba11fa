/**
 * The terms of the conflict rules. The rules hold a piece of an incoming command on one key against the local pieces on that key which
 * its sender had not seen, in their order. A rule says what is to run here in its place.
 *
 * Two kinds of commands write a key, and within a hash, set, sorted set, stream or bitmap each field, member, entry or bit (a *cell*):
 * - **heads** replace: for a key `SET`, `DEL`, a state, what is made of other keys; for a cell `HSET`/`HDEL`, `SADD`/`SREM` …; for the
 *   expiry `PEXPIREAT`/`PERSIST`. A head covers all that its site had seen.
 * - all others **build** on what is there: sums, unions, pushes, and for a key every command on one of its cells.
 */

import type { Argument } from '../redis-commands/encode-command.js';
import type { KeyState } from '../protocol/messages/state.js';

import type { PayloadCommand } from '../protocol/payload.js';

export type Role =
  /** Replaces the key: `SET`, `DEL`. */
  | 'key-head'
  /** The value of a key as its site had it. */
  | 'state'
  /** Replaces the key with what was made of other keys: a head without a value of its own to run again. */
  | 'derive'
  | 'expiry'
  /** The expiry of one field. */
  | 'field-expiry'
  /** Replaces one cell. `SET … KEEPTTL` replaces the string as a whole. */
  | 'cell'
  /** Builds on a cell and commutes: sums, unions. */
  | 'tail'
  /** Takes off the oldest entries. */
  | 'trim'
  /** List elements by position: pushes, pops, `LSET`. */
  | 'ends'
  /** List elements by content, or as many as there happen to be. */
  | 'edit'
  /** Takes what happens to be first of a sorted set. */
  | 'pop'
  /** Builds on what is there and does not commute. */
  | 'modify';

export type ValueKind = 'string' | 'hash' | 'set' | 'zset' | 'list' | 'stream' | 'hyperloglog' | 'other';

/** The effect of a command on one key, or on one cell of it. */
export interface Piece {
  readonly role: Role;
  /** Upper case. */
  readonly name: string;
  /** The command on this key and cell alone, the name first. Nothing for a state. */
  readonly command: readonly Argument[];
  /** The type it writes; undefined where any will do. */
  readonly type: ValueKind | undefined;
  /** The cell, as Latin-1 text; '' where the key has but one. */
  readonly cell: string;
  /** Takes away: ranks below every write. */
  readonly isRemoval: boolean;
  readonly timestamp: number;
  readonly site: string;
  /** At its origin. */
  readonly sequence: number;
  /** The last sequence of its batch there: a site that has seen the one has seen the other. */
  readonly batchEnd: number;
  /** The other site's highest sequence that its origin had applied before it. */
  readonly seen: number;
  /** For a sum of a field or member: what is added. */
  readonly amount?: string;
  /** The group of a stream it concerns. */
  readonly group?: string;
  readonly state?: KeyState;
  /** It puts in what a move has taken elsewhere: the stream does not say what. */
  readonly isMoved?: true;
  /** For a removal that is the end of the key's life, or the field's: its deadline, in ms since 1970. */
  readonly endedAt?: number;
  /** Until when it lets a field live, in ms since 1970, or infinity. */
  readonly until?: number;
  /** It gives a field a value, and leaves it the deadline that it has. */
  readonly keepsDeadline?: true;
}

export interface StatePiece extends Piece {
  readonly state: KeyState;
}

export interface Rank {
  readonly timestamp: number;
  readonly site: string;
}

/** A removal is below every other head. */
const REMOVAL_TIMESTAMP = -1;

/** Whether the first rank is above the second; the smaller site name breaks ties. */
export function isAbove(first: Rank, second: Rank): boolean {
  return first.timestamp === second.timestamp ? first.site < second.site : first.timestamp > second.timestamp;
}

export function rankOf({ state, isRemoval, timestamp, site }: Piece): Rank {
  if (state) return { timestamp: state.rankTimestamp, site: state.rankSite };
  return { timestamp: isRemoval ? REMOVAL_TIMESTAMP : timestamp, site };
}

export function isState(piece: Piece): piece is StatePiece {
  return piece.role === 'state';
}

/** Whether the piece is a head of the key as a whole. */
export function isHead({ role }: Piece): boolean {
  return role === 'key-head' || role === 'state' || role === 'derive';
}

/**
 * Whether a head of an application stands against a state it had not seen. A state is no write: it stands for those in it. A head
 * that had seen all of the other site's writes in it has nothing to fear; otherwise rank decides, and a removal loses.
 */
export function beats(head: Piece, state: StatePiece): boolean {
  return head.seen >= state.state.since || (!head.isRemoval && isAbove(rankOf(head), rankOf(state)));
}

/** The latest time in what meets, a state's being its rank. */
export function latest(pieces: readonly Piece[]): number {
  let time = -Infinity;
  for (const piece of pieces) {
    const made = isState(piece) ? piece.state.rankTimestamp : piece.timestamp;
    if (made > time) time = made;
  }
  return time;
}

/** The pieces behind the last of them that is a head. */
export function behindHead(pieces: readonly Piece[]): readonly Piece[] {
  return pieces.slice(pieces.findLastIndex(isHead) + 1);
}

/** Where the pieces of a command come from. */
export type Source = {
  readonly command: PayloadCommand | LocalCommand;
  readonly timestamp: number;
  readonly site: string;
  readonly sequence: number;
  /** The last sequence of its batch, for a local one: a site that has seen the one has seen the other. */
  readonly batchEnd?: number;
  readonly seen: number;
};

/** A command of a local change. */
export interface LocalCommand extends PayloadCommand {
  readonly sequence: number;
  /** The last sequence of its batch. */
  readonly batchEnd: number;
  readonly timestamp: number;
  /** The peer's highest sequence that was applied here before it. */
  readonly seen: number;
}
