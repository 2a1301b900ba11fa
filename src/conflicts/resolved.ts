/** The result of planning a batch, before it is put into a transaction. */

import type { ConflictOutcome } from '../observe/conflict-outcome.js';
import type { Argument } from '../redis-commands/encode-command.js';
import type { Lack } from '../protocol/messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { PayloadCommand } from '../protocol/payload.js';
import type { Deadline } from '../local-writes/deadline.js';
import type { LifeNote } from './life-memory.js';
import type { FieldChange } from './rules/rule-context.js';
import type { KnownPlaces } from './rules/list-places.js';

/** A change that met one its sender had not seen. */
export interface Conflict extends PlacedKey {
  /** The incoming command's name. */
  readonly command: string;
  readonly outcome: ConflictOutcome;
  readonly theirs: readonly Argument[];
  readonly theirTimestamp: number;
  /** The newest local command it met; undefined when too many come for each to be looked up. */
  readonly own: readonly Argument[] | undefined;
  readonly ownTimestamp: number;
  /** Whether the conflict is listed. Otherwise it is only counted. */
  readonly isListed: boolean;
}

/** A key whose state the peer is asked for. */
export interface Asked extends PlacedKey {
  /** What its value here may lack. */
  readonly lack: Lack;
  /** What the peer's lacks, as it has said in a request that is asked back. */
  readonly theirLack: Lack;
  readonly isContended: boolean;
}

/** A key whose state came in a form that this server does not take. It is asked for as its elements, with the rank of that state. */
export interface ElementsAsked extends PlacedKey {
  readonly timestamp: number;
}

/** A key whose state the peer is to be sent, with its rank's time and the newest local write the peer may not have seen. */
export interface StateRequest extends PlacedKey {
  readonly timestamp: number;
  readonly since: number;
  /** Whether the peer does not take dumps, and has asked for the elements. */
  readonly asElements: boolean;
  /** Whether the peer's value may lack elements that no command took there. */
  readonly isWhole: boolean;
}

export interface Resolved {
  readonly payload: readonly Buffer[];
  /** Place of each command sent among the batch's commands. */
  readonly origins: readonly number[];
  /** Further ones that a command sent stands for, by its place among those sent. */
  readonly gathered: ReadonlyMap<number, readonly number[]>;
  /** How many more removals of keys are sent than the batch says, by database and name. */
  readonly removed: ReadonlyMap<string, number>;
  readonly conflicts: readonly Conflict[];
  readonly states: readonly StateRequest[];
  readonly asked: readonly Asked[];
  readonly asElements: readonly ElementsAsked[];
  /** Keys whose states came in parts of which some are not here. */
  readonly notWhole: readonly PlacedKey[];
  /** Keys that could not be watched, by database and name. */
  readonly contended: ReadonlyMap<string, ContendedRun>;
  /** Keys whose value here is the peer's now. */
  readonly settled: readonly string[];
  /** Keys whose states are applied: they could be watched, and none is asked for in another form. */
  readonly stated: readonly PlacedKey[];
  /** The places of lists; undefined: none are to be remembered. */
  readonly places: ReadonlyMap<string, KnownPlaces | undefined>;
  /** Keys on which a `SET` of this site's stays, so that nothing of the transaction touches them. */
  readonly kept: readonly PlacedKey[];
  /** Notes of keys' lives and of their fields', by database and name; and deadlines of keys that are not here. */
  readonly lives: ReadonlyMap<string, LifeNote>;
  readonly fieldLives: ReadonlyMap<string, readonly FieldChange[]>;
  readonly deadlines: readonly (PlacedKey & { readonly deadline: Deadline })[];
  /** Answers of the peer's to long work, and its questions about libraries. */
  readonly answers: readonly (readonly Buffer[])[];
  /** Commands left out. */
  readonly rejected: readonly Rejected[];
}

/** The result on a contended key. */
export interface ContendedRun {
  /** The peer is being asked for its state. */
  readonly isInRequest: boolean;
  readonly lack: Lack;
  /** A local write that was unknown to the plan may have been replaced. */
  readonly isExposed: boolean;
}

/** A command that this server does not take, with the server's words or Tandem's. */
export interface Rejected {
  readonly command: PayloadCommand;
  readonly error: string;
}

/** Keys that can be asked for together. */
export function alike(asked: readonly Asked[]): Asked[][] {
  const requests = new Map<string, Asked[]>();
  for (const one of asked) {
    const kind = `${one.lack} ${one.theirLack} ${one.isContended}`;
    const request = requests.get(kind);
    if (request) request.push(one);
    else requests.set(kind, [one]);
  }
  return [...requests.values()];
}

/** Keys of a batch, by database and name. */
export interface HowDecided {
  /** How many more removals of one are sent than the batch says. */
  readonly removed: ReadonlyMap<string, number>;
  /** Those that the peer is being asked for in any case, and what is to be told of a late write on them. */
  readonly awaited: ReadonlyMap<string, () => void>;
}

/** @param lacks told of a key whose value may have lost a late write: where the key is asked for, that is all a late write comes to */
export function howDecided({ removed, contended }: Resolved, lacks: (name: string) => void): HowDecided {
  const awaited = new Map<string, () => void>();
  for (const [name, { isInRequest, isExposed }] of contended)
    if (isInRequest) awaited.set(name, () => isExposed && lacks(name));
  return { removed, awaited };
}
