import { cloneSlot } from '../redis/value.js';
import { hasEnded, rerunBuilt } from './fields.js';
import { deleteList } from './lists.js';
import { type Occasion, after, lastHead, latest } from './occasion.js';
import { isMergeable, mergeList } from './list-merge.js';
import { isByPosition, rerun, rerunOnState } from './rerun.js';
import { isEnd, lifeOf } from './unit.js';
import { type StateWrite, type UserWrite, above, beats, isUser, rankOf } from './write.js';

/** `SET` or `DEL` of the other site. */
export function applyHead(occasion: Occasion, incoming: UserWrite): void {
  const { matchedThrough } = occasion.life;
  matchRemoval(occasion, incoming);
  if (isEnd(incoming.unit)) applyEnd(occasion, incoming, matchedThrough);
  else meetKeyHead(occasion, incoming);
}

/** The end of a life that this site knows of beforehand: with it ends all that was built on it, unless it was given a longer one here. */
function applyEnd(occasion: Occasion, incoming: UserWrite, matchedThrough: number): void {
  const { own, store, key, lists, life } = occasion;
  const users = own.filter(isUser);
  const head = lastHead(users) as UserWrite | undefined;
  const isOfBefore = head !== undefined && head.unit.removal && head.n <= matchedThrough;
  // It has ended at both sites, and what follows here is a new one.
  if (head && isEnd(head.unit) && !isOfBefore) return;
  const built = after(users, head);
  const expiry = built.findLast(({ unit }) => unit.role === 'expiry');
  const slot = store.get(key);
  const state = own.findLast((write) => write.kind === 'state');
  if (head && !isOfBefore) {
    if (head.unit.argv[0] !== 'DEL' || slot?.expiresAt === undefined) {
      meetHead({ ...occasion, own: users }, incoming);
      if (state) occasion.sendState(key, latest(occasion, incoming));
      return;
    }
    // What was written after an own removal is a life of this site's, or was built on the one that ends. Only the other site knows.
    if (built.length > 0 && built[0]!.unit.role !== 'expiry') {
      occasion.need(key);
      return;
    }
  }
  const putOff = Math.max(
    expiry ? lifeOf(expiry.unit) : 0,
    state?.slot ? (state.slot.expiresAt ?? Infinity) : 0,
  );
  if (putOff > Math.max(life.now, Number(incoming.unit.argv[2]))) return;
  if (!expiry && !state && built.length > 0 && slot && slot.expiresAt === undefined) {
    meetKeyHead(occasion, incoming);
    return;
  }
  lists.forget(key);
  store.put(key, undefined);
  life.ended();
}

/**
 * What the sender writes from here on is a new life there as well. After a removal it may be one that an own write, which the removal
 * had not seen, has made anew there.
 */
function matchRemoval({ own, life }: Occasion, incoming: UserWrite | StateWrite): void {
  const removal = own.findLast(
    (write) => write.kind === 'user' && write.unit.removal && write.unit.role === 'key-head',
  );
  if (!removal) return;
  const isRemoval = incoming.kind === 'user' && incoming.unit.removal;
  const made = isRemoval
    ? own.find((write) => write.kind === 'user' && !write.unit.removal && write.unit.role !== 'expiry')
    : undefined;
  life.matched(removal.n, made && made.n < removal.n ? made.n : undefined);
}

function meetKeyHead(occasion: Occasion, incoming: UserWrite): void {
  const { own, pending } = occasion;
  const state = own.findLast((write) => write.kind === 'state');
  if (!state || beats(incoming, state)) {
    meetHead({ ...occasion, own: own.filter(isUser) }, incoming);
    // The other site ignores the state, and has yet to hear what became of the writes in it.
    if (state) occasion.sendState(occasion.key, latest(occasion, incoming));
  } else if (lastHead(own) !== state) {
    meetHead({ ...occasion, own: after(own, state) }, incoming);
    // There the state comes out on top: what its list holds then, a later own head has covered here.
    occasion.lists.set(occasion.key, undefined);
  } else if (!pending) {
    const built = after(own, state);
    replaceBy(occasion, state, built);
    // What was taken by position from it has come back here; at the other site it is gone.
    if (built.some(isByPosition)) occasion.need(occasion.key);
  }
}

