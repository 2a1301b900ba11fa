import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/ports.js';
import { SENTINEL_PREFIX } from '../support/dataset.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { Proxy } from '../support/proxy.js';
import type { TestServer } from '../support/server.js';
import type { Random } from '../support/model/random.js';
import { TandemProcess } from '../support/tandem-process.js';
import { until } from '../support/wait.js';

/** Small enough that a peer may be away too long. */
export const CHANGES_BYTES = 4 * 1024 * 1024;
const BACKLOG = '64mb';
const LEASE_MS = 2000;
const ENV = {
  TANDEM_LEASE_MS: String(LEASE_MS),
  TANDEM_CHANGES_BYTES: String(CHANGES_BYTES),
  TANDEM_COMMAND_TIMEOUT_MS: '2000',
  TANDEM_CONNECT_TIMEOUT_MS: '1000',
  TANDEM_BACKOFF_MAX_MS: '1000',
};
const SERVER = { 'repl-backlog-size': BACKLOG, 'auto-aof-rewrite-percentage': '0' };
const AOF = { ...SERVER, appendonly: 'yes', appendfsync: 'always' };
/** Saves at an end in order, and when asked. */
const RDB = { ...SERVER, save: '3600 1000000' };

const RECOVERY_DEADLINE_MS = 60_000;
const PROBE_MS = 50;

/** Two sites, both with an AOF, or one of them with an RDB file, and what faults need to know of them. */
export class Scene {
  readonly random: Random;
  readonly pair: Pair;
  /** A site whose server loses nothing in a kill. */
  readonly durable: Site;
  readonly #areBothDurable: boolean;
  /** What else has run for a site: their logs count too. */
  readonly others: TandemProcess[] = [];
  /** By which each process knows its own server. */
  readonly #addresses: readonly [east: Proxy, west: Proxy];
  #probes = 0;

  private constructor(
    pair: Pair,
    { durable, areBothDurable }: { durable: Site; areBothDurable: boolean },
    { random, addresses }: { random: Random; addresses: readonly [Proxy, Proxy] },
  ) {
    this.#areBothDurable = areBothDurable;
    this.pair = pair;
    this.durable = durable;
    this.random = random;
    this.#addresses = addresses;
  }

  static async start(random: Random): Promise<Scene> {
    const isEastDurable = random.chance(0.5);
    const areBothDurable = random.chance(0.5);
    const other = areBothDurable ? AOF : RDB;
    const addresses = [await Proxy.start({ port: 1 }), await Proxy.start({ port: 1 })] as const;
    const through =
      (address: Proxy) =>
      (server: TestServer): string => {
        address.lead(server);
        return address.through(server.url);
      };
    const pair = await startPair({
      proxy: true,
      env: ENV,
      east: { server: { config: isEastDurable ? AOF : other }, localUrl: through(addresses[0]) },
      west: { server: { config: isEastDurable ? other : AOF }, localUrl: through(addresses[1]) },
    });
    const durable = isEastDurable ? pair.east : pair.west;
    return new Scene(pair, { durable, areBothDurable }, { random, addresses });
  }

  async close(): Promise<void> {
    try {
      for (const other of this.others) await other.close();
    } finally {
      await this.pair.close();
      for (const address of this.#addresses) await address.close();
    }
  }

  get sites(): readonly [Site, Site] {
    return [this.pair.east, this.pair.west];
  }

  /** Whether the server of a site loses nothing in a kill. */
  isDurable(site: Site): boolean {
    return this.#areBothDurable || site === this.durable;
  }

  other(site: Site): Site {
    return site === this.pair.east ? this.pair.west : this.pair.east;
  }

  /** Has the addresses of a site's server lead to another one, for its own process and for that of its peer. */
  lead(site: Site, server: TestServer): void {
    this.#addressOf(site).lead(server);
    this.other(site).network.lead(server);
  }

  #addressOf(site: Site): Proxy {
    return this.#addresses[site === this.pair.east ? 0 : 1];
  }

  /** What a command, or a second process, of this site is told. */
  environment(site: Site): Record<string, string> {
    const peer = this.other(site);
    return {
      TANDEM_PAIR: this.pair.name,
      TANDEM_SITE: site.name,
      TANDEM_PEER: peer.name,
      TANDEM_LOCAL_URL: this.#addressOf(site).through(site.server.url),
      TANDEM_PEER_URL: site.network.through(peer.server.url),
      ...ENV,
    };
  }

  /** A further process for the site, not started. */
  async another(site: Site): Promise<TandemProcess> {
    const port = String(await freePort());
    const env = { ...this.environment(site), TANDEM_HTTP_PORT: port, TANDEM_LOG_LEVEL: 'info' };
    const process = new TandemProcess(`${site.name}, second`, env);
    this.others.push(process);
    return process;
  }

  /** For as long as a fault lasts. */
  async hold(fromMs: number, toMs: number): Promise<void> {
    await sleep(fromMs + this.random.below(toMs - fromMs));
  }

  /** How long it takes from now until a write made at each site has crossed, in ms. */
  async recovery(): Promise<number> {
    const [east, west] = this.sites;
    const from = performance.now();
    await Promise.all([this.#cross(east, west), this.#cross(west, east)]);
    return performance.now() - from;
  }

  /** What is written before a process reads the stream again may be in a gap: it is written anew until one arrives. */
  async #cross(from: Site, to: Site): Promise<void> {
    const key = `${SENTINEL_PREFIX}probe:${from.name}`;
    const mark = `${++this.#probes}:`;
    let isWriting = false;
    let writtenAt = -Infinity;
    const write = async (): Promise<void> => {
      isWriting = true;
      writtenAt = performance.now();
      await from.redis.set(key, mark + writtenAt).catch(() => {});
      isWriting = false;
    };
    const what = `a write at ${from.name} to reach ${to.name}`;
    const arrived = async (): Promise<boolean> => {
      if (!isWriting && performance.now() - writtenAt > PROBE_MS) void write();
      return (await to.redis.get(key))?.startsWith(mark) ?? false;
    };
    await until(what, arrived, { deadlineMs: RECOVERY_DEADLINE_MS, maxPauseMs: 10 });
  }
}
