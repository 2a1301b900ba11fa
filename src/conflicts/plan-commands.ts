/**
 * Plans a batch command by command. Each command meets the local changes on its keys; the rules say what runs in its place. The
 * planner gathers that, the conflicts to be listed, and the keys whose state is to be sent.
 */

import type { DeliveredBatch } from '../protocol/batch.js';
import type { BatchCommands } from '../protocol/batch-commands.js';
import { moveEnds } from '../redis-commands/command-table.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { ARRIVAL } from '../protocol/messages/arrival.js';
import { EXPIRED } from '../protocol/messages/expired.js';
import { GONE } from '../protocol/messages/gone.js';
import { isForLongWork, isQuestionOrAnswer } from '../protocol/messages/messages.js';
import { LACK, NEED, parseNeed } from '../protocol/messages/state-request.js';
import { numberIn } from '../protocol/messages/message-kind.js';
import { type KeyState, parseState, STATE } from '../protocol/messages/state.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { asDeletion, empties, isFlush } from '../protocol/flushes.js';
import { isOnOneKey, isPerKey } from '../protocol/command-kinds.js';
import { FreeCommands } from './free-commands.js';
import { endOf } from './field-lives.js';
import { KeyResolver } from './key-resolver.js';
import type { KnownKeys } from './known-keys.js';
import type { BatchPlannerOptions } from './plan-options.js';
import type { PlannedKey } from './planned-key.js';
import { PlannedKeys } from './planned-keys.js';
import type { PlannerMemory } from './planner-memory.js';
import { deadlineOf, isSoon } from '../redis-commands/late-expiry.js';
import type { KeyHash } from '../protocol/key-hash.js';
import type { UnseenSet } from '../local-writes/unseen-sets.js';
import { isSet, keysOf, nameOf, type PayloadCommand } from '../protocol/payload.js';
import type { ElementsAsked, Rejected, Resolved } from './resolved.js';
import { dropping } from './rules/assembled.js';
import { expiryDoubt } from './rules/expiry.js';
import { isAbove } from '../pieces/piece.js';
import { resolveMove } from './rules/moves.js';
import { UNKNOWN } from './rules/rule-context.js';
import { fillOf, valueOf } from './rules/states.js';
import { Sent } from './sent.js';
import { StreamPlanner } from './plan-streams.js';
import { EntryCommands } from './stream-entries.js';

export interface CommandPlannerOptions {
  /** Those of the batch. */
  readonly commands: BatchCommands;
  readonly known: KnownKeys;
  readonly memory: PlannerMemory;
  readonly options: BatchPlannerOptions;
}

export class CommandPlanner {
  readonly #batch: DeliveredBatch;
  readonly #commands: BatchCommands;
  readonly #known: KnownKeys;
  readonly #memory: PlannerMemory;
  readonly #options: BatchPlannerOptions;
  readonly #sent: Sent;
  readonly #runs: PlannedKeys;
  readonly #resolver: KeyResolver;
  readonly #streams: StreamPlanner;
  /** Keys whose conflict of two `SET`s is listed by now. One entry for each key, or a key that is set all the time fills the list. */
  readonly #listed = new Set<string>();
  readonly #settled: string[] = [];
  readonly #stated: PlacedKey[] = [];
  readonly #asElements: ElementsAsked[] = [];
  readonly #notWhole: PlacedKey[] = [];
  readonly #kept: PlacedKey[] = [];
  readonly #answers: (readonly Buffer[])[] = [];
  readonly #free: FreeCommands;
  readonly #onEntries: EntryCommands;
  readonly #now = Date.now();

