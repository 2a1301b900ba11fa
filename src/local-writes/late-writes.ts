/**
 * Finds late writes: local writes that slipped in between the plan of a batch and its transaction. The marker says up to which local
 * sequence the plan knew. A local write between that sequence and the marker, on a key of the batch, is late. Both stand in the
 * stream, so none is missed, whatever the timing. This site asks the peer for the state of such a key. The peer meets both changes by
 * the ordinary rules, and the state that it sends settles the key here as well. A `SET` that was late for a `SET` is put back instead
 * (`overwritten-sets.ts`).
 *
 * A key may also expire at the moment at which a change of the peer's touches it, or be given a deadline that is past here. The server
 * then removes it inside the transaction, where no other local write can stand. At the peer the key may live on, with a later
 * deadline. So the peer is asked for such a key, too.
 */

import { lastSequence, type Batch } from '../protocol/batch.js';
import { BatchCommands } from '../protocol/batch-commands.js';
import type { BatchIndex } from '../protocol/batch-index.js';
import {
  codesOf,
  commutingWith,
  effectCode,
  isListEnd,
  isOnMembers,
  isPop,
  isPush,
  passes,
} from '../redis-commands/effect-code.js';
import { KeyHash } from '../protocol/key-hash.js';
import { AskedKeys } from './asked-keys.js';
import type { Deadlines } from './deadlines.js';
import { EXPIRED } from '../protocol/messages/expired.js';
import { NEED } from '../protocol/messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import {
  keysOf,
  nameOf,
  recordedEffectAt,
  recordedEffectOf,
  type ExtraCommands,
  type PayloadCommand,
} from '../protocol/payload.js';
import { streamOptions } from '../redis-commands/options/stream-options.js';
import { wholeId } from '../redis-commands/stream-id.js';
import { isDerived, isOfEntries, isSetMove } from '../protocol/command-kinds.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import type { KnownName } from '../redis-commands/command-names.js';
import { LateEnds, type EndedKey } from './late-ends.js';
import type { LocalEntries } from './local-entries.js';
import type { LateKeys, LateWritesOptions } from './late-options.js';
import { LateSets } from './late-sets.js';
import { nothingNoted, type Echo } from './echo.js';
import { empty } from './empty.js';
import { isNoWrite } from './no-write.js';
import { isRemoval, removalsOf } from '../protocol/removals.js';
import type { Window } from './window.js';

const [SET, TRIM, FIELD_ENDED] = [effectCode('set'), effectCode('entry-trim'), effectCode('field-expired')];
/** Effects that may take the last of a key, and its deadline with that. */
const TAKING = codesOf(
  ...(['member-remove', 'member-pop', 'cell-remove', 'entry-remove', 'entry-trim'] as const),
  ...(['pop-left', 'pop-right', 'pops-left', 'pops-right', 'list-edit'] as const),
);
const ON_FIELDS = codesOf('field-sum', 'cells', 'cell-remove', 'cell-expire', 'field-expired');

/** Bytes of decided batches that have not come round in the stream. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** A batch on its way into the database, and what its plan holds of some keys, by database and name. */
interface Decided {
  readonly batch: Batch;
  readonly index: BatchIndex;
  /** How many more removals of a key the plan sends than the batch has. */
  readonly removed: ReadonlyMap<string, number>;
  /** Keys that the plan requests in any case. Called for a late write on one. */
  readonly awaited: ReadonlyMap<string, () => void>;
}

export class LateWrites {
  readonly #options: LateWritesOptions;
  readonly #window: Window;
  readonly #internalPrefix: string;
  readonly #extra: ExtraCommands | undefined;
  readonly #entries: LocalEntries;
  readonly #hash = new KeyHash();
  /** Planned batches whose marker has not come round, by last sequence. */
  readonly #waiting = new Map<number, Decided>();
  #waitingBytes = 0;
  readonly #asked = new AskedKeys();
  /** Those that were put back, or are to be. */
  readonly sets: LateSets;
  #echo: Echo | undefined;
  readonly #noted = nothingNoted();
  /** The batch that is coming round. Undefined where a process before this one planned it. */
  #decided: Decided | undefined;
  /** How often that batch removes each key, by database and name. Made on demand. */
  #removals: Map<string, number> | undefined;
  /** Keys that expired while it was applied. */
  readonly #expired = new Map<string, PlacedKey>();
  /** Entries of streams taken off though they were added here unseen: by key, and ID or '' for those below one. */
  readonly #concerned = new Map<string, PlacedKey>();
  readonly #ends: LateEnds;
  readonly #deadlines: Deadlines;
  #count = 0;

