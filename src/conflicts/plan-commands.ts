/**
 * Resolves a batch command by command: finds the own changes that a command meets, asks the rules, and writes down what runs in
 * its place, what is to be listed, and whose state is to be sent.
 */

import { type ConflictOutcome, together } from '../observe/conflict-outcome.js';
import type { DeliveredBatch } from '../protocol/batch.js';
import { moveEnds } from '../redis-commands/command-table.js';
import { encodeCommand, type Argument } from '../redis-commands/encode-command.js';
import { isComparison } from '../protocol/messages/comparison.js';
import { isOfLibraries } from '../protocol/messages/libraries.js';
import {
  ARRIVAL,
  EXPIRED,
  GONE,
  LACK,
  NEED,
  parseNeed,
  parseState,
  STATE,
  type KeyState,
} from '../protocol/messages/messages.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { asDeletion, empties, isFlush } from '../protocol/flushes.js';
import { isOnOneKey, isPerKey } from '../protocol/command-kinds.js';
import { isKeyRemoval } from '../protocol/removals.js';
import { removes } from './attempts.js';
import { FreeCommands } from './free-commands.js';
import { endOf } from './field-lives.js';
import type { PlannedKey } from './planned-key.js';
import { begunOn, metBy, resultsOf } from './planned-keys.js';
import { deadlineOf, isSoon } from '../redis-commands/late-expiry.js';
import type { UnseenSet } from '../local-writes/unseen-sets.js';
import { isSet, keysOf, nameOf, PayloadScan, type PayloadCommand } from '../protocol/payload.js';
import type { CommandPlannerOptions } from './plan-options.js';
import type { Conflict, ElementsAsked, Rejected, Resolved } from './resolved.js';
import { expiryDoubt } from './rules/expiry.js';
import { isAbove, type Piece } from '../pieces/piece.js';
import { resolveMove } from './rules/moves.js';
import { UNKNOWN } from './rules/rule-context.js';
import { piecesOf } from '../pieces/pieces.js';
import { resolve } from './rules/resolve.js';
import { fillOf, valueOf } from './rules/states.js';
import { Sent } from './sent.js';
import { StreamPlanner } from './plan-streams.js';

export class CommandPlanner {
  readonly #options: CommandPlannerOptions;
  readonly #batch: DeliveredBatch;
  readonly #sent: Sent;
  readonly #streams: StreamPlanner;
  readonly #conflicts: Conflict[] = [];
  readonly #removed = new Map<string, number>();
  readonly #runs = new Map<string, PlannedKey>();
  readonly #noted = new Set<PlannedKey>();
  /** Keys of which a meeting of two `SET`s is to be listed: one of each, or a key that is set all the time fills the list. */
  readonly #listed = new Set<string>();
  readonly #settled: string[] = [];
  readonly #dropped = new Set<number>();
  readonly #asElements: ElementsAsked[] = [];
  readonly #kept: PlacedKey[] = [];
  readonly #free: FreeCommands;
  readonly #now = Date.now();

