import { cloneSlot } from '../redis/value.js';
import { deleteList } from './lists.js';
import { type Occasion, after, lastHead, latest } from './occasion.js';
import { isByPosition, rerun, rerunOnState } from './rerun.js';
import { type StateWrite, type UserWrite, above, beats, isUser, rankOf } from './write.js';

/** `SET` or `DEL` of the other site. */
export function applyHead(occasion: Occasion, incoming: UserWrite): void {
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
  lists.forget(key);
  store.put(key, undefined);
  rerun(store, isMine ? head : incoming);
  for (const write of built) rerun(store, write);
  if (built.some((write) => write.unit.type === 'list' && isByPosition(write))) occasion.need(key);
}

/** A `STATE` of the other site. */
export function applyState(occasion: Occasion, incoming: StateWrite): void {
  const { own, pending } = occasion;
  const head = lastHead(own);
  if (pending && above(pending, incoming.rank)) return;
  if (head?.kind === 'user' && beats(head, incoming)) return;
  if (head?.kind === 'state' && above(head.rank, incoming.rank)) return;
  const users = own.filter(isUser);
  const built = after(users, lastHead(users));
  replaceBy(occasion, incoming, built);
  // The other site still has what an own head took from the list here.
  if (users.slice(0, users.length - built.length).some(({ unit }) => unit.type === 'list'))
    occasion.lists.set(occasion.key, undefined);
  // An own state that was beaten stands in the way of what the other site writes next: it is said again, in what has become of it.
  if (head?.kind === 'state' || built.some(({ unit }) => unit.role === 'derive'))
    occasion.sendState(occasion.key, latest(occasion, incoming));
}

function replaceBy({ store, key, lists }: Occasion, state: StateWrite, built: readonly UserWrite[]): void {
  store.put(key, cloneSlot(state.slot));
  lists.replaced(
    key,
    (store.read(key, 'list') || undefined)?.elements.length ?? 0,
    built.filter((write) => !isByPosition(write)),
  );
  for (const write of built) {
    if (state.site === write.site) rerun(store, write);
    else rerunOnState(store, write);
  }
}
