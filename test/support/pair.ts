import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { freePort } from './ports.js';
import { Proxy } from './proxy.js';
import { quiet } from './quiet.js';
import { type ServerOptions, type TestServer, startServer } from './server.js';
import { TandemProcess } from './tandem-process.js';
import { until } from './wait.js';

/** What is special about one site. */
export interface SiteOptions {
  env?: Record<string, string>;
  server?: ServerOptions;
  /** What the site's client logs in as. Default: the server's default user. */
  account?: { username: string; password: string };
  /** In place of the server's own URL, for an account with fewer rights. */
  localUrl?: (server: TestServer) => string;
  /** How the *other* site reaches this one's server. */
  peerUrl?: (server: TestServer) => string;
}

/** A pair of sites. `env` and `server` count for both, those of a site come on top. */
export interface PairOptions {
  pair?: string;
  env?: Record<string, string>;
  server?: ServerOptions;
  east?: SiteOptions;
  west?: SiteOptions;
  /** A proxy between each process and its peer's server, one way `delayMs` long. */
  proxy?: boolean | { delayMs?: number };
  /**
   * True (default): both processes are started and linked, so that every write from now on crosses.
   * False: they are set up, and `start` of each starts it.
   */
  start?: boolean;
}

/** One site: its server, a client, its process, and the way to its peer. */
export class Site extends TandemProcess {
  readonly name: string;
  readonly server: TestServer;
  /** A client of the site's own server. */
  readonly redis: Redis;
  /** The network between this site's process and the peer's server, if the pair was asked for one. */
  readonly toPeer: Proxy | undefined;
  readonly httpUrl: string;

  constructor(setup: {
    name: string;
    server: TestServer;
    toPeer: Proxy | undefined;
    httpPort: number;
    account: SiteOptions['account'];
    env: Record<string, string>;
  }) {
    super(setup.name, setup.env);
    this.name = setup.name;
    this.server = setup.server;
    this.redis = setup.server.client(setup.account);
    this.toPeer = setup.toPeer;
    this.httpUrl = `http://127.0.0.1:${setup.httpPort}`;
  }

  /** The network towards the peer; an error if the pair was not asked for a proxy. */
  get network(): Proxy {
    if (!this.toPeer) throw new Error('startPair was not asked for a proxy');
    return this.toPeer;
  }
}

/** Two sites and all they run on. */
export interface Pair {
  readonly name: string;
  readonly east: Site;
  readonly west: Site;
  /** Ends everything. Rejects if a process does not end on SIGTERM within 5 s; the rest is ended all the same. */
  close(): Promise<void>;
}

/** Two servers and, unless told otherwise, two running processes that are linked. */
export async function startPair(options: PairOptions = {}): Promise<Pair> {
  const undo: (() => Promise<void>)[] = [];
  try {
    return await setUp(options, undo);
  } catch (error) {
    await unwind(undo);
    throw error;
  }
}

async function setUp(options: PairOptions, undo: (() => Promise<void>)[]): Promise<Pair> {
  const name = options.pair ?? 'test';
  const [eastServer, westServer] = await serversOf(options, undo);
  const caFile = bundleAuthorities([eastServer, westServer], undo);
  const common: Record<string, string> = {
    TANDEM_PAIR: name,
    TANDEM_LOG_LEVEL: 'info',
    ...caFile,
    ...options.env,
  };

  const site = async (own: 'east' | 'west', server: TestServer, peerServer: TestServer): Promise<Site> => {
    const other = own === 'east' ? 'west' : 'east';
    const toPeer = options.proxy ? await proxyTo(peerServer, options.proxy, undo) : undefined;
    const peerUrl = options[other]?.peerUrl?.(peerServer) ?? peerServer.url;
    const httpPort = await freePort();
    const made = new Site({
      name: own,
      server,
      toPeer,
      httpPort,
      account: options[own]?.account,
      env: {
        ...common,
        TANDEM_SITE: own,
        TANDEM_PEER: other,
        TANDEM_LOCAL_URL: options[own]?.localUrl?.(server) ?? server.url,
        TANDEM_PEER_URL: toPeer ? toPeer.through(peerUrl) : peerUrl,
        TANDEM_HTTP_PORT: String(httpPort),
        ...options[own]?.env,
      },
    });
    undo.push(() => made.close());
    return made;
  };

  const east = await site('east', eastServer, westServer);
  const west = await site('west', westServer, eastServer);
  if (options.start ?? true) {
    for (const each of [east, west]) each.start();
    await quiet({ east, west });
    // The first copy writes into the streams: a test that counts changes, or holds one, begins behind it.
    const prefix = common['TANDEM_KEY_PREFIX'] ?? 'tandem';
    for (const { redis, name: own } of [east, west])
      await until(`the first copy of ${own}`, () => redis.hexists(`${prefix}:{${name}}:state`, 'copied'));
    await quiet({ east, west });
  }
  return { name, east, west, close: () => unwind(undo) };
}

async function serversOf(
  options: PairOptions,
  undo: (() => Promise<void>)[],
): Promise<[TestServer, TestServer]> {
  const start = async (site: SiteOptions | undefined): Promise<TestServer> => {
    const server = await startServer({
      ...options.server,
      ...site?.server,
      config: { ...options.server?.config, ...site?.server?.config },
    });
    undo.push(() => server.stop());
    return server;
  };
  return [await start(options.east), await start(options.west)];
}

async function proxyTo(
  server: TestServer,
  options: true | { delayMs?: number },
  undo: (() => Promise<void>)[],
): Promise<Proxy> {
  const delayMs = options === true ? 0 : (options.delayMs ?? 0);
  const proxy = await Proxy.start({ port: server.port, host: server.host, delayMs });
  undo.push(() => proxy.close());
  return proxy;
}

/** A process trusts one file: the certificates of both servers in it. */
function bundleAuthorities(servers: TestServer[], undo: (() => Promise<void>)[]): Record<string, string> {
  const files = servers.flatMap(({ caFile }) => caFile ?? []);
  if (files.length === 0) return {};
  const dir = mkdtempSync(join(tmpdir(), 'tandem-authorities-'));
  undo.push(async () => rmSync(dir, { recursive: true, force: true }));
  const bundle = join(dir, 'authorities.pem');
  writeFileSync(bundle, files.map((file) => readFileSync(file, 'utf8')).join('\n'));
  return { TANDEM_TLS_CA_FILE: bundle };
}

/** Undoes what was set up, last things first, all of it; then rejects with the first error. */
async function unwind(undo: (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (let step = undo.pop(); step; step = undo.pop())
    await step().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}
