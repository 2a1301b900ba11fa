/**
 * What each site tells the other one of itself, every second, whether or not changes can cross: so both know where a change waits, and
 * why. It is told to the peer's Redis, and heard in the own stream.
 */

import type { Redis } from 'ioredis';
import { wallMs } from '../protocol/clock.js';
import { runScript } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import { Signal } from '../async/signal.js';
import type { OtherLink, OtherStatus, SiteStatus } from '../observe/status.js';
import type { ChangeList } from './change-list.js';

export interface PeerWordOptions {
  /** A client at the peer's Redis, which the courier connects. */
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly pair: string;
  readonly site: string;
  /** The message of this site; undefined while it does not work. */
  readonly tells: () => Told | undefined;
}

/** The oldest change that the teller does not know to be applied at the other site. */
interface Oldest {
  readonly sequence: number;
  /** When it was made, in ms since 1970, by the clock of its site. */
  readonly madeMs: number;
}

export type Told = Omit<OtherStatus, 'heardMs'> & { readonly oldest: Oldest | null };

/** How often a site tells how it is. */
const TELL_MS = 1000;
/** Longest text that is listened to. */
const MAX_TOLD_CHARS = 2000;

const REASON = /^[A-Z_]{1,40}$/;
const VERSION = /^[\w.+-]{1,40}$/;
const STATES: readonly string[] = [
  'starting',
  'connecting',
  'streaming',
  'caught-up',
  'backing-off',
  'paused',
  'stopped',
] satisfies readonly OtherLink['state'][];

export class PeerWord {
  readonly #options: PeerWordOptions;
  #heard: OtherStatus | undefined;
  #oldest: Oldest | undefined;

  constructor(options: PeerWordOptions) {
    this.#options = options;
  }

  /** The last message of the other site; undefined before there is one. */
  get heard(): OtherStatus | undefined {
    return this.#heard;
  }

  /** When the oldest change was made that the other site has told of and that is not applied here, in ms since 1970, if there is one. */
  oldestBehind(appliedSequence: number): number | undefined {
    const oldest = this.#oldest;
    return oldest !== undefined && oldest.sequence > appliedSequence ? oldest.madeMs : undefined;
  }

  /** The other site has told something. What cannot be read is passed over: its account can write anything there. */
  hear(text: string): void {
    const told = text.length > MAX_TOLD_CHARS ? undefined : toldBy(text);
    if (told === undefined) return;
    const { oldest, ...status } = told;
    this.#oldest = oldest ?? undefined;
    this.#heard = { ...status, heardMs: Date.now() };
  }

  /** Tells until the signal aborts. Nothing rests on it: where it fails, it is told the next time. Never rejects. */
  async keep(signal: AbortSignal): Promise<void> {
    const { client, keys, pair, site, tells } = this.#options;
    const wake = new Signal();
    while (!signal.aborted) {
      const told = tells();
      if (told !== undefined && client.status === 'ready')
        await runScript(
          client,
          'tell-peer',
          [keys.received],
          [`${pair}/${site}`, JSON.stringify(told)],
        ).catch(() => {});
      await wake.wait(signal, TELL_MS).catch(() => {});
    }
  }
}

/** The message of a site at work. */
export function toldOf(
  status: SiteStatus,
  { firstSequence, oldestTimestamp }: Pick<ChangeList, 'firstSequence' | 'oldestTimestamp'>,
): Told {
  const oldest =
    oldestTimestamp === undefined
      ? null
      : { sequence: firstSequence, madeMs: Math.max(0, wallMs(oldestTimestamp)) };
  const { version, outbound, inbound, gap, rejectedPending } = status;
  return { version, outbound: link(outbound), inbound: link(inbound), gap, rejectedPending, oldest };
}

function toldBy(text: string): Told | undefined {
  try {
    const { version, outbound, inbound, gap, rejectedPending, oldest } = JSON.parse(text) as Told;
    const isSound =
      VERSION.test(version) &&
      isLink(outbound) &&
      isLink(inbound) &&
      typeof gap === 'boolean' &&
      (rejectedPending === undefined || isCount(rejectedPending)) &&
      isPlace(oldest);
    if (!isSound) return undefined;
    const rejected = rejectedPending === undefined ? {} : { rejectedPending };
    return { version, outbound: link(outbound), inbound: link(inbound), gap, ...rejected, oldest };
  } catch {
    return undefined;
  }
}

function link({ state, reason, pausedSince, lagMs }: OtherLink): OtherLink {
  return { state, ...(reason === undefined ? {} : { reason }), pausedSince, lagMs };
}

function isLink(told: OtherLink): boolean {
  return (
    STATES.includes(told.state) &&
    (told.reason === undefined || REASON.test(told.reason)) &&
    (told.pausedSince === null || isCount(told.pausedSince)) &&
    isCount(told.lagMs)
  );
}

function isPlace(told: Oldest | null): boolean {
  return told === null || (isCount(told.sequence) && isCount(told.madeMs));
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
