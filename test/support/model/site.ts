import type { ListMemory, Place, Places } from './rules/list-memory.js';
import { element, elements } from './rules/list-memory.js';
import { applyBuild } from './rules/builds.js';
import { applyDerive } from './rules/derive.js';
import { applyHead, applyState } from './rules/heads.js';
import { isIndependent } from './rules/late.js';
import type { Occasion } from './rules/occasion.js';
import { unitsOf } from './rules/unit.js';
import {
  type Change,
  type Rank,
  type StateWrite,
  type UserWrite,
  type Write,
  writesKey,
} from './rules/write.js';
import { type Argv, Store } from './redis/store.js';

/** How a site forgets what it remembers of lists when its process starts again. */
export type Restart = 'remembers' | 'forgets';

/** A decision that has been taken and not yet carried out. */
export interface Decision {
  readonly run: readonly Change[];
  /** The last own sequence it takes into account. */
  readonly decided: number;
}

/** One site of the model: its Redis, its sequence, what the other has not seen, and the channel towards the other. */
export class Site {
  readonly name: string;
  readonly store = new Store();
  /** Own writes the other site is not known to have seen. */
  own: Write[] = [];
  /** The channel to the other site, in order. */
  readonly out: Change[] = [];
  n = 0;
  seen = 0;
  #clock = 0;
  readonly #now: () => number;
  /** What to ask for at the end of the step, and whether the value here lacks something. */
  readonly #needs = new Map<string, boolean>();
  #lists = new Map<string, Places>();
  #restarted = { n: 0, seen: 0 };

  /** @param now wall clock of this site */
  constructor(name: string, now: () => number) {
    this.name = name;
    this.#now = now;
  }