  constructor(batch: DeliveredBatch, options: CommandPlannerOptions) {
    this.#batch = batch;
    this.#options = options;
    this.#free = new FreeCommands(options, batch);
    this.#sent = new Sent({
      applied: options.applied,
      out: options.out,
      onEntries: options.onEntries,
      nowMs: this.#now,
      asSent: (command) => options.fields.asSent(command, batch),
    });
    this.#streams = new StreamPlanner(options, batch, {
      runOf: (key) => this.#runs.get(nameOf(key)),
      runOn: (key) => this.#runOn(key),
      send: (command, bytes) => this.#sent.send(command, bytes),
      attempt: (command, commands, keys) => this.#sent.attempt(command, commands, keys),
      meet: (command, run, pieces) => this.#meet(command, run, pieces),
    });
  }

  /** @param leftOut places of commands that the server does not take, with the reason */
  async resolve(leftOut: ReadonlyMap<number, string>): Promise<Resolved> {
    const { extraCommands: extra, names, isMet } = this.#options;
    const rejected: Rejected[] = [];
    const scan = new PayloadScan(this.#batch.payload, { extra });
    while (scan.next()) {
      // What a command on several keys has come to is told by the key.
      if (this.#runs.size === 0 && leftOut.size === 0 && scan.isPlain(names, isMet)) {
        this.#sent.plain(scan);
        continue;
      }
      const { command } = scan;
      const error = leftOut.get(command.index);
      if (error === undefined) {
        await this.#command(command);
        this.#options.fields.decided(command, this.#batch);
      } else if (command.name !== 'SELECT') rejected.push({ command, error });
    }
    this.#streams.cap();
    for (const { command, bytes } of await this.#free.doubts()) this.#sent.send(command, bytes);
    return {
      ...this.#sent.all(),
      removed: this.#removed,
      conflicts: this.#conflicts,
      ...resultsOf(this.#runs, this.#free.passed),
      settled: this.#settled,
      dropped: this.#dropped,
      asElements: this.#asElements,
      kept: this.#kept,
      rejected,
    };
  }

  async #command(command: PayloadCommand): Promise<void> {
    const whole = this.#options.translate(command);
    if (command.name !== ARRIVAL) this.#streams.cap();
    if (isFlush(command)) await this.#flush(command);
    else if (whole) this.#sent.send(command, whole);
    else if (command.name === NEED) await this.#need(command);
    else if (isComparison(command.name) || isOfLibraries(command.name)) this.#compare(command);
    else if (command.name === STATE) await this.#state(command);
    else if (command.name === EXPIRED) await this.#expired(command);
    else if (command.name === GONE || command.name === ARRIVAL) await this.#ofEntries(command);
    else if (this.#isFree(command)) for (const one of this.#free.run(command)) this.#sent.free(command, one);
    else if (isOnOneKey(command)) await this.#onOneKey(command);
    else if (isPerKey(command)) await this.#perKey(command);
    else if (command.spec !== undefined && moveEnds(command.spec, command.args)) await this.#move(command);
    else await this.#derive(command);
  }

  async #flush(command: PayloadCommand): Promise<void> {
    const unseen = this.#options.writtenUnseen.filter(({ database }) => empties(command, database));
    this.#sent.send(command, this.#options.translate(command, unseen)!);
    for (const run of this.#runs.values()) if (empties(command, run.key.database)) run.changed(UNKNOWN);
    for (const key of unseen) {
      if (key.database !== command.database)
        this.#sent.send(command, encodeCommand(['SELECT', key.database]));
      this.#meet(asDeletion(command, key), await this.#runOn(key));
      if (key.database !== command.database)
        this.#sent.send(command, encodeCommand(['SELECT', command.database]));
    }
  }

  /** What means the same whatever was written here is no conflict: sums of a hot counter are not looked at one by one. */
  #isFree(command: PayloadCommand): boolean {
    return this.#free.isFree(command, (key) => this.#runs.get(nameOf(key))?.isPlain !== false);
  }

  #compare(command: PayloadCommand): void {
    const script = this.#options.compare(command, this.#batch);
    if (script) this.#sent.send(command, script);
  }

  async #need(command: PayloadCommand): Promise<void> {
    const need = parseNeed(command.args);
    for (const key of need.keys) {
      const run = await this.#runOn(key);
      const { asElements = false, lack, theirLack = LACK.nothing } = need;
      run.remindOf(theirLack);
      // What was left out here only the other site has: its answer, which it has been asked for, is to stand above this one.
      const timestamp = run.isMetByAnswer(need) ? 0 : need.timestamp;
      if (run.answers(need)) run.sendState(timestamp, { asElements, isWhole: lack === LACK.own });
      // Two who have asked each other would both ask back, for ever more.
      else if (run.leavesOut || !run.isAsking || this.#options.site < this.#batch.origin) run.askBack(lack);
    }
  }

  /** The end of a key's life. Where it has ended here as well there is nothing to be done. */
  async #expired(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'written') as [PlacedKey];
    const isElsewhere = key.database !== command.database;
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', key.database]));
    if (!this.#runs.has(nameOf(key)) && this.#options.isUntouched(key)) {
      this.#sent.send(command, endOf(command, key));
    } else this.#meet(command, await this.#runOn(key));
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', command.database]));
  }

  /** What is said of entries of streams says itself which database it is for, as well. */
  async #ofEntries(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'written') as [PlacedKey];
    const isElsewhere = key.database !== command.database;
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', key.database]));
    await this.#streams.resolve(command, key);
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', command.database]));
  }

  /** A state says itself which database it is for. */
  async #state(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'written') as [PlacedKey];
    const isElsewhere = key.database !== command.database;
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', key.database]));
    const { isExcluded, isUntouched, isTaken, out } = this.#options;
    const state = parseState(command.args);
    if (!isTaken(state)) {
      this.#dropped.add(command.index);
      this.#asElements.push({ ...key, timestamp: Math.max(0, state.rankTimestamp) });
    } else if (state.rankTimestamp === 0 && isExcluded(key)) {
      const fill = fillOf(key.key, state, out);
      if (fill) this.#sent.send(command, encodeCommand(fill));
    } else if (!this.#runs.has(nameOf(key)) && isUntouched(key) && !this.#isLate(state)) {
      // A copy of many keys is many states that meet nothing: they take the short way.
      for (const one of valueOf(key.key, state, out)) this.#sent.send(command, encodeCommand(one));
      this.#settled.push(nameOf(key));
    } else {
      const run = await this.#runOn(key);
      const outcome = this.#meet(command, run);
      if (run.isHot) this.#dropped.add(command.index);
      else if (outcome !== 'own-stays') this.#settled.push(nameOf(key));
    }
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', command.database]));
  }

  async #onOneKey(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'all');
    const isFirst = key !== undefined && !this.#runs.has(nameOf(key));
    const own = isFirst && isSet(command) && this.#options.ownSetOn(key);
    if (own) {
      await this.#meetSet(command, key, own);
      return;
    }
    const at = key === undefined ? 0 : deadlineOf(command.args);
    const isLate = at > 0 && isSoon(at, this.#now);
    const isPlain = key === undefined || (isFirst && !isLate && this.#options.isUntouched(key));
    const run = isPlain ? undefined : await this.#runOn(key);
    if (!run) this.#sent.send(command, command.bytes, key && [key]);
    else if (run.isPlain && !isLate) this.#sendPlain(command, [run]);
    else this.#meet(command, run);
  }

  /** Nothing stands against it. What it comes to is to be known where a further command of the batch rests on it. */
  #sendPlain(command: PayloadCommand, runs: readonly PlannedKey[]): void {
    for (const run of runs) for (const piece of this.#piecesOn(command, run)) run.ran(piece);
    const keys = runs.map(({ key }) => key);
    this.#sent.send(command, command.bytes, keys);
  }

  #piecesOn(command: PayloadCommand, { key }: PlannedKey): Piece[] {
    const { timestamp, origin: site, seen } = this.#batch;
    return piecesOf({ command, timestamp, site, sequence: 0, seen }, key.key);
  }

  /** Whether a state comes with a deadline that is past, or nearly. */
  #isLate({ expiry }: KeyState): boolean {
    const at = Number(expiry);
    return at > 0 && isSoon(at, this.#now);
  }

  /** Two that replace all that is there. Where the own one stays, it stands there. */
  async #meetSet(command: PayloadCommand, key: PlacedKey, own: UnseenSet): Promise<void> {
    const { origin, timestamp } = this.#batch;
    const { site, commandsOf } = this.#options;
    const isListed = !this.#listed.has(nameOf(key));
    const commands = isListed ? await commandsOf(key, own) : undefined;
    // Another key may have the same hash.
    const isMet = commands?.length !== 0;
    const isMine = isMet && isAbove({ timestamp: own.timestamp, site }, { timestamp, site: origin });
    if (!isMine) this.#sent.send(command, command.bytes, [key]);
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
    const runs: PlannedKey[] = [];
    for (const key of keysOf(command, 'written')) runs.push(await this.#runOn(key));
    if (runs.every(({ isPlain }) => isPlain)) this.#sendPlain(command, runs);
    else for (const run of runs) this.#meet(command, run);
  }

  /**
   * What is made of keys, or writes several at once, is left out where anything was written meanwhile, and its origin is asked
   * for what it has made. What is a question for one command is one for the next.
   */
  async #derive(command: PayloadCommand): Promise<void> {
    const runs: PlannedKey[] = [];
    for (const key of keysOf(command, 'all')) runs.push(await this.#runOn(key));
    const met = runs.find(({ isInDoubt }) => isInDoubt);
    for (const key of keysOf(command, 'written')) {
      const run = await this.#runOn(key);
      if (met) run.askForDerived();
      else run.changed(UNKNOWN);
    }
    if (!met) this.#sent.send(command, command.bytes);
    else this.#note(command, met, 'state-asked');
  }

  /** Takes from one list and puts into another in one step; where it is not certain what is meant, their origin is asked for both. */
  async #move(command: PayloadCommand): Promise<void> {
    const keys = keysOf(command, 'written') as [PlacedKey, PlacedKey];
    const runs = [await this.#runOn(keys[0]), await this.#runOn(keys[1])] as const;
    const [from, to] = runs;
    if (runs.every(({ isPlain }) => isPlain)) {
      this.#sendPlain(command, runs);
      return;
    }
    const halves = { take: this.#piecesOn(command, from)[0]!, put: this.#piecesOn(command, to)[0]! };
    const moved = resolveMove({ from: from.occasion, to: to.occasion }, command.args, halves);
    if (!moved) {
      for (const run of runs) run.askForDerived();
      this.#note(command, from, 'state-asked');
      return;
    }
    const doubt = expiryDoubt(from.occasion, halves.take);
    from.settled(halves.take, moved.from);
    to.settled(halves.put, moved.to);
    this.#sent.attempt(command, doubt ? [moved.command, doubt] : [moved.command], keys);
    this.#note(command, from, 'merged');
  }

  #meet(command: PayloadCommand, run: PlannedKey, pieces = this.#piecesOn(command, run)): ConflictOutcome {
    const outcomes: ConflictOutcome[] = [];
    const commands: (readonly Argument[])[] = [];
    let doubt: readonly Argument[] | undefined;
    for (const piece of pieces) {
      const resolution = resolve(run.occasion, piece);
      run.settled(piece, resolution);
      const changed = resolution.life?.field ? [resolution.life.field] : [];
      this.#options.fields.told(run.key, changed, this.#batch);
      if (resolution.insert) this.#sent.insert(command, run.key, resolution.insert);
      for (const one of resolution.commands) commands.push(one);
      doubt = resolution.doubt ?? doubt;
      outcomes.push(resolution.asks === true ? 'state-asked' : resolution.outcome);
    }
    const more = commands.filter(removes).length - (isKeyRemoval(command) ? 1 : 0);
    const name = nameOf(run.key);
    if (more !== 0) this.#removed.set(name, (this.#removed.get(name) ?? 0) + more);
    if (commands.length > 0 || doubt) {
      const all = doubt ? [...commands, doubt] : commands;
      this.#sent.attempt(command, all, [run.key]);
    }
    const outcome = together(outcomes);
    this.#note(command, run, outcome);
    return outcome;
  }

  async #runOn(key: PlacedKey): Promise<PlannedKey> {
    const name = nameOf(key);
    const known = this.#runs.get(name);
    if (known) return known;
    const run = await begunOn(key, { options: this.#options, batch: this.#batch, passed: this.#free.passed });
    this.#runs.set(name, run);
    return run;
  }

  #note(command: PayloadCommand, run: PlannedKey, outcome: ConflictOutcome): void {
    const met = metBy(command, run, { outcome, theirTimestamp: this.#batch.timestamp });
    if (!met) return;
    // It would soon be a list of this key alone.
    this.#conflicts.push({ ...met, isListed: !run.isHot || !this.#noted.has(run) });
    this.#noted.add(run);
  }
}