  constructor(batch: DeliveredBatch, { commands, known, memory, options }: CommandPlannerOptions) {
    this.#batch = batch;
    this.#commands = commands;
    this.#known = known;
    this.#memory = memory;
    this.#options = options;
    const { site, keys } = options;
    const onEntries = (this.#onEntries = new EntryCommands(batch, {
      entries: options.entries,
      known,
      site,
      out: keys.out,
    }));
    this.#free = new FreeCommands(batch, known, options, onEntries);
    const nowMs = this.#now;
    this.#sent = new Sent({
      keys,
      onEntries,
      nowMs,
      fields: memory.fields,
      timestamp: batch.timestamp,
    });
    this.#runs = new PlannedKeys(batch, known, { site, keys, passed: this.#free.passed });
    this.#resolver = new KeyResolver(batch, this.#sent, memory.fields);
    this.#streams = new StreamPlanner(batch, {
      known,
      runs: this.#runs,
      sent: this.#sent,
      resolver: this.#resolver,
    });
  }

  /** @param leftOut places of commands that the server does not take, with the reason */
  async resolve(leftOut: ReadonlyMap<number, string>): Promise<Resolved> {
    const { fields } = this.#memory;
    const commands = this.#commands;
    const isMet = (hash: KeyHash): boolean => this.#known.isMet(hash);
    const rejected: Rejected[] = [];
    for (let index = 0; index < commands.count; index++) {
      // A command on several keys may have made a key's plan by now: then none is plain.
      if (this.#runs.isEmpty && leftOut.size === 0 && commands.isPlain(index, isMet)) {
        this.#sent.plain(commands, index);
        continue;
      }
      const command = commands.at(index);
      const error = leftOut.get(index);
      if (error === undefined) {
        if (!this.#tryPlainState(command)) await this.#command(command);
        fields.decided(command, this.#batch);
      } else if (command.name !== 'SELECT') rejected.push({ command, error });
    }
    this.#streams.cap();
    for (const { command, bytes } of await this.#free.doubts()) this.#sent.send(command, bytes);
    return {
      ...this.#sent.all(),
      removed: this.#resolver.removed,
      conflicts: this.#resolver.conflicts,
      ...this.#runs.results(),
      settled: this.#settled,
      stated: this.#stated,
      asElements: this.#asElements,
      notWhole: this.#notWhole,
      kept: this.#kept,
      answers: this.#answers,
      rejected,
    };
  }

  async #command(command: PayloadCommand): Promise<void> {
    const whole = this.#translate(command);
    if (command.name !== ARRIVAL) this.#streams.cap();
    if (command.name === 'XADD') this.#onEntries.coming(command);
    if (isFlush(command)) await this.#flush(command);
    else if (whole) this.#sent.send(command, whole);
    else if (command.name === NEED) await this.#need(command);
    else if (isQuestionOrAnswer(command.name)) this.#compare(command);
    else if (command.name === STATE) await this.#state(command);
    else if (command.name === EXPIRED) await this.#expired(command);
    else if (command.name === GONE || command.name === ARRIVAL) await this.#ofEntries(command);
    else if (this.#isFree(command)) for (const one of this.#free.run(command)) this.#sent.free(command, one);
    else if (isOnOneKey(command)) await this.#onOneKey(command);
    else if (isPerKey(command)) await this.#perKey(command);
    else if (command.spec !== undefined && moveEnds(command.spec, command.args)) await this.#move(command);
    else await this.#derive(command);
  }

  /** What runs in place of a command on whole databases. Behind it, all that was found about local `SET`s is void. */
  #translate(command: PayloadCommand, kept?: readonly PlacedKey[]): Buffer | undefined {
    const whole = this.#options.translator.translate(command, kept);
    if (whole) this.#known.emptied(this.#options.captured.capturedThrough);
    return whole;
  }

  async #flush(command: PayloadCommand): Promise<void> {
    const unseen = this.#known.writtenUnseen.filter(({ database }) => empties(command, database));
    this.#sent.send(command, this.#translate(command, unseen)!);
    for (const run of this.#runs.all()) if (empties(command, run.key.database)) run.changed(UNKNOWN);
    for (const key of unseen) {
      if (key.database !== command.database)
        this.#sent.send(command, encodeCommand(['SELECT', key.database]));
      this.#resolver.meet(asDeletion(command, key), await this.#runs.on(key));
      if (key.database !== command.database)
        this.#sent.send(command, encodeCommand(['SELECT', command.database]));
    }
  }

  /** A command that means the same whatever was written here is no conflict: sums of a busy counter are not looked at one by one. */
  #isFree(command: PayloadCommand): boolean {
    return this.#free.isFree(command, this.#runs);
  }

  #compare(command: PayloadCommand): void {
    const script = this.#options.translator.answer(command, this.#batch);
    if (script) this.#sent.send(command, script);
    if (isForLongWork(command.name)) this.#answers.push(command.args);
  }

  async #need(command: PayloadCommand): Promise<void> {
    const need = parseNeed(command.args);
    const isFirst = this.#options.site < this.#batch.origin;
    for (const key of need.keys) {
      const run = await this.#runs.on(key);
      const { asElements = false, lack, theirLack = LACK.nothing } = need;
      run.remindOf(theirLack);
      // Only the other site has the changes that were left out here. Its answer, on its way, is to rank above this one.
      const timestamp = run.isMetByAnswer(need) ? 0 : need.timestamp;
      if (run.answers(need)) {
        run.sendState(timestamp, { asElements, isWhole: lack === LACK.localWrites });
        if (isFirst) run.askBehindAnswer();
      }
      // Two sites that have asked each other would both ask back, for ever.
      else if (run.leavesOut || !run.isAsking || isFirst) run.askBack(lack);
    }
  }

  /** The end of a key's life. Nothing runs where the life has ended here as well. */
  async #expired(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'written') as [PlacedKey];
    const isElsewhere = key.database !== command.database;
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', key.database]));
    if (!this.#runs.has(key) && this.#known.isUntouched(key)) {
      this.#sent.send(command, endOf(command, key));
    } else this.#resolver.meet(command, await this.#runs.on(key));
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', command.database]));
  }

  /** A message about entries of a stream names its database. */
  async #ofEntries(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'written') as [PlacedKey];
    const isElsewhere = key.database !== command.database;
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', key.database]));
    await this.#streams.resolve(command, key);
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', command.database]));
  }

  /**
   * Sends what a state of the selected database says, where it meets no local write. A copy of many keys is many of these: they take a
   * short way, without a wait.
   * @returns whether it did
   */
  #tryPlainState(command: PayloadCommand): boolean {
    if (command.name !== STATE) return false;
    const { translator } = this.#options;
    const state = parseState(command.args);
    const { database, key, rankTimestamp } = state;
    if (database !== command.database || state.assembled || !translator.isTaken(state)) return false;
    if (rankTimestamp === 0 && translator.isExcluded(state)) return false;
    if (!this.#isPlainState(state)) return false;
    this.#streams.cap();
    this.#replaceBy(command, state, { database, key });
    return true;
  }

  /** Whether nothing stands against a state: no local write, nothing that the batch has come to, no deadline that is past. */
  #isPlainState(state: KeyState): boolean {
    return !this.#runs.has(state) && this.#known.isUntouched(state) && !this.#isLate(state);
  }

  #replaceBy(command: PayloadCommand, state: KeyState, key: PlacedKey): void {
    for (const one of valueOf(key.key, state, this.#options.keys.out))
      this.#sent.send(command, encodeCommand(one));
    this.#settled.push(nameOf(key));
    this.#stated.push(key);
  }

  /** A state names its database. */
  async #state(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'written') as [PlacedKey];
    const isElsewhere = key.database !== command.database;
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', key.database]));
    const { translator, keys } = this.#options;
    const state = parseState(command.args);
    // As a repair asks for it: the value is old, whatever was to be sent of it.
    if (!this.#known.isWhole(state)) this.#notWhole.push(key);
    else if (!translator.isTaken(state)) {
      this.#asElements.push({ ...key, timestamp: Math.max(0, state.rankTimestamp) });
    } else if (state.rankTimestamp === 0 && translator.isExcluded(key)) {
      const fill = fillOf(key.key, state, keys.out);
      if (fill) this.#sent.send(command, encodeCommand(fill));
      this.#stated.push(key);
    } else if (this.#isPlainState(state)) this.#replaceBy(command, state, key);
    else {
      const run = await this.#runs.on(key);
      const outcome = this.#resolver.meet(command, run);
      if (!run.isContended) this.#stated.push(key);
      if (!run.isContended && outcome !== 'own-stays') this.#settled.push(nameOf(key));
    }
    if (state.assembled) this.#sent.send(command, encodeCommand(dropping(keys.out)));
    if (isElsewhere) this.#sent.send(command, encodeCommand(['SELECT', command.database]));
  }

  async #onOneKey(command: PayloadCommand): Promise<void> {
    const [key] = keysOf(command, 'all');
    const isFirst = key !== undefined && !this.#runs.has(key);
    const own = isFirst && isSet(command) && this.#known.unseenSetOn(key);
    if (own && !own.isAsking) {
      await this.#meetSet(command, key, own);
      return;
    }
    const at =
      key === undefined
        ? undefined
        : deadlineOf(command.name, (index) => command.args[index]!, command.args.length);
    const isLate = typeof at === 'number' && at > 0 && isSoon(at, this.#now);
    const isPlain = key === undefined || (isFirst && !isLate && this.#known.isUntouched(key));
    const run = isPlain ? undefined : await this.#runs.on(key);
    if (!run) this.#sent.send(command, command.bytes, key && [key]);
    else if (run.isPlain && !isLate) this.#sendPlain(command, [run]);
    else this.#resolver.meet(command, run);
  }

  /** Sends a command that nothing stands against. A further command of the batch may rest on what it leaves. */
  #sendPlain(command: PayloadCommand, runs: readonly PlannedKey[]): void {
    for (const run of runs) for (const piece of this.#resolver.piecesOn(command, run)) run.ran(piece);
    const keys = runs.map(({ key }) => key);
    this.#sent.send(command, command.bytes, keys);
  }

  /** Whether a state comes with a deadline that is past, or nearly. */
  #isLate({ expiry }: KeyState): boolean {
    const at = numberIn(expiry);
    return at > 0 && isSoon(at, this.#now);
  }

  /** Ranks two `SET`s. Where the local one stays, nothing runs: its value is there. */
  async #meetSet(command: PayloadCommand, key: PlacedKey, own: UnseenSet): Promise<void> {
    const { origin, timestamp } = this.#batch;
    const { site } = this.#options;
    const name = nameOf(key);
    const isFirst = !this.#listed.has(name);
    const commands = isFirst ? await this.#known.commandsOf(key, own) : undefined;
    // Another key may have the same hash.
    const isMet = commands?.length !== 0;
    const localStays = isMet && isAbove({ timestamp: own.timestamp, site }, { timestamp, site: origin });
    if (!localStays) this.#sent.send(command, command.bytes, [key]);
    else if (isFirst) this.#kept.push(key);
    if (!isMet) return;
    this.#resolver.conflicts.push({
      database: key.database,
      key: key.key,
      command: command.name,
      outcome: localStays ? 'own-stays' : 'theirs-stays',
      theirs: command.args,
      theirTimestamp: timestamp,
      own: commands?.at(-1)?.args,
      ownTimestamp: own.timestamp,
      isListed: isFirst && this.#memory.setEntries.take(),
    });
    if (isFirst) this.#listed.add(name);
  }

  /** `DEL a b`, `MSET …`: each key is resolved by itself. */
  async #perKey(command: PayloadCommand): Promise<void> {
    const runs: PlannedKey[] = [];
    for (const key of keysOf(command, 'written')) runs.push(await this.#runs.on(key));
    if (runs.every(({ isPlain }) => isPlain)) this.#sendPlain(command, runs);
    else for (const run of runs) this.#resolver.meet(command, run);
  }

  /**
   * A command that makes keys of keys, or writes several at once, is left out where one of them was written meanwhile. Its origin is
   * asked for the keys it has written. Later commands of the batch find these keys in question.
   */
  async #derive(command: PayloadCommand): Promise<void> {
    const runs: PlannedKey[] = [];
    for (const key of keysOf(command, 'all')) runs.push(await this.#runs.on(key));
    const met = runs.find(({ isInDoubt }) => isInDoubt);
    for (const key of keysOf(command, 'written')) {
      const run = await this.#runs.on(key);
      if (met) run.askForDerived();
      else run.changed(UNKNOWN);
    }
    if (!met) this.#sent.send(command, command.bytes);
    else this.#resolver.note(command, met, 'state-asked');
  }

  /** A move takes from one list and puts into another, in one step. Where the element is uncertain, the origin is asked for both lists. */
  async #move(command: PayloadCommand): Promise<void> {
    const keys = keysOf(command, 'written') as [PlacedKey, PlacedKey];
    const runs = [await this.#runs.on(keys[0]), await this.#runs.on(keys[1])] as const;
    const [from, to] = runs;
    if (runs.every(({ isPlain }) => isPlain)) {
      this.#sendPlain(command, runs);
      return;
    }
    const halves = {
      take: this.#resolver.piecesOn(command, from)[0]!,
      put: this.#resolver.piecesOn(command, to)[0]!,
    };
    const moved = resolveMove({ from: from.context, to: to.context }, command.args, halves);
    if (!moved) {
      for (const run of runs) run.askForDerived();
      this.#resolver.note(command, from, 'state-asked');
      return;
    }
    const doubt = expiryDoubt(from.context, halves.take);
    from.settled(halves.take, moved.from);
    to.settled(halves.put, moved.to);
    this.#sent.attempt(command, doubt ? [moved.command, doubt] : [moved.command], keys);
    this.#resolver.note(command, from, 'merged');
  }
}
