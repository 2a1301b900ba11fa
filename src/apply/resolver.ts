/**
 * Resolves a batch command by command: finds the own changes that a command meets, asks the rules, and writes down what runs in
 * its place, what is to be listed, and whose state is to be sent.
 */

import type { DeliveredBatch } from '../change/batch.js';
import { effectOf, type Effect } from '../change/commands.js';
import { encodeCommand, type Argument } from '../change/encode-command.js';
import { isComparison } from '../change/comparison.js';
import { encodeNeed, NEED, parseNeed, STATE, type PlacedKey } from '../change/special.js';
import { scriptSource } from '../lua/scripts.js';
import { allKeysOf, isDerived, isOnOneKey, isPerKey } from './command-kinds.js';
import type { OwnCommand } from './own-changes.js';
import { keysOf, payloadCommands, type ExtraCommands, type PayloadCommand } from './payload.js';
import type { ListMemory } from './list-memory.js';
import { clashes, resolveClash } from './rules/clash.js';
import { expiryDoubt } from './rules/expiry.js';
import { isKeyHead } from './rules/key-heads.js';
import { isPresent, type KnownPlaces, type OwnListPiece } from './rules/list-places.js';
import { NO_LIST, resolveList } from './rules/lists.js';
import type { Meeting, Piece, Rank, Resolution } from './rules/meeting.js';
import { OwnPieces } from './rules/own-pieces.js';
import { pieceOf } from './rules/pieces.js';
import { resolve } from './rules/resolve.js';

/** A change that met one its sender had not seen. */
export interface Conflict extends PlacedKey {
  /** The incoming command's name. */
  readonly command: string;
  readonly outcome: Resolution['outcome'];
  readonly theirs: readonly Argument[];
  readonly theirTimestamp: number;
  /** The newest own command it met. */
  readonly own: readonly Argument[];
  readonly ownTimestamp: number;
}

/** Keys whose state the peer is to be sent. */
export interface StateRequest {
  readonly rank: Rank;
  readonly keys: readonly PlacedKey[];
}

export interface Resolved {
  readonly payload: readonly Buffer[];
  /** Place of each command sent among the batch's commands. */
  readonly origins: readonly number[];
  readonly conflicts: readonly Conflict[];
  readonly states: readonly StateRequest[];
  /** Keys whose state the peer is asked for. */
  readonly asked: readonly PlacedKey[];
  /** Lists whose length must be known to place what was written on both sites. */
  readonly lists: readonly PlacedKey[];
  /** What became of the places of lists. */
  readonly places: ReadonlyMap<string, KnownPlaces>;
  /** Commands left out. */
  readonly rejected: readonly Rejected[];
}

/** A command that this server does not take, and its words, or Tandem's. */
export interface Rejected {
  readonly command: PayloadCommand;
  readonly error: string;
}

export interface ResolverOptions {
  readonly site: string;
  /** Names of the keys that say what is applied, and what is to be sent. */
  readonly applied: string;
  readonly out: string;
  /** The own commands on a key that the sender of the batch had not seen, oldest first. */
  readonly ownOn: (key: PlacedKey, which: 'written' | 'all') => Promise<readonly OwnCommand[]>;
  /** Length of a list when the batch will be applied; undefined when nobody looked. */
  readonly lengthOf: (key: PlacedKey) => number | undefined;
  readonly memory: ListMemory;
  readonly extraCommands?: ExtraCommands | undefined;
  /** The last local sequence taken into account. */
  readonly decided: number;
  /** The state of a key has come from the peer. */
  readonly onState: (key: PlacedKey) => void;
  /** Whether all own changes of a key, which the sender had not seen, come out the same before or after one with this effect. */
  readonly commutes: (key: PlacedKey, effect: Effect) => boolean;
  /** What runs here in place of a command on whole databases; nothing for any other command. */
  readonly translate: (command: PayloadCommand) => Buffer | undefined;
  /** What runs here for a question of a comparison; nothing for an answer, which is taken note of. */
  readonly compare: (command: PayloadCommand, batch: DeliveredBatch) => Buffer | undefined;
}

/** Own commands as pieces, as long as they are remembered (`own-changes.ts`): batch after batch meets the same ones. */
const piecesOnOneKey = new WeakMap<OwnCommand, Piece>();

/** The own changes on one key that the sender of the batch had not seen. */
interface Met {
  readonly pieces: OwnPieces;
  readonly listed: readonly OwnListPiece[];
}

