/**
 * Resolves a batch command by command: finds the own changes that a command meets, asks the rules, and writes down what runs in
 * its place, what is to be listed, and whose state is to be sent.
 */

import type { DeliveredBatch } from '../change/batch.js';
import { effectOf } from '../change/commands.js';
import { encodeCommand, type Argument } from '../change/encode-command.js';
import { NEED, parseNeed, STATE, type PlacedKey } from '../change/special.js';
import { scriptSource } from '../lua/scripts.js';
import type { OwnCommand } from './own-changes.js';
import { keysOf, payloadCommands, type ExtraCommands, type PayloadCommand } from './payload.js';
import type { ListMemory } from './list-memory.js';
import { clashes, resolveClash } from './rules/clash.js';
import { isKeyHead } from './rules/key-heads.js';
import { isPresent, type KnownPlaces, type OwnListPiece } from './rules/list-places.js';
import { resolveList } from './rules/lists.js';
import type { Piece, Rank, Resolution } from './rules/meeting.js';
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
  /** Name of the key that says what is applied. */
  readonly applied: string;
  /** The own commands on a key that the sender of the batch had not seen, oldest first. */
  readonly ownOn: (key: PlacedKey) => Promise<readonly OwnCommand[]>;
  /** Length of a list when the batch will be applied; undefined when nobody looked. */
  readonly lengthOf: (key: PlacedKey) => number | undefined;
  readonly memory: ListMemory;
  readonly extraCommands?: ExtraCommands | undefined;
  /** The last local sequence taken into account. */
  readonly decided: number;
  /** The state of a key has come from the peer. */
  readonly onState: (key: PlacedKey) => void;
  /** What runs here in place of a command on whole databases; nothing for any other command. */
  readonly translate: (command: PayloadCommand) => Buffer | undefined;
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
  readonly #listPlaces = new Map<string, KnownPlaces>();

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
    else {
      const own = new Map<PlacedKey, readonly OwnCommand[]>();
      for (const key of keysOf(command, 'all')) {
        const met = await this.#options.ownOn(key);
        if (met.length > 0) own.set(key, met);
      }
      if (command.name === STATE) this.#state(command, own);
      else if (own.size === 0) this.#send(command, command.bytes);
      else if (isOnOneKey(command)) this.#meet(command, [...own][0]!);
      else if (isPerKey(command)) this.#perKey(command, own);
      else this.#clash(command, own);
    }
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
    const pieces = own.map((one) => this.#ownPiece(one, key.key));
    const listed = listPieces(own, pieces);
    if (isListMeeting(incoming, pieces, listed)) {
      this.#meetList(command, { key, incoming, own, listed });
      return;
    }
    const entangled = own.filter((one) => one.spec !== undefined && !isOnOneKey(one) && !isPerKey(one));
    // A key head would undo an own command that reads or writes other keys as well: that is for the authority to say.
    const resolution =
      isKeyHead(incoming) && entangled.length > 0
        ? resolveClash({ incoming, own: pieces })
        : resolve({ incoming, own: pieces });
    this.#attempt(command, resolution.commands);
    if (resolution.state)
      this.#states.push({ rank: resolution.state, keys: allKeysOf([command, ...entangled], key) });
    this.#note(command, key, own, resolution.outcome);
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

  /** A command on several keys that cannot be taken apart. */
  #clash(command: PayloadCommand, own: ReadonlyMap<PlacedKey, readonly OwnCommand[]>): void {
    const [[key, newest]] = [...own] as [[PlacedKey, readonly OwnCommand[]]];
    const met = [...own.values()].flat();
    const incoming = this.#piece(command, key.key);
    const pieces = [...own].flatMap(([{ key: at }, commands]) =>
      commands.map((one) => this.#ownPiece(one, at)),
    );
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
    return pieceOf({ command, timestamp: command.timestamp, site: this.#options.site }, key);
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
  const from = pieces.findLastIndex(({ role }) => role === 'set') + 1;
  return pieces
    .map((piece, at) => ({ piece, sequence: own[at]!.sequence }))
    .slice(from)
    .filter(({ piece }) => piece.role === 'list' || piece.role === 'removal');
}

/** Whether a list command, or a `DEL`, meets own list commands, and nothing that does not go with them. */
function isListMeeting(incoming: Piece, pieces: readonly Piece[], listed: readonly OwnListPiece[]): boolean {
  if (incoming.role !== 'list' && incoming.role !== 'removal') return false;
  if (!listed.some(({ piece }) => piece.role === 'list')) return false;
  const from = pieces.findLastIndex(({ role }) => role === 'set') + 1;
  // A list command that needs its place stands on what is there; behind a head of another kind there is nothing it knew.
  if (from > 0 && incoming.role === 'list') return false;
  const list = listed.find(({ piece }) => piece.role === 'list')!.piece;
  return !pieces.slice(from).some((piece) => piece.role !== 'removal' && clashes(list, piece));
}

function nameOf({ database, key }: PlacedKey): string {
  return `${database}:${key.toString('latin1')}`;
}

function isOnOneKey(command: PayloadCommand): boolean {
  return command.spec?.singleKey === true || keysOf(command, 'all').length === 1;
}

/** Whether each of its keys can be resolved without the others. */
function isPerKey({ spec, args }: PayloadCommand): boolean {
  if (spec === undefined) return false;
  const effect = effectOf(spec, args);
  return effect === 'remove' || (effect === 'set' && spec.name === 'MSET');
}

/** Every key of the commands, once. */
function allKeysOf(commands: readonly PayloadCommand[], first: PlacedKey): PlacedKey[] {
  const keys = new Map<string, PlacedKey>();
  for (const key of [first, ...commands.flatMap((command) => keysOf(command, 'all'))]) {
    keys.set(`${key.database}:${key.key.toString('latin1')}`, key);
  }
  return [...keys.values()];
}
