/**
 * The long work of a site: what the control plane runs as jobs, wired to the stages, which do not know of it. A job outlives the
 * process and its work on the stream; it goes on as soon as the site is at work again.
 */

import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Filter } from './change/filter.js';
import type { PlacedKey } from './change/special.js';
import type { Config } from './config.js';
import type { JobContext } from './control/jobs.js';
import type { Logger } from './log.js';
import { TandemError } from './errors.js';
import { answerOf, connectClient, openClient, type Redis } from './redis/connect.js';
import type { KeyNames } from './redis/keys.js';
import type { OpenedState } from './site-state.js';
import { fieldsExpire, filterOf } from './stage-settings.js';
import { compareSites, type ComparisonRequest, type ComparisonResult } from './sync/comparison.js';
import { Exchange } from './sync/exchange.js';
import { copyFirst, type FirstCopyResult } from './sync/first-copy.js';
import { Inventory } from './sync/inventory.js';
import { Chosen } from './sync/keys.js';
import { Pace } from './sync/pace.js';
import { Ledger } from './sync/ledger.js';
import type { SyncSite } from './sync/work.js';

export interface LongWorkOptions {
  readonly config: Config;
  readonly keys: KeyNames;
  readonly log: Logger;
  /** What a cut of the histories had left different is equal again. */
  readonly onRepaired: () => void;
  /** The first copy is done. */
  readonly onCopied: () => void;
}

/** A site at work, as far as long work needs it. */
interface Stages {
  /** Whether capture reads the stream: what is asked before is heard by nobody. */
  readonly isCapturing: () => boolean;
  /** Bytes in the change list. */
  readonly changesBytes: () => number;
  /** The newest sequence of the peer's that has come, and the newest that is applied. */
  readonly received: () => number;
  readonly applied: () => number;
  /** Batches of the peer's that are not applied. */
  readonly inboxBatches: () => number;
  /** A number that changes whenever the peer has made a change that is applied here, or says that it has applied one. */
  readonly heardOfPeer: () => number;
}

interface RepairCheckpoint {
  /** The cut that was repaired. */
  readonly noted?: string;
  /** How far the comparison was. */
  readonly comparison: unknown;
}

interface Attached extends Stages {
  readonly client: Redis;
  readonly exchange: Exchange;
  readonly databases: number;
}

/** A change list longer than this is left to drain before more old data goes into it. */
const ROOM_BYTES = 16 * 1024 * 1024;
const READY_MS = 20;
/** How often the sites are compared until nothing is found any more. */
const ROUNDS = 5;
const NOTHING_COPIED: FirstCopyResult = { looked: 0, sent: 0, bytes: 0, differing: 0 };
/** A peer that has said nothing for so long is away, and how often it is looked. */
const SILENCE_MS = 15_000;
const SIGN_OF_LIFE_MS = 500;

export class LongWork {
  readonly #options: LongWorkOptions;
  readonly #filter: Filter;
  readonly #pace: Pace;
  #attached: Attached | undefined;
  #inventory: Inventory | undefined;

  constructor(options: LongWorkOptions) {
    const { config } = options;
    this.#options = options;
    this.#filter = filterOf(config);
    this.#pace = new Pace({ keys: config.syncKeysPerSecond, bytes: config.syncBytesPerSecond });
  }

  /** By the name of their kind. */
  readonly tasks = {
    verify: (context: JobContext): Promise<ComparisonResult> => this.#verify(context),
    'first-copy': (context: JobContext): Promise<FirstCopyResult> => this.#copyFirst(context),
    repair: (context: JobContext): Promise<ComparisonResult> => this.#repair(context),
  };

  /** The site is at work until {@link detach}. */
  attach(opened: OpenedState, stages: Stages): void {
    const { config, keys, log } = this.#options;
    const client = openClient({
      url: config.localUrl,
      tls: config.tls,
      name: `tandem:${config.site}:sync`,
      log,
      connectTimeoutMs: config.connectTimeoutMs,
      commandTimeoutMs: config.commandTimeoutMs,
      backoffMinMs: config.backoffMinMs,
      backoffMaxMs: config.backoffMaxMs,
    });
    const exchange = new Exchange({
      client,
      out: keys.out,
      site: config.site,
      session: randomBytes(8).toString('hex'),
      fieldsExpire: fieldsExpire(opened),
    });
    this.#attached = { ...stages, client, exchange, databases: opened.databases };
  }

