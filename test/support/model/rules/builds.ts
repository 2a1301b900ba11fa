import { endOf, isFreeOf } from './ends.js';
import { sizeOf } from '../redis/value.js';
import { applyCellHead, applyExpiry } from './cells.js';
import { applyField, isOfFieldLife } from './fields.js';
import { applyToList } from './lists.js';
import { type Occasion, after, lastHead, latest, leaveOutRemoval } from './occasion.js';
import { rerun } from './rerun.js';
import { applyTrim, isBelowTrim } from './streams.js';
import { clashes, isEnd, lifeOf } from './unit.js';
import { type UserWrite, type Write, isHead, isUser } from './write.js';

/** Everything but a head of the key: it builds on what is there. */
export function applyBuild(occasion: Occasion, incoming: UserWrite): void {
  const { store, key, life } = occasion;
  if (isOfEndedLife(occasion, incoming)) return;
  const deadline = deadlineFor(occasion, incoming);
  buildOn(occasion, incoming);
  const slot = store.get(key);
  if (typeof deadline === 'number' && slot && slot.expiresAt === undefined) slot.expiresAt = deadline;
  const given = lifeOf(incoming.unit);
  if (incoming.unit.role === 'expiry' && !slot) life.deadlineIs(given === Infinity ? 'none' : given);
}

function isExpiry(write: Write): boolean {
  return write.kind === 'user' && write.unit.role === 'expiry';
}

/**
 * A write to a life that has ended here ends with it. Only a longer deadline that its site gave it meanwhile keeps it: then that site
 * has it still, and is asked. Until the answer has come nothing of it is made anew here.
 */
function isOfEndedLife(
  { own, key, store, life, isAsking, need }: Occasion,
  { unit, seen }: UserWrite,
): boolean {
  const end = own.findLast((write) => write.kind === 'user' && isEnd(write.unit)) as UserWrite | undefined;
  const isMatched = end !== undefined && end.n <= life.matchedThrough;
  const isAmbiguous = isMatched && seen >= life.madeAgainBy;
  const isEnded = end !== undefined && (!isMatched || isAmbiguous);
  const isAwaited = isAsking && store.get(key) === undefined && typeof life.deadline === 'number';
  if (!isEnded && !isAwaited) return false;
  const isDoubtful = isAmbiguous || (end !== undefined && end.n <= life.forgottenThrough);
  const isPutOff = unit.role === 'expiry' && lifeOf(unit) > Number(end?.unit.argv[2] ?? 0);
  const isAsked = isAsking && life.leavesOut && life.askedAt >= (end?.n ?? 0);
  if (!isAsked && (isDoubtful || isPutOff || (isAwaited && !isEnded))) need(key, 'writes');
  return true;
}

/**
 * A write that a removal of this site's had not seen stays, and has the deadline it has at its own site: the one that is known here.
 * Undefined where nothing is to be kept, or is known here; the other site is asked.
 */
function deadlineFor(
  { own, key, store, life, isAsking, need }: Occasion,
  { unit, seen }: UserWrite,
): number | undefined {
  if (unit.removal || unit.role === 'expiry') return undefined;
  const isRemoval = (write: Write): write is UserWrite => write.kind === 'user' && write.unit.removal;
  const removedAt = own.findLastIndex(
    (write) =>
      isRemoval(write) &&
      write.unit.role === 'key-head' &&
      (write.n > life.matchedThrough || seen >= life.madeAgainBy),
  );
  // What was made here after the removal has a deadline of its own, or was given none.
  const removed = removedAt >= 0 && !own.slice(removedAt + 1).some(isExpiry);
  const emptied =
    store.get(key) === undefined && own.some((write) => !isRemoval(write) || write.unit.role !== 'key-head');
  if (!removed && !emptied) return undefined;
  if (life.deadline === 'none') return undefined;
  if (life.deadline !== 'unknown') {
    if (!isAsking) need(key);
    return life.deadline;
  }
  // A site that has forgotten asks as well: for that moment the key may be without its deadline, but nothing is lost.
  // A queue has none, as a rule: an element that comes with a state may be taken twice, as it may have been popped here meanwhile.
  const isQueue = unit.type === 'list' || unit.type === 'zset';
  if (!removed && isQueue) return undefined;
  if (!isAsking || !life.leavesOut) need(key, 'writes');
  return undefined;
}

function buildOn(occasion: Occasion, incoming: UserWrite): void {
  const { own } = occasion;
  const head = lastHead(own);
  const built = after(own, head);
  const met =
    occasion.pending || occasion.isAsking ? [] : built.filter(({ unit }) => clashes(unit, incoming.unit));
  if (met.length > 0) clash(occasion, incoming, met, built);
  else perform(occasion, incoming, built, false);
  doubtExpiry(occasion, incoming, built);
}

