import type { Store } from '../redis/store.js';
import { type FieldLife, type Occasion, after, lastHead } from './occasion.js';
import { isFieldEnd, lifeOf, type Unit } from './unit.js';
import { type UserWrite, above, isUser, rankOf } from './write.js';

/**
 * A write to a field of a hash. A field is to its hash what a key is to its database: with a deadline it has lives. What ends one
 * (`FEXPIRED`) ends it at both sites, with what was built on it, and a removal by somebody leaves what it had not seen, with its deadline.
 */
export function applyField(occasion: Occasion, incoming: UserWrite, built: readonly UserWrite[]): void {
  const { store, key } = occasion;
  const { cell } = incoming.unit;
  const own = built.filter(({ unit }) => isOnField(unit, cell));
  // A state that has been sent stands for writes: what has ended before it has ended.
  const users = occasion.own.filter(isUser);
  const lives = after(users, lastHead(users)).filter(({ unit }) => isOnField(unit, cell));
  const expiresAt = store.get(key)?.expiresAt;
  if (isFieldEnd(incoming.unit)) applyEnd(occasion, incoming, lives);
  else if (incoming.unit.role === 'cell-head') applyFieldHead(occasion, incoming, { own, lives });
  else if (!isOfEndedLife(occasion, incoming, lives)) applyFieldBuild(occasion, incoming, { own, lives });
  // Taking the last field away to build it anew must not take the expiry.
  const slot = store.get(key);
  if (slot) slot.expiresAt = expiresAt;
}

/** Whether a write to a field, or what it meets, has to do with a deadline. Any other field is a cell like those of other types. */
export function isOfFieldLife(
  { fieldLife }: Occasion,
  incoming: UserWrite,
  built: readonly UserWrite[],
): boolean {
  const { unit } = incoming;
  if (!isOnField(unit, unit.cell)) return false;
  if (fieldLife(unit.cell).deadline !== 'none') return true;
  return [incoming, ...built].some(
    (write) => isOnField(write.unit, unit.cell) && (givesDeadline(write) || isFieldEnd(write.unit)),
  );
}

function isOnField({ type, cell, role }: Unit, field: string): boolean {
  return type === 'hash' && role !== 'modify' && cell === field;
}

/** The field's deadline at a site; `none` for one that has none, undefined for a field that is not there. */
function deadlineAt(store: Store, key: string, field: string): number | 'none' | undefined {
  const hash = store.read(key, 'hash');
  if (!hash || !hash.cells.has(field)) return undefined;
  return hash.deadlines?.get(field) ?? 'none';
}

function keep({ store, key }: Occasion, field: string, deadline: number | 'none' | undefined): boolean {
  if (typeof deadline !== 'number' || deadlineAt(store, key, field) !== 'none') return false;
  return store.run(['HPEXPIREAT', key, String(deadline), field]);
}

/** A write to a life that has ended here, or may have: it is not made anew. Where it was put off the other site is asked. */
function isOfEndedLife(
  { store, key, own: written, pending, fieldLife, isAsking, need }: Occasion,
  { unit, seen }: UserWrite,
  own: readonly UserWrite[],
): boolean {
  const life = fieldLife(unit.cell);
  const end = own.findLast((write) => isFieldEnd(write.unit));
  const isMatched = end !== undefined && end.n <= life.matchedThrough;
  const isAmbiguous = isMatched && seen >= life.madeAgainBy;
  const isEnded = end !== undefined && (!isMatched || isAmbiguous);
  const isGone = deadlineAt(store, key, unit.cell) === undefined;
  // Its end is not known here yet, or an answer is awaited, here or there: it may have been kept at the other site.
  const isOpen = isAsking || pending !== undefined || written.some(({ kind }) => kind === 'state');
  const isMissing = isGone && typeof life.deadline === 'number' && (isOpen || life.isLiving);
  if (!isEnded && !isMissing) return false;
  const isDoubtful = isAmbiguous || (end !== undefined && end.n <= life.forgottenThrough);
  const endedAt = end ? Number(end.unit.argv[2]) : 0;
  const isPutOff = unit.role === 'field-expiry' && lifeOf(unit) > Math.max(endedAt, end ? 0 : life.now);
  const isAsked = isAsking && life.leavesOut && life.askedAt >= (end?.n ?? 0);
  const isUnexpected = !isEnded && (isOpen || Number(life.deadline) > life.now);
  if (!isAsked && (isDoubtful || isPutOff || isUnexpected)) need(key, 'writes');
  if (isPutOff && Number.isFinite(lifeOf(unit))) life.livesThere(lifeOf(unit));
  return true;
}

