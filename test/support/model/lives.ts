/** Histories of a key with a deadline that both sites write all the time: a limiter, a session, a sliding window. */

import type { Argv } from './redis/store.js';
import { contents } from './ledger.js';
import { Random } from './random.js';
import { Site } from './site.js';
import type { Trouble } from './history.js';

/** How a key of one type is built on, and what takes from it. */
export interface Living {
  /** @param unique a text no other write has @param serial rises with every write */
  readonly build: (random: Random, unique: string, serial: number) => Argv;
  readonly take?: (random: Random, present: readonly string[]) => Argv;
  /** Whether the deadline is put off. */
  readonly isTouched?: boolean;
  readonly isDeleted?: boolean;
  readonly isSet?: boolean;
  /** The end of the history alone is looked at: between, a key may stand without its deadline until the other site has told it. */
  readonly isSettledLate?: boolean;
  /** It is fields of a hash that have deadlines; `lasting`: one of them has none. */
  readonly fields?: 'all' | 'lasting';
}

const KEY = 'k';
const WINDOW = 100;
const some = (random: Random, present: readonly string[]): string =>
  present.length > 0 ? random.pick(present) : 'none';

const incr: Living['build'] = () => ['INCRBY', KEY, '1'];
const hset: Living['build'] = (random, unique) => ['HSET', KEY, random.pick(['a', 'b']), unique];
const zadd: Living['build'] = (_, unique, serial) => ['ZADD', KEY, String(serial), unique];
const sadd: Living['build'] = (_, unique) => ['SADD', KEY, unique];
const rpush: Living['build'] = (_, unique) => ['RPUSH', KEY, unique];

export const LIVES: Readonly<Record<string, Living>> = {
  counters: { build: incr },
  'counters that are put off': { build: incr, isTouched: true },
  'counters that are deleted': { build: incr, isTouched: true, isDeleted: true },
  'counters that are set': { build: incr, isTouched: true, isSet: true },
  texts: { build: (random) => ['APPEND', KEY, String(random.below(9))], isTouched: true },
  hashes: { build: hset, isTouched: true, isDeleted: true },
  'hashes that are emptied': {
    build: hset,
    take: (random) => ['HDEL', KEY, random.pick(['a', 'b'])],
    isTouched: true,
  },
  sums: { build: (random) => ['HINCRBY', KEY, random.pick(['a', 'b']), '1'], isTouched: true },
  sets: { build: sadd, take: (random, present) => ['SREM', KEY, some(random, present)], isTouched: true },
  'sliding windows': {
    build: zadd,
    take: (random, present) => ['ZREM', KEY, some(random, present)],
    isTouched: true,
  },
  lists: {
    build: rpush,
    take: (random) => [random.pick(['LPOP', 'RPOP']), KEY],
    isTouched: true,
  },
  'lists that are deleted': { build: rpush, isTouched: true, isDeleted: true },
  streams: {
    build: (_, unique, serial) => ['XADD', KEY, String(serial), 'f', unique],
    take: () => ['XTRIM', KEY, 'MAXLEN', '3'],
    isTouched: true,
    isDeleted: true,
  },
  'sets that are given it once': {
    build: sadd,
    take: (random, present) => ['SREM', KEY, some(random, present)],
    isSettledLate: true,
  },
  'sorted sets that are given it once': {
    build: zadd,
    take: (random, present) => ['ZREM', KEY, some(random, present)],
    isSettledLate: true,
  },
  'hashes that are given it once': {
    build: hset,
    take: (random) => ['HDEL', KEY, random.pick(['a', 'b'])],
    isSettledLate: true,
  },
  observations: { build: (_, unique) => ['PFADD', KEY, unique], isTouched: true },
};

const FIELDS = ['a', 'b'] as const;
const LASTING = 'lasting';

/** Fields with a deadline of their own, each of which lives as a key does. */
export const FIELD_LIVES: Readonly<Record<string, Living>> = {
  'field counters': { build: incr, fields: 'all' },
  'field counters beside one that lasts': { build: incr, fields: 'lasting' },
  'field counters that are put off': { build: incr, fields: 'lasting', isTouched: true },
  'field counters that are removed': { build: incr, fields: 'lasting', isTouched: true, isDeleted: true },
  'field counters that are set': { build: incr, fields: 'lasting', isTouched: true, isSet: true },
};

/** A write to one of the fields, which gives each life of it a deadline. */
function onField(site: Site, living: Living, { random, wall }: { random: Random; wall: number }): Argv[] {
  const field = random.pick(FIELDS);
  const hash = site.store.read(KEY, 'hash') || undefined;
  const until = String(wall + WINDOW + random.below(WINDOW));
  const touch: Argv = ['HPEXPIREAT', KEY, until, field];
  if (living.fields === 'lasting' && !hash?.cells.has(LASTING)) return [['HSET', KEY, LASTING, '1']];
  if (living.isTouched === true && random.chance(0.1)) return [touch];
  if (living.isDeleted === true && random.chance(0.1)) return [['HDEL', KEY, field]];
  const content = String(100 * random.below(5));
  if (living.isSet === true && random.chance(0.1)) return [['HSETEX', KEY, until, field, content]];
  if (living.isSet === true && random.chance(0.1)) return [['HSET', KEY, field, content], touch];
  const add: Argv = ['HINCRBY', KEY, field, '1'];
  return hash?.cells.has(field) ? [add] : [add, touch];
}

