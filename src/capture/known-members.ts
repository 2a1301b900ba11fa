/**
 * The members of a sorted set that are next to be popped. They are read at one place of the replication stream, and kept up with every
 * write behind it. A pop does not say in the stream what it took; here it shows.
 */

import {
  behindMemberOptions,
  isMemberCondition,
  memberOptions,
} from '../redis-commands/options/member-options.js';

/** Which end of a sorted set a pop takes from. */
export type End = 'lowest' | 'highest';

interface Member {
  readonly score: number;
  /** Its bytes, one a character. */
  readonly name: string;
}

/** Members that are read at once, and with fewer known they are read again. */
export const READ_MEMBERS = 1000;
const FEW_MEMBERS = READ_MEMBERS / 2;
/** Members kept of one set, and bytes of them. */
const MAX_MEMBERS = 2 * READ_MEMBERS;
const MAX_BYTES = 512 * 1024;
/** Memory that a member takes beside its name. */
const MEMBER_BYTES = 64;

export class KnownMembers {
  readonly end: End;
  /** From {@link end} on. */
  #members: Member[];
  readonly #scores: Map<string, number>;
  /** The furthest member from {@link end} of which it is known whether it is there; without one all members are known. */
  #bound: Member | undefined;
  #bytes = 0;
  /** Whether something has been popped. */
  isUsed = false;

  /** @param members from `end` on; all there are, if `isWhole` */
  constructor({ end, members, isWhole }: { end: End; members: readonly Member[]; isWhole: boolean }) {
    this.end = end;
    this.#members = [...members];
    this.#scores = new Map(members.map(({ name, score }) => [name, score]));
    this.#bound = isWhole ? undefined : members.at(-1);
    for (const { name } of members) this.#bytes += name.length + MEMBER_BYTES;
  }

  /** Memory it takes, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether so few are known that they will not do for long. */
  get isShort(): boolean {
    return this.#bound !== undefined && this.#members.length < FEW_MEMBERS;
  }

  /** The key is gone. */
  clear(): void {
    this.#members = [];
    this.#scores.clear();
    this.#bound = undefined;
    this.#bytes = 0;
  }

  /**
   * A command has run on the sorted set.
   * @param args the name first
   * @returns whether its members are still known
   */
  run(name: string, args: readonly Buffer[]): boolean {
    switch (name) {
      case 'ZADD':
        return this.#add(args);
      case 'ZINCRBY':
        return this.#sum(text(args[3]!), scoreOf(args[2]!));
      case 'ZREM':
        for (const member of args.slice(2)) this.#remove(text(member));
        return true;
      case 'ZPOPMIN':
      case 'ZPOPMAX':
        return this.pop(name, args) !== undefined;
      default:
        return false;
    }
  }

  /** The members that a pop has taken, in its order; nothing when that is not known. */
  pop(name: string, args: readonly Buffer[]): string[] | undefined {
    const count = args.length > 2 ? Number(text(args[2]!)) : 1;
    const end = name === 'ZPOPMIN' ? 'lowest' : 'highest';
    const isKnown =
      this.#bound === undefined
        ? this.#members.length > 0
        : end === this.end && this.#members.length >= count;
    if (!isKnown || !Number.isSafeInteger(count) || count < 1) return undefined;
    this.isUsed = true;
    const taken = (
      end === this.end ? this.#members.slice(0, count) : this.#members.slice(-count).toReversed()
    ).map((member) => member.name);
    for (const each of taken) this.#remove(each);
    return taken;
  }

  #add(args: readonly Buffer[]): boolean {
    const options = memberOptions(args);
    const flags = new Set(options.map((option) => option.name));
    const isConditional = options.some(isMemberCondition);
    for (let at = behindMemberOptions(args); at + 1 < args.length; at += 2) {
      const [score, name] = [scoreOf(args[at]!), text(args[at + 1]!)];
      const before = this.#scores.get(name);
      // It may be there, beyond what is known.
      if (isConditional && before === undefined && this.#bound) return false;
      if (flags.has('INCR')) {
        if (!this.#sum(name, score)) return false;
      } else if (Number.isNaN(score)) return false;
      else if (isMet(flags, score, before)) this.#put(name, score);
    }
    return true;
  }

  #sum(name: string, amount: number): boolean {
    const before = this.#scores.get(name);
    if (before === undefined && this.#bound) return false;
    const score = (before ?? 0) + amount;
    if (Number.isNaN(score)) return false;
    this.#put(name, score);
    return true;
  }

  #put(name: string, score: number): void {
    this.#remove(name);
    const member = { name, score };
    if (this.#bound && this.#compare(member, this.#bound) > 0) return;
    this.#members.splice(this.#placeOf(member), 0, member);
    this.#scores.set(name, score);
    this.#bytes += name.length + MEMBER_BYTES;
    while (this.#members.length > 1 && (this.#members.length > MAX_MEMBERS || this.#bytes > MAX_BYTES))
      this.#cut();
  }

  #remove(name: string): void {
    const score = this.#scores.get(name);
    if (score === undefined) return;
    this.#members.splice(this.#placeOf({ name, score }), 1);
    this.#scores.delete(name);
    this.#bytes -= name.length + MEMBER_BYTES;
  }

  /** Lets go of the further half. */
  #cut(): void {
    const gone = this.#members.splice(Math.ceil(this.#members.length / 2));
    for (const { name } of gone) {
      this.#scores.delete(name);
      this.#bytes -= name.length + MEMBER_BYTES;
    }
    this.#bound = this.#members.at(-1);
  }

  /** How many members stand before it. */
  #placeOf(member: Member): number {
    let [low, high] = [0, this.#members.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#members[middle]!, member) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(one: Member, other: Member): number {
    const order = compare(one.score, other.score) || compare(one.name, other.name);
    return this.end === 'lowest' ? order : -order;
  }
}

function compare<Value extends string | number>(one: Value, other: Value): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function isMet(flags: ReadonlySet<string>, score: number, before: number | undefined): boolean {
  if (before === undefined) return !flags.has('XX');
  if (flags.has('NX')) return false;
  return (!flags.has('GT') || score > before) && (!flags.has('LT') || score < before);
}

/** As the server reads it; not a number where that is not certain. */
export function scoreOf(argument: Buffer): number {
  const word = text(argument);
  if (/^[+-]?inf(inity)?$/i.test(word)) return word.startsWith('-') ? -Infinity : Infinity;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word) ? Number(word) : NaN;
}

function text(argument: Buffer): string {
  return argument.toString('latin1');
}