  constructor(window: Window, options: LateWritesOptions) {
    const { entries, extra, internalPrefix, deadlines } = options;
    this.#options = options;
    this.#entries = entries;
    this.#deadlines = deadlines;
    this.#ends = new LateEnds(window, options);
    this.#internalPrefix = internalPrefix;
    this.#window = window;
    this.sets = new LateSets({ window, asked: this.#asked, overwritten: options.overwritten });
    this.#extra = extra;
  }

  /** Late writes found since the process began. */
  get count(): number {
    return this.#count;
  }

  /** True when so many planned bytes have not come round that no further batch may be planned: the stream is read too slowly. */
  get isFull(): boolean {
    return this.#waitingBytes >= MAX_WAITING_BYTES;
  }

  /** A batch was planned and is about to be applied. */
  decided(batch: Batch, index: BatchIndex, { removed, awaited }: HowDecided = NOTHING_SPECIAL): void {
    const last = lastSequence(batch);
    this.#forget(last);
    this.#waiting.set(last, { batch, index, removed, awaited });
    this.#waitingBytes += batch.payload.length;
  }

  /**
   * The marker of a batch has come round.
   * @param kept keys that a `SET` of the batch was for, had this site not a later value: nothing of the transaction is on them
   */
  applied(sequence: number, decided: number, kept: () => readonly PlacedKey[]): void {
    this.#decided = this.#forget(sequence);
    this.#removals = undefined;
    const { found, passed, lacking, deadlinesKept } = this.#noted;
    empty(this.#expired, this.#concerned, found, passed, lacking, deadlinesKept);
    this.#ends.clear();
    this.sets.begin(undefined);
    const from = this.#window.firstAbove(decided);
    const isBlind = this.#window.droppedThrough > decided;
    if (from === this.#window.head && !isBlind) {
      this.#echo = undefined;
      return;
    }
    this.#echo = { from, isBlind, decided, ...this.#noted };
    const isPlanned = this.#decided !== undefined;
    const isOwn = isPlanned || this.#options.overwritten.isReturning(sequence, decided);
    this.sets.begin({ from, isOwn: isOwn && !isBlind, isPlanned });
    if (!this.#decided) for (const key of kept()) this.#keptHere(key);
    else if (isBlind || this.#touches(this.#decided.index, from))
      for (const command of this.#commandsOf(this.#decided)) this.command(command);
    // The same commands come by once more, from the first on.
    empty(passed);
  }

  /** A command of the applied transaction has come round. */
  echoed(command: PayloadCommand): void {
    this.sets.echoed(command);
    // Our scripts take entries off and put them back. With a known plan, `applied` has looked at the peer's commands already.
    const isOnEntries = isOfEntries(command.name);
    const mayBeOwn = isOnEntries || command.name === 'XSETID' || command.name === 'XACK';
    if (!mayBeOwn || !this.#decided) this.command(command);
    if (isOnEntries) this.#onEntries(command);
    if (!isRemoval(command.name)) {
      this.#ends.madeAnew(command);
      return;
    }
    this.#removals ??= this.#decided && removalsOf(this.#commandsOf(this.#decided), this.#decided.removed);
    for (const key of keysOf(command, 'written')) {
      const name = nameOf(key);
      const left = this.#removals?.get(name) ?? 0;
      this.#removals?.set(name, left - 1);
      if (left > 0 || (command.name === 'HDEL' && (this.#decided?.removed.get(name) ?? 0) > 0)) continue;
      if (key.key.toString('latin1').startsWith(this.#internalPrefix)) continue;
      const gone = placedCopy(key);
      // A process before this one may have decided what removes it.
      if (!this.#decided || !this.#ends.expired(gone)) this.#expired.set(name, gone);
    }
  }

  /**
   * Additions and removals of entries are carried out as if they were of different ones. Where an entry is removed that was added here
   * unseen, they were not. One that is added again was only taken off to make room below it.
   */
  #onEntries({ name, args, database }: PayloadCommand): void {
    const placed = { database, key: args[1]! };
    if (this.#entries.isEmpty || !this.#entries.has(placed)) return;
    const key = nameOf(placed);
    const note = (id: string): void =>
      void this.#concerned.set(`${key} ${id}`, { database, key: Buffer.from(placed.key) });
    const seen = this.#decided?.batch.seen ?? 0;
    if (name === 'XDEL') {
      for (const id of args.slice(2).map((one) => wholeId(one.toString('latin1'))))
        if (this.#entries.isUnseen(placed, id, seen)) note(id);
      return;
    }
    const { trim, end } = streamOptions(args);
    if (trim) {
      const below = trim.strategy === 'MINID' ? wholeId(args[trim.limitAt]!.toString('latin1')) : undefined;
      if (this.#entries.isUnseenBelow(placed, below, seen)) note('');
    }
    if (name === 'XADD') this.#concerned.delete(`${key} ${wholeId(args[end]!.toString('latin1'))}`);
  }

  /** A command of what is applied: after a restart the transaction itself is the only word of it. */
  command(command: PayloadCommand): void {
    const echo = this.#echo;
    // A request changes nothing.
    if (!echo || command.name === NEED) return;
    if (command.name === EXPIRED && this.#ends.endsWhatIsLate(echo, command)) return;
    const derives = isDerived(command) || isSetMove(command);
    const late = keysOf(command, 'all').filter((key, at) => {
      const effect = effectCode(recordedEffectAt(command, at));
      // A flush or a swap of the peer's moves the internal keys out of the way and back: those are no data.
      if (key.key.toString('latin1').startsWith(this.#internalPrefix)) return false;
      const isLate =
        this.#entries.wasMisjudged(command.name, effect === TRIM, { key, decided: echo.decided }) ||
        this.#isLate(echo, key, effect, command) ||
        // What is made of a key that is asked for is asked for, too.
        (derives && echo.found.has(nameOf(key)));
      if (isLate && TAKING.has(effect)) echo.deadlinesKept.set(nameOf(key), placedCopy(key));
      return isLate;
    });
    if (late.length === 0) return;
    for (const key of derives ? keysOf(command, 'written') : late) {
      const name = nameOf(key);
      if (this.#isAwaited(name)) continue;
      if (!derives && !this.#asked.isOpen(name, this.#window.seen) && this.sets.takes(key, command)) continue;
      echo.found.set(name, placedCopy(key));
      if (derives || !this.#isOrder(echo, key, command)) echo.lacking.add(name);
    }
  }

  /**
   * Whether {@link echoed} wants to see a command of this transaction. One that has a single key can be told by that key alone: most are
   * on keys that were not written here, and need not be taken apart.
   */
  concerns(reader: CommandReader, database: number, { name, spec, plainUpTo }: KnownName): boolean {
    if (isRemoval(name) || isOfEntries(name)) return true;
    if (!this.#ends.isEmpty || !this.#options.overwritten.isEmpty) return true;
    const echo = this.#echo;
    if (!echo) return false;
    const isPlain = spec?.singleKey === true && reader.argc > 1 && reader.argc <= plainUpTo;
    if (!isPlain || echo.isBlind || spec.type === 'stream' || spec.effect === 'move') return true;
    this.#hash.of(database, reader.buffer, reader.argumentStart(1), reader.argumentEnd(1));
    return this.#window.newest(this.#hash.low, this.#hash.high) >= echo.from;
  }

  /** The applied transaction has ended. The keys whose lives have ended in it. */
  takeEnded(): readonly EndedKey[] {
    return this.#ends.take();
  }

  /** The applied transaction has ended: the keys the peer must be asked for. @param sequence of the request */
  end(sequence: number): LateKeys {
    const { found, lacking: lacks, deadlinesKept: keeping } = this.#noted;
    this.#echo = undefined;
    this.#options.deadlines.fields.cameRound(sequence);
    const count = found.size + keeping.size + this.#concerned.size + this.#expired.size;
    if (count === 0 && this.sets.endsIdle()) return NOTHING_LATE;
    for (const name of lacks) this.#options.onMisplaced(name);
    const concerned = [...this.#concerned.values()].filter((key) => !this.#isAwaited(nameOf(key)));
    empty(this.#concerned);
    const others = [...this.#expired.values(), ...concerned];
    const left = this.sets.end([...found.values(), ...others], {
      sequence,
      theirTimestamp: this.#decided?.batch.timestamp ?? 0,
    });
    for (const key of [...others, ...left]) {
      found.set(nameOf(key), key);
      lacks.add(nameOf(key));
    }
    this.#count += found.size + this.sets.count;
    const [lacking, disordered]: [PlacedKey[], PlacedKey[]] = [[], []];
    const isRequested = new Set(this.#decided?.awaited.keys());
    // What this very transaction brought may be the answer: the window hears of what its sender had seen only afterwards.
    const seen = Math.max(this.#window.seen, this.#decided?.batch.seen ?? 0);
    for (const [name, key] of found) {
      const isLacking = lacks.has(name);
      if (!this.#asked.ask(name, { sequence, isLacking }, seen)) continue;
      (isLacking ? lacking : disordered).push(key);
      isRequested.add(name);
    }
    const deadlinesKept = [...keeping].filter(([name]) => isRequested.has(name)).map(([, key]) => key);
    return { lacking, disordered, deadlinesKept };
  }

  /** Whether a key was written here by what a peer that has seen `seen` does not know, or may have been. */
  isUnseen({ database, key }: PlacedKey, seen: number): boolean {
    // A later batch may have let entries leave the window before an earlier question comes round.
    if (this.#window.isBlindAbove(seen) || this.#window.droppedThrough > seen) return true;
    this.#hash.of(database, key, 0, key.length);
    const newest = this.#window.newest(this.#hash.low, this.#hash.high);
    return newest >= 0 && this.#window.sequenceOf(newest) > seen;
  }

  #isAwaited(name: string): boolean {
    const isLate = this.#decided?.awaited.get(name);
    isLate?.();
    return isLate !== undefined;
  }

  #forget(sequence: number): Decided | undefined {
    const decided = this.#waiting.get(sequence);
    this.#waiting.delete(sequence);
    this.#waitingBytes -= decided?.batch.payload.length ?? 0;
    return decided;
  }

  /** Whether any key of the batch was written here after its decision, by hashes alone. */
  #touches(index: BatchIndex, from: number): boolean {
    let touches = false;
    index.forEachKey(({ low, high }) => (touches ||= this.#window.newest(low, high) >= from));
    return touches;
  }

  /** They are taken apart once more: as long as a batch is on its way, its bytes and its index are kept, which take less. */
  #commandsOf({ batch, index }: Decided): BatchCommands {
    return new BatchCommands(batch, index, this.#extra);
  }

  /** A process that is gone has left a `SET` of the peer's out for a value that may have been written over before. */
  #keptHere(key: PlacedKey): void {
    const echo = this.#echo!;
    if (!this.#isLate(echo, key, SET)) return;
    echo.found.set(nameOf(key), placedCopy(key));
    echo.lacking.add(nameOf(key));
  }

  /** Whether a key may have been written after the decision by something that does not commute with `effect`. */
  #isLate(
    { from, decided, isBlind, passed }: Echo,
    { database, key }: PlacedKey,
    effect: number,
    command?: PayloadCommand,
  ): boolean {
    if (isBlind) return true;
    this.#hash.of(database, key, 0, key.length);
    const isAtEnd = isPush(effect) || isPop(effect);
    const isMember = isOnMembers(effect);
    const isLosing = (isAtEnd || isMember) && this.#hasDeadline();
    const together = isLosing ? undefined : commutingWith(effect, this.#options.isSenderFirst);
    const name = isAtEnd ? nameOf({ database, key }) : '';
    let entry = this.#window.newest(this.#hash.low, this.#hash.high);
    const isOnMember = isMember && entry >= from && command !== undefined;
    if (isOnMember && this.#entries.members.isOn(command, { seen: decided, decided: Infinity })) return true;
    // Behind what a push of the same batch has gone past, an end is another one here.
    if (entry >= from && isPop(effect) && passed.has(name)) return true;
    for (; entry >= from; entry = this.#window.older(entry)) {
      const own = this.#window.effectOf(entry);
      if (isNoWrite(own, effect)) continue;
      // What is built on a field runs only where that is there, and what replaces it begins a new life.
      if (own === FIELD_ENDED && ON_FIELDS.has(effect)) continue;
      if (!together?.has(own)) return true;
      if (!passes(effect, own)) continue;
      passed.add(name);
      this.#options.onPassed(name, this.#window.sequenceOf(entry));
    }
    return false;
  }

  /** Whether the key that was hashed last has a deadline, or had: what empties a list takes it along. */
  #hasDeadline(): boolean {
    return typeof this.#deadlines.of(this.#hash.low, this.#hash.high) === 'number';
  }

  /** Whether a command and all that slipped in on a key were pushes, or what a push goes beyond: nothing was put in the place of anything. */
  #isOrder({ from, isBlind }: Echo, { database, key }: PlacedKey, command: PayloadCommand): boolean {
    if (isBlind || !isPush(effectCode(recordedEffectOf(command)))) return false;
    this.#hash.of(database, key, 0, key.length);
    if (this.#hasDeadline()) return false;
    let entry = this.#window.newest(this.#hash.low, this.#hash.high);
    for (; entry >= from; entry = this.#window.older(entry))
      if (!isListEnd(this.#window.effectOf(entry))) return false;
    return true;
  }
}

type HowDecided = Omit<Decided, 'batch' | 'index'>;
const NOTHING_LATE: LateKeys = { lacking: [], disordered: [], deadlinesKept: [] };
const NOTHING_SPECIAL: HowDecided = { removed: new Map(), awaited: new Map() };

/** The key of a command, whose bytes go with the batch. */
function placedCopy({ database, key }: PlacedKey): PlacedKey {
  return { database, key: Buffer.from(key) };
}
