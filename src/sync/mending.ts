/** Makes keys equal that differ, by the state of one of the sites. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Found } from '../protocol/messages/finding.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Difference } from './survey.js';
import type { SyncSite } from './work.js';

/** Which site's value stays. */
export interface Preference {
  /** A site's name; without one, only keys that one of the sites lacks are mended. */
  readonly prefer: string | undefined;
  /** Whether a key that the preferred site lacks is removed at the other; if not, it is copied. */
  readonly removes: boolean;
}

/** Bytes of values asked for in one go: the peer sends them in one step. */
const ASKED_BYTES = 1024 * 1024;
const ASKED_KEYS = 128;
/** How often it is looked whether the change list has room again. */
const ROOM_MS = 5;

/** What is done about a key: this site's state is sent, the peer's is asked for, or it is left as it is. */
export type Remedy = 'send' | 'ask' | 'leave';

/** The remedy for a difference. */
export function remedyOf(
  { finding }: Pick<Difference, 'finding'>,
  { prefer, removes }: Preference,
  { site, peer }: { site: string; peer: string },
): Remedy {
  const isMissing = finding === 'missing-here' || finding === 'missing-there';
  if (isMissing && !(removes && prefer !== undefined)) return finding === 'missing-there' ? 'send' : 'ask';
  if (prefer === site) return 'send';
  return prefer === peer ? 'ask' : 'leave';
}

/** The site whose value stays by a remedy; undefined where each keeps its own. */
export function stayingOf(
  remedy: Remedy,
  { site, peer }: { site: string; peer: string },
): string | undefined {
  return { send: site, ask: peer, leave: undefined }[remedy];
}

/** A key whose state is sent. */
export interface Sent extends PlacedKey {
  /** The weight of the state against another one of old data: when this site last wrote the key, in ms since 1970; 0 without it. */
  readonly rankMs?: number;
}

/** Sends this site's state of keys. Gives how many bytes those were. @param absent whether keys this site lacks are removed */
export async function sendStates(
  site: SyncSite,
  keys: readonly Sent[],
  { absent, signal }: { absent: boolean; signal: AbortSignal },
): Promise<number> {
  const { exchange, copies, pace, hasRoom } = site;
  let bytes = 0;
  for (let from = 0; from < keys.length;) {
    while (!hasRoom()) await sleep(ROOM_MS, undefined, { signal });
    const inParts = await copies.isRead();
    const sizes = await exchange.send(keys.slice(from, from + ASKED_KEYS), { absent, inParts });
    const sum = sizes.reduce((a, b) => a + Math.max(0, b), 0);
    const large = keys.slice(from, from + sizes.length).filter((_, at) => sizes[at]! < 0);
    from += sizes.length;
    bytes += sum;
    await pace.take({ keys: sizes.length, bytes: sum }, signal);
    for (const key of large) bytes += await sendLarge(site, key, { absent, signal });
  }
  return bytes;
}

/** Sends a large value in parts, or, where that does not come about, in one step. */
async function sendLarge(
  { copies, exchange, pace }: SyncSite,
  key: Sent,
  { absent, signal }: { absent: boolean; signal: AbortSignal },
): Promise<number> {
  const sent = await copies.send(key, key.rankMs ?? 0, signal);
  if (sent !== undefined) return sent;
  const [bytes = 0] = await exchange.send([key], { absent, inParts: false });
  await pace.take({ keys: 0, bytes }, signal);
  return bytes;
}

/** Asks for the peer's state of keys. It is here some time later. */
export async function askStates(
  { exchange, pace }: SyncSite,
  differences: readonly Found[],
  signal: AbortSignal,
): Promise<void> {
  let [part, bytes]: [Found[], number] = [[], 0];
  const ask = async (): Promise<void> => {
    if (part.length === 0) return;
    await exchange.ask(part);
    await pace.take({ keys: part.length, bytes }, signal);
    [part, bytes] = [[], 0];
  };
  for (const difference of differences) {
    if (part.length >= ASKED_KEYS || bytes + difference.bytes > ASKED_BYTES) await ask();
    part.push(difference);
    bytes += difference.bytes;
  }
  await ask();
}
