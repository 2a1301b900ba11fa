/**
 * Finds trims by length that took nothing, and sends their additions without them. A server writes `MAXLEN = n` into the stream for every
 * `XADD … MAXLEN ~`, where `n` is the length that is left, even if nothing was trimmed. At the other site, which has added entries
 * meanwhile, this would be a real trim, held against those entries. Two sites that add to one capped stream would wait for each other.
 *
 * So this class follows how many entries a stream has at the most. An addition that leaves no more than `n` has trimmed nothing. The
 * first addition to a stream is sent as it is, for the length before it is unknown.
 */

import { BoundedMap } from '../async/bounded-map.js';
import type { KnownName } from '../redis-commands/command-names.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import { destinationDatabase, writtenKeys } from '../redis-commands/command-table.js';
import { streamOptions, type StreamOptions } from '../redis-commands/options/stream-options.js';

/** Streams that are followed. The one longest not added to goes first. */
const MAX_FOLLOWED = 10_000;

export class StreamLengths {
  /** Entries a stream has at the most, by database and name. */
  readonly #lengths = new BoundedMap<string, number>(MAX_FOLLOWED);
  /** Entries that an applied transaction has taken off and may put back, by the name of the stream and the ID. */
  readonly #takenOff = new Set<string>();

  /** The local command in the reader has run. It may be on a stream that is followed. */
  passed(reader: CommandReader, known: KnownName, database: number): void {
    if (this.#lengths.size === 0 || known.spec?.type === 'stream') return;
    const isOther =
      known.spec?.singleKey === true && !this.#lengths.has(nameOf(database, reader.argument(1)));
    if (!isOther) this.ran(known, reader.arguments(), database);
  }

  /** The same for an applied command of the peer's. A transaction takes entries off and puts them back to place another between them. */
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
    if (this.#takenOff.size > 0) this.#takenOff.clear();
  }

  /**
   * A command has run.
   * @param args the name first
   * @returns the command to send instead, an addition without its trim; undefined when the command is good as it is
   */
  ran({ name, spec, container }: KnownName, args: readonly Buffer[], database: number): Buffer[] | undefined {
    if (name === 'XADD') return this.#added(args, database);
    // Other commands on streams take entries off at most.
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
    // Neither the stream's length nor a limit is known.
    const length = Math.min(before + 1, limit);
    if (length === Infinity) return undefined;
    this.#lengths.set(stream, length);
    return limit !== Infinity && before + 1 <= limit ? withoutTrim(args, options) : undefined;
  }
}

/** The length that an `XADD` leaves at the most; infinite without an exact trim by length. */
function limitOf(args: readonly Buffer[], { trim }: StreamOptions): number {
  if (trim?.strategy !== 'MAXLEN' || !trim.isExact) return Infinity;
  const limit = Number(args[trim.limitAt]?.toString('latin1'));
  return Number.isSafeInteger(limit) && limit >= 0 ? limit : Infinity;
}

/** Undefined where the command has an option that is not known to be harmless. */
function withoutTrim(args: readonly Buffer[], { trim, all, end }: StreamOptions): Buffer[] | undefined {
  const others = all.filter(({ name, at }) => at !== trim!.at && name !== 'LIMIT');
  if (!others.every(({ name }) => name === 'NOMKSTREAM')) return undefined;
  return [...args.slice(0, 2), ...others.map(({ at }) => args[at]!), ...args.slice(end)];
}

function nameOf(database: number, key: Buffer): string {
  return `${database}:${key.toString('latin1')}`;
}
