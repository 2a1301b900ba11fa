/** What a batch has come to on one key so far: the own commands it meets there, and what has been decided. */

import { encodeNeed, LACK, type Lack, type Need, type PlacedKey } from '../change/special.js';
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
  /** Whether it cannot be watched, and what its value here is known to lack. */
  readonly isHot: boolean;
  readonly lack: Lack;
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
  /** Whether the sender had not seen an own request for the key. */
  readonly isAsking: boolean;
  /** Whether such a request says that the value here may have lost something. */
  readonly #isLacking: boolean;
  #held: Held;
  #known: KnownPlaces | undefined;
  #stateAt: number | undefined;
  #isAsked = false;
  #hasPlaces = false;
  #lack: Lack;
  #isExposed = false;
  #isDerivedElsewhere = false;

  constructor(options: KeyRunOptions) {
    const { key, own } = options;
    this.#options = options;
    this.key = key;
    this.written = own.written;
    this.#own = new OwnPieces(own.pieces);
    this.isAsking = own.isAsking;
    this.#isLacking = own.isLacking;
    this.#lack = options.lack;
    // What is not known of it, the answer settles.
    this.#isAsked = options.isHot && !own.isAsking;
    this.#held = options.held;
    this.#known = options.known;
  }

  /** Whether nothing stands against what comes: it runs as it is. */
  get isPlain(): boolean {
    return this.#own.all.length === 0 && !this.isInRequest && this.#stateAt === undefined && !this.isHot;
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

  get isHot(): boolean {
    return this.#options.isHot;
  }

  /** What is not in the value here, and only a state of the peer's brings. */
  get lack(): Lack {
    return this.#lack;
  }

  /** The same with what was left out because it is made of other keys: that is asked for, and the answer is on its way. */
  get askedLack(): Lack {
    return this.#isDerivedElsewhere && this.#lack < LACK.writes ? LACK.writes : this.#lack;
  }

  /** Whether the peer has been asked, or will be. */
  get isInRequest(): boolean {
    return this.isAsking || this.#isAsked;
  }

  /** Whether something was put in the place of what may have been written here last. */
  get isExposed(): boolean {
    return this.#isExposed;
  }

  /** Whether the places of the list are others now than before the batch. */
  get hasPlaces(): boolean {
    return this.#hasPlaces || this.#stateAt !== undefined;
  }

  /** The places of the list for the next meeting. A state that is sent ends all memory of them. */
  get places(): KnownPlaces | undefined {
    return this.#stateAt === undefined ? this.#known : undefined;
  }

  /**
   * Whether a request is answered with the state. One that has to do with a key too hot to be watched is asked back instead, until
   * both sites can look at it: every state would be outdated on arrival, and it may be large.
   */
  answers({ timestamp, lack, isHot }: Need): boolean {
    if (isHot === true) return false;
    // Nobody else has what the asker has lost, and a repair is told whose value is to stay.
    if (lack === LACK.own || timestamp === 0) return true;
    return this.#lack <= lack && (lack === LACK.writes || !this.isHot);
  }

  ask(): void {
    this.#isAsked = true;
  }

  /** What the peer has made of the key, out of others, is not made here. */
  askForDerived(): void {
    this.#isAsked = true;
    this.#isDerivedElsewhere = true;
    if (this.isHot) this.#leave(LACK.writes);
  }

  sendState(timestamp: number): void {
    this.#stateAt = Math.max(timestamp, this.#stateAt ?? 0);
  }

  /** Something has run on the key that was not resolved by its pieces. */
  changed(held: Held): void {
    this.#held = held;
  }

  get occasion(): Occasion {
    const { key, own, site, isDoubtful, out, timestamp } = this.#options;
    const isGone = this.#held.kind === 'nothing';
    return {
      key: key.key,
      site,
      own: this.#own,
      pending:
        this.#stateAt === undefined
          ? undefined
          : { timestamp: isGone ? -1 : this.#rankTimestamp(this.#stateAt), site },
      isAsking: this.isInRequest,
      isHot: this.isHot,
      isOnCell: own.isOnCell ?? ((cell) => this.#own.leavesOn(cell)),
      held: this.#held,
      known: this.#known,
      isDoubtful,
      out,
      request: () => encodeNeed({ timestamp, lack: LACK.nothing, keys: [key] }),
    };
  }

  /** Takes note of what a rule has come to. */
  settled({ role }: Piece, { commands, held, state, asks, places, leaves }: Resolution): void {
    this.#held = held;
    if (leaves !== undefined) this.#leave(leaves);
    this.#isExposed ||= commands.length > 0 && (role === 'cell' || role === 'modify');
    if (state !== undefined) this.sendState(state);
    if (asks === true) this.#isAsked = true;
    if (places === undefined) return;
    const upTo = this.written.at(-1)?.sequence ?? 0;
    this.#known = places === 'forgotten' ? undefined : { upTo, seen: this.#options.seen, ...places };
    this.#hasPlaces = true;
  }

  #leave(lack: Lack): void {
    if (lack > this.#lack) this.#lack = lack;
  }

  /** A value that lacks something ranks below every other. */
  #rankTimestamp(timestamp: number): number {
    return this.#isLacking || this.#lack > LACK.nothing ? 0 : timestamp;
  }
}
