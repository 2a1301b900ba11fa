import { PlacesOfLists, listMemory } from './rules/list-memory.js';
import { applyBuild, doubtExpiry } from './rules/builds.js';
import { entriesRemovedBy, isUnseenEntry } from './entries.js';
import type { Answer, Decision, Restart } from './decision.js';
import { PutBacks } from './put-backs.js';
import { Requests } from './requests.js';
import { fieldsAt, notMadeAnew, takeEndedFields } from './site-fields.js';
import { fieldName, SiteLives } from './site-lives.js';
import { ToldDeadlines } from './told-deadlines.js';
import { applyDerive } from './rules/derive.js';
import { applyHead, applyState } from './rules/heads.js';
import { isIndependent, isOrderAlone } from './rules/late.js';
import { type Occasion, after, lastHead } from './rules/occasion.js';
import { applyMove } from './rules/lists.js';
import { endOf, isFreeOf, isInterleaved } from './rules/ends.js';
import { endsOf, isEnd, unitOn, unitsOf } from './rules/unit.js';
import {
  type Change,
  isWorse,
  type Rank,
  type StateWrite,
  type UserWrite,
  type Write,
  isUser,
  keysOf,
  writesKey,
  writesOrReads,
} from './rules/write.js';
import { type Argv, Store } from './redis/store.js';

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
  readonly #requests = new Requests(() => this.own);
  readonly #lives: SiteLives;
  readonly #lists = new PlacesOfLists();
  #restarted = { n: 0, seen: 0 };
  /** Lists on which a late write was met wrongly, until a state comes. */
  readonly #misplaced = new Set<string>();
  readonly #putBacks = new PutBacks(this.store, this.#requests, () => this.own);
  readonly #told = new ToldDeadlines(this.store);
  /** How many states this site has sent, and asked for. */
  readonly counts = { states: 0, needs: 0 };

  /** @param now wall clock of this site */
  constructor(name: string, now: () => number) {
    this.name = name;
    this.#now = now;
    this.#lives = new SiteLives(this.store, now);
  }

  /** Runs a command of an application, or several as a transaction. Returns those that had an effect. */
  write(...commands: readonly Argv[]): Argv[] {
    const touched = commands.flatMap(unitsOf).flatMap(({ writes, reads }) => [...writes, ...reads]);
    for (const key of new Set(touched)) {
      this.expire(key);
      this.expireFields(key);
    }
    const effective = commands.filter((argv) => this.store.run(argv));
    if (effective.length > 0) {
      this.#putBacks.writing(effective.flatMap(unitsOf));
      this.#ask();
      for (const argv of effective) this.#lives.note(argv, this.n + 1);
      this.#capture((made) =>
        effective.flatMap(unitsOf).map((unit) => ({ ...made, kind: 'user' as const, unit })),
      );
    }
    return effective;
  }

  /**
   * The next changes for the other site to apply in one atomic run. A question or a state ends one: what answers it holds all that
   * was made before it, and no more.
   */
  next(atMost: number): Change[] {
    const last = this.out.findIndex(({ writes }) => writes.some(({ kind }) => kind !== 'user'));
    return this.out.splice(0, last < 0 ? atMost : Math.min(atMost, last + 1));
  }

  /**
   * The server lets a key go whose deadline has passed. Tandem knows this for no removal of somebody's if it has seen the deadline
   * being given.
   */
  expire(key: string): boolean {
    const at = this.store.get(key)?.expiresAt;
    if (at === undefined || at >= this.#now()) return false;
    this.store.put(key, undefined);
    this.#removed(
      typeof this.#lives.deadlineOf(key, this.own) === 'number' ? ['EXPIRED', key, String(at)] : ['DEL', key],
    );
    return true;
  }

  /** The same for the fields of a hash. */
  expireFields(key: string): boolean {
    const ended = takeEndedFields(this.store, key, this.#now());
    this.#fieldsEnded(key, ended);
    return ended.length > 0;
  }

  #fieldsEnded(key: string, ended: readonly [field: string, at: number][]): void {
    for (const [field, at] of ended) {
      const isKnown = typeof this.#lives.deadlineOf(fieldName(key, field), this.own) === 'number';
      const argv = isKnown ? ['FEXPIRED', key, String(at), field] : ['HDEL', key, field];
      this.#lives.note(argv, this.n + 1);
      this.#removed(argv);
    }
  }

  /** By this site's clock. */
  get wall(): number {
    return this.#now();
  }
  #removed(argv: Argv): void {
    this.#putBacks.writing(unitsOf(argv));
    this.#ask();
    this.#capture((made) => unitsOf(argv).map((unit) => ({ ...made, kind: 'user' as const, unit })));
  }

  /** Takes the decision on a run of the other site's changes. Local writes may follow before it is carried out. */
  decide(run: readonly Change[]): Decision {
    this.putBack();
    for (const { at } of run) this.#tick(at);
    return { run, decided: this.n };
  }

  /** Own `SET`s that the other site's took the place of stand at their keys again. */
  putBack(): void {
    this.#putBacks.run();
    this.#ask();
  }

  get isOverwritten(): boolean {
    return !this.#putBacks.isEmpty;
  }

  /**
   * Carries out a decision, in one atomic step. Keys on which the decision rests on own writes are watched: when one of them
   * has been written meanwhile, the decision is taken anew. On the others a write may have slipped in.
   */
  apply(decision: Decision): void {
    const { run } = decision;
    // A key that is about to expire is watched, and its server made to say whether it lives.
    const keys = new Set(run.flatMap(({ writes }) => writes.flatMap(keysOf)));
    const isDue = [...keys].filter((key) => this.expire(key)).length > 0;
    // What is built on a field that has ended is left out, and its end is captured behind.
    const gone = [...keys].map((key) => [key, takeEndedFields(this.store, key, this.#now())] as const);
    const decided = isDue || this.#isOutdated(decision) ? this.n : decision.decided;
    const states = new Map<string, Answer>();
    const late = this.own.filter((write) => write.n > decided);
    for (const change of run) {
      this.seen = change.n;
      this.own = this.own.filter(({ n }) => n > change.seen);
      for (const write of change.writes) {
        const entries = entriesRemovedBy(this.store, write);
        const fields = new Map(keysOf(write).map((key) => [key, fieldsAt(this.store, key)] as const));
        this.#applyWrite(write, decided, states);
        for (const [key, before] of fields) this.#lives.fieldsChanged(key, before, this.n);
        if (entries && entries().some((id) => isUnseenEntry(this.own, write, id)))
          this.#requests.need(keysOf(write)[0]!, 'own');
        for (const key of keysOf(write)) this.#meetLate(write, key, late);
      }
    }
    for (const [key, answer] of states) {
      this.#putBacks.doubt(key);
      this.#sendState(key, answer);
    }
    this.#putBacks.leaveAsked();
    this.#ask();
    for (const argv of this.#told.take()) this.#removed(argv);
    for (const [key, ended] of gone) this.#fieldsEnded(key, notMadeAnew(this.store, key, ended));
  }

  /** Local writes have slipped in between decision and application: what does not come out the same is asked for. */
  #meetLate(write: Write, key: string, late: readonly Write[]): void {
    const met = late.filter((own) => writesOrReads(own, key));
    if (met.length === 0) return;
    if (!this.isAsking(key) && this.#putBacks.take(write, key, met)) return;
    // Behind an own write that a push went past, an end is another one here.
    const end = write.kind === 'user' ? endOf(unitOn(write.unit, key)) : undefined;
    const known = this.#lists.get(key);
    const isDoubted =
      end?.does === 'pop' && known !== undefined && known.upTo >= this.n && known.places === undefined;
    const isOfEmptied = end !== undefined || (isUser(write) && write.unit.type === 'zset');
    const isMortal = typeof this.#lives.deadlineOf(key, this.own) === 'number';
    const isOfLife = isOfEmptied && isMortal;
    if (!isDoubted && !isOfLife && met.every((own) => isIndependent(write, own, key, this.store.get(key)))) {
      const isPast = met.some(
        (own) => write.kind === 'user' && isInterleaved(unitOn(write.unit, key), unitOn(own.unit, key)),
      );
      if (isPast) this.#lists.set(key, { upTo: this.n, places: undefined });
      return;
    }
    // The other site may have taken the last of it, and the deadline with that.
    if (isMortal && isUser(write) && write.unit.removal) this.#told.add(key);
    if (!isOfLife && isOrderAlone(write, met, key)) {
      this.#requests.need(key);
      return;
    }
    const isMany = write.kind === 'user' && (write.unit.role === 'derive' || write.unit.role === 'move');
    for (const asked of isMany ? write.unit.writes : [key]) {
      this.#requests.need(asked, 'own');
      this.#misplaced.add(asked);
    }
  }

  /**
   * Asks for the states that have turned out to be needed, before anything else is written here: what the application
   * writes next, it writes knowing less than the other site thinks, and the answer will not have seen it.
   */
  #ask(): void {
    for (const [key, lack] of this.#requests.take()) {
      this.counts.needs++;
      this.#capture((made) => [{ ...made, kind: 'need', key, lack }]);
      this.#lists.set(key, { upTo: this.n, places: undefined });
    }
  }

  /** Asks for a key that nothing of the other site's was doubtful about, as a repair does. */
  ask(key: string): void {
    this.#requests.need(key);
    this.#ask();
  }

  /** The process starts again: what is in its Redis is there, all else is gone. */
  restart(mode: Restart): void {
    if (mode === 'remembers') return;
    this.#lists.clear();
    this.#misplaced.clear();
    this.#lives.restart(this.n);
    this.#restarted = { n: this.#lists.notedThrough, seen: this.seen };
  }

  #isOutdated({ run, decided }: Decision): boolean {
    const touches = (own: Write, key: string): boolean => writesKey(own, key) || writesOrReads(own, key);
    return run.some(({ writes, seen }) =>
      writes.some((write) =>
        keysOf(write).some((key) => {
          if (!this.own.some((own) => own.n > decided && touches(own, key))) return false;
          if (write.kind !== 'user') return true;
          // A key that is about to expire is watched.
          if (
            this.own.some((own) => own.n > decided && isUser(own) && isEnd(own.unit) && own.unit.key === key)
          )
            return true;
          const met = this.own.filter((own) => own.n > seen && own.n <= decided && touches(own, key));
          // What means the same whatever is written meanwhile rests on nothing.
          return met.length > 0 && !this.#isFree(write, key, met);
        }),
      ),
    );
  }

  #isFree(write: UserWrite, key: string, own: readonly Write[]): boolean {
    // What empties a list takes its deadline along.
    if (typeof this.#lives.deadlineOf(key, this.own) === 'number') return false;
    const known = this.#lists.get(key);
    const isPush = endOf(unitOn(write.unit, key))?.does === 'push';
    if (known && known.upTo > write.seen && !(isPush && known.places === undefined)) return false;
    const { n, seen } = this.#restarted;
    if (!isPush && own.some((one) => one.n <= n && one.seen < seen)) return false;
    return isFreeOf(write, key, own, this.store.get(key)?.expiresAt !== undefined);
  }

  #applyWrite(write: Write, decided: number, states: Map<string, Answer>): void {
    const sendState = (key: string, at: number, isWhole = false): void => {
      const before = states.get(key);
      states.set(key, {
        at: Math.max(this.#requests.isLacking(key) ? 0 : at, before?.at ?? 0),
        isWhole: isWhole || before?.isWhole === true,
      });
    };
    if (write.kind === 'need') {
      // A value that lacks something of the asker's is no answer: the asker's own is on its way here.
      if (this.#requests.leavesOut(write.key) && !isWorse(write.lack, 'removals')) {
        this.#requests.need(write.key, 'writes');
        return;
      }
      // What was left out here only the other site has: its answer, which it has been asked for, is to stand above this one.
      const isMet = write.lack !== 'own' && isWorse(this.#requests.lackOf(write.key), write.lack);
      sendState(write.key, isMet ? 0 : write.at, write.lack === 'own');
      return;
    }
    const occasion = (key: string): Occasion => ({
      site: this.name,
      store: this.store,
      key,
      own: this.own
        .filter(
          (own): own is UserWrite | StateWrite =>
            own.kind !== 'need' &&
            own.n > write.seen &&
            own.n <= decided &&
            own.n > this.#lives.deadThrough(key) &&
            (own.kind !== 'user' || own.n > this.#lives.deadThrough(fieldName(key, own.unit.cell))) &&
            writesKey(own, key),
        )
        .map((own) => (own.kind === 'user' ? { ...own, unit: unitOn(own.unit, key) } : own)),
      life: this.#lives.of(key, {
        own: this.own,
        n: this.n,
        leavesOut: this.#requests.leavesOut(key),
        asks: this.#requests.has(key),
      }),
      fieldLife: (field) =>
        this.#lives.ofField(key, field, { own: this.own, n: this.n, requests: this.#requests, decided }),
      pending: this.#pendingRank(key, states),
      isAsking: this.isAsking(key),
      isMisplaced: this.#misplaced.has(key),
      lists: listMemory(this.#lists, { decided, restarted: this.#restarted }),
      sendState,
      tell: (argv) => this.#removed(argv),
      tellDeadline: (told) => this.#told.add(told),
      need: (asked, lack) => this.#requests.need(asked, lack),
    });
    if (write.kind === 'state') {
      if (applyState(occasion(write.key), write)) this.#misplaced.delete(write.key);
      this.#lives.stated(write.key);
      return;
    }
    const { unit } = write;
    if (unit.role === 'derive') {
      const own = this.own.filter(({ n }) => n > write.seen && n <= decided);
      applyDerive(
        this.store,
        write,
        own,
        (key) => states.has(key) || this.#requests.has(key),
        (asked) => this.#requests.need(asked),
      );
    } else if (unit.role === 'move') this.#applyMove(write, decided, occasion);
    else if (unit.role === 'key-head') applyHead(occasion(unit.key), write);
    else applyBuild(occasion(unit.key), write);
    this.#lives.applied(unit);
  }

  /** Takes and puts in one step, as it is where that means the same; where it is not certain what is meant, both lists are asked for. */
  #applyMove(write: UserWrite, decided: number, occasion: (key: string) => Occasion): void {
    const { take, put } = endsOf(write.unit);
    const own = this.own.filter(({ n }) => n > write.seen && n <= decided);
    const isPlain = [take.key, put.key].every((key) => {
      const { pending, isAsking } = occasion(key);
      const met = own.filter((one) => writesKey(one, key));
      return !pending && !isAsking && this.#isFree(write, key, met);
    });
    if (isPlain) {
      this.store.run(write.unit.argv);
      const { own: met, lists } = occasion(put.key);
      if (met.some((one) => one.kind === 'user' && isInterleaved(put, one.unit)))
        lists.set(put.key, undefined);
    } else if (!applyMove(occasion(take.key), occasion(put.key), write))
      // What is asked for already is asked of one who has made this move when it answers.
      for (const key of write.unit.writes.filter((each) => !this.isAsking(each)))
        this.#requests.need(key, 'writes');
    const source = occasion(take.key);
    doubtExpiry(source, { ...write, unit: take }, after(source.own, lastHead(source.own)));
  }

  /** Whether this site has asked for the key, and not yet heard. */
  isAsking(key: string): boolean {
    return this.#requests.has(key) || this.own.some((own) => own.kind === 'need' && own.key === key);
  }

  #pendingRank(key: string, states: ReadonlyMap<string, Answer>): Rank | undefined {
    const at = states.get(key)?.at;
    return at === undefined ? undefined : { at: this.store.get(key) ? at : -1, site: this.name };
  }

  #sendState(key: string, { at, isWhole }: Answer): void {
    this.counts.states++;
    this.#lists.delete(key);
    // Nothing ranks below everything, like a removal.
    const rank = { at: this.store.get(key) ? at : -1, site: this.name };
    const since = this.own.findLast((own) => own.kind === 'user' && writesKey(own, key))?.n ?? 0;
    this.#capture((made) => [
      { ...made, kind: 'state', key, slot: this.store.copy(key), rank, since, isWhole },
    ]);
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
