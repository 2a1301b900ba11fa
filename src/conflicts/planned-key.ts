/**
 * One key while a batch is planned: the local writes that the batch meets there, and what its commands have come to so far.
 * `key-request.ts` draws whether the peer is asked for the key's state. A plan sends the state at most once, at its end.
 */

import type { Deadline } from '../local-writes/deadline.js';
import { EXPIRED } from '../protocol/messages/expired.js';
import { STATE } from '../protocol/messages/state.js';
import { encodeNeed, LACK, type Lack, type Need } from '../protocol/messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { KnownFields } from './field-lives.js';
import {
  asks,
  isOpen,
  requestAfter,
  requestAtFirst,
  type KeyRequest,
  type RequestEvent,
} from './key-request.js';
import type { LifeNote } from './life-memory.js';
import type { LocalCommand, Piece } from '../pieces/piece.js';
import type { UnseenCommands } from '../local-writes/unseen-on-key.js';
import type { FieldChange, FieldLife } from './rules/rule-context.js';
import type { KnownPlaces } from './rules/list-places.js';
import {
  type Life,
  type LifeChange,
  heldAfter,
  type Held,
  type RuleContext,
  type Resolution,
} from './rules/rule-context.js';
import { LocalPieces } from './rules/local-pieces.js';

export interface PlannedKeyOptions {
  readonly key: PlacedKey;
  readonly site: string;
  /** The local writes that the sender had not seen. */
  readonly local: UnseenCommands;
  readonly held: Held;
  readonly known: KnownPlaces | undefined;
  readonly isDoubtful: (local: Piece) => boolean;
  /** Whether the key is contended, and what its local value is known to lack. */
  readonly isContended: boolean;
  readonly lack: Lack;
  /** Whether a late write was met wrongly here: the list may lack an element that no command took. */
  readonly isMisplaced: boolean;
  /** When the batch was made, what its sender had seen, and the last local sequence that the plan rests on. */
  readonly timestamp: number;
  readonly seen: number;
  readonly decided: number;
  readonly applied: string;
  readonly out: string;
  /** What is known of the key's lives; local writes up to `endedThrough` belong to lives that are over. */
  readonly life: Life & { readonly endedThrough: number };
  readonly fields: KnownFields;
}

export class PlannedKey {
  readonly key: PlacedKey;
  /** Local commands that write the key, and that the sender had not seen. */
  readonly written: readonly LocalCommand[];
  /** Those of an application, found once: a batch may hold hundreds of commands on the key, against tens of thousands. */
  readonly met: readonly LocalCommand[];
  readonly #options: PlannedKeyOptions;
  #local: LocalPieces;
  #life: Life;
  #note: LifeNote = {};
  readonly #fieldNotes: FieldChange[] = [];
  /** On a contended hash: the fields that the batch has written here. */
  readonly #fieldsRun = new Set<string>();
  /** The deadline that the peer's life has, where there is no such key here. */
  #theirDeadline: Deadline | undefined;
  #request: KeyRequest;
  /** Whether a local request says that the local value may have lost something. */
  readonly #isLacking: boolean;
  #held: Held;
  #known: KnownPlaces | undefined;
  #stateAt: number | undefined;
  #asElements = false;
  #hasPlaces = false;
  #lack: Lack;
  #theirLack: Lack = LACK.nothing;
  #isExposed = false;
  #isWhole = false;
  /** What the value lacks by changes that were left out, as the request is to say. */
  #leftOut: Lack = LACK.nothing;

  constructor(options: PlannedKeyOptions) {
    const { key, local } = options;
    this.#options = options;
    this.key = key;
    this.written = local.written;
    this.met = local.written.filter(({ name }) => name !== STATE && name !== EXPIRED);
    const { endedThrough } = options.life;
    const pieces =
      endedThrough === 0 ? local.pieces : local.pieces.filter(({ sequence }) => sequence > endedThrough);
    this.#local = new LocalPieces(withoutEnded(pieces, options.fields.endedThrough));
    this.#life = options.life;
    this.#isLacking = local.isLacking;
    this.#lack = options.lack;
    this.#request = requestAtFirst({ isAsking: local.isAsking, isContended: options.isContended });
    this.#held = options.held;
    this.#known = options.known;
  }

  /** Whether nothing stands against a further command: it runs as it is. */
  get isPlain(): boolean {
    const isLiving = !this.#life.isOver;
    return (
      isLiving &&
      this.#local.all.length === 0 &&
      !this.isInRequest &&
      this.#stateAt === undefined &&
      !this.isContended
    );
  }

  /** Whether a command that reads or writes the key among others must be left out. */
  get isInDoubt(): boolean {
    return this.#options.local.isTouched || this.isAsked || this.#stateAt !== undefined;
  }

