/**
 * Pauses: directions that a person has stopped for a while. They stand in an internal key, so that they outlive the process; the working
 * process looks at it often. Paused changes wait where they wait for a peer that is away, or for an applier that is slow: in the change
 * list, or in the inbox.
 */

import type { Redis } from 'ioredis';
import type { Logger } from '../log/log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { Signal } from '../async/signal.js';

export const DIRECTIONS = ['outbound', 'inbound'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** Since when a direction is paused, in ms since 1970; undefined while it is not. */
export type Paused = Readonly<Record<Direction, number | undefined>>;

/** How often the working process looks. */
const LOOK_MS = 500;

/** Reads the pauses from Redis. */
export async function readPauses(client: Redis, keys: KeyNames): Promise<Paused> {
  const [outbound, inbound] = await answerOf(client, client.hmget(keys.paused, ...DIRECTIONS));
  return { outbound: sinceOf(outbound), inbound: sinceOf(inbound) };
}

/** Pauses directions; one that is paused already keeps its beginning. */
export async function pause(client: Redis, keys: KeyNames, directions: readonly Direction[]): Promise<void> {
  await runScript(client, 'pause-directions', [keys.paused], [Date.now(), ...directions]);
}

export async function resume(client: Redis, keys: KeyNames, directions: readonly Direction[]): Promise<void> {
  await answerOf(client, client.hdel(keys.paused, ...directions));
}

/** The pauses, as the working process knows them. */
export class Pauses {
  readonly #options: { readonly client: Redis; readonly keys: KeyNames; readonly log: Logger };
  #paused: Paused = { outbound: undefined, inbound: undefined };

  constructor(options: { client: Redis; keys: KeyNames; log: Logger }) {
    this.#options = options;
  }

  /** Since when a direction is paused, in ms since 1970; undefined while it is not. */
  since(direction: Direction): number | undefined {
    return this.#paused[direction];
  }

  /** Must have come back before anything is sent or applied. */
  async look(): Promise<void> {
    const { client, keys, log } = this.#options;
    const before = this.#paused;
    this.#paused = await readPauses(client, keys);
    for (const direction of DIRECTIONS) {
      const since = this.#paused[direction];
      if ((since === undefined) === (before[direction] === undefined)) continue;
      if (since === undefined) log.info({ direction }, 'a paused direction goes on');
      else log.warn({ direction, since: new Date(since).toISOString() }, 'a direction is paused');
    }
  }

  /** Looks again and again until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const wake = new Signal();
    for (;;) {
      await wake.wait(signal, LOOK_MS);
      await this.look();
    }
  }
}

/** A beginning that is no number is a pause all the same: a client set it. */
function sinceOf(text: string | null | undefined): number | undefined {
  if (text == null) return undefined;
  const since = Number(text);
  return Number.isSafeInteger(since) && Math.abs(since) < 8.64e15 ? since : 0;
}