/** A field that stands there without the deadline that each of its lives was given. */
function endless(site: Site): string | undefined {
  const hash = site.store.read(KEY, 'hash') || undefined;
  return [...(hash?.cells.keys() ?? [])].find((field) => field !== LASTING && !hash?.deadlines?.has(field));
}

const ENOUGH = 4000;

/**
 * One random history until both sites are quiet and all deadlines have passed.
 * @returns what went wrong, or undefined: at no time a key without a deadline, nothing left, both equal while they rest
 */
export function livesHistory(
  seed: number,
  living: Living,
  trouble: Trouble,
  trace?: (line: string) => void,
): string | undefined {
  const random = new Random(seed);
  let wall = 1000;
  const skew = random.below(30) - 15;
  const sites = [new Site('east', () => wall), new Site('west', () => wall + skew)] as const;
  const [east, west] = sites;
  let serial = 0;
  let wrong: string | undefined;
  const busy = 0.1 + random.next() * 0.5;

  const look = (site: Site, what: string): void => {
    trace?.(`${wall} ${what}: ${east.store.show()} ‖ ${west.store.show()}`);
    if (living.isSettledLate === true) return;
    if (living.fields !== undefined) {
      const field = endless(site);
      if (field !== undefined && !(trouble.lateWrites && site.isAsking(KEY)))
        wrong ??= `the field ${field} without a deadline at ${site.name}, ${what}`;
      return;
    }
    const slot = site.store.get(KEY);
    // What slips in while a change is being applied is made good by the other site's state.
    if (slot && slot.expiresAt === undefined && !(trouble.lateWrites && site.isAsking(KEY)))
      wrong ??= `a key without a deadline at ${site.name}, ${what}`;
  };
  const touch = (): Argv => ['PEXPIREAT', KEY, String(wall + WINDOW + random.below(WINDOW))];
  const chosen = (site: Site): Argv[] => {
    const present = [...contents(site.store.get(KEY))];
    if (living.isTouched === true && random.chance(0.1)) return [touch()];
    if (living.isDeleted === true && random.chance(0.05)) return [['DEL', KEY]];
    if (living.take && random.chance(0.3)) return [living.take(random, present)];
    serial++;
    if (living.isSet === true && random.chance(0.1))
      return [['SET', KEY, String(100 * random.below(5)), 'PXAT', String(wall + WINDOW)]];
    const build = living.build(random, `${site.name[0]}${serial}`, serial);
    return present.length > 0 && site.store.get(KEY) ? [build] : [build, touch()];
  };
  const expire = (site: Site): void => {
    site.expire(KEY);
    if (living.fields !== undefined) site.expireFields(KEY);
  };
  const write = (site: Site): void => {
    expire(site);
    const commands = living.fields === undefined ? chosen(site) : onField(site, living, { random, wall });
    site.write(...commands);
    look(
      site,
      `${site.name} writes ${commands.map((one) => one.join(' ')).join('; ')} as ${site.n}, seen ${site.seen}`,
    );
  };
  const deliver = (to: Site, from: Site, canWrite: boolean): void => {
    const run = from.out.splice(0, 1 + random.below(trouble.runLength));
    const decision = to.decide(run);
    if (canWrite && trouble.lateWrites && random.chance(0.3)) write(to);
    to.apply(decision);
    const text = run.flatMap(({ n, writes }) =>
      writes.map((one) => `${n} ${one.kind === 'user' ? one.unit.argv.join(' ') : one.kind}`),
    );
    look(to, `${to.name} applies ${text.join('; ')}`);
  };
  const step = (canWrite: boolean): void => {
    for (const site of sites) {
      if (random.chance(0.2)) {
        expire(site);
        look(site, `${site.name} looks for what has expired`);
      }
      if (trouble.restarts && random.chance(0.02)) site.restart(trouble.restarts);
      if (canWrite && random.chance(busy)) write(site);
    }
    const to = random.pick(sites);
    const from = to === east ? west : east;
    if (from.out.length > 0) deliver(to, from, canWrite);
  };
  const drain = (): boolean => {
    for (let count = 0; sites.some(({ out }) => out.length > 0); count++) {
      if (count > ENOUGH) return false;
      // No two changes are carried out in one millisecond: one that gives a deadline which is past ends the key before the next.
      wall += 1;
      step(false);
    }
    return true;
  };

  for (let left = 40 + random.below(60); left > 0; left--) {
    wall += random.below(12);
    step(true);
    if (wrong !== undefined) return wrong;
  }
  if (!drain()) return 'never quiet';
  const deadlines = sites.flatMap(({ store }) => [
    store.get(KEY)?.expiresAt ?? Infinity,
    ...((store.read(KEY, 'hash') || undefined)?.deadlines?.values() ?? []),
  ]);
  const isNear = deadlines.some((at) => Math.abs(at - wall) < 40);
  if (!isNear && east.store.show() !== west.store.show())
    return `different at rest: ${east.store.show()} ‖ ${west.store.show()}`;
  wall += 5 * WINDOW;
  for (const site of sites) expire(site);
  if (!drain()) return 'never quiet';
  for (const site of sites) expire(site);
  if (east.store.show() !== west.store.show())
    return `different: ${east.store.show()} ‖ ${west.store.show()}`;
  const left = living.fields === 'lasting' ? `${KEY}: hash{${LASTING}=1}` : '';
  return wrong ?? (east.store.show() === left ? undefined : `left: ${east.store.show()}`);
}