  /** The state to be sent at the end of the transaction. */
  get state():
    | {
        readonly timestamp: number;
        readonly since: number;
        readonly asElements: boolean;
        readonly isWhole: boolean;
      }
    | undefined {
    if (this.#stateAt === undefined) return undefined;
    const since = this.#local.users.at(-1)?.sequence ?? 0;
    const [asElements, isWhole] = [this.#asElements, this.#isWhole];
    return { timestamp: this.#rankTimestamp(this.#stateAt), since, asElements, isWhole };
  }

  /** Whether the plan asks the peer for the key's state. */
  get isAsked(): boolean {
    return asks(this.#request);
  }

  /** Whether a local request for the key, which the sender had not seen, is on its way. */
  get isAsking(): boolean {
    return isOpen(this.#request);
  }

  get isContended(): boolean {
    return this.#options.isContended;
  }

  /** What the local value lacks until a state of the peer's brings it. */
  get lack(): Lack {
    return this.#lack;
  }

  /** The same with changes that were left out because their effect is unknown here. The peer is asked for that. */
  get askedLack(): Lack {
    return this.#leftOut > this.#lack ? this.#leftOut : this.#lack;
  }

  /** Whether an open request says that writes of the peer's are left out here. */
  get leavesOut(): boolean {
    return this.#life.leavesOut;
  }

  /** Whether the peer has been asked, or will be. */
  get isInRequest(): boolean {
    return this.#request !== 'none';
  }

  /** Whether a command took the place of what may be the newest local write. */
  get isExposed(): boolean {
    return this.#isExposed;
  }

  /** Whether the batch has changed the places of the list. */
  get hasPlaces(): boolean {
    return this.#hasPlaces || this.#stateAt !== undefined;
  }

  /** The places of the list for the next batch. A state that is sent ends all memory of them. */
  get places(): KnownPlaces | undefined {
    return this.#stateAt === undefined ? this.#known : undefined;
  }

  /**
   * Whether a request is answered with the state. A request about a contended key is asked back instead, until both sites can look at
   * the key: every state would be outdated on arrival, and it may be large.
   */
  answers({ timestamp, lack, isContended }: Need): boolean {
    if (isContended === true) return false;
    // A value that lacks something of the asker's is no answer: the asker's own is on its way here.
    if (this.#life.leavesOut && lack < LACK.peerWrites && timestamp > 0) return false;
    // Only this site has what the asker has lost, and a repair is told whose value is to stay.
    if (lack === LACK.localWrites || timestamp === 0) return true;
    return this.#lack <= lack && (lack === LACK.peerWrites || !this.isContended);
  }

  /** Whether the answer to a local request serves better: only the other site has the changes that were left out here. */
  isMetByAnswer({ timestamp, lack, isContended, asElements }: Need): boolean {
    if (
      isContended === true ||
      asElements === true ||
      lack === LACK.localWrites ||
      timestamp === 0 ||
      this.isContended
    )
      return false;
    const open = this.#options.local.lack;
    return (open > this.#leftOut ? open : this.#leftOut) > lack;
  }

  /**
   * A request of the peer's is answered. Where a local one is open, the peer may leave that unanswered, since it awaits this answer. What
   * is left out here meanwhile would then never be asked for: so the peer is asked again, behind the answer.
   */
  askBehindAnswer(): void {
    if (!this.isAsking) return;
    this.#ask('ask');
    const { lack } = this.#options.local;
    if (lack > this.#leftOut) this.#leftOut = lack;
  }

  /** A request of the peer's is asked back. @param lack what it says that the peer's value lacks */
  askBack(lack: Lack): void {
    this.#ask('ask');
    if (lack > this.#theirLack) this.#theirLack = lack;
  }

  /** The peer says what the value here lacks, by a request from before this process began. */
  remindOf(lack: Lack): void {
    this.#leave(lack);
  }

  get theirLack(): Lack {
    return this.#theirLack;
  }

  /** A command that makes the key out of others is left out. */
  askForDerived(): void {
    this.#askFor(LACK.peerWrites);
    if (this.isContended) this.#leave(LACK.peerWrites);
  }

  /**
   * Asks for changes that were left out, unless an open request says already that the local value lacks so much. A request that says
   * less is not enough: this value would answer a request of the peer's that crosses it, and bring back what the peer has removed.
   */
  #askFor(lack: Lack): void {
    const isSaid = this.isAsking && this.#options.local.lack >= lack;
    this.#ask(isSaid ? 'leave-out' : 'leave-out-more');
    if (lack > this.#leftOut) this.#leftOut = lack;
  }

  /** @param options whether it goes as its elements, and whether the other site's value may lack elements that no command took there */
  sendState(timestamp: number, { asElements = false, isWhole = false } = {}): void {
    this.#asElements ||= asElements;
    this.#isWhole ||= isWhole;
    this.#stateAt = Math.max(timestamp, this.#stateAt ?? 0);
  }

  /** A piece has run on the key as it is. */
  ran(piece: Piece): void {
    this.#held = heldAfter(this.#held, piece);
  }

  /** A command has run on the key that was not resolved piece by piece. */
  changed(held: Held): void {
    this.#held = held;
  }

  get context(): RuleContext {
    const { key, local, site, isDoubtful, isMisplaced, applied, out, timestamp } = this.#options;
    const isGone = this.#held.kind === 'nothing';
    return {
      key: key.key,
      database: key.database,
      site,
      life: this.#life,
      fieldLife: (field) => this.#fieldLife(field),
      applied,
      local: this.#local,
      pending:
        this.#stateAt === undefined
          ? undefined
          : { timestamp: isGone ? -1 : this.#rankTimestamp(this.#stateAt), site },
      isAsking: this.isInRequest,
      isContended: this.isContended,
      isOnCell: local.isOnCell ?? ((cell) => this.#local.leavesOn(cell)),
      hasRunOn: (field) => this.#fieldsRun.has(field),
      held: this.#held,
      known: this.#known,
      isDoubtful,
      isMisplaced,
      out,
      request: () => encodeNeed({ timestamp, lack: LACK.nothing, keys: [key] }),
    };
  }

  /** Takes note of what a rule has come to. */
  settled(
    { role, type, cell, isRemoval }: Piece,
    { commands, held, outcome, state, asks: asksPeer, places, leaves, lacks, life }: Resolution,
  ): void {
    this.#held = held;
    if (this.isContended && type === 'hash' && role !== 'field-expiry' && !isRemoval && commands.length > 0)
      this.#fieldsRun.add(cell);
    // The other site's value has the changes that were left out here.
    if (role === 'state' && outcome !== 'own-stays' && !this.isContended) this.#lack = LACK.nothing;
    if (life) this.#lives(life);
    if (leaves !== undefined) this.#leaveOut(leaves);
    this.#isExposed ||= commands.length > 0 && (role === 'cell' || role === 'modify');
    if (asksPeer === true) this.#ask('ask');
    if (lacks !== undefined && this.isInRequest) this.#askFor(lacks);
    // A value that lacks a removal of the peer's would undo it there. The peer's own value is on its way.
    if (state !== undefined && !(this.isInRequest && this.#isShort)) this.sendState(state);
    if (places === undefined) return;
    const upTo = this.written.at(-1)?.sequence ?? 0;
    this.#known = places === 'forgotten' ? undefined : { upTo, seen: this.#options.seen, ...places };
    this.#hasPlaces = true;
  }

  /** The note of the key's lives for later batches, and the deadline of the peer's life where there is no such key here. */
  get lifeNote(): LifeNote {
    return this.#note;
  }

  get theirDeadline(): Deadline | undefined {
    return this.#theirDeadline;
  }

  /** The notes of its fields' lives for later batches. */
  get fieldNotes(): readonly FieldChange[] {
    return this.#fieldNotes;
  }

  /** The life of a field as this batch has left it. */
  #fieldLife(field: string): FieldLife {
    const known = this.#options.fields.of(field);
    const note = this.#fieldNotes.findLast((one) => one.field === field && one.matched !== undefined);
    if (!note) return known;
    return { ...known, matchedThrough: note.matched!.through, madeAgainBy: note.matched!.madeAgainBy };
  }

  #lives({ matched, isEnded, deadline, field }: LifeChange): void {
    if (field) {
      this.#fieldNotes.push(field);
      if (field.isEnded === true) this.#local = new LocalPieces(withoutField(this.#local.all, field.field));
      return;
    }
    this.#life = {
      ...this.#life,
      ...(matched ? { matchedThrough: matched.through, madeAgainBy: matched.madeAgainBy } : {}),
      ...(deadline === undefined ? {} : { deadline }),
    };
    this.#theirDeadline = deadline ?? this.#theirDeadline;
    if (matched) this.#note = { ...this.#note, matched };
    if (isEnded !== true) return;
    this.#local = new LocalPieces([]);
    this.#note = { ...this.#note, endedThrough: this.#options.decided };
  }

  /** Whether the local value lacks something that an answer brings. */
  get #isShort(): boolean {
    const { lack } = this.#options.local;
    return lack > LACK.nothing || this.#leftOut > LACK.nothing || this.#lack > LACK.nothing;
  }

  #ask(event: RequestEvent): void {
    this.#request = requestAfter(this.#request, event);
  }

  /** A change is left out. Where that is known to this process alone the next one would send a value without it. */
  #leaveOut(lack: Lack): void {
    if (this.isContended && lack > this.#lack) this.#ask('leave-out-more');
    this.#leave(lack);
  }

  #leave(lack: Lack): void {
    if (lack > this.#lack) this.#lack = lack;
  }

  /** A value that lacks something ranks below every other. */
  #rankTimestamp(timestamp: number): number {
    return this.#isLacking || this.#life.leavesOut || this.#lack > LACK.nothing ? 0 : timestamp;
  }
}

/** The pieces without those that wrote to lives of fields that are over. */
function withoutEnded(pieces: readonly Piece[], endedThrough: (field: string) => number): readonly Piece[] {
  const isOver = ({ type, cell, sequence }: Piece): boolean =>
    type === 'hash' && cell !== '' && sequence <= endedThrough(cell);
  return pieces.some(isOver) ? pieces.filter((piece) => !isOver(piece)) : pieces;
}

function withoutField(pieces: readonly Piece[], field: string): readonly Piece[] {
  return pieces.filter(({ type, cell }) => type !== 'hash' || cell !== field);
}
