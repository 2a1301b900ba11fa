/** The findings of a comparison about single keys, by the name of its job: a hash of the local server that lasts some days. */

import type { PlacedKey } from '../redis-commands/placed-key.js';
import { answerOf, type Redis } from '../redis/connect.js';
import { addFresh, type Counts } from './comparison-counts.js';

export interface LedgerEntry extends PlacedKey {
  readonly kind: string;
  /** The site whose value stays, where a repair was asked for. */
  readonly stays?: string | undefined;
}

/** A kind, and behind a space the site whose value stays. Neither holds a space. */
function textOf({ kind, stays }: LedgerEntry): string {
  return stays === undefined ? kind : `${kind} ${stays}`;
}

/** What {@link LedgerEntry} says of a key, out of what is noted of it. */
export function parseNoted(text: string): Pick<LedgerEntry, 'kind' | 'stays'> {
  const [kind = '', stays] = text.split(' ');
  return { kind, stays };
}

/** How long it is kept, in seconds, and about how many keys it names. */
const KEPT_SECONDS = 7 * 24 * 3600;
const MAX_NOTED = 100_000;
const FIELDS_A_COMMAND = 1000;

export class Ledger {
  readonly #client: Redis;
  readonly #key: string;

  constructor(client: Redis, key: string) {
    this.#client = client;
    this.#key = key;
  }

  async clear(): Promise<void> {
    await answerOf(this.#client, this.#client.unlink(this.#key));
  }

  /** Those of the entries whose keys are not noted. */
  async missing(entries: readonly LedgerEntry[]): Promise<LedgerEntry[]> {
    const missing: LedgerEntry[] = [];
    for (let from = 0; from < entries.length; from += FIELDS_A_COMMAND) {
      const part = entries.slice(from, from + FIELDS_A_COMMAND);
      const known = await answerOf(this.#client, this.#client.hmget(this.#key, ...part.map(fieldOf)));
      missing.push(...part.filter((_, index) => known[index] === null));
    }
    return missing;
  }

  /** Notes entries, unless it is full. */
  async note(entries: readonly LedgerEntry[]): Promise<void> {
    const client = this.#client;
    if (entries.length === 0 || (await answerOf(client, client.hlen(this.#key))) >= MAX_NOTED) return;
    for (let from = 0; from < entries.length; from += FIELDS_A_COMMAND) {
      const fields = entries
        .slice(from, from + FIELDS_A_COMMAND)
        .flatMap((one) => [fieldOf(one), textOf(one)]);
      await answerOf(client, client.hset(this.#key, ...fields));
    }
    await answerOf(client, client.expire(this.#key, KEPT_SECONDS));
  }

  /** How many keys are noted as what; undefined when it is full, and does not know of all. */
  async counts(): Promise<Pick<Counts, 'differing' | 'byKind' | 'stays'> | undefined> {
    const noted = await answerOf(this.#client, this.#client.hvals(this.#key));
    if (noted.length >= MAX_NOTED) return undefined;
    const counts = { differing: 0, byKind: {}, stays: {} };
    addFresh(counts, noted.map(parseNoted));
    return counts;
  }
}

function fieldOf({ database, key }: PlacedKey): Buffer {
  return Buffer.concat([Buffer.from(`${database}:`), key]);
}