  /** To be called before anything of the peer's is applied: what this site has when they first meet is its own. */
  async prepare({ isCopied, applied }: OpenedState, signal: AbortSignal): Promise<void> {
    const { client } = this.#attached!;
    await connectClient(client, signal);
    const place = { client, name: this.#options.keys.inventory };
    this.#inventory = await Inventory.find(place);
    if (this.#inventory || isCopied || applied.sequence > 0) return;
    const chosen = new Chosen({ filter: this.#filter, ownPrefix: this.#options.keys.prefix, choice: {} });
    this.#inventory = await Inventory.take(place, chosen, signal);
  }

  /** Whether this site had no such key when the sites first met, as far as that is known. */
  isNew(key: PlacedKey): boolean {
    return this.#inventory?.has(key) === false;
  }

  detach(): void {
    this.#attached?.client.disconnect();
    this.#attached = undefined;
  }

  /** The peer has answered a question. @param args well-formed, the name first */
  answered(args: readonly Buffer[]): void {
    this.#attached?.exchange.take(args);
  }

  /** Changes are missing on the way: questions and answers may be among them, and are not waited for. */
  missed(): void {
    this.#attached?.exchange.lost();
  }

  /** Somebody waits for the outcome: a peer that is away is not waited for. */
  async #verify(context: JobContext): Promise<ComparisonResult> {
    const over = new AbortController();
    const watching = this.#watchPeer(over.signal);
    try {
      const signal = AbortSignal.any([context.signal, watching.signal]);
      return await this.#compare({ ...context, signal });
    } finally {
      over.abort();
    }
  }

  /** Aborts when nothing of the peer's has come for a while, neither a change nor word that it has applied any. */
  #watchPeer(over: AbortSignal): AbortController {
    const silent = new AbortController();
    const watch = async (): Promise<void> => {
      let [last, since] = [-1, Date.now()];
      while (!over.aborted) {
        await sleep(SIGN_OF_LIFE_MS, undefined, { signal: over }).catch(() => {});
        const now = this.#attached?.heardOfPeer() ?? last;
        if (now !== last) [last, since] = [now, Date.now()];
        if (Date.now() - since > SILENCE_MS) {
          silent.abort(
            new TandemError(
              'TIMEOUT',
              'the peer does not answer: neither changes nor acknowledgements come',
              {
                hint: 'see whether both processes run and the link flows: tandem status',
              },
            ),
          );
          return;
        }
      }
    };
    void watch();
    return silent;
  }

  async #compare(context: JobContext): Promise<ComparisonResult> {
    const site = await this.#site(context.signal);
    const { config, keys, log } = this.#options;
    const request = (context.data ?? {}) as ComparisonRequest;
    const data = { ...request, prefer: request.prefer ?? config.prefer ?? undefined };
    const ledger = new Ledger(site.client, `${keys.differencesPrefix}${context.id}`);
    const result = await compareSites(site, ledger, { ...context, data });
    log.info({ job: context.id, ...result }, 'the sites have been compared');
    return result;
  }

  async #copyFirst(context: JobContext): Promise<FirstCopyResult> {
    const site = await this.#site(context.signal);
    const { config, keys, log } = this.#options;
    // A site that has forgotten what the peer knows of it is no new one: all of it is repaired.
    const isKnown = (await this.#cut(site.client)).whose === 'peer';
    const result = isKnown ? NOTHING_COPIED : await copyFirst(site, config.prefer ?? undefined, context);
    await answerOf(site.client, site.client.hset(keys.state, 'copied', 1));
    this.#options.onCopied();
    log.info({ ...result }, 'what this site held before the pair began has been sent to the peer');
    return result;
  }

  /** What a cut of the histories has left different. Another cut meanwhile means: once more. */
  async #repair(context: JobContext): Promise<ComparisonResult> {
    const { keys, config, onRepaired } = this.#options;
    const { client } = await this.#site(context.signal);
    let saved = context.checkpoint as RepairCheckpoint | null;
    for (let round = 1; ; saved = null) {
      await this.#untilApplied(context.signal);
      const { noted, whose, isCopied } = await this.#cut(client);
      // What a process before this one went through for an earlier cut, a later one may have left different.
      const checkpoint = saved?.noted === noted ? saved?.comparison : null;
      const save = (comparison: unknown): Promise<void> => context.save({ noted, comparison });
      const prefer = whose === 'peer' ? config.peer : isCopied ? config.site : undefined;
      // Until the first copy is done nobody has said whose values stay.
      const leaves = prefer === undefined && config.prefer === null;
      const data: ComparisonRequest = { repair: true, prefer, leaves, insists: true };
      const result = await this.#compare({ ...context, checkpoint, save, data });
      const isRepaired = result.repaired === result.differing;
      const after = await this.#cut(client);
      if (after.noted !== noted || (leaves && !isRepaired && after.isCopied)) continue;
      // What was made of keys that differed, by a COPY for one, while they did, differs as well.
      if (result.differing > 0 && !leaves && round++ < ROUNDS) continue;
      await answerOf(client, client.hdel(keys.state, 'repair'));
      if (isRepaired) onRepaired();
      return result;
    }
  }

  /** The cut that is to be repaired, as it is noted; whose values stay. */
  async #cut(
    client: Redis,
  ): Promise<{ noted: string | undefined; whose: 'own' | 'peer'; isCopied: boolean }> {
    const { state } = this.#options.keys;
    const [noted, copied] = await answerOf(client, client.hmget(state, 'repair', 'copied'));
    const whose = noted?.startsWith('peer') === true ? 'peer' : 'own';
    return { noted: noted ?? undefined, whose, isCopied: typeof copied === 'string' };
  }

  /**
   * What has come before a cut was found may be forgotten where it was made: applied behind a comparison it would part the sites, and
   * nobody would tell.
   */
  async #untilApplied(signal: AbortSignal): Promise<void> {
    const received = this.#attached?.received() ?? 0;
    const isWaiting = ({ applied, inboxBatches }: Stages): boolean =>
      inboxBatches() > 0 && applied() < received;
    while (this.#attached && isWaiting(this.#attached)) await sleep(READY_MS, undefined, { signal });
  }

  async #site(signal: AbortSignal): Promise<SyncSite> {
    // Many questions wait side by side.
    setMaxListeners(0, signal);
    const { config, keys, log } = this.#options;
    while (this.#attached?.isCapturing() !== true) await sleep(READY_MS, undefined, { signal });
    const { client, exchange, databases, changesBytes } = this.#attached;
    await connectClient(client, signal);
    return {
      site: config.site,
      peer: config.peer,
      client,
      exchange,
      databases,
      isNewHere: (key) => this.isNew(key),
      filter: this.#filter,
      ownPrefix: keys.prefix,
      hasRoom: () => changesBytes() < Math.min(ROOM_BYTES, config.changesBytes / 4),
      pace: this.#pace,
      log,
    };
  }
}