/** Commands that no type is wrong for, and scripts, which see to that themselves: they are sent as they are. */
const CANNOT_FAIL: ReadonlySet<string> = new Set(['SET', 'DEL', 'RESTORE', 'PEXPIREAT', 'PERSIST', 'EVAL']);

/** What a script can hand to one command: its `unpack` ends near 8,000 values. What is longer is sent as it is, outside of one. */
const MAX_SCRIPT_ARGUMENTS = 4000;

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #batch: DeliveredBatch;
  readonly #payload: Buffer[] = [];
  readonly #origins: number[] = [];
  readonly #conflicts: Conflict[] = [];
  readonly #states: StateRequest[] = [];
  readonly #asked = new Map<string, PlacedKey>();
  readonly #lists = new Map<string, PlacedKey>();
  /** Keys that a command of this batch has given another value. */
  readonly #replaced = new Set<string>();
  readonly #listPlaces = new Map<string, KnownPlaces>();
  readonly #met = new Map<string, Met>();

  constructor(batch: DeliveredBatch, options: ResolverOptions) {
    this.#batch = batch;
    this.#options = options;
  }

  /** @param leftOut places of commands that the server does not take, with the reason */
  async resolve(leftOut: ReadonlyMap<number, string>): Promise<Resolved> {
    const extra = this.#options.extraCommands;
    const rejected: Rejected[] = [];
    for (const command of payloadCommands(this.#batch.payload, { extra })) {
      const error = leftOut.get(command.index);
      if (error === undefined) await this.#command(command);
      else if (command.name !== 'SELECT') rejected.push({ command, error });
    }
    return {
      payload: this.#payload,
      origins: this.#origins,
      conflicts: this.#conflicts,
      states: this.#states,
      asked: [...this.#asked.values()],
      lists: [...this.#lists.values()],
      places: this.#listPlaces,
      rejected,
    };
  }

  async #command(command: PayloadCommand): Promise<void> {
    const whole = this.#options.translate(command);
    if (whole) this.#send(command, whole);
    else if (command.name === NEED) this.#need(command);
    else if (isComparison(command.name)) this.#compare(command);
    else {
      if (command.spec?.singleKey === true && this.#commutes(command)) {
        this.#send(command, command.bytes);
        return;
      }
      const own = new Map<PlacedKey, readonly OwnCommand[]>();
      const derives = isDerived(command);
      for (const key of keysOf(command, 'all')) {
        const met = await this.#options.ownOn(key, derives ? 'all' : 'written');
        if (met.length > 0) own.set(key, met);
      }
      if (command.name === STATE) this.#state(command, own);
      else if (own.size === 0) this.#send(command, command.bytes);
      else if (derives) this.#derive(command, own);
      else if (isOnOneKey(command)) this.#meet(command, [...own][0]!);
      else if (isPerKey(command)) this.#perKey(command, own);
      else this.#clash(command, own);
    }
  }

  /** What commutes with all that was written here is no conflict: sums of a hot counter are not looked at one by one. */
  #commutes({ spec, args, database }: PayloadCommand): boolean {
    const effect = effectOf(spec!, args);
    // A sum of one field commutes with that of another, but not with a field's being overwritten: only whole keys are told here.
    return this.#options.commutes({ database, key: args[1]! }, effect);
  }

  #compare(command: PayloadCommand): void {
    const script = this.#options.compare(command, this.#batch);
    if (script) this.#send(command, script);
  }

  #need(command: PayloadCommand): void {
    const { timestamp, keys } = parseNeed(command.args);
    this.#states.push({ rank: { timestamp, site: this.#options.site }, keys });
  }

  /** A state transfer is a key head whose commands are not its own. It says itself which database it is for. */
  #state(command: PayloadCommand, own: ReadonlyMap<PlacedKey, readonly OwnCommand[]>): void {
    const [key] = keysOf(command, 'written') as [PlacedKey];
    const met = [...own.values()].flat();
    this.#options.onState(key);
    // The list is another one now: how long, the dump does not say.
    this.#listPlaces.set(nameOf(key), { upTo: this.#options.decided, places: undefined });
    this.#send(command, encodeCommand(['SELECT', key.database]));
    if (met.length > 0) this.#meet({ ...command, database: key.database }, [key, met]);
    else for (const one of this.#piece(command, key.key).commands) this.#send(command, encodeCommand(one));
    this.#send(command, encodeCommand(['SELECT', command.database]));
  }

  #meet(command: PayloadCommand, [key, own]: [PlacedKey, readonly OwnCommand[]]): void {
    const incoming = this.#piece(command, key.key);
    const { pieces, listed } = this.#metOn(key, own);
    if (isListMeeting(incoming, pieces.all, listed) && this.#isList(key)) {
      this.#meetList(command, { key, incoming, own, listed });
      return;
    }
    const resolution = resolve({ incoming, own: pieces.relevantTo(incoming) });
    if (isKeyHead(incoming)) this.#replaced.add(nameOf(key));
    this.#attempt(command, resolution.commands);
    if (resolution.state) this.#states.push({ rank: resolution.state, keys: [key] });
    else this.#askForExpiry(command, key, { incoming, own: pieces.all });
    this.#note(command, key, own, resolution.outcome);
  }

  /** Where the expiry may have gone with the last of a key at one site only, its state is asked for, if it turns out so. */
  #askForExpiry(command: PayloadCommand, key: PlacedKey, meeting: Meeting): void {
    const doubt = expiryDoubt(meeting);
    if (!doubt) return;
    const { out } = this.#options;
    const need = encodeNeed({ timestamp: this.#batch.timestamp, isLacking: false, keys: [key] });
    const args = [key.key, doubt.added, doubt.onlyWithExpiry ? 1 : 0, need];
    this.#send(command, encodeCommand(['EVAL', scriptSource('doubt'), 1, out, ...args]));
  }

  /** Whether the key holds a list when the command runs, as far as is known: it was looked at, and nothing before has replaced it. */
  #isList(key: PlacedKey): boolean {
    const name = nameOf(key);
    return !this.#replaced.has(name) && (this.#options.lengthOf(key) ?? 0) !== NO_LIST;
  }

  #meetList(
    command: PayloadCommand,
    {
      key,
      incoming,
      own,
      listed,
    }: { key: PlacedKey; incoming: Piece; own: readonly OwnCommand[]; listed: readonly OwnListPiece[] },
  ): void {
    const { lengthOf, memory, decided } = this.#options;
    const name = nameOf(key);
    this.#lists.set(name, key);
    const before = this.#listPlaces.get(name);
    const { commands, places } = resolveList({
      key: key.key,
      incoming,
      own: listed,
      // After an earlier command of this batch the places themselves say how long the list will be.
      length: before ? before.places?.filter(isPresent).length : lengthOf(key),
      seen: this.#batch.seen,
      decided,
      known: before ?? memory.get(name, this.#batch.seen),
      doubtedUpTo: memory.doubtedUpTo,
    });
    this.#listPlaces.set(name, { upTo: decided, places });
    if (!places) this.#asked.set(name, key);
    this.#attempt(command, commands);
    this.#note(command, key, own, places ? 'merged' : 'state-asked');
  }

  /** `DEL a b`, `MSET …`: what concerns each key is resolved by itself. */
  #perKey(command: PayloadCommand, own: ReadonlyMap<PlacedKey, readonly OwnCommand[]>): void {
    const met = new Map([...own].map(([key, commands]) => [key.key.toString('latin1'), commands]));
    for (const key of keysOf(command, 'written')) {
      const commands = met.get(key.key.toString('latin1'));
      if (commands) this.#meet(command, [key, commands]);
      else for (const one of this.#piece(command, key.key).commands) this.#send(command, encodeCommand(one));
    }
  }

  /** What is made of keys that were written here meanwhile is left out, and its origin is asked for what it has made. */
  #derive(command: PayloadCommand, own: ReadonlyMap<PlacedKey, readonly OwnCommand[]>): void {
    for (const key of keysOf(command, 'written')) this.#asked.set(nameOf(key), key);
    const [[key, met]] = [...own] as [[PlacedKey, readonly OwnCommand[]]];
    this.#note(command, key, met, 'state-asked');
  }

  /** Any other command on several keys, such as one the table does not know. */
  #clash(command: PayloadCommand, own: ReadonlyMap<PlacedKey, readonly OwnCommand[]>): void {
    const [[key, newest]] = [...own] as [[PlacedKey, readonly OwnCommand[]]];
    const met = [...own.values()].flat();
    const incoming = this.#piece(command, key.key);
    // Of each key from its last own head on: what was before is covered.
    const pieces = [...own].flatMap(([{ key: at }, commands]) => {
      const all = commands.map((one) => this.#ownPiece(one, at));
      return all.slice(Math.max(0, all.findLastIndex(isKeyHead)));
    });
    const resolution = resolveClash({ incoming, own: pieces });
    this.#attempt(command, resolution.commands);
    if (resolution.state)
      this.#states.push({ rank: resolution.state, keys: allKeysOf([command, ...met], key) });
    this.#note(command, key, newest, resolution.outcome);
  }

  #piece(command: PayloadCommand, key: Buffer): Piece {
    return pieceOf({ command, timestamp: this.#batch.timestamp, site: this.#batch.origin }, key);
  }

  #ownPiece(command: OwnCommand, key: Buffer): Piece {
    const source = { command, timestamp: command.timestamp, site: this.#options.site };
    if (command.spec?.singleKey !== true) return pieceOf(source, key);
    const known = piecesOnOneKey.get(command) ?? pieceOf(source, key);
    piecesOnOneKey.set(command, known);
    return known;
  }

  /** What every command of the batch on this key meets, taken apart once. */
  #metOn(key: PlacedKey, own: readonly OwnCommand[]): Met {
    const name = nameOf(key);
    const known = this.#met.get(name);
    if (known) return known;
    const pieces = new OwnPieces(own.map((one) => this.#ownPiece(one, key.key)));
    const met = { pieces, listed: listPieces(own, pieces.all) };
    this.#met.set(name, met);
    return met;
  }

  #send(command: PayloadCommand, bytes: Buffer): void {
    this.#payload.push(bytes);
    this.#origins.push(command.index);
  }

  #attempt(command: PayloadCommand, commands: readonly (readonly Argument[])[]): void {
    if (commands.every(([name]) => CANNOT_FAIL.has(String(name).toUpperCase()))) {
      for (const one of commands) this.#send(command, encodeCommand(one));
      return;
    }
    const script = (part: readonly (readonly Argument[])[]): void => {
      if (part.length === 0) return;
      const args = part.flatMap((one) => [one.length, ...one]);
      this.#send(
        command,
        encodeCommand(['EVAL', scriptSource('attempt'), 1, this.#options.applied, ...args]),
      );
    };
    let from = 0;
    for (const [at, one] of commands.entries()) {
      if (one.length <= MAX_SCRIPT_ARGUMENTS) continue;
      script(commands.slice(from, at));
      this.#send(command, encodeCommand(one));
      from = at + 1;
    }
    script(commands.slice(from));
  }

  #note(
    command: PayloadCommand,
    key: PlacedKey,
    own: readonly OwnCommand[],
    outcome: Resolution['outcome'],
  ): void {
    const newest = own.at(-1)!;
    this.#conflicts.push({
      command: command.name,
      outcome,
      database: key.database,
      key: key.key,
      theirs: command.args,
      theirTimestamp: this.#batch.timestamp,
      own: newest.args,
      ownTimestamp: newest.timestamp,
    });
  }
}