/** What was written on a field: since the last head of the key, and since the last that is no state. */
interface OnField {
  readonly own: readonly UserWrite[];
  readonly lives: readonly UserWrite[];
}

function applyFieldBuild(occasion: Occasion, incoming: UserWrite, { own, lives }: OnField): void {
  const { store, key, fieldLife, isAsking, need } = occasion;
  const { unit, seen } = incoming;
  const life = fieldLife(unit.cell);
  const headAt = own.findLastIndex((write) => write.unit.role === 'cell-head');
  if (unit.role === 'field-expiry') {
    const mine = own.slice(headAt + 1).findLast((write) => write.unit.role === 'field-expiry');
    const given = lifeOf(unit);
    if (deadlineAt(store, key, unit.cell) !== undefined)
      store.run((mine && lifeOf(mine.unit) > given ? mine : incoming).unit.argv);
    else if (headAt >= 0) life.deadlineIs(given === Infinity ? 'none' : given);
    else if (given > life.now) need(key, 'writes');
    return;
  }
  const removedAt = lives.findLastIndex(
    (write) => write.unit.removal && (write.n > life.matchedThrough || seen >= life.madeAgainBy),
  );
  const isRemoved = removedAt >= 0 && !lives.slice(removedAt + 1).some(givesDeadline);
  if (isRemoved && life.deadline === 'unknown') {
    if (!isAsking || !life.leavesOut) need(key, 'writes');
    return;
  }
  store.run(unit.argv);
  if (isRemoved && keep(occasion, unit.cell, life.deadline as number | 'none') && !isAsking) need(key);
}

function givesDeadline({ unit }: UserWrite): boolean {
  return unit.role === 'field-expiry' || unit.argv[0] === 'HSETEX';
}

function matchRemoval(life: FieldLife, incoming: UserWrite, own: readonly UserWrite[]): void {
  const removal = own.findLast(({ unit }) => unit.removal);
  if (!removal) return;
  const made = incoming.unit.removal
    ? own.find(({ unit }) => !unit.removal && unit.role !== 'field-expiry')
    : undefined;
  life.matched(removal.n, made && made.n < removal.n ? made.n : undefined);
}

/** `HSET`, `HSETEX`, `HDEL`: the higher one of it and the last own head, and what was built here on the latter. */
function applyFieldHead(occasion: Occasion, incoming: UserWrite, { own, lives }: OnField): void {
  const { store, key, fieldLife, isAsking, need } = occasion;
  const { cell, removal } = incoming.unit;
  matchRemoval(fieldLife(cell), incoming, lives);
  const { deadline, now } = fieldLife(cell);
  const before = deadlineAt(store, key, cell);
  // What was written here is over already, at both sites.
  if (removal && before === undefined && typeof deadline === 'number' && deadline < now) return;
  // What a removal had not seen stays, also what a state stands for that has been sent.
  const met = removal ? lives : own;
  const at = met.findLastIndex(({ unit }) => unit.role === 'cell-head');
  const mine = met[at];
  const isMine = mine !== undefined && above(rankOf(mine), rankOf(incoming));
  const built = met.slice(at + 1);
  for (const write of [isMine ? mine : incoming, ...built]) store.run(write.unit.argv);
  const isRemoval = removal && (!isMine || mine.unit.removal);
  const isTakenAway = built.some(({ unit }) => unit.argv[0] === 'HPERSIST');
  if (isRemoval && !isTakenAway && keep(occasion, cell, before) && !isAsking) need(key);
}

