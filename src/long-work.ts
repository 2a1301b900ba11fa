/** The long work of a site, wired: what the control plane runs, and what it is given to run with. */

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Filter } from './change/filter.js';
import type { Config } from './config.js';
import type { Logger } from './log.js';
import { answerOf, connectClient, openClient, type Redis } from './redis/connect.js';
import type { KeyNames } from './redis/keys.js';
import type { OpenedState } from './site-state.js';
import { fieldsExpire } from './stage-settings.js';
import { compareSites, type ComparisonRequest, type ComparisonResult, type LedgerEntry } from './sync/comparison.js';
import { Exchange } from './sync/exchange.js';
import { copyFirst, type FirstCopyResult } from './sync/first-copy.js';
import { Pace } from './sync/pace.js';
import type { Attempt, SyncSite } from './sync/work.js';

export interface LongWorkOptions {
  readonly config: Config;
  readonly keys: KeyNames;
  readonly opened: OpenedState;
  readonly log: Logger;
  /** Bytes in the change list. */
  readonly changesBytes: () => number;
  /** Whether capture reads the stream: what is asked before is heard by nobody. */
  readonly isCapturing: () => boolean;
  /** The histories are whole again. */
  readonly onRepaired: () => void;
}

/** A change list longer than this is left to drain before more old data goes into it. */
const ROOM_BYTES = 16 * 1024 * 1024;
/** How long the list of differences is kept, in seconds, and how many keys it names. */
const KEPT_SECONDS = 7 * 24 * 3600;
const MAX_NOTED = 100_000;
const READY_MS = 20;

export class LongWork {
  readonly #options: LongWorkOptions;
  readonly #client: Redis;
  readonly #site: SyncSite;
  readonly exchange: Exchange;

  constructor(options: LongWorkOptions) {
    const { config, keys, opened, log, changesBytes } = options;
    this.#options = options;
    this.#client = openClient({
      url: config.localUrl,
      tls: config.tls,
      name: `tandem:${config.site}:sync`,
      log,
      connectTimeoutMs: config.connectTimeoutMs,
      commandTimeoutMs: config.commandTimeoutMs,
      backoffMinMs: config.backoffMinMs,
      backoffMaxMs: config.backoffMaxMs,
    });
    this.exchange = new Exchange({
      client: this.#client,
      out: keys.out,
      site: config.site,
      session: randomBytes(8).toString('hex'),
      fieldsExpire: fieldsExpire(opened),
    });
    const { include, exclude } = config.publishChannels;
    this.#site = {
      site: config.site,
      peer: config.peer,
      client: this.#client,
      exchange: this.exchange,
      filter: new Filter({ ...config.filters, channelsInclude: include, channelsExclude: exclude }),
      ownPrefix: keys.prefix,
      databases: opened.databases,
      hasRoom: () => changesBytes() < Math.min(ROOM_BYTES, config.changesBytes / 4),
      pace: new Pace({ keys: config.syncKeysPerSecond, bytes: config.syncBytesPerSecond }),
      log,
    };
  }

  /** By name, for the control plane. */
  readonly tasks = {
    verify: (attempt: Attempt): Promise<ComparisonResult> => this.#compare(attempt),
    'first-copy': (attempt: Attempt): Promise<FirstCopyResult> => this.#copyFirst(attempt),
    repair: (attempt: Attempt): Promise<ComparisonResult> => this.#repairGap(attempt),
  };

  close(): void {
    this.#client.disconnect();
  }

  async #compare(attempt: Attempt): Promise<ComparisonResult> {
    await this.#ready(attempt.signal);
    const { prefer } = this.#options.config;
    const request = (attempt.data ?? {}) as ComparisonRequest;
    const data = { ...request, prefer: request.prefer ?? prefer ?? undefined };
    const result = await compareSites(this.#site, { note: (...args) => this.#note(...args) }, { ...attempt, data });
    this.#options.log.info({ job: attempt.id, ...result }, 'the sites have been compared');
    return result;
  }

  async #copyFirst(attempt: Attempt): Promise<FirstCopyResult> {
    await this.#ready(attempt.signal);
    const { config, keys, log } = this.#options;
    const result = await copyFirst(this.#site, config.prefer ?? undefined, attempt);
    await answerOf(this.#client, this.#client.hset(keys.state, 'copied', 1));
    log.info({ ...result }, 'what this site held before the pair began has been sent to the peer');
    return result;
  }

  /** What a cut of the histories has left different. */
  async #repairGap(attempt: Attempt): Promise<ComparisonResult> {
    const { keys, onRepaired } = this.#options;
    const result = await this.#compare(attempt);
    if (result.differing === result.repaired && result.undecided === 0) {
      await answerOf(this.#client, this.#client.hdel(keys.state, 'repair'));
      onRepaired();
    }
    return result;
  }

  async #ready(signal: AbortSignal): Promise<void> {
    await connectClient(this.#client, signal);
    while (!this.#options.isCapturing()) await sleep(READY_MS, undefined, { signal });
  }

  async #note(jobId: string, entries: readonly LedgerEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const { keys } = this.#options;
    const key = `${keys.differencesPrefix}${jobId}`;
    if ((await this.#client.hlen(key)) >= MAX_NOTED) return;
    const fields = entries.flatMap((one) => [
      Buffer.concat([Buffer.from(`${one.database}:`), one.key]),
      Buffer.from(one.kind),
    ]);
    for (let from = 0; from < fields.length; from += 1000)
      await answerOf(this.#client, this.#client.hset(key, ...fields.slice(from, from + 1000)));
    await answerOf(this.#client, this.#client.expire(key, KEPT_SECONDS));
  }
}