  /** Runs a command of an application, or several as a transaction. Returns those that had an effect. */
  write(...commands: readonly Argv[]): Argv[] {
    const effective = commands.filter((argv) => this.store.run(argv));
    if (effective.length > 0) {
      this.#capture((made) =>
        effective.flatMap(unitsOf).map((unit) => ({ ...made, kind: 'user' as const, unit })),
      );
    }
    return effective;
  }

  /** Takes the decision on a run of the other site's changes. Local writes may follow before it is carried out. */
  decide(run: readonly Change[]): Decision {
    for (const { at } of run) this.#tick(at);
    return { run, decided: this.n };
  }

  /**
   * Carries out a decision, in one atomic step. Keys on which the decision rests on own writes are watched: when one of them
   * has been written meanwhile, the decision is taken anew. On the others a write may have slipped in.
   */
  apply(decision: Decision): void {
    const { run } = decision;
    const decided = this.#isOutdated(decision) ? this.n : decision.decided;
    const states = new Map<string, number>();
    const late = this.own.filter((write) => write.n > decided);
    for (const change of run) {
      this.seen = change.n;
      this.own = this.own.filter(({ n }) => n > change.seen);
      for (const write of change.writes) {
        this.#applyWrite(write, decided, states);
        for (const key of keysOf(write)) {
          const met = late.filter((own) => writesOrReads(own, key));
          if (met.every((own) => isIndependent(write, own, this.store.get(key)))) continue;
          for (const asked of write.kind === 'user' && write.unit.role === 'derive'
            ? write.unit.writes
            : [key])
            this.#needs.set(asked, true);
        }
      }
    }
    for (const [key, at] of states) this.#sendState(key, { at, site: this.name });
    this.#ask();
  }

  /**
   * Asks for the states that have turned out to be needed, before anything else is written here: what the application
   * writes next, it writes knowing less than the other site thinks, and the answer will not have seen it.
   */
  #ask(): void {
    const needs = [...this.#needs];
    this.#needs.clear();
    for (const [key, isLacking] of needs) {
      this.#capture((made) => [{ ...made, kind: 'need', key, isLacking }]);
      this.#lists.set(key, { upTo: this.n, places: undefined });
    }
  }

  /** The process starts again: what is in its Redis is there, all else is gone. */
  restart(mode: Restart): void {
    if (mode === 'remembers') return;
    this.#lists = new Map();
    this.#restarted = { n: this.n, seen: this.seen };
  }

  #isOutdated({ run, decided }: Decision): boolean {
    const touches = (own: Write, key: string): boolean => writesKey(own, key) || writesOrReads(own, key);
    return run.some(({ writes, seen }) =>
      writes.some((write) =>
        keysOf(write).some(
          (key) =>
            this.own.some((own) => own.n > decided && touches(own, key)) &&
            (write.kind !== 'user' ||
              this.own.some((own) => own.n > seen && own.n <= decided && touches(own, key))),
        ),
      ),
    );
  }

  #applyWrite(write: Write, decided: number, states: Map<string, number>): void {
    // A value that lacks something ranks below every other.
    const sendState = (key: string, at: number): void =>
      void states.set(key, Math.max(this.#isLacking(key) ? 0 : at, states.get(key) ?? 0));
    if (write.kind === 'need') {
      sendState(write.key, write.at);
      return;
    }
    const occasion = (key: string): Occasion => ({
      store: this.store,
      key,
      own: this.own.filter(
        (own): own is UserWrite | StateWrite =>
          own.kind !== 'need' && own.n > write.seen && own.n <= decided && writesKey(own, key),
      ),
      pending: this.#pendingRank(key, states),
      isAsking: this.isAsking(key),
      lists: this.#listMemory(decided),
      sendState,
      need: (asked) => this.#need(asked),
    });
    if (write.kind === 'state') {
      applyState(occasion(write.key), write);
      return;
    }
    const { unit } = write;
    if (unit.role === 'derive') {
      const own = this.own.filter(({ n }) => n > write.seen && n <= decided);
      applyDerive(
        this.store,
        write,
        own,
        (key) => states.has(key) || this.#needs.has(key),
        (asked) => this.#need(asked),
      );
    } else if (unit.role === 'key-head') applyHead(occasion(unit.key), write);
    else applyBuild(occasion(unit.key), write);
  }

  #need(key: string): void {
    this.#needs.set(key, this.#needs.get(key) ?? false);
  }

  /** Whether this site has asked for the key because its value lacks something, and not yet heard: its own `STATE` then ranks lowest. */
  #isLacking(key: string): boolean {
    return (
      this.#needs.get(key) === true ||
      this.own.some((own) => own.kind === 'need' && own.key === key && own.isLacking)
    );
  }

  /** Whether this site has asked for the key, and not yet heard. */
  isAsking(key: string): boolean {
    return this.#needs.has(key) || this.own.some((own) => own.kind === 'need' && own.key === key);
  }

  #pendingRank(key: string, states: ReadonlyMap<string, number>): Rank | undefined {
    const at = states.get(key);
    return at === undefined ? undefined : { at: this.store.get(key) ? at : -1, site: this.name };
  }

  #listMemory(decided: number): ListMemory {
    const lists = this.#lists;
    const restarted = this.#restarted;
    return {
      get: (key) => lists.get(key),
      isUnknown: (key, seen) => {
        const known = lists.get(key);
        return known !== undefined && known.places === undefined && known.upTo > seen;
      },
      set: (key, places) => void lists.set(key, { upTo: decided, places }),
      forget: (key) => void lists.delete(key),
      replaced: (key, length, built) =>
        void lists.set(key, { upTo: decided, places: replacedPlaces(length, built) }),
      isDoubtful: ({ n, seen }) => n <= restarted.n && seen < restarted.seen,
    };
  }

  #sendState(key: string, { at, site }: Rank): void {
    this.#lists.delete(key);
    // Nothing ranks below everything, like a removal.
    const rank = { at: this.store.get(key) ? at : -1, site };
    const since = this.own.findLast((own) => own.kind === 'user' && writesKey(own, key))?.n ?? 0;
    this.#capture((made) => [{ ...made, kind: 'state', key, slot: this.store.copy(key), rank, since }]);
  }

  #capture(writes: (made: Omit<Change, 'writes'>) => Write[]): void {
    const made = { site: this.name, n: ++this.n, seen: this.seen, at: this.#tick(0) };
    const change = { ...made, writes: writes(made) };
    this.own.push(...change.writes);
    this.out.push(change);
  }

  #tick(past: number): number {
    this.#clock = Math.max(this.#clock + 1, this.#now(), past + 1);
    return this.#clock;
  }
}

function replacedPlaces(length: number, built: readonly UserWrite[]): Place[] | undefined {
  const places = elements(length);
  for (const { unit, n } of built) {
    if (unit.argv[0] === 'LINSERT') return undefined;
    if (unit.argv[0] === 'RPUSH') places.push(...unit.argv.slice(2).map(() => element(n)));
    if (unit.argv[0] === 'LPUSH') places.unshift(...unit.argv.slice(2).map(() => element(n)));
  }
  return places;
}

function keysOf(write: Write): readonly string[] {
  return write.kind === 'user' ? [...write.unit.writes, ...write.unit.reads] : [write.key];
}

function writesOrReads(write: Write, key: string): write is UserWrite {
  return write.kind === 'user' && (write.unit.writes.includes(key) || write.unit.reads.includes(key));
}
