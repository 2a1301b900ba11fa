/** What a batch has come to, before it is put into a transaction. */

import type { Argument } from '../change/encode-command.js';
import type { Lack, PlacedKey } from '../change/special.js';
import type { PayloadCommand } from './payload.js';
import type { KnownPlaces } from './rules/list-places.js';
import type { Outcome } from './rules/meeting.js';

/** A change that met one its sender had not seen. */
export interface Conflict extends PlacedKey {
  /** The incoming command's name. */
  readonly command: string;
  readonly outcome: Outcome;
  readonly theirs: readonly Argument[];
  readonly theirTimestamp: number;
  /** The newest own command it met; nothing when too many come for each to be looked up. */
  readonly own: readonly Argument[] | undefined;
  readonly ownTimestamp: number;
  /** Whether it is one for the list; otherwise it is but counted. */
  readonly isListed: boolean;
}

/** A key whose state the peer is asked for. */
export interface Asked extends PlacedKey {
  /** What its value here may lack. */
  readonly lack: Lack;
  readonly isHot: boolean;
}

/** A key whose state the peer is to be sent, with its rank's time and the newest own write the peer may not have seen. */
export interface StateRequest extends PlacedKey {
  readonly timestamp: number;
  readonly since: number;
}

export interface Resolved {
  readonly payload: readonly Buffer[];
  /** Place of each command sent among the batch's commands. */
  readonly origins: readonly number[];
  /** Further ones that a command sent stands for, by its place among those sent. */
  readonly gathered: ReadonlyMap<number, readonly number[]>;
  /** Keys that the rules remove, whole or in part, by database and name. */
  readonly removed: ReadonlySet<string>;
  readonly conflicts: readonly Conflict[];
  readonly states: readonly StateRequest[];
  readonly asked: readonly Asked[];
  /** Keys that could not be watched, by database and name. */
  readonly hot: ReadonlyMap<string, HotRun>;
  /** Keys whose value here is the peer's now. */
  readonly settled: readonly string[];
  /** Places of states that were not applied, because their key could not be watched. */
  readonly dropped: ReadonlySet<number>;
  /** What became of the places of lists; undefined: nothing is to be remembered. */
  readonly places: ReadonlyMap<string, KnownPlaces | undefined>;
  /** Keys on which a `SET` of this site's stays, so that nothing of the transaction touches them. */
  readonly kept: readonly PlacedKey[];
  /** Commands left out. */
  readonly rejected: readonly Rejected[];
}

/** What a batch has come to on a key that could not be watched. */
export interface HotRun {
  /** The peer is being asked for its state. */
  readonly isInRequest: boolean;
  readonly lack: Lack;
  /** A local write that nobody knew of may have been replaced. */
  readonly isExposed: boolean;
}

/** A command that this server does not take, and its words, or Tandem's. */
export interface Rejected {
  readonly command: PayloadCommand;
  readonly error: string;
}
