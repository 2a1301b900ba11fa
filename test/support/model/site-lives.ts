import type { Requests } from './requests.js';
import type { Deadline, FieldLife, Life } from './rules/occasion.js';
import type { Unit } from './rules/unit.js';
import { type Write, writesKey } from './rules/write.js';
import type { Argv, Store } from './redis/store.js';

/** Commands that say what deadline a key has. */
const GIVING: ReadonlySet<string> = new Set(['SET', 'PEXPIREAT', 'PERSIST']);

/** What a field goes by among the keys. */
export function fieldName(key: string, field: string): string {
  return `${key}\n${field}`;
}

/** What a site of the model knows of the lives of its keys. */
export class SiteLives {
  readonly #store: Store;
  readonly #now: () => number;
  /** Deadlines of the keys' lives, of those removed as well, as far as this site has seen them given. */
  #deadlines = new Map<string, Deadline>();
  #matched = new Map<string, { through: number; madeAgainBy: number }>();
  /** Own writes up to here belong to lives that are over. */
  #dead = new Map<string, number>();
  /** Fields that were removed, with the own sequence of that: of the other site's making it is the last own one before. */
  #removed = new Map<string, number>();
  #forgottenThrough = 0;
  /** Whether any field has been seen to have a deadline. */
  #hasFields = false;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  deadThrough(key: string): number {
    return this.#dead.get(key) ?? 0;
  }

  /** @param local own writes that the other site is not known to have seen */
  deadlineOf(key: string, own: readonly Write[], isOldHere?: (through: number) => boolean): Deadline {
    const known = this.#deadlines.get(key);
    if (known !== undefined) return known;
    // Of a key that was removed before, and is gone, the process that begins knows nothing.
    const isOld =
      (isOldHere && this.#hasFields && isOldHere(this.#forgottenThrough)) ??
      own.some((write) => write.n <= this.#forgottenThrough && writesKey(write, key));
    return isOld ? 'unknown' : 'none';
  }

  /** What a command says of the deadlines of keys. */
  note(argv: Argv, n = 0): void {
    const [name, key = '', target = ''] = argv;
    this.#noteFields(argv, n);
    if (name === 'SET' && argv[3] !== 'KEEPTTL')
      this.#deadlines.set(key, argv[3] === 'PXAT' ? Number(argv[4]) : 'none');
    else if (name === 'PEXPIREAT') this.#deadlines.set(key, Number(target));
    else if (name === 'PERSIST') this.#deadlines.set(key, 'none');
    else if (name === 'RENAME' || name === 'COPY') this.#deadlines.set(target, 'unknown');
    else if (name === 'SUNIONSTORE') this.#deadlines.set(key, 'none');
  }

  #noteFields([name, key = '', ...rest]: Argv, n: number): void {
    const [first = '', second = ''] = rest;
    if (name === 'HDEL') for (const field of rest) this.#removed.set(fieldName(key, field), n);
    else if (name === 'FEXPIRED') this.#removed.set(fieldName(key, second), n);
    else if (name === 'HPEXPIREAT' || name === 'HSETEX') {
      this.#hasFields = true;
      this.#deadlines.set(fieldName(key, second), Number(first));
      this.#removed.delete(fieldName(key, second));
    } else if (name === 'HPERSIST' || name === 'HSET') {
      const fields = name === 'HSET' ? rest.filter((_, at) => at % 2 === 0) : [first];
      for (const field of fields) this.#deadlines.set(fieldName(key, field), 'none');
    }
  }

  /** Whether a field has a deadline and has not come to its end, as far as was known at a decision. */
  isLiving(key: string, field: string, decided: number): boolean {
    const removed = this.#removed.get(fieldName(key, field));
    return removed === undefined || removed > decided;
  }

  /** What the other site has made of the fields of a hash, and of those that were here before. */
  fieldsChanged(key: string, before: ReadonlySet<string>, n: number): void {
    const hash = this.#store.read(key, 'hash') || undefined;
    for (const field of before)
      if (!hash?.cells.has(field))
        this.#removed.set(fieldName(key, field), Math.min(n, this.#removed.get(fieldName(key, field)) ?? n));
    this.#hasFields ||= (hash?.deadlines?.size ?? 0) > 0;
    for (const field of hash?.cells.keys() ?? []) {
      this.#deadlines.set(fieldName(key, field), hash?.deadlines?.get(field) ?? 'none');
      this.#removed.delete(fieldName(key, field));
    }
  }

  /** A write of the other site's has been applied. */
  applied(unit: Unit): void {
    if (unit.role === 'derive') this.note(unit.argv);
    else if (GIVING.has(unit.argv[0]!)) this.#given(unit.key);
    for (const key of unit.writes) this.#putAhead(key);
  }

  /** A state of the other site's has been applied. */
  stated(key: string): void {
    this.#given(key);
    this.#putAhead(key);
  }

  /** A process that begins looks which of the keys have a deadline; of those that are gone it knows nothing. @param n last own sequence */
  restart(n: number): void {
    this.#deadlines = new Map(
      this.#store.keys().map((key) => [key, this.#store.get(key)!.expiresAt ?? 'none'] as const),
    );
    this.#removed = new Map();
    this.#hasFields = false;
    for (const key of this.#store.keys()) this.fieldsChanged(key, new Set(), n);
    this.#matched = new Map();
    this.#dead = new Map();
    this.#forgottenThrough = n;
  }

  of(
    key: string,
    {
      own,
      n,
      leavesOut,
      asks,
      askedAt,
      isOld,
    }: {
      own: readonly Write[];
      n: number;
      leavesOut: boolean;
      asks: boolean;
      /** Of a field: when its hash was asked for, and whether an own write on it is as old as that. */
      askedAt?: number;
      isOld?: (through: number) => boolean;
    },
  ): Life {
    return {
      now: this.#now(),
      deadline: this.deadlineOf(key, own, isOld),
      matchedThrough: this.#matched.get(key)?.through ?? 0,
      madeAgainBy: this.#matched.get(key)?.madeAgainBy ?? Infinity,
      forgottenThrough: this.#forgottenThrough,
      leavesOut,
      askedAt: asks
        ? Infinity
        : (askedAt ?? own.findLast((write) => write.kind === 'need' && write.key === key)?.n ?? 0),
      matched: (through, madeAgainBy = Infinity) => void this.#matched.set(key, { through, madeAgainBy }),
      // With what has slipped in until now.
      ended: () => void this.#dead.set(key, n),
      deadlineIs: (deadline) => void this.#deadlines.set(key, deadline),
    };
  }

  /** The same of a field of a hash. @param options `decided`: the last own write that was known at the decision */
  ofField(
    key: string,
    field: string,
    { own, n, requests, decided }: { own: readonly Write[]; n: number; requests: Requests; decided: number },
  ): FieldLife {
    const isOnField = (write: Write): boolean =>
      write.kind === 'user' && write.unit.key === key && write.unit.cell === field;
    return {
      ...this.of(fieldName(key, field), {
        own,
        n,
        leavesOut: requests.leavesOut(key),
        asks: requests.has(key),
        askedAt: own.findLast((write) => write.kind === 'need' && write.key === key)?.n ?? 0,
        isOld: (through) => own.some((write) => write.n <= through && isOnField(write)),
      }),
      isLiving: this.isLiving(key, field, decided),
      livesThere: (at) => this.note(['HPEXPIREAT', key, String(at), field]),
    };
  }

  /** The deadline a key has after the other site has given it one. */
  #given(key: string): void {
    const slot = this.#store.get(key);
    if (slot) this.#deadlines.set(key, slot.expiresAt ?? 'none');
  }

  /** A deadline that is past when it comes ends the life behind the change that gives it. */
  #putAhead(key: string): void {
    const slot = this.#store.get(key);
    if (slot?.expiresAt === undefined || slot.expiresAt > this.#now()) return;
    slot.expiresAt = this.#now() + 1;
    this.#deadlines.set(key, slot.expiresAt);
  }
}
