/**
 * Resolves a batch command by command: finds the own changes that a command meets, asks the rules, and writes down what runs in
 * its place, what is to be listed, and whose state is to be sent.
 */

import type { DeliveredBatch } from '../change/batch.js';
import { effectOf, type Effect } from '../change/commands.js';
import { encodeCommand, type Argument } from '../change/encode-command.js';
import type { CommandNames } from '../change/command-names.js';
import type { KeyHash } from '../change/key-hash.js';
import { isComparison } from '../change/comparison.js';
import { NEED, type Lack, parseNeed, parseState, STATE, type PlacedKey } from '../change/special.js';
import { scriptSource } from '../lua/scripts.js';
import { isOnOneKey, isPerKey } from './command-kinds.js';
import { KeyRun } from './key-run.js';
import { withExpiryApart } from './late-expiry.js';
import { ListInserts } from './list-inserts.js';
import type { ListMemory } from './list-memory.js';
import type { OwnCommand } from './own-changes.js';
import type { OwnOn } from './own-on-key.js';
import type { OwnSet } from './own-sets.js';
import { isRemoval } from './late-writes.js';
import { isSet, keysOf, nameOf, PayloadScan, type ExtraCommands, type PayloadCommand } from './payload.js';
import type { Conflict, Rejected, Resolved } from './resolved.js';
import { isAbove, type Outcome, type Piece } from './rules/meeting.js';
import { splice } from './rules/lists.js';
import { UNKNOWN, type Held, type Insert } from './rules/occasion.js';
import { piecesOf } from './rules/pieces.js';
import { resolve } from './rules/resolve.js';
import { valueOf } from './rules/states.js';

export interface ResolverOptions {
  readonly site: string;
  /** Names of the keys that say what is applied, and what is to be sent. */
  readonly applied: string;
  readonly out: string;
  /** What was written on a key here that the sender of the batch had not seen. */
  readonly ownOn: (key: PlacedKey) => Promise<OwnOn>;
  /** The own `SET` that is all a `SET` meets on a key; undefined where more is to be known. */
  readonly ownSetOn: (key: PlacedKey) => OwnSet | undefined;
  /** The commands of an own change on a key; undefined when too many are asked for. */
  readonly commandsOf: (key: PlacedKey, own: OwnSet) => Promise<readonly OwnCommand[] | undefined>;
  /** What stands at a key when the batch begins to be applied; undefined when nobody looked. */
  readonly heldAt: (key: PlacedKey) => Held | undefined;
  /** Whether nothing was written on a key here that the sender had not seen, and nobody looked at it. */
  readonly isUntouched: (key: PlacedKey) => boolean;
  /** Whether a key cannot be watched, and what its value here is known to lack. */
  readonly isHot: (key: PlacedKey) => boolean;
  readonly lackOf: (key: PlacedKey) => Lack;
  readonly memory: ListMemory;
  readonly extraCommands?: ExtraCommands | undefined;
  readonly names: CommandNames;
  /** Whether the key with this hash was written here by what the sender of the batch had not seen, as far as is known. */
  readonly isMet: (hash: KeyHash) => boolean;
  /** Whether all own changes of a key, which the sender had not seen, come out the same before or after one with this effect. */
  readonly commutes: (key: PlacedKey, effect: Effect) => boolean;
  /** What runs here in place of a command on whole databases; nothing for any other command. */
  readonly translate: (command: PayloadCommand) => Buffer | undefined;
  /** What runs here for a question of a comparison; nothing for an answer, which is taken note of. */
  readonly compare: (command: PayloadCommand, batch: DeliveredBatch) => Buffer | undefined;
}

interface Inserting {
  readonly run: KeyRun;
  readonly inserts: ListInserts;
  readonly commands: PayloadCommand[];
}

/** Sent as they are: what no type is wrong for, and whose failure must be noticed; scripts see to the type themselves. */
const ALONE: ReadonlySet<string> = new Set(['SET', 'DEL', 'RESTORE', 'PEXPIREAT', 'PERSIST', 'EVAL']);

