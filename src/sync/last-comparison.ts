/** What the last comparison of all keys has found: kept in Redis, where the next process finds it. */

import type { Logger } from '../log/log.js';
import type { ComparisonStatus } from '../observe/status.js';
import { answerOf, type Redis } from '../redis/connect.js';
import type { ComparisonRequest } from './comparison.js';
import type { ComparisonResult } from './comparison-counts.js';

/** In the hash of the site's state; nothing but numbers may stand there. */
const FIELDS = ['comparedAt', 'comparedKeys', 'comparedDiffering'] as const;

export class LastComparison {
  readonly #key: string;
  readonly #log: Logger;
  #found: ComparisonStatus | undefined;

  /** @param key the hash of the site's state */
  constructor(key: string, log: Logger) {
    this.#key = key;
    this.#log = log;
  }

  /** Undefined before there was one, as far as is known. */
  get found(): ComparisonStatus | undefined {
    return this.#found;
  }

  /** As a process before this one has left it. */
  async load(client: Redis): Promise<void> {
    const noted = await answerOf(client, client.hmget(this.#key, ...FIELDS));
    const [at, compared, differing] = noted.map(Number);
    if (noted.every((text) => text !== null))
      this.#found = { at: at!, compared: compared!, differing: differing! };
  }

  /** One has ended. Of a part of the keys it is told alone: it says nothing of the others. */
  async ended(
    client: Redis,
    job: string,
    request: ComparisonRequest,
    result: ComparisonResult,
  ): Promise<void> {
    const { compared, differing, repaired } = result;
    const left = differing - repaired;
    if (left > 0) this.#log.warn({ job, ...result }, 'the sites have been compared, and hold different data');
    else this.#log.info({ job, ...result }, 'the sites have been compared');
    const { pattern, database, sample } = request;
    if (pattern !== undefined || database !== undefined || sample !== undefined) return;
    this.#found = { at: Date.now(), compared, differing: left };
    const values = [this.#found.at, compared, left];
    await answerOf(client, client.hset(this.#key, ...FIELDS.flatMap((field, i) => [field, values[i]!])));
  }
}
