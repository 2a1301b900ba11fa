/**
 * Which trims by length have taken nothing. A server says `MAXLEN = n` with every `XADD … MAXLEN ~`, where `n` is the length that is left,
 * also where nothing was trimmed. At the other site, where entries have been added meanwhile, it would be a trim: it would be held
 * against those entries, and each of two sites that add to one capped stream would wait for the other.
 *
 * So it is known here how many entries a stream has at the most. An addition behind which the stream may have that many is sent without
 * its trim. The first one to a stream is sent as it is: how long the stream was before is not known.
 */

import { BoundedMap } from '../async/bounded-map.js';
import type { KnownName } from '../redis-commands/command-names.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import { destinationDatabase, writtenKeys } from '../redis-commands/command-table.js';
import { streamOptions, type StreamOptions } from '../redis-commands/options/stream-options.js';

/** Streams that are followed; the one longest not added to goes first. */
const MAX_FOLLOWED = 10_000;

export class StreamLengths {
  /** Entries a stream has at the most, by database and name. */
  readonly #lengths = new BoundedMap<string, number>(MAX_FOLLOWED);
  /** Entries that an applied transaction has taken off, by the name of the stream and the ID: they may be put back. */
  readonly #takenOff = new Set<string>();

  /** A local command, which lies in the reader, has run: it may be on a stream that is followed. */
  passed(reader: CommandReader, known: KnownName, database: number): void {
    if (this.#lengths.size === 0 || known.spec?.type === 'stream') return;
    const isOther =
      known.spec?.singleKey === true && !this.#lengths.has(nameOf(database, reader.argument(1)));
    if (!isOther) this.ran(known, reader.arguments(), database);
  }

  /** The same of a command of the peer's that is applied. To put an entry in its place others are taken off and put back. */
  echoed(reader: CommandReader, known: KnownName, database: number): void {
    if (this.#lengths.size === 0) return;
    const { name } = known;
    if (name !== 'XADD' && name !== 'XDEL') {
      this.passed(reader, known, database);
      return;
    }
    const args = reader.arguments();
    const stream = nameOf(database, args[1]!);
    if (!this.#lengths.has(stream)) return;
    if (name === 'XDEL')
      for (const id of args.slice(2)) this.#takenOff.add(`${stream} ${id.toString('latin1')}`);
    else if (!this.#takenOff.delete(`${stream} ${args[streamOptions(args).end]?.toString('latin1') ?? ''}`))
      this.ran(known, args, database);
  }

  /** An applied transaction has ended. */
  endEcho(): void {
    this.#takenOff.clear();
  }

  /**
   * A command has run.
   * @param args the name first
   * @returns what is to be sent for it instead: an addition without a trim that took nothing; nothing where it is good as it is
   */
  ran({ name, spec, container }: KnownName, args: readonly Buffer[], database: number): Buffer[] | undefined {
    if (name === 'XADD') return this.#added(args, database);
    // Those on entries only take some off, or none.
    if (this.#lengths.size === 0 || container || spec?.type === 'stream') return undefined;
    if (spec === undefined || spec.effect === 'flush' || spec.effect === 'swap') {
      this.#lengths.clear();
      return undefined;
    }
    const target = destinationDatabase(spec, args);
    for (const index of writtenKeys(spec, args)) {
      if (spec.effect !== 'expire') this.#lengths.delete(nameOf(database, args[index]!));
      if (target !== undefined) this.#lengths.delete(nameOf(target, args[index]!));
    }
    return undefined;
  }

  #added(args: readonly Buffer[], database: number): Buffer[] | undefined {
    const options = streamOptions(args);
    const stream = nameOf(database, args[1]!);
    const known = this.#lengths.get(stream);
    const before = known ?? Infinity;
    const limit = limitOf(args, options);
    // A stream of which nothing is known, and nothing is said, is not followed.
    const length = Math.min(before + 1, limit);
    if (length === Infinity) return undefined;
    this.#lengths.set(stream, length);
    return limit !== Infinity && before + 1 <= limit ? withoutTrim(args, options) : undefined;
  }
}

/** The length an `XADD` leaves at the most; infinite where it does not say. */
function limitOf(args: readonly Buffer[], { trim }: StreamOptions): number {
  if (trim?.strategy !== 'MAXLEN' || !trim.isExact) return Infinity;
  const limit = Number(args[trim.limitAt]?.toString('latin1'));
  return Number.isSafeInteger(limit) && limit >= 0 ? limit : Infinity;
}

/** Nothing where an option says more of the trim, or of the addition, than is known here. */
function withoutTrim(args: readonly Buffer[], { trim, all, end }: StreamOptions): Buffer[] | undefined {
  const others = all.filter(({ name, at }) => at !== trim!.at && name !== 'LIMIT');
  if (!others.every(({ name }) => name === 'NOMKSTREAM')) return undefined;
  return [...args.slice(0, 2), ...others.map(({ at }) => args[at]!), ...args.slice(end)];
}

function nameOf(database: number, key: Buffer): string {
  return `${database}:${key.toString('latin1')}`;
}
