/**
 * The long work of a site: what the control plane runs as jobs, wired to the stages, which do not know of it. A job outlives the
 * process and its work on the stream; it goes on as soon as the site is at work again.
 */

import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Claims } from '../sync/claims.js';
import type { Found } from '../protocol/messages/finding.js';
import { DIGEST, parseDigest } from '../protocol/messages/digest.js';
import { FUNCTIONS, parseFunctions } from '../protocol/messages/functions.js';
import type { Filter } from '../config/filter.js';
import type { Inbox } from '../inbound/inbox.js';
import type { Acknowledgements } from '../outbound/acknowledgements.js';
import type { ChangeList } from '../outbound/change-list.js';
import { refusedAt } from '../outbound/handshake.js';
import type { PeerDumps } from '../redis/restorable.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { whoStays } from '../protocol/gap.js';
import type { Config } from '../config/config.js';
import type { JobContext } from '../jobs/jobs.js';
import { gapOf, type GapRepair } from './gap-repair.js';
import type { Logger } from '../log/log.js';
import { TandemError } from '../errors.js';
import { LinkedAbort } from '../async/linked-abort.js';
import { answerOf, type Redis } from '../redis/connect.js';
import { connectPrimary } from '../redis/primary.js';
import type { KeyNames } from '../redis/keys.js';
import type { OpenedState } from './history.js';
import { openExchange, type OpenExchange } from './open-exchange.js';
import { filterOf } from './stage-settings.js';
import { compareSites, type ComparisonRequest } from '../sync/comparison.js';
import type { ComparisonResult } from '../sync/comparison-counts.js';
import { CopyFailure } from '../sync/copy-failure.js';
import { copyFirst, NOTHING_COPIED, type FirstCopyResult } from '../sync/first-copy.js';
import { LastComparison } from '../sync/last-comparison.js';
import { Inventory } from '../sync/inventory.js';
import { Chosen } from '../sync/chosen-keys.js';
import { Pace } from '../async/pace.js';
import { librariesOf, sendLibraries, shelfOf } from '../sync/libraries.js';
import { Ledger } from '../sync/ledger.js';
import type { Judgement, SyncSite } from '../sync/work.js';

export interface LongWorkOptions {
  readonly config: Config;
  readonly keys: KeyNames;
  readonly log: Logger;
  readonly claims: Claims;
  /** The client at the peer's Redis. */
  readonly peer: Redis;
}

/** A site at work, as far as long work needs it. */
export interface SiteAtWork {
  /** Reads the stream; undefined before that, when no answer would be heard. */
  readonly capture: object | undefined;
  readonly list: Pick<ChangeList, 'bytes'>;
  readonly inbox: Pick<Inbox, 'receivedSequence' | 'batches'>;
  /** How far the peer's changes are applied. */
  readonly applied: { readonly sequence: number };
  readonly acknowledgements: Pick<Acknowledgements, 'seen'>;
  readonly courier: PeerDumps & { readonly detail: string | undefined };
}

interface RepairCheckpoint {
  /** The gap that was repaired. */
  readonly noted?: string;
  /** How far the comparison was. */
  readonly comparison: unknown;
}

interface Attached extends OpenExchange {
  readonly atWork: SiteAtWork;
}

/** A change list longer than this is left to drain before more old data goes into it. */
const ROOM_BYTES = 16 * 1024 * 1024;
const READY_MS = 20;
/** How often the sites are compared until nothing is found any more. */
const ROUNDS = 5;
/** A peer that has said nothing for so long is away, and how often it is looked. */
const SILENCE_MS = 15_000;
const SIGN_OF_LIFE_MS = 500;
/** A question that costs the peer nothing. */
const ANY_KEY = { database: 0, cursor: '0', count: 1 };

export class LongWork {
  readonly #options: LongWorkOptions;
  readonly #filter: Filter;
  readonly #pace: Pace;
  #attached: Attached | undefined;
  /** The gaps of this site's history, once it has been at work. */
  #gaps: GapRepair | undefined;
  #inventory: Inventory | undefined;
  readonly copyFailure = new CopyFailure();
  readonly lastComparison: LastComparison;
  #answering: Promise<unknown> = Promise.resolve();