/** The end of a life of the field at the other site. */
function applyEnd(occasion: Occasion, incoming: UserWrite, own: readonly UserWrite[]): void {
  const { store, key, fieldLife, need } = occasion;
  const { cell, argv } = incoming.unit;
  const life = fieldLife(cell);
  const { matchedThrough } = life;
  matchRemoval(life, incoming, own);
  const over = Math.max(life.now, Number(argv[2]));
  const head = own.findLast(({ unit }) => unit.role === 'cell-head');
  const isOfBefore = head !== undefined && head.unit.removal && head.n <= matchedThrough;
  if (head && isFieldEnd(head.unit) && !isOfBefore) return;
  const built = head ? own.slice(own.indexOf(head) + 1) : own;
  if (head && !isOfBefore) {
    if (!head.unit.removal) {
      // A value of this site's: what the other one had built on it goes.
      if (Number(deadlineAt(store, key, cell) ?? 0) <= over && isOver([head, ...built], over)) return;
      for (const write of [head, ...built]) store.run(write.unit.argv);
      return;
    }
    if (built.length > 0 && built[0]!.unit.role !== 'field-expiry') {
      need(key);
      return;
    }
  }
  const at = deadlineAt(store, key, cell);
  if (at === undefined || at === 'none' || at > over) return;
  store.run(argv);
  life.ended();
}

/** Whether what was written here has a deadline, and that is past. */
function isOver(own: readonly UserWrite[], over: number): boolean {
  const giving = own.findLast(givesDeadline);
  return giving !== undefined && lifeOf(giving.unit) <= over;
}

/**
 * Runs own writes again on a value they had not seen: the state of the other site, or what a head of the key has left. A field's life
 * that has ended here stays ended unless it was put off there, and what is built on a field has the deadline that it had here.
 */
export function rerunBuilt(
  occasion: Occasion,
  built: readonly UserWrite[],
  run: (write: UserWrite) => void,
): void {
  const { store, key, fieldLife } = occasion;
  const skipped = new Set<UserWrite>();
  const kept = new Map<string, number>();
  const over: string[] = [];
  const fields = new Set(built.filter(({ unit }) => isOnField(unit, unit.cell)).map(({ unit }) => unit.cell));
  for (const field of fields) {
    const own = built.filter(({ unit }) => isOnField(unit, field));
    const at = deadlineAt(store, key, field);
    const endAt = own.findLastIndex(({ unit }) => isFieldEnd(unit));
    const { now, deadline } = fieldLife(field);
    let stays = at;
    if (endAt >= 0) {
      const end = Math.max(now, Number(own[endAt]!.unit.argv[2]));
      const isAlive = at === 'none' || (at !== undefined && at > end);
      if (!isAlive) {
        store.run(['HDEL', key, field]);
        stays = undefined;
      }
      for (const write of own.slice(0, endAt + 1)) if (!isAlive || isFieldEnd(write.unit)) skipped.add(write);
    }
    if (stays !== 'none' && typeof deadline === 'number' && !own.slice(endAt + 1).some(isNewLife)) {
      if (deadline > now) kept.set(field, deadline);
      else over.push(field);
    }
  }
  for (const write of built) if (!skipped.has(write)) run(write);
  for (const [field, deadline] of kept) keep(occasion, field, deadline);
  for (const field of over) if (deadlineAt(store, key, field) === 'none') store.run(['HDEL', key, field]);
}

/** Whether a field has ended here, and has been written: the other site may take another life of it for the same. */
export function hasEnded(built: readonly UserWrite[]): boolean {
  return built.some(
    ({ unit }) =>
      isFieldEnd(unit) && built.some((write) => isOnField(write.unit, unit.cell) && !write.unit.removal),
  );
}

function isNewLife({ unit }: UserWrite): boolean {
  return unit.role === 'cell-head' && !unit.removal;
}