/**
 * Both sites run what they can of it; the one with the latest write in the clash says what came of it. A site cannot know
 * what the other popped from a sorted set, so the one that popped is the one to say.
 */
function clash(
  occasion: Occasion,
  incoming: UserWrite,
  met: readonly UserWrite[],
  built: readonly UserWrite[],
): void {
  const isMine = met.some((write) => weighsMore(write, incoming));
  perform(occasion, incoming, built, true);
  if (isMine) occasion.sendState(occasion.key, latest(occasion, incoming));
}

/** Whether own writes may stand elsewhere than at the ends they were made at. */
function isDoubted({ key, own, lists }: Occasion, { seen }: UserWrite): boolean {
  return lists.isUnknown(key, seen) || own.filter(isUser).some((write) => lists.isDoubtful(write));
}

function weighsMore(a: UserWrite, b: UserWrite): boolean {
  return weight(a) !== weight(b) ? weight(a) > weight(b) : a.at !== b.at ? a.at > b.at : a.site < b.site;
}

function weight({ unit }: UserWrite): number {
  if (unit.role === 'pop') return 2;
  return unit.removal ? 0 : 1;
}

function perform(
  occasion: Occasion,
  incoming: UserWrite,
  built: readonly UserWrite[],
  isClash: boolean,
): void {
  const { store, own, key, pending } = occasion;
  const { role, type, argv } = incoming.unit;
  const held = store.get(key)?.value.type;
  if (isClash && type !== undefined && held !== undefined && held !== type) return;
  if (isOfFieldLife(occasion, incoming, occasion.own.filter(isUser))) {
    applyField(occasion, incoming, built);
    return;
  }
  switch (role) {
    case 'expiry':
      applyExpiry(occasion, incoming, built);
      return;
    case 'cell-head':
      if (argv[0] === 'XADD' && isBelowTrim(occasion, incoming, built)) occasion.need(key);
      applyCellHead(occasion, incoming, built);
      return;
    case 'ends':
    case 'edit': {
      const other = own.findLastIndex(
        (write) => isHead(write) && !(write.kind === 'user' && write.unit.argv[0] === 'DEL'),
      );
      const listed = own
        .slice(other + 1)
        .filter(isUser)
        .filter(({ unit }) => unit.type === 'list' || unit.argv[0] === 'DEL');
      applyToList(occasion, incoming, {
        own: listed,
        isReplaced: other >= 0 || pending !== undefined,
        isSettled: isClash || pending !== undefined || occasion.isAsking,
        isFree:
          isFreeOf(incoming, key, own, store.get(key)?.expiresAt !== undefined) &&
          (endOf(incoming.unit)?.does === 'push' ||
            !(pending || occasion.isAsking || isDoubted(occasion, incoming))),
      });
      return;
    }
    case 'pop':
      // What stands first here may not be what stood first there.
      if (pending !== undefined || occasion.isAsking) return;
      if (own.every((write) => write.kind === 'user' && write.unit.role === 'expiry')) store.run(argv);
      else if (!isClash) leaveOutRemoval(occasion);
      return;
    case 'trim':
      if (pending === undefined && !occasion.isAsking && lastHead(own)?.kind !== 'state')
        applyTrim(occasion, incoming, built);
      return;
    case 'field-expiry':
    case 'tail':
    case 'modify':
    case 'derive':
    case 'move':
    case 'key-head':
      rerun(store, incoming);
  }
}

/**
 * At its origin a removal may have taken the last of the key, and with it the expiry, while own additions keep the key and
 * its expiry alive here: the origin is told of it. The other way round, an expiry (or a group) may have been set on what own
 * removals have taken away, while own additions have brought the key back. Only the origin knows.
 */
export function doubtExpiry(
  { store, key, own, need, tellDeadline }: Occasion,
  incoming: UserWrite,
  built: readonly UserWrite[],
): void {
  const slot = store.get(key);
  if (!slot) return;
  const isGroup = incoming.unit.argv[0] === 'XGROUP' || incoming.unit.argv[0] === 'XCLAIM';
  if (incoming.unit.removal ? slot.expiresAt === undefined : incoming.unit.role !== 'expiry' && !isGroup)
    return;
  const isGone = own.some((write) => write.kind === 'state' || write.unit.removal);
  if (!incoming.unit.removal && !isGone) return;
  const added = built.reduce(
    (sum, { unit }) => sum + (unit.removal ? 0 : unit.type === 'list' ? unit.argv.length - 2 : 1),
    0,
  );
  if (added === 0 || (incoming.unit.removal && sizeOf(slot.value) > added)) return;
  need(key);
  if (incoming.unit.removal) tellDeadline(key);
}