/** The own list writes and `DEL`s after the last own head of another kind. */
function listPieces(own: readonly OwnCommand[], pieces: readonly Piece[]): OwnListPiece[] {
  const from = pieces.findLastIndex(({ role }) => role === 'set' || role === 'derive') + 1;
  return pieces
    .map((piece, at) => ({ piece, sequence: own[at]!.sequence }))
    .slice(from)
    .filter(({ piece }) => piece.role === 'list' || piece.role === 'removal');
}

/** Whether a list command, or a `DEL`, meets own list commands, and nothing that does not go with them. */
function isListMeeting(incoming: Piece, pieces: readonly Piece[], listed: readonly OwnListPiece[]): boolean {
  if (incoming.role !== 'list' && incoming.role !== 'removal') return false;
  if (!listed.some(({ piece }) => piece.role === 'list')) return false;
  const from = pieces.findLastIndex(({ role }) => role === 'set' || role === 'derive') + 1;
  // A list command that needs its place stands on what is there; behind a head of another kind there is nothing it knew.
  if (from > 0 && incoming.role === 'list') return false;
  const list = listed.find(({ piece }) => piece.role === 'list')!.piece;
  return !pieces.slice(from).some((piece) => piece.role !== 'removal' && clashes(list, piece));
}

function nameOf({ database, key }: PlacedKey): string {
  return `${database}:${key.toString('latin1')}`;
}
