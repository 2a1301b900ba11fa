/** What a batch has come to on one key so far: the own commands it meets there, and what has been decided. */

import { encodeNeed, parseNeed, type PlacedKey } from '../change/special.js';
import type { OwnCommand } from './own-changes.js';
import type { OwnOn } from './own-on-key.js';
import type { KnownPlaces } from './rules/list-places.js';
import type { Piece } from './rules/meeting.js';
import type { Held, Occasion, Resolution } from './rules/occasion.js';
import { OwnPieces } from './rules/own-pieces.js';

export interface KeyRunOptions {
  readonly key: PlacedKey;
  readonly site: string;
  /** What was written here that the sender had not seen. */
  readonly own: OwnOn;
  readonly held: Held;
  readonly known: KnownPlaces | undefined;
  readonly isDoubtful: (own: Piece) => boolean;
  /** When the batch was made, and what its sender had seen. */
  readonly timestamp: number;
  readonly seen: number;
  readonly out: string;
}

export class KeyRun {
  readonly key: PlacedKey;
  /** Own commands that write the key, and that the sender had not seen. */
  readonly written: readonly OwnCommand[];
  readonly #options: KeyRunOptions;
  readonly #own: OwnPieces;
  /** Whether an own request for the key is not answered yet, and whether the value here may lack something. */
  readonly #isAsking: boolean;
  readonly #isLacking: boolean;
  #held: Held;
  #known: KnownPlaces | undefined;
  #stateAt: number | undefined;
  #isAsked = false;
  #hasPlaces = false;

  constructor(options: KeyRunOptions) {
    const { key, own } = options;
    this.#options = options;
    this.key = key;
    this.written = own.written;
    this.#own = new OwnPieces(own.pieces);
    const { needs } = own;
    this.#isAsking = needs.length > 0;
    this.#isLacking = needs.some(({ args }) => parseNeed(args).isLacking);
    this.#held = options.held;
    this.#known = options.known;
  }

  /** Whether nothing stands against what comes: it runs as it is. */
  get isPlain(): boolean {
    return this.#own.all.length === 0 && !this.#isAsking && !this.#isAsked && this.#stateAt === undefined;
  }

  /** Whether a command that reads or writes the key among others must be left out. */
  get isInDoubt(): boolean {
    return this.#options.own.isTouched || this.#isAsked || this.#stateAt !== undefined;
  }

  /** The state to be sent at the end of the run. */
  get state(): { readonly timestamp: number; readonly since: number } | undefined {
    if (this.#stateAt === undefined) return undefined;
    const since = this.#own.users.at(-1)?.sequence ?? 0;
    return { timestamp: this.#rankTimestamp(this.#stateAt), since };
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** Whether the places of the list are others now than before the batch. */
  get hasPlaces(): boolean {
    return this.#hasPlaces || this.#stateAt !== undefined;
  }

  /** The places of the list for the next meeting. A state that is sent ends all memory of them. */
  get places(): KnownPlaces | undefined {
    return this.#stateAt === undefined ? this.#known : undefined;
  }

  ask(): void {
    this.#isAsked = true;
  }

  sendState(timestamp: number): void {
    this.#stateAt = Math.max(timestamp, this.#stateAt ?? 0);
  }

  /** Something has run on the key that was not resolved by its pieces. */
  changed(held: Held): void {
    this.#held = held;
  }

  get occasion(): Occasion {
    const { key, site, isDoubtful, out, timestamp } = this.#options;
    const isGone = this.#held.kind === 'nothing';
    return {
      key: key.key,
      site,
      own: this.#own,
      pending:
        this.#stateAt === undefined
          ? undefined
          : { timestamp: isGone ? -1 : this.#rankTimestamp(this.#stateAt), site },
      isAsking: this.#isAsking || this.#isAsked,
      held: this.#held,
      known: this.#known,
      isDoubtful,
      out,
      request: () => encodeNeed({ timestamp, isLacking: false, keys: [key] }),
    };
  }

  /** Takes note of what a rule has come to. */
  settled({ held, state, asks, places }: Resolution): void {
    this.#held = held;
    if (state !== undefined) this.sendState(state);
    if (asks === true) this.#isAsked = true;
    if (places === undefined) return;
    const upTo = this.written.at(-1)?.sequence ?? 0;
    this.#known = places === 'forgotten' ? undefined : { upTo, seen: this.#options.seen, ...places };
    this.#hasPlaces = true;
  }

  /** A value that lacks something ranks below every other. */
  #rankTimestamp(timestamp: number): number {
    return this.#isLacking ? 0 : timestamp;
  }
}