/** No own state in the way: own branch or base. */
function meetHead(occasion: Occasion, incoming: UserWrite): void {
  const { store, key, own, lists } = occasion;
  const head = lastHead(own) as UserWrite | undefined;
  const isMine = head !== undefined && above(rankOf(head), rankOf(incoming));
  if (head?.unit.role === 'derive') {
    // What it wrote cannot be made again; the other site has left it out and asks for it.
    if (isMine || incoming.unit.removal) return;
  }
  const built = after(own, head);
  const listed = own.filter(isUser).filter(({ unit }) => unit.role !== 'expiry');
  const isList =
    listed.every(({ unit }) => unit.type === 'list' || unit.argv[0] === 'DEL') &&
    listed.some(({ unit }) => unit.type === 'list');
  const held = store.get(key)?.value.type ?? 'list';
  if (incoming.unit.removal && isList && held === 'list') {
    deleteList(occasion, incoming, own.filter(isUser));
    return;
  }
  // What was written here is over already, at both sites.
  if (incoming.unit.removal && !store.get(key)) {
    const { deadline, now } = occasion.life;
    if (typeof deadline === 'number' && deadline < now) return;
  }
  lists.forget(key);
  const expiresAt = store.get(key)?.expiresAt;
  store.put(key, undefined);
  rerun(store, isMine ? head : incoming);
  rerunBuilt(occasion, built, (write) => rerun(store, write));
  if (
    incoming.unit.argv[0] === 'DEL' &&
    (!isMine || head.unit.removal) &&
    keepDeadline(occasion, expiresAt, built)
  )
    occasion.need(key);
  if (built.some((write) => write.unit.type === 'list' && isByPosition(write))) occasion.need(key);
}

/** A `STATE` of the other site. @returns whether it has become the value */
export function applyState(occasion: Occasion, incoming: StateWrite): boolean {
  const { pending, life } = occasion;
  const end = occasion.own.findLast((write) => write.kind === 'user' && isEnd(write.unit)) as
    | UserWrite
    | undefined;
  const expiresAt = incoming.slot ? (incoming.slot.expiresAt ?? Infinity) : 0;
  // The life it is of has ended here as well.
  const isOver = end !== undefined && expiresAt <= Math.max(life.now, Number(end.unit.argv[2]));
  if (incoming.slot && isOver && lastHead(occasion.own.filter(isUser)) === end) return false;
  // A life that was put off has not ended: what was written to it before counts.
  const isAlive = end !== undefined && expiresAt > Number(end.unit.argv[2]);
  const own = isAlive
    ? occasion.own.filter((write) => write.kind !== 'user' || !isEnd(write.unit))
    : occasion.own;
  const head = lastHead(own);
  if (pending && above(pending, incoming.rank)) return false;
  if (head?.kind === 'user' && beats(head, incoming)) return false;
  if (head?.kind === 'state' && above(head.rank, incoming.rank)) return false;
  matchRemoval(occasion, incoming);
  const users = own.filter(isUser);
  // Where there is no such key at either site, nothing is made again without its deadline.
  const isGone = !incoming.slot && !occasion.store.get(occasion.key) && typeof life.deadline === 'number';
  const built = isGone ? [] : after(users, lastHead(users));
  if (!isGone && isMergeable(occasion, incoming)) {
    const before = occasion.store.get(occasion.key)?.expiresAt;
    mergeList(occasion, incoming, users);
    if (!incoming.slot) keepDeadline(occasion, before, users);
    occasion.lists.set(occasion.key, undefined);
    // What this site has taken off the other one left out, for it had sent the state: it is told what has become of it.
    occasion.sendState(occasion.key, latest(occasion, incoming));
    return true;
  }
  replaceBy(occasion, incoming, built);
  // The other site still has what an own head took from the list here.
  if (users.slice(0, users.length - built.length).some(({ unit }) => unit.type === 'list'))
    occasion.lists.set(occasion.key, undefined);
  // An own state that was beaten stands in the way of what the other site writes next: it is said again, in what has become of it.
  if (head?.kind === 'state' || built.some(({ unit }) => unit.role === 'derive') || hasEnded(built))
    occasion.sendState(occasion.key, latest(occasion, incoming));
  return true;
}

/** What was written here and a removal had not seen stays, and keeps the deadline it had here. */
function keepDeadline(
  { store, key }: Pick<Occasion, 'store' | 'key'>,
  expiresAt: number | undefined,
  built: readonly UserWrite[],
): boolean {
  const slot = store.get(key);
  if (!slot || slot.expiresAt !== undefined || expiresAt === undefined) return false;
  if (built.some(({ unit }) => unit.argv[0] === 'PERSIST')) return false;
  slot.expiresAt = expiresAt;
  return true;
}

function replaceBy(occasion: Occasion, state: StateWrite, built: readonly UserWrite[]): void {
  const { store, key, lists } = occasion;
  const expiresAt = store.get(key)?.expiresAt;
  store.put(key, cloneSlot(state.slot));
  lists.replaced(
    key,
    (store.read(key, 'list') || undefined)?.elements.length ?? 0,
    built.filter((write) => !isByPosition(write)),
  );
  rerunBuilt(occasion, built, (write) => {
    if (state.site === write.site) rerun(store, write);
    else rerunOnState(store, write, state.site);
  });
  keepDeadline(occasion, state.slot ? state.slot.expiresAt : expiresAt, built);
}
