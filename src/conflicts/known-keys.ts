/** Answers what is known of the keys of one batch while it is decided. */

import { NOTHING_ON_KEY, type UnseenCommands } from '../local-writes/unseen-on-key.js';
import { touches } from '../local-writes/local-changes.js';
import type { LocalEntries } from '../local-writes/local-entries.js';
import type { Range } from '../local-writes/range.js';
import type { UnseenSet } from '../local-writes/unseen-sets.js';
import type { LocalCommand } from '../pieces/piece.js';
import type { DeliveredBatch } from '../protocol/batch.js';
import type { KeyHash } from '../protocol/key-hash.js';
import type { Assembled } from '../protocol/messages/part.js';
import type { KeyState } from '../protocol/messages/state.js';
import type { Lack } from '../protocol/messages/state-request.js';
import { nameOf, type PayloadCommand } from '../protocol/payload.js';
import { isAtEnd, type RecordedEffect } from '../redis-commands/effect-code.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { KnownFields } from './field-lives.js';
import type { KnownLife } from './life-memory.js';
import type { PlannerMemory } from './planner-memory.js';
import type { KnownPlaces } from './rules/list-places.js';
import type { Held } from './rules/rule-context.js';
import type { Looked, WatchedKeys } from './watched-keys.js';

/** The facts that a batch is decided on. */
export interface Terms extends Looked {
  /** The last local sequence that is taken into account. */
  readonly decided: number;
  /** Whether the window has let go of local writes that the sender had not seen. */
  readonly isBlind: boolean;
  /** For a batch with a flush: keys with local writes that its sender had not seen; undefined when they are too many. */
  readonly written: readonly PlacedKey[] | undefined;
  /** The value that has been put together from parts, for a batch that names one; undefined where there is none. */
  readonly assembled: Assembled | undefined;
}

export interface KnownKeysOptions {
  readonly memory: PlannerMemory;
  readonly watched: WatchedKeys;
  readonly entries: LocalEntries;
  readonly terms: Terms;
}

type Question = (key: PlacedKey, effect: RecordedEffect) => boolean;

export class KnownKeys {
  readonly #memory: PlannerMemory;
  readonly #watched: WatchedKeys;
  readonly #entries: LocalEntries;
  readonly #terms: Terms;
  readonly #range: Range;
  readonly #sets = new Map<string, UnseenSet | undefined>();
  readonly #isFree: Question;
  readonly #isPast: Question;

  constructor({ seen }: DeliveredBatch, { memory, watched, entries, terms }: KnownKeysOptions) {
    this.#memory = memory;
    this.#watched = watched;
    this.#entries = entries;
    this.#terms = terms;
    const range = { seen, decided: terms.decided };
    this.#range = range;
    // A batch may write one key hundreds of times, and as many local changes may stand against it.
    this.#isFree = onceEach((key, effect) => this.#commutes(key, effect));
    this.#isPast = onceEach((key, effect) => memory.unseen.isPast(key, effect, range));
  }

  /** The last local sequence that is taken into account. */
  get decided(): number {
    return this.#terms.decided;
  }

  /** Whether the value of a state is here as a whole: it may have come in parts, and some of them been lost. */
  isWhole({ assembled }: KeyState): boolean {
    const here = this.#terms.assembled;
    return (
      assembled === undefined ||
      (here?.id === assembled.id &&
        here.parts === assembled.parts &&
        here.type === assembled.type &&
        here.length === assembled.length)
    );
  }

  /** For a batch with a flush: keys with local writes that its sender had not seen. */
  get writtenUnseen(): readonly PlacedKey[] {
    return this.#terms.written ?? [];
  }

  /** The local writes on a key that the sender had not seen. */
  async unseenOn(key: PlacedKey): Promise<UnseenCommands> {
    const unseen = await this.#unseenOn(key);
    if (unseen.isTouched) this.#memory.sets.builtOn(key, this.#range);
    return unseen;
  }

  /** The local `SET` that is all a `SET` meets on a key; undefined where more is to be known. */
  unseenSetOn(key: PlacedKey): UnseenSet | undefined {
    const name = nameOf(key);
    if (!this.#sets.has(name)) {
      const isOpen = this.#terms.isBlind || this.#isLookedAt(key);
      this.#sets.set(name, isOpen ? undefined : this.#memory.sets.find(key, this.#range));
    }
    return this.#sets.get(name);
  }

