/** The commands for additions, deliveries and trims of a stream that this site adds to, or takes entries off, as well. */

import { isIdBelow, wholeId } from '../redis-commands/stream-id.js';
import { isRefining, streamOptions } from '../redis-commands/options/stream-options.js';
import { encodeCommand, type Argument } from '../redis-commands/encode-command.js';
import { encodeGone } from '../protocol/messages/gone.js';
import { encodeNeed, LACK } from '../protocol/messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { scriptSource } from '../lua/scripts.js';
import type { LocalEntries } from '../local-writes/local-entries.js';
import { keysOf, nameOf, type PayloadCommand } from '../protocol/payload.js';
import type { KnownKeys } from './known-keys.js';

/** Modes of insert-entries.lua: the entry takes the place of one with its ID; a key of another type is an error. */
const MODE = { replaces: 1, strict: 2 } as const;

/** An entry to be put in its place. */
export interface PlacedEntry {
  readonly key: PlacedKey;
  /** What `insert-entries.lua` takes before the entries; the same for all of a batch. */
  readonly mode: number;
  /** What it takes for this one: ID, number of fields and values, fields and values. */
  readonly arguments: readonly Argument[];
  /** The entries that a trim behind it leaves of the stream; infinity without one. */
  readonly limit: number;
  /** What asks for the state, where this site has trimmed the stream unseen and this one would be its oldest entry. */
  readonly request: Buffer | undefined;
}

/** What the plan of a batch knows of streams. */
export interface EntryOptions {
  readonly entries: LocalEntries;
  readonly known: Pick<KnownKeys, 'isTrimmed' | 'keptFrom'>;
  /** The receiver's name, and the key that carries Tandem's own commands. */
  readonly site: string;
  readonly out: string;
}

/** The commands that run for those of a batch that commute with the local ones they meet. */
export class EntryCommands {
  readonly #origin: string;
  readonly #timestamp: number;
  readonly #options: EntryOptions;
  /** What asks for the state of a stream, by its name; nothing where it was not trimmed here. */
  readonly #requests = new Map<string, Buffer | undefined>();

  constructor({ origin, timestamp }: { origin: string; timestamp: number }, options: EntryOptions) {
    this.#origin = origin;
    this.#timestamp = timestamp;
    this.#options = options;
  }

  /**
   * The command that runs in place of a command, if any does. On a stream that this site adds to, an `XADD` goes to its place by its ID,
   * for a local entry that slips in may have a higher ID, or the same. A trim must spare entries that were added here unseen. An entry
   * that is delivered may be gone here.
   */
  of(command: PayloadCommand): (Buffer | PlacedEntry)[] {
    const { name, args, bytes } = command;
    const { entries, site, out } = this.#options;
    const [key] = keysOf(command, 'written');
    if (!key || !entries.has(key)) return [bytes];
    if (name === 'XCLAIM') return [encodeCommand(delivery(key, args, { out, isStrict: true }))];
    if (name !== 'XADD' && name !== 'XTRIM') return [bytes];
    const { trim, all, end } = streamOptions(args);
    // The scripts cannot carry these out.
    if (all.some(isRefining)) return [bytes];
    const trimming = (): Buffer[] =>
      trim ? [encodeCommand(this.trimTo(key, trim.strategy, args[trim.limitAt] ?? '0'))] : [];
    if (name === 'XTRIM') return trim ? trimming() : [bytes];
    const [id, ...fields] = args.slice(end) as [Buffer, ...Buffer[]];
    const entry: PlacedEntry = {
      key,
      mode: MODE.strict + (this.#origin < site ? MODE.replaces : 0),
      arguments: [id, fields.length, ...fields],
      limit: trim?.strategy === 'MAXLEN' ? Number(args[trim.limitAt]) : Infinity,
      request: this.#request(key),
    };
    return entry.limit === Infinity ? [entry, ...trimming()] : [entry];
  }

  /** Takes note of an `XADD`, however it is carried out. */
  coming({ args, ...command }: PayloadCommand): void {
    const [key] = keysOf({ args, ...command }, 'written');
    const id = args[streamOptions(args).end];
    if (key && id) this.#options.entries.coming(key, wholeId(id.toString('latin1')));
  }

  /** Takes off entries that the sender had. Leaves those that were added here unseen, and those that slip in. */
  trimTo(key: PlacedKey, strategy: 'MAXLEN' | 'MINID', limit: Argument): Argument[] {
    const { known, site } = this.#options;
    const { ids = [], top = '' } = known.keptFrom(key) ?? {};
    const isMoved = site > this.#origin ? 1 : 0;
    return ['EVAL', scriptSource('trim-stream'), 1, key.key, strategy, limit, isMoved, top, ...ids];
  }

  #request(key: PlacedKey): Buffer | undefined {
    const name = nameOf(key);
    if (!this.#requests.has(name)) {
      const { known } = this.#options;
      const need = { timestamp: this.#timestamp, lack: LACK.nothing, keys: [key] };
      this.#requests.set(name, known.isTrimmed(key) ? encodeNeed(need) : undefined);
    }
    return this.#requests.get(name);
  }
}

/** Entries for one stream, gathered from one addition after another. */
export class EntryInserts {
  readonly #first: PlacedEntry;
  readonly #means: { readonly out: string; readonly onEntries: Pick<EntryCommands, 'trimTo'> };
  readonly #entries: Argument[] = [];
  #lowest: string;
  /** The entries that the trims so far leave. */
  #limit = Infinity;

  /** @param means the key that carries Tandem's own commands, and what trims */
  constructor(first: PlacedEntry, means: { out: string; onEntries: Pick<EntryCommands, 'trimTo'> }) {
    this.#first = first;
    this.#means = means;
    this.#lowest = wholeId(String(first.arguments[0]));
  }

  /** How many arguments of a script they are. */
  get count(): number {
    return this.#entries.length;
  }

  add({ arguments: entry, limit }: PlacedEntry): void {
    for (const argument of entry) this.#entries.push(argument);
    const id = wholeId(String(entry[0]));
    if (isIdBelow(id, this.#lowest)) this.#lowest = id;
    // A trim before this entry leaves one more with it.
    this.#limit = Math.min(this.#limit + 1, limit);
  }

  /** What puts them into the stream. */
  get insertion(): Argument[] {
    const { key, mode } = this.#first;
    return ['EVAL', scriptSource('insert-entries'), 1, key.key, mode, ...this.#entries];
  }

  /** What runs before that. */
  get question(): Argument[] | undefined {
    const { key, request } = this.#first;
    return (
      request && ['EVAL', scriptSource('ask-below-trim'), 1, this.#means.out, key.key, this.#lowest, request]
    );
  }

  /** What runs behind it. */
  get trim(): Argument[] | undefined {
    if (this.#limit === Infinity) return undefined;
    return this.#means.onEntries.trimTo(this.#first.key, 'MAXLEN', this.#limit);
  }
}

/**
 * Delivers an entry as the other site has delivered it. An entry that was taken off here meanwhile does not become pending here. Then
 * the other site is told, so that it is no longer pending there. Otherwise a consumer that is gone would hold it there for ever.
 *
 * @param args of an `XCLAIM` of one entry, the name first
 * @param options whether an error is a failed change
 */
export function delivery(
  key: PlacedKey,
  args: readonly Argument[],
  { out, isStrict }: { out: string; isStrict: boolean },
): Argument[] {
  const gone = encodeGone(key, args[2]!, args[5]!);
  return ['EVAL', scriptSource('claim-entry'), 1, out, isStrict ? 1 : 0, key.key, gone, ...args.slice(2)];
}