/** What a script can hand to one command: its `unpack` ends near 8,000 values. What is longer is sent as it is, outside of one. */
const MAX_SCRIPT_ARGUMENTS = 4000;

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #batch: DeliveredBatch;
  readonly #payload: Buffer[] = [];
  readonly #origins: number[] = [];
  readonly #gathered = new Map<number, number[]>();
  /** What the last commands have put into one list, and is not sent yet. */
  #inserting: Inserting | undefined;
  readonly #conflicts: Conflict[] = [];
  readonly #removed = new Set<string>();
  readonly #runs = new Map<string, KeyRun>();
  readonly #noted = new Set<KeyRun>();
  /** Keys of which a meeting of two `SET`s is to be listed: one of each, or a key that is set all the time fills the list. */
  readonly #listed = new Set<string>();
  readonly #settled: string[] = [];
  readonly #dropped = new Set<number>();
  readonly #kept: PlacedKey[] = [];
  readonly #now = Date.now();

  constructor(batch: DeliveredBatch, options: ResolverOptions) {
    this.#batch = batch;
    this.#options = options;
  }

  /** @param leftOut places of commands that the server does not take, with the reason */
  async resolve(leftOut: ReadonlyMap<number, string>): Promise<Resolved> {
    const { extraCommands: extra, names, isMet } = this.#options;
    const rejected: Rejected[] = [];
    const scan = new PayloadScan(this.#batch.payload, { extra });
    while (scan.next()) {
      // What a command on several keys has come to is told by the key.
      if (this.#runs.size === 0 && leftOut.size === 0 && scan.isPlain(names, isMet)) {
        this.#push(scan.index, scan.bytes);
        continue;
      }
      const { command } = scan;
      const error = leftOut.get(command.index);
      if (error === undefined) await this.#command(command);
      else if (command.name !== 'SELECT') rejected.push({ command, error });
    }
    this.#flushInserts();
    const runs = [...this.#runs];
    return {
      payload: this.#payload,
      origins: this.#origins,
      gathered: this.#gathered,
      removed: this.#removed,
      conflicts: this.#conflicts,
      states: runs.flatMap(([, { key, state }]) => (state ? { ...key, ...state } : [])),
      asked: runs.flatMap(([, { key, isAsked, askedLack: lack, isHot }]) =>
        isAsked ? { ...key, lack, isHot } : [],
      ),
      hot: new Map(
        runs
          .filter(([, { isHot }]) => isHot)
          .map(([name, { isInRequest, lack, isExposed }]) => [name, { isInRequest, lack, isExposed }]),
      ),
      settled: this.#settled,
      dropped: this.#dropped,
      kept: this.#kept,
      places: new Map(runs.flatMap(([name, run]) => (run.hasPlaces ? [[name, run.places] as const] : []))),
      rejected,
    };
  }

  async #command(command: PayloadCommand): Promise<void> {
    const whole = this.#options.translate(command);
    if (whole) this.#send(command, whole);
    else if (command.name === NEED) await this.#need(command);
    else if (isComparison(command.name)) this.#compare(command);
    else if (command.name === STATE) await this.#state(command);
    else if (this.#commutes(command)) this.#send(command, command.bytes);
    else if (isOnOneKey(command)) await this.#onOneKey(command);
    else if (isPerKey(command)) await this.#perKey(command);
    else await this.#derive(command);
  }

  /** What commutes with all that was written here is no conflict: sums of a hot counter are not looked at one by one. */
  #commutes({ spec, args, database }: PayloadCommand): boolean {
    if (spec?.singleKey !== true) return false;
    // A sum of one field commutes with that of another, but not with a field's being overwritten: only whole keys are told here.
    const key = { database, key: args[1]! };
    const run = this.#runs.get(nameOf(key));
    return (run === undefined || run.isPlain) && this.#options.commutes(key, effectOf(spec, args));
  }

  #compare(command: PayloadCommand): void {
    const script = this.#options.compare(command, this.#batch);
    if (script) this.#send(command, script);
  }

  async #need(command: PayloadCommand): Promise<void> {
    const need = parseNeed(command.args);
    for (const key of need.keys) {
      const run = await this.#runOn(key);
      if (run.answers(need)) run.sendState(need.timestamp);
      // Two who have asked each other would both ask back, for ever more.
      else if (!run.isAsking || this.#options.site < this.#batch.origin) run.ask();
    }
  }

  /** A state says itself which database it is for. */
  async #state(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'written') as [PlacedKey];
    const isElsewhere = key.database !== command.database;
    if (isElsewhere) this.#send(command, encodeCommand(['SELECT', key.database]));
    // A copy of many keys is many states that meet nothing: they take the short way.
    if (!this.#runs.has(nameOf(key)) && this.#options.isUntouched(key)) {
      for (const one of valueOf(key.key, parseState(command.args))) this.#send(command, encodeCommand(one));
      this.#settled.push(nameOf(key));
    } else {
      const run = await this.#runOn(key);
      const outcome = this.#meet(command, run);
      if (run.isHot) this.#dropped.add(command.index);
      else if (outcome !== 'own-stays') this.#settled.push(nameOf(key));
    }
    if (isElsewhere) this.#send(command, encodeCommand(['SELECT', command.database]));
  }

  async #onOneKey(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'all');
    const isFirst = key !== undefined && !this.#runs.has(nameOf(key));
    const own = isFirst && isSet(command) && this.#options.ownSetOn(key);
    if (own) {
      await this.#meetSet(command, key, own);
      return;
    }
    const isPlain = key === undefined || (isFirst && this.#options.isUntouched(key));
    const run = isPlain ? undefined : await this.#runOn(key);
    if (!run || run.isPlain) this.#send(command, command.bytes);
    else this.#meet(command, run);
  }

  /** Two that replace all that is there. Where the own one stays, it stands there. */
  async #meetSet(command: PayloadCommand, key: PlacedKey, own: OwnSet): Promise<void> {
    const { origin, timestamp } = this.#batch;
    const { site, commandsOf } = this.#options;
    const isListed = !this.#listed.has(nameOf(key));
    const commands = isListed ? await commandsOf(key, own) : undefined;
    // Another key may have the same hash.
    const isMet = commands?.length !== 0;
    const isMine = isMet && isAbove({ timestamp: own.timestamp, site }, { timestamp, site: origin });
    if (!isMine) this.#send(command, command.bytes);
    else if (isListed) this.#kept.push(key);
    if (!isMet) return;
    this.#conflicts.push({
      ...key,
      command: command.name,
      outcome: isMine ? 'own-stays' : 'theirs-stays',
      theirs: command.args,
      theirTimestamp: timestamp,
      own: commands?.at(-1)?.args,
      ownTimestamp: own.timestamp,
      isListed,
    });
    this.#listed.add(nameOf(key));
  }

  /** `DEL a b`, `MSET …`: what concerns each key is resolved by itself. */
  async #perKey(command: PayloadCommand): Promise<void> {
    const runs: KeyRun[] = [];
    for (const key of keysOf(command, 'written')) runs.push(await this.#runOn(key));
    if (runs.every(({ isPlain }) => isPlain)) this.#send(command, command.bytes);
    else for (const run of runs) this.#meet(command, run);
  }

  /**
   * What is made of keys, or writes several at once, is left out where anything was written meanwhile, and its origin is asked
   * for what it has made. What is a question for one command is one for the next.
   */
  async #derive(command: PayloadCommand): Promise<void> {
    const runs: KeyRun[] = [];
    for (const key of keysOf(command, 'all')) runs.push(await this.#runOn(key));
    const met = runs.find(({ isInDoubt }) => isInDoubt);
    for (const key of keysOf(command, 'written')) {
      const run = await this.#runOn(key);
      if (met) run.askForDerived();
      else run.changed(UNKNOWN);
    }
    if (!met) this.#send(command, command.bytes);
    else this.#note(command, met, 'state-asked');
  }

  #meet(command: PayloadCommand, run: KeyRun): Outcome {
    const { timestamp, origin: site, seen } = this.#batch;
    const source = { command, timestamp, site, sequence: 0, seen };
    const outcomes: Outcome[] = [];
    const commands: (readonly Argument[])[] = [];
    let doubt: readonly Argument[] | undefined;
    for (const piece of piecesOf(source, run.key.key)) {
      const resolution = resolve(run.occasion, piece);
      run.settled(piece, resolution);
      if (resolution.insert) this.#insert(command, run, resolution.insert);
      for (const one of resolution.commands) {
        commands.push(one);
        if (isRemoval(String(one[0]))) this.#removed.add(nameOf(run.key));
      }
      doubt = resolution.doubt ?? doubt;
      outcomes.push(resolution.asks === true ? 'state-asked' : resolution.outcome);
    }
    if (commands.length > 0 || doubt) this.#attempt(command, doubt ? [...commands, doubt] : commands);
    const outcome = together(outcomes);
    this.#note(command, run, outcome);
    return outcome;
  }

  async #runOn(key: PlacedKey): Promise<KeyRun> {
    const name = nameOf(key);
    const known = this.#runs.get(name);
    if (known) return known;
    const { site, ownOn, heldAt, isHot, lackOf, memory, out } = this.#options;
    const run = new KeyRun({
      key,
      site,
      own: await ownOn(key),
      held: heldAt(key) ?? UNKNOWN,
      known: memory.get(name, this.#batch.seen),
      isDoubtful: (own: Piece) => memory.isDoubtful(own),
      isHot: isHot(key),
      lack: lackOf(key),
      timestamp: this.#batch.timestamp,
      seen: this.#batch.seen,
      out,
    });
    this.#runs.set(name, run);
    return run;
  }

  /** Elements for a list wait for those of the next command: what comes in between is sent behind them. */
  #insert(command: PayloadCommand, run: KeyRun, insert: Insert): void {
    const isFull = this.#inserting && this.#inserting.inserts.count > MAX_SCRIPT_ARGUMENTS;
    if (this.#inserting?.run !== run || isFull) this.#flushInserts();
    this.#inserting ??= { run, inserts: new ListInserts(), commands: [] };
    this.#inserting.inserts.add(insert);
    this.#inserting.commands.push(command);
  }

  #flushInserts(): void {
    const inserting = this.#inserting;
    if (!inserting) return;
    this.#inserting = undefined;
    const [first, ...more] = inserting.commands as [PayloadCommand, ...PayloadCommand[]];
    this.#send(first, encodeCommand(splice(inserting.run.key.key, inserting.inserts.edits)));
    if (more.length > 0)
      this.#gathered.set(
        this.#payload.length - 1,
        more.map(({ index }) => index),
      );
  }

  #send(command: PayloadCommand, bytes: Buffer): void {
    this.#flushInserts();
    const mayExpire = bytes === command.bytes && command.name === 'SET' && command.args.length > 3;
    if (mayExpire) this.#value(command, command.args);
    else this.#push(command.index, bytes);
  }

  /** A `SET`, as it came or as the rules have it. */
  #value(command: PayloadCommand, args: readonly Argument[]): void {
    this.#flushInserts();
    for (const one of withExpiryApart(args, this.#now)) this.#push(command.index, encodeCommand(one));
  }

  #push(index: number, bytes: Buffer): void {
    this.#payload.push(bytes);
    this.#origins.push(index);
  }

  /** Runs commands that need not fit what is there: their errors are no failed change. */
  #attempt(command: PayloadCommand, commands: readonly (readonly Argument[])[]): void {
    let part: (readonly Argument[])[] = [];
    const flush = (): void => {
      const args = part.flatMap((one) => [one.length, ...one]);
      if (part.length > 0)
        this.#send(
          command,
          encodeCommand(['EVAL', scriptSource('attempt'), 1, this.#options.applied, ...args]),
        );
      part = [];
    };
    let size = 0;
    for (const one of commands) {
      const isAlone = one.length > MAX_SCRIPT_ARGUMENTS || ALONE.has(String(one[0]).toUpperCase());
      if (isAlone || size + one.length > MAX_SCRIPT_ARGUMENTS) {
        flush();
        size = 0;
      }
      if (isAlone) this.#value(command, one);
      else {
        part.push(one);
        size += one.length;
      }
    }
    flush();
  }

  #note(command: PayloadCommand, run: KeyRun, outcome: Outcome): void {
    const { key, written, isHot } = run;
    const newest = written.findLast(({ name }) => name !== STATE);
    if (!newest && !isHot) return;
    this.#conflicts.push({
      command: command.name,
      outcome,
      database: key.database,
      key: key.key,
      theirs: command.args,
      theirTimestamp: this.#batch.timestamp,
      own: newest?.args,
      ownTimestamp: newest?.timestamp ?? 0,
      // It would soon be a list of this key alone.
      isListed: !isHot || !this.#noted.has(run),
    });
    this.#noted.add(run);
  }
}

/** One word for what became of all the pieces of a command. */
function together(outcomes: readonly Outcome[]): Outcome {
  for (const strong of ['clash-resolved', 'clash-awaited', 'state-asked'] as const)
    if (outcomes.includes(strong)) return strong;
  const [first = 'merged'] = outcomes;
  return outcomes.every((one) => one === first) ? first : 'merged';
}
