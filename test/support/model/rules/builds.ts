import { sizeOf } from '../redis/value.js';
import { applyCellHead, applyExpiry } from './cells.js';
import { applyToList } from './lists.js';
import { type Occasion, after, lastHead, latest } from './occasion.js';
import { rerun } from './rerun.js';
import { applyTrim, isBelowTrim } from './streams.js';
import { clashes } from './unit.js';
import { type UserWrite, isHead, isUser } from './write.js';

/** Everything but a head of the key: it builds on what is there. */
export function applyBuild(occasion: Occasion, incoming: UserWrite): void {
  const { own } = occasion;
  const head = lastHead(own);
  const built = after(own, head);
  const met =
    occasion.pending || occasion.isAsking ? [] : built.filter(({ unit }) => clashes(unit, incoming.unit));
  if (met.length > 0) clash(occasion, incoming, met, built);
  else perform(occasion, incoming, built, false);
  askForExpiry(occasion, incoming, built);
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
      });
      return;
    }
    case 'pop':
      if (
        pending === undefined &&
        !occasion.isAsking &&
        own.every((write) => write.kind === 'user' && write.unit.role === 'expiry')
      )
        store.run(argv);
      return;
    case 'trim':
      if (pending === undefined && !occasion.isAsking && lastHead(own)?.kind !== 'state')
        applyTrim(occasion, incoming, built);
      return;
    case 'tail':
    case 'modify':
    case 'derive':
    case 'key-head':
      rerun(store, incoming);
  }
}

/**
 * At its origin a removal may have taken the last of the key, and with it the expiry, while own additions keep the key and
 * its expiry alive here. The other way round, an expiry (or a group) may have been set on what own removals have taken
 * away, while own additions have brought the key back. Only the origin knows.
 */
function askForExpiry(
  { store, key, own, need }: Occasion,
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
  if (added > 0 && (!incoming.unit.removal || sizeOf(slot.value) <= added)) need(key);
}
