/** All that a rule may look at, and all that it may say. */

import type { ConflictOutcome } from '../../observe/conflict-outcome.js';
import type { Argument } from '../../redis-commands/encode-command.js';
import type { Lack } from '../../protocol/messages/state-request.js';
import type { KnownPlaces, Place } from './list-places.js';
import type { Piece, Rank } from '../../pieces/piece.js';
import type { IsOnCell } from '../../local-writes/unseen-cells.js';
import type { LocalPieces } from './local-pieces.js';
import type { Deadline } from '../../local-writes/deadline.js';

/** The value at a key, as far as it is known. */
export interface Held {
  readonly kind: 'nothing' | 'list' | 'other' | 'unknown';
  /** Elements of a list, where they are known; 0 for nothing. */
  readonly length: number | undefined;
}

export const NOTHING: Held = { kind: 'nothing', length: 0 };
export const UNKNOWN: Held = { kind: 'unknown', length: undefined };
export const OTHER: Held = { kind: 'other', length: undefined };

/** The moment at which a piece of the other site's is applied to one key. */
export interface RuleContext {
  readonly key: Buffer;
  readonly database: number;
  readonly site: string;
  readonly local: LocalPieces;
  /** The rank of a state of this key that goes out with the transaction. */
  readonly pending: Rank | undefined;
  /** This site has asked for the key, and the sender had not seen it ask: the answer will settle everything. */
  readonly isAsking: boolean;
  /** The key cannot be watched: what was written on it here last is not known. It is asked for in any case. */
  readonly isContended: boolean;
  /** Then this is what is known of local pieces: whether one leaves something in a cell, if that is known. */
  readonly isOnCell: IsOnCell;
  /** Whether an earlier command of the batch has written a field of the key, which is contended. */
  readonly hasRunOn: (field: string) => boolean;
  readonly held: Held;
  readonly life: Life;
  /** The same of one of its fields. */
  readonly fieldLife: (field: string) => FieldLife;
  /** The places of a list kept from an earlier batch. */
  readonly known: KnownPlaces | undefined;
  /** Whether a local list write may have met others that are forgotten. */
  readonly isDoubtful: (local: Piece) => boolean;
  /** A late write was met wrongly here: the list may lack an element that no command took. */
  readonly isMisplaced: boolean;
  /** The key that says what is applied. */
  readonly applied: string;
  /** The key that carries Tandem's own commands, and the request for the state of this key. */
  readonly out: string;
  readonly request: () => Buffer;
}

export type Command = readonly Argument[];

/** Elements that go before what stands at an index of the list now. */
export interface Insert {
  readonly at: number;
  readonly values: readonly Argument[];
}

export interface Resolution {
  /** The commands that run, in order. */
  readonly commands: readonly Command[];
  /** Elements that are put into the list; then nothing else runs. */
  readonly insert?: Insert;
  readonly outcome: ConflictOutcome;
  /** Runs behind them, and once for all the pieces of a command: asks the other site, if the key turns out so. */
  readonly doubt?: Command;
  /** The value at the key afterwards. */
  readonly held: Held;
  /** The state of the key is to be sent at the end of the transaction, ranked with this time or a later one. */
  readonly state?: number;
  /** The other site is asked for the key's state. */
  readonly asks?: boolean;
  /** What the value here lacks without the piece. Only said in the request, if there is one. */
  readonly lacks?: Lack;
  /** What the value here lacks from now on. Kept on the key until a state of the other site's comes, and ranks its own state lowest. */
  readonly leaves?: Lack;
  readonly life?: LifeChange;
  /** The places of the list afterwards; undefined places: not known any more. Absent: as they were. */
  readonly places?: { readonly places: readonly Place[] | undefined } | 'forgotten';
}

/** The value at a key after a piece has run on it. */
export function heldAfter(held: Held, { role, name, type, command, isRemoval }: Piece): Held {
  if (role === 'key-head') return isRemoval ? NOTHING : type === undefined ? UNKNOWN : OTHER;
  if (role === 'expiry' || role === 'field-expiry') return held;
  if (role === 'derive' || held.kind === 'unknown') return UNKNOWN;
  // `SET … KEEPTTL` replaces any type.
  if (role === 'cell' && name === 'SET') return OTHER;
  if (type === 'list') return listAfter(held, name, command);
  if (held.kind === 'list') return held;
  if (held.kind === 'other') return isRemoval || role === 'modify' ? UNKNOWN : held;
  return isRemoval ? NOTHING : role === 'modify' || name.startsWith('XGROUP') ? UNKNOWN : OTHER;
}

function listAfter(held: Held, name: string, command: Command): Held {
  if (held.kind === 'other') return held;
  const list = (length: number | undefined): Held => {
    if (length === 0) return NOTHING;
    return length === undefined ? UNKNOWN : { kind: 'list', length };
  };
  const { length } = held;
  switch (name) {
    case 'RPUSH':
    case 'LPUSH':
      return { kind: 'list', length: length === undefined ? undefined : length + command.length - 2 };
    case 'LPOP':
    case 'RPOP':
      return list(length === undefined ? undefined : Math.max(0, length - Number(command[2] ?? 1)));
    case 'LSET':
      return held;
    case 'LINSERT':
      // Run again without its neighbour it is put at the end: an element more, whatever happens.
      return { kind: 'list', length: length === undefined ? undefined : length + 1 };
    default:
      return UNKNOWN;
  }
}

/** The lives of one key, as a site knows them beside its value. Times are ms since 1970. */
export interface Life {
  /** By this machine's clock. */
  readonly now: number;
  /** The deadline the key has, or had until it was removed. */
  readonly deadline: Deadline;
  /** A contended key, of which nothing is looked up, may be of another life than the sender's, or of none by the time of the transaction. */
  readonly isDoubtful: boolean;
  /** Local removals up to this sequence are matched by a head of the sender's: what it writes since is a new life there as well. */
  readonly matchedThrough: number;
  /** A sender that had seen local writes up to here may have built on them again, behind the removal that matches. */
  readonly madeAgainBy: number;
  /** Of local removals up to this sequence it is forgotten whether they are matched. */
  readonly forgottenThrough: number;
  /** The key is gone here by a deadline of the sender's that was past when it came. */
  readonly isOver: boolean;
  /** The last local request for the key, and whether it says that writes of the sender's are left out here. */
  readonly askedAt: number;
  readonly leavesOut: boolean;
}

/** A rule's decision about the lives of a key. */
export interface LifeChange {
  readonly matched?: { readonly through: number; readonly madeAgainBy: number };
  /** All that was built here so far belongs to a life that is over. */
  readonly isEnded?: boolean;
  /** The sender's life has this deadline, though there is no such key here. */
  readonly deadline?: Deadline;
  readonly field?: FieldChange;
}

/** The lives of a field, as a site knows them beside its value. */
export interface FieldLife {
  /** The deadline it has, or had until it was removed. */
  readonly deadline: Deadline;
  /** Whether it is there with that deadline, as far as is known. */
  readonly isLiving: boolean;
  /** As of a key, see `lives.ts`. */
  readonly matchedThrough: number;
  readonly madeAgainBy: number;
  readonly forgottenThrough: number;
}

/** A rule's decision about the lives of a field. */
export interface FieldChange {
  readonly field: string;
  readonly matched?: { readonly through: number; readonly madeAgainBy: number };
  /** All that was built here on it so far belongs to a life that is over. */
  readonly isEnded?: boolean;
  /** The sender's life, which is not here, has this deadline. */
  readonly livesThere?: number;
}
