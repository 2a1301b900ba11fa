/**
 * Finds the members that pops of sorted sets have taken. The stream has `ZPOPMIN` without the members it took. At the other site, where
 * members have been added meanwhile, it would take another one. So it is sent as the removal of these members, which means the same
 * everywhere.
 *
 * To that end `list-members.lua` puts the members that are popped next into the stream, at their place in the order. From there on this
 * class follows them in the stream. A pop whose members are unknown is sent as it is.
 */

import type { KnownName } from '../redis-commands/command-names.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import { destinationDatabase, writtenKeys } from '../redis-commands/command-table.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { MEMBERS, parseMembers } from '../protocol/messages/members.js';
import { KnownMembers, scoreOf, type End } from './known-members.js';
import type { LocalWriteNotes } from './change-sink.js';

/** Memory for the members of all sets. Beyond that the set longest not popped from goes. */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_SETS = 10_000;

/** Sets that are read in a second before their first pop. */
const READ_A_SECOND = 100;

/** Whether a command takes members by their place in a sorted set. */
export function isSetPop({ name }: KnownName): boolean {
  return name === 'ZPOPMIN' || name === 'ZPOPMAX';
}

export class PoppedSets {
  readonly #writes: Pick<LocalWriteNotes, 'popped'>;
  /** By database and name, the one popped from last at the end. */
  readonly #sets = new Map<string, KnownMembers>();
  /** Sets whose members have been asked for. */
  readonly #asked = new Set<string>();
  #bytes = 0;
  /** How many sets may be read before their first pop, in this second. */
  #left = READ_A_SECOND;
  #second = 0;

  constructor(writes: Pick<LocalWriteNotes, 'popped'>) {
    this.#writes = writes;
  }

  /** The local command in the reader has run. It may be on a set that is followed. */
  passed(reader: CommandReader, known: KnownName, database: number): void {
    if (this.#sets.size === 0 || known.container) return;
    const isOther = known.spec?.singleKey === true && !this.#sets.has(nameOf(database, reader.argument(1)));
    if (!isOther) this.ran(known, reader.arguments(), database);
  }

  /** The same for an applied command of the peer's. A set that the peer adds to may be popped here, so it is read before the first pop. */
  echoed(reader: CommandReader, known: KnownName, database: number): void {
    this.passed(reader, known, database);
    if (known.name !== 'ZADD' || this.#sets.size >= MAX_SETS / 2 || !this.#isAllowed()) return;
    const key = reader.argument(1);
    if (this.#sets.has(nameOf(database, key))) return;
    this.#left--;
    this.#want({ database, key }, 'lowest');
  }

  /** Whether another set may be read before its first pop. */
  #isAllowed(): boolean {
    if (this.#left > 0) return true;
    const second = Math.floor(performance.now() / 1000);
    if (second === this.#second) return false;
    this.#second = second;
    this.#left = READ_A_SECOND;
    return true;
  }

  /**
   * A command has run.
   * @param args the name first
   * @param isSent whether it is one to be sent to the other site
   * @returns the command to send instead; undefined when it is good as it is
   */
  ran(known: KnownName, args: readonly Buffer[], database: number, isSent = false): Buffer[] | undefined {
    const { name, spec, container } = known;
    if (isSent && isSetPop(known)) return this.#popped(name, args, database);
    if (this.#sets.size === 0 || container) return undefined;
    if (spec === undefined || spec.effect === 'flush' || spec.effect === 'swap') {
      this.#sets.clear();
      this.#bytes = 0;
      return undefined;
    }
    const target = destinationDatabase(spec, args);
    for (const index of writtenKeys(spec, args)) {
      const key = args[index]!;
      if (target !== undefined) this.#forget(nameOf(target, key));
      const set = this.#sets.get(nameOf(database, key));
      if (!set || spec.effect === 'expire') continue;
      if (spec.effect === 'remove') this.#change(set, () => set.clear());
      else if (!this.#change(set, () => set.run(name, args))) this.#lost({ database, key }, set);
    }
    return undefined;
  }

  /** Takes note of a message that tells the members of a set. @returns false for any other message @param args the name first */
  told(args: readonly Buffer[]): boolean {
    if (args[0]!.toString('latin1') !== MEMBERS) return false;
    const { database, key, end, isWhole, members: told } = parseMembers(args);
    const name = nameOf(database, key);
    const members = told.map((one) => ({ name: one.name.toString('latin1'), score: scoreOf(one.score) }));
    this.#asked.delete(name);
    this.#forget(name);
    if (members.some(({ score }) => Number.isNaN(score))) return true;
    const set = new KnownMembers({ end, members, isWhole });
    this.#sets.set(name, set);
    this.#bytes += set.bytes;
    while (this.#sets.size > 1 && (this.#bytes > MAX_BYTES || this.#sets.size > MAX_SETS))
      this.#forget(this.#sets.keys().next().value!);
    return true;
  }

  #popped(name: string, args: readonly Buffer[], database: number): Buffer[] | undefined {
    const key = args[1]!;
    const [place, end] = [nameOf(database, key), name === 'ZPOPMIN' ? 'lowest' : 'highest'] as const;
    const set = this.#sets.get(place);
    const taken = set && this.#change(set, () => set.pop(name, args));
    if (!set || !taken) {
      this.#forget(place);
      this.#want({ database, key }, end);
      return undefined;
    }
    this.#sets.delete(place);
    this.#sets.set(place, set);
    if (set.isShort) this.#want({ database, key }, set.end);
    return [Buffer.from('ZREM'), key, ...taken.map((member) => Buffer.from(member, 'latin1'))];
  }

  /** The members of a set are unknown from now on. A set that is popped from is read again. */
  #lost(key: PlacedKey, { isUsed, end }: KnownMembers): void {
    this.#forget(nameOf(key.database, key.key));
    if (isUsed) this.#want(key, end);
  }

  #want({ database, key }: PlacedKey, end: End): void {
    const name = nameOf(database, key);
    if (this.#asked.has(name)) return;
    this.#asked.add(name);
    this.#writes.popped({ database, key: Buffer.from(key) }, end, () => this.#asked.delete(name));
  }

  #forget(name: string): void {
    const set = this.#sets.get(name);
    this.#bytes -= set?.bytes ?? 0;
    this.#sets.delete(name);
  }

  #change<Result>(set: KnownMembers, run: () => Result): Result {
    const before = set.bytes;
    const result = run();
    this.#bytes += set.bytes - before;
    return result;
  }
}

function nameOf(database: number, key: Buffer): string {
  return `${database}:${key.toString('latin1')}`;
}