  constructor(options: LongWorkOptions) {
    const { config } = options;
    this.#options = options;
    this.lastComparison = new LastComparison(options.keys.state, options.log);
    this.#filter = filterOf(config);
    this.#pace = new Pace({ keys: config.syncKeysPerSecond, bytes: config.syncBytesPerSecond });
  }

  /** By the name of their kind. */
  readonly tasks = {
    verify: (context: JobContext): Promise<ComparisonResult> => this.#verify(context),
    'first-copy': (context: JobContext): Promise<FirstCopyResult> =>
      this.copyFailure.of(this.#copyFirst(context)),
    repair: (context: JobContext): Promise<ComparisonResult> => this.#repair(context),
  };

  /** The site is at work until {@link detach}. */
  attach(opened: OpenedState, atWork: SiteAtWork, gaps: GapRepair): void {
    const hasRoom = (): boolean => this.#hasRoom(atWork);
    const about = { filter: this.#filter, pace: this.#pace, link: atWork.courier, hasRoom };
    this.#gaps = gaps;
    this.#attached = { atWork, ...openExchange(opened, { ...this.#options, ...about }) };
  }

  /** To be called before anything of the peer's is applied: what this site has when they first meet is its own. */
  async prepare({ isCopied, applied }: OpenedState, signal: AbortSignal): Promise<void> {
    const { client } = this.#attached!;
    await connectPrimary(client, signal);
    await this.lastComparison.load(client);
    const place = { client, name: this.#options.keys.inventory };
    this.#inventory = await Inventory.find(place);
    if (this.#inventory || isCopied || applied.sequence > 0) return;
    const chosen = new Chosen({
      filter: this.#filter,
      internalPrefix: this.#options.keys.prefix,
      choice: {},
    });
    this.#inventory = await Inventory.take(place, chosen, signal);
  }

  /** Whether this site had no such key when the sites first met, as far as that is known. */
  isNew(key: PlacedKey): boolean {
    return this.#inventory?.has(key) === false;
  }

  detach(): void {
    this.#attached?.client.disconnect();
    this.#attached?.large.close();
    this.#attached?.copies.close();
    this.#attached = undefined;
  }

  /** The peer has answered a question, or asks what no script can answer. @param args well-formed, the name first */
  answered(args: readonly Buffer[]): void {
    const name = args[0]!.toString('latin1');
    if (name === FUNCTIONS) this.#askedForLibraries(args);
    else if (name === DIGEST) this.#askedForDigest(args);
    else this.#attached?.exchange.take(args);
  }

  /** Whoever asks asks again. */
  #askedForDigest(args: readonly Buffer[]): void {
    const { log } = this.#options;
    this.#attached?.large
      .answer(parseDigest(args))
      .catch((err: unknown) => log.debug({ err }, 'a question about a large value was not answered'));
  }

  /** One question after the other: what is sent for one stands before the answer to the next. */
  #askedForLibraries(args: readonly Buffer[]): void {
    const { config, log } = this.#options;
    const { session, number, names } = parseFunctions(args);
    const answer = async (): Promise<void> => {
      if (!this.#attached) return;
      const { client, exchange } = this.#attached;
      const own = config.functions ? await librariesOf(client) : undefined;
      if (names.length === 0) await exchange.tellLibraries({ session, number, shelf: own && shelfOf(own) });
      else if (own) await sendLibraries({ client, exchange }, names);
    };
    // Whoever asks asks again.
    this.#answering = this.#answering
      .then(answer)
      .catch((err: unknown) => log.debug({ err }, 'a question about libraries was not answered'));
  }

  /** Changes are missing on the way: questions and answers may be among them, and are not waited for. */
  missed(): void {
    this.#attached?.exchange.lost();
  }

  /** Somebody waits for the outcome: a peer that is away is not waited for. */
  async #verify(context: JobContext): Promise<ComparisonResult> {
    const over = new AbortController();
    const either = new LinkedAbort(context.signal, this.#watchPeer(over.signal).signal);
    try {
      return await this.#compare({ ...context, signal: either.signal });
    } finally {
      over.abort();
      either.abort();
    }
  }

  /** Aborts when nothing of the peer's has come for a while, neither a change nor word that it has applied any. */
  #watchPeer(over: AbortSignal): AbortController {
    const silent = new AbortController();
    const watch = async (): Promise<void> => {
      let [last, since] = [-1, Date.now()];
      while (!over.aborted) {
        await sleep(SIGN_OF_LIFE_MS, undefined, { signal: over }).catch(() => {});
        const now = heardOfPeer(this.#attached?.atWork) ?? last;
        if (now !== last) [last, since] = [now, Date.now()];
        if (Date.now() - since > SILENCE_MS) {
          silent.abort(
            new TandemError(
              'TIMEOUT',
              `the peer does not answer: ${this.#attached?.atWork.courier.detail ?? 'neither changes nor acknowledgements come'}`,
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
    const { config, keys } = this.#options;
    const request = (context.data ?? {}) as ComparisonRequest;
    const data = { ...request, prefer: request.prefer ?? config.prefer ?? undefined };
    const ledger = new Ledger(site.client, `${keys.differencesPrefix}${context.id}`);
    const result = await compareSites(site, ledger, { ...context, data });
    await this.lastComparison.ended(site.client, context.id, request, result);
    return result;
  }

  async #copyFirst(context: JobContext): Promise<FirstCopyResult> {
    const site = await this.#site(context.signal);
    const { config, keys, log } = this.#options;
    // A site that has forgotten what the peer knows of it is no new one: all of it is repaired. A peer may have a copy by now.
    const { whose, isCopied } = await this.#cut(site.client);
    const isKnown = whose === 'peer' || isCopied;
    const saved = context.checkpoint as { readonly refused?: number } | null | undefined;
    const refused = saved?.refused ?? (await this.#refusedThere(context.signal));
    const save = (checkpoint: unknown): Promise<void> => context.save({ ...(checkpoint as object), refused });
    const attempt = { ...context, save };
    const copied = isKnown ? NOTHING_COPIED : await copyFirst(site, config.prefer ?? undefined, attempt);
    const rejected = copied.sent === 0 ? 0 : (await this.#refusedInTheEnd(site, context.signal)) - refused;
    const result = { ...copied, rejected };
    if (rejected > 0)
      log.warn({ rejected, job: context.id }, 'the peer has rejected values of the first copy');
    await answerOf(site.client, site.client.hset(keys.state, 'copied', 1));
    this.#gaps?.copied();
    log.info({ ...result }, 'what this site held before the pair began has been sent to the peer');
    return result;
  }

  /**
   * How many states the peer has rejected when it has applied all that was sent up to now. It has applied what stands before a
   * question when it answers, and has listed what failed of that when it answers the next one.
   */
  async #refusedInTheEnd({ exchange }: SyncSite, signal: AbortSignal): Promise<number> {
    for (let asked = 0; asked < 2; asked++) await exchange.list(ANY_KEY, signal);
    return this.#refusedThere(signal);
  }

  /** A peer that is away is waited for. */
  async #refusedThere(signal: AbortSignal): Promise<number> {
    for (;;) {
      const { peer, keys } = this.#options;
      const refused = this.#attached && (await refusedAt(peer, keys).catch(() => undefined));
      if (refused !== undefined) return refused;
      await sleep(SIGN_OF_LIFE_MS, undefined, { signal });
    }
  }

  /** Repairs what a gap has left different. After another gap meanwhile, it begins once more. */
  async #repair(context: JobContext): Promise<ComparisonResult> {
    const { keys, config } = this.#options;
    const { client } = await this.#site(context.signal);
    let saved = context.checkpoint as RepairCheckpoint | null;
    for (let round = 1; ; saved = null) {
      await this.#untilApplied(context.signal);
      const { noted, whose, isCopied } = await this.#cut(client);
      // A later gap may have left keys different that an earlier process went through.
      const checkpoint = saved?.noted === noted ? saved?.comparison : null;
      const save = (comparison: unknown): Promise<void> => context.save({ noted, comparison });
      const prefer = whose === 'peer' ? config.peer : isCopied ? config.site : undefined;
      // Until the first copy is done it is open whose values stay.
      const leaves = prefer === undefined && config.prefer === null;
      const judged = !leaves && prefer !== undefined;
      const data: ComparisonRequest = { repair: true, prefer, leaves, judged, insists: true };
      const result = await this.#compare({ ...context, checkpoint, save, data });
      const isRepaired = result.repaired === result.differing;
      const after = await this.#cut(client);
      if (after.noted !== noted || (leaves && !isRepaired && after.isCopied)) continue;
      // A key that was made of keys that differed, by a COPY for one, differs as well.
      if (result.differing > 0 && !leaves && round++ < ROUNDS) continue;
      await answerOf(client, client.hdel(keys.state, 'repair'));
      this.#gaps?.repaired(result.differing - result.repaired);
      return result;
    }
  }

  /** The gap that is to be repaired, as it is noted; whose values stay. */
  async #cut(
    client: Redis,
  ): Promise<{ noted: string | undefined; whose: 'own' | 'peer'; isCopied: boolean }> {
    const { state } = this.#options.keys;
    const [noted, copied] = await answerOf(client, client.hmget(state, 'repair', 'copied'));
    const whose = typeof noted === 'string' ? gapOf(noted).kind : 'own';
    return { noted: noted ?? undefined, whose, isCopied: typeof copied === 'string' };
  }

  #judge(one: Found): Judgement {
    const { config, claims } = this.#options;
    const { ownMs, peerMs } = claims.of(one);
    const own = { site: config.site, cut: this.#gaps?.open, wroteMs: Math.max(ownMs, one.claim.peerMs) };
    const peer = { site: config.peer, cut: one.cut, wroteMs: Math.max(peerMs, one.claim.ownMs) };
    return {
      stays: whoStays(own, peer) === own ? 'own' : 'peer',
      ownWroteMs: own.wroteMs,
      peerWroteMs: peer.wroteMs,
    };
  }

  /**
   * A batch that came before a gap was found may be forgotten at its origin. Applied behind the comparison, it would part the sites
   * unseen.
   */
  async #untilApplied(signal: AbortSignal): Promise<void> {
    const received = this.#attached?.atWork.inbox.receivedSequence ?? 0;
    const isWaiting = ({ atWork: { applied, inbox } }: Attached): boolean =>
      inbox.batches > 0 && applied.sequence < received;
    while (this.#attached && isWaiting(this.#attached)) await sleep(READY_MS, undefined, { signal });
  }

  #hasRoom({ list }: SiteAtWork): boolean {
    return list.bytes < Math.min(ROOM_BYTES, this.#options.config.changesBytes / 4);
  }

  async #site(signal: AbortSignal): Promise<SyncSite> {
    // Many questions wait side by side.
    setMaxListeners(0, signal);
    const { config, keys, log } = this.#options;
    while (this.#attached?.atWork.capture === undefined) await sleep(READY_MS, undefined, { signal });
    const { client, exchange, copies, databases, atWork } = this.#attached;
    await connectPrimary(client, signal);
    return {
      site: config.site,
      peer: config.peer,
      client,
      exchange,
      copies,
      databases,
      functions: config.functions,
      isNewHere: (key) => this.isNew(key),
      judge: (one) => this.#judge(one),
      filter: this.#filter,
      internalPrefix: keys.prefix,
      hasRoom: () => this.#hasRoom(atWork),
      pace: this.#pace,
      log,
    };
  }
}

/** A number that changes whenever the peer has made a change that is applied here, or says that it has applied one. */
function heardOfPeer(atWork: SiteAtWork | undefined): number | undefined {
  return atWork && atWork.applied.sequence + atWork.acknowledgements.seen;
}