  /** The commands of a local change on a key; undefined when too many are asked for. */
  async commandsOf(key: PlacedKey, { sequence }: UnseenSet): Promise<LocalCommand[] | undefined> {
    if (!this.#memory.lookUps.take()) return undefined;
    const commands = await this.#memory.changes.commandsOf(sequence);
    return commands.filter((command) => touches(command, key));
  }

  /** A command on whole databases runs. @param through the last local sequence that capture has read */
  emptied(through: number): void {
    this.#memory.sets.builtOnAll(through);
    this.#sets.clear();
  }

  /** What stands at a key when the batch begins to be applied; undefined for a key that is not watched. */
  heldAt(key: PlacedKey): Held | undefined {
    return this.#terms.held.get(nameOf(key));
  }

  /** Whether a key has no local write that the sender had not seen, and was not looked at. */
  isUntouched(key: PlacedKey): boolean {
    if (this.#terms.isBlind || this.#isLookedAt(key)) return false;
    return this.#memory.unseen.newestOn(key, this.#range) === 0;
  }

  /** Whether a key is contended: it cannot be watched. */
  isContended(key: PlacedKey): boolean {
    return this.#terms.contended.has(nameOf(key));
  }

  /** What the local value of a contended key is known to lack. */
  lackOf(key: PlacedKey): Lack {
    return this.#memory.contended.lackOf(nameOf(key));
  }

  /** Whether a late write was met wrongly on a key, and no state has come since. */
  isMisplaced(key: PlacedKey): boolean {
    return this.#memory.isMisplaced(nameOf(key));
  }

  /** The places of a list that the sender had not seen all of. */
  placesOf(key: PlacedKey): KnownPlaces | undefined {
    return this.#memory.lists.get(nameOf(key), this.#range.seen);
  }

  /** Whether a local write of a list may have met changes that are forgotten. */
  isDoubtful(write: { readonly sequence: number; readonly seen: number }): boolean {
    return this.#memory.lists.isDoubtful(write);
  }

  /** What is known of the lives of a key. @param unseen local writes on it that the sender had not seen */
  lifeOf(key: PlacedKey, unseen: UnseenCommands): KnownLife {
    return this.#memory.lives.known(key, unseen, this.#memory.unseen.hashOf(key));
  }

  /** What is known of the lives of a hash's fields. */
  fieldsOf(key: PlacedKey, unseen: UnseenCommands): KnownFields {
    return this.#memory.fieldLives.known(key, unseen, this.#memory.unseen.hashOf(key));
  }

  /** Whether the key with this hash may have local writes that the sender had not seen. */
  isMet(hash: KeyHash): boolean {
    // A contended key may have been written without it being known.
    return this.#terms.isBlind || this.#terms.contended.size > 0 || this.#watched.isMet(hash, this.#range);
  }

  /** Whether all local changes of a key that the sender had not seen come to the same before or after one with this effect. */
  commutes(key: PlacedKey, effect: RecordedEffect): boolean {
    return this.#isFree(key, effect);
  }

  /** Whether a command is on a member of a sorted set with a local write that the sender had not seen. */
  isOnLocalMember(command: PayloadCommand): boolean {
    return this.#entries.members.isOn(command, this.#range);
  }

  /** The newest local change of a list, where a push with this effect goes past local writes at its end; 0 where it does not. */
  passedOn(key: PlacedKey, effect: RecordedEffect): number {
    return this.#isPast(key, effect) ? this.#memory.unseen.newestOn(key, this.#range) : 0;
  }

  /** Whether the sender had not seen more than so many local changes of a key. */
  isMoreOn(key: PlacedKey, count: number): boolean {
    return this.#memory.unseen.count(key, this.#range, count + 1) > count;
  }

  /** Where local entries begin that the sender had not seen, of a stream whose entries are added as they arrive. */
  unseenFrom(key: PlacedKey): string {
    return this.#entries.arrivals.unseenFrom(key, this.#range.seen);
  }

  /** Whether entries were taken off the ends of a stream by what the sender had not seen. */
  isTrimmed(key: PlacedKey): boolean {
    return this.#memory.unseen.isTrimmed(key, this.#range);
  }

  /** The entries of a stream that a trim of the sender's leaves, and where those that slip in begin. */
  keptFrom(key: PlacedKey): ReturnType<LocalEntries['keptFrom']> {
    return this.#entries.keptFrom(key, this.#range.seen);
  }

  #commutes(key: PlacedKey, effect: RecordedEffect): boolean {
    // The length of a list that was looked at has to be known after each command.
    if (this.#terms.isBlind || (isAtEnd(effect) && this.#isLookedAt(key))) return false;
    return !this.#watched.mayEnd(key, this.#terms) && this.#memory.free.isFree(key, effect, this.#range);
  }

  #isLookedAt(key: PlacedKey): boolean {
    if (this.#terms.held.size === 0 && this.#terms.contended.size === 0) return false;
    const name = nameOf(key);
    return this.#terms.held.has(name) || this.#terms.contended.has(name);
  }

  async #unseenOn(key: PlacedKey): Promise<UnseenCommands> {
    const { unseen, commands, cells } = this.#memory;
    const range = this.#range;
    if (this.#terms.isBlind) return NOTHING_ON_KEY;
    const lookUp = this.#terms.contended.get(nameOf(key)) ?? 'all';
    if (lookUp === 'all') return commands.find(key, unseen.hashOf(key), range);
    const known = {
      ...NOTHING_ON_KEY,
      isTouched: true,
      isAsking: unseen.isAsking(key, range),
      hasEnded: unseen.hasEnded(key, range),
    };
    if (lookUp === 'nothing') return known;
    return { ...known, isOnCell: await cells.find(key, unseen.hashOf(key), range) };
  }
}

function onceEach(question: Question): Question {
  const answers = new Map<string, boolean>();
  return (key, effect) => {
    const name = `${effect} ${nameOf(key)}`;
    const answer = answers.get(name) ?? question(key, effect);
    answers.set(name, answer);
    return answer;
  };
}
