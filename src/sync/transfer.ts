/**
 * Makes keys equal that are written at both sites all the time, so that nobody can tell whether they differ: the state of the site with the better
 * claim is sent at its place in the order of the changes, and whatever was written at the other site meanwhile is settled with it by
 * the rules for states. To wait for a moment's rest instead may take for ever.
 */

import type { Found } from '../protocol/messages/finding.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { encodeGap } from '../protocol/gap.js';
import { typesOf } from './chosen-keys.js';
import { askStates, sendStates } from './mending.js';
import type { Judgement, SyncSite } from './work.js';

/** Removals from a value of these types name their member, so a state that meets one does not bring it back. */
const BY_NAME: ReadonlySet<string> = new Set(['string', 'hash', 'set']);

/**
 * @param busy as they were last found
 * @returns those that are to be looked at again: what is taken from them is named by its place, or the peer's history was cut once more
 */
export async function transferStates(
  site: SyncSite,
  busy: readonly Found[],
  signal: AbortSignal,
): Promise<PlacedKey[]> {
  const types = await typesOf(site.client, busy);
  const judged = busy.map((one, at) => ({ one, type: types[at]!, judgement: site.judge(one) }));
  const able = judged.filter(({ type, judgement }) => isSafe(type, judgement));
  const left: PlacedKey[] = judged.filter((one) => !able.includes(one)).map(({ one }) => one);
  if (able.length === 0) return left;
  const sent = able.filter(({ judgement }) => judgement.stays === 'own');
  await sendStates(
    site,
    sent.map(({ one, judgement }) => ({ ...one, rankMs: judgement.ownWroteMs })),
    { absent: false, signal },
  );
  const asked = able.filter(({ judgement }) => judgement.stays === 'peer').map(({ one }) => one);
  await askStates(site, asked, signal);
  // An answer behind the states says that they are applied, and whether what they rest on still holds.
  const before = new Map(able.map(({ one }) => [nameOf(one), encodeGap(one.cut)]));
  for (let from = 0; from < able.length; from += CONFIRMED_KEYS) {
    const part = able.slice(from, from + CONFIRMED_KEYS).map(({ one }) => one);
    const found = await site.exchange.presence(part, signal);
    left.push(...found.filter((one) => before.get(nameOf(one)) !== encodeGap(one.cut)));
  }
  return left;
}

/** Keys in one question. */
const CONFIRMED_KEYS = 128;

function isSafe(type: string, { ownWroteMs, peerWroteMs }: Judgement): boolean {
  return BY_NAME.has(type) && ownWroteMs > 0 && peerWroteMs > 0;
}

function nameOf({ database, key }: PlacedKey): string {
  return `${database}:${key.toString('latin1')}`;
}
