import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findServer } from './find-server.js';
import { freePort } from './ports.js';
import { ProgramRun } from './server-program.js';
import type { TestServer } from './server.js';
import { until } from './wait.js';

export interface SentinelOptions {
  count?: number;
  /** How long a server is silent before a Sentinel takes it for dead. */
  downAfterMs?: number;
  requirepass?: string;
  /** The password of the servers. */
  serverPassword?: string;
  /** They speak TLS, with the certificate of the server they watch, and so do they with the servers. */
  tls?: boolean;
}

/** The name of the primary that is watched. */
export const PRIMARY_NAME = 'shop';
const HOST = '127.0.0.1';
const READY_MS = 15_000;

/** Real Sentinels (`redis-server --sentinel`), which have their addresses before they run. */
export class Sentinels {
  readonly ports: readonly number[];
  readonly #options: SentinelOptions;
  readonly #runs: ProgramRun[] = [];
  readonly #clients: Redis[] = [];
  readonly #dir = mkdtempSync(join(tmpdir(), 'tandem-sentinels-'));

  #ca: Buffer | undefined;

  private constructor(ports: readonly number[], options: SentinelOptions) {
    this.ports = ports;
    this.#options = options;
  }

  static async reserve(options: SentinelOptions = {}): Promise<Sentinels> {
    const ports: number[] = [];
    for (let i = 0; i < (options.count ?? 3); i++) ports.push(await freePort());
    return new Sentinels(ports, options);
  }

  get url(): string {
    return this.urlOf(PRIMARY_NAME);
  }

  urlOf(name: string, query = ''): string {
    return `${this.#options.tls ? 'sentinels' : 'sentinel'}://${this.ports.map((port) => `${HOST}:${port}`).join(',')}/${name}${query}`;
  }

  /** Starts them, and waits until they know one another and as many replicas. */
  async watch(primary: TestServer, replicas: number): Promise<void> {
    for (const port of this.ports) await this.#start(port, primary);
    await until(
      'the Sentinels to know one another and the replicas',
      async () => {
        for (const port of this.ports) {
          const facts = await this.#facts(port);
          if (facts.get('num-other-sentinels') !== String(this.ports.length - 1)) return false;
          if (facts.get('num-slaves') !== String(replicas) || facts.get('flags') !== 'master') return false;
        }
        return true;
      },
      { deadlineMs: READY_MS },
    );
  }

  /** The port of the primary that most of them name. */
  async primaryPort(): Promise<number> {
    const named = await Promise.all(
      this.ports.map(async (port) => Number((await this.#facts(port)).get('port'))),
    );
    return named.find((port) => named.filter((other) => other === port).length * 2 > named.length) ?? 0;
  }

  /** Waits until most of them name another primary than `server`, and gives the moment. */
  async failedOver(server: TestServer): Promise<number> {
    await until(
      'the Sentinels to name another primary',
      async () => ![0, server.port].includes(await this.primaryPort()),
      { deadlineMs: 30_000, maxPauseMs: 10 },
    );
    return Date.now();
  }

  /** Orders a failover without a fault. */
  async fail(): Promise<void> {
    await this.#client(this.ports[0]!).call('SENTINEL', 'FAILOVER', PRIMARY_NAME);
  }

  /** Commands that the first of them has answered. */
  async asked(): Promise<number> {
    const stats = await this.#client(this.ports[0]!).info('stats');
    return Number(/total_commands_processed:(\d+)/.exec(stats)?.[1]);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    for (const run of this.#runs) await run.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #start(port: number, primary: TestServer): Promise<void> {
    const source = await findServer();
    if (source.kind !== 'program') throw new Error('Sentinels need a redis-server on this machine');
    const { downAfterMs = 500, requirepass, serverPassword, tls } = this.#options;
    if (tls && primary.caFile) this.#ca = readFileSync(primary.caFile);
    const file = join(this.#dir, `${port}.conf`);
    const quorum = Math.floor(this.ports.length / 2) + 1;
    const lines = [
      ...(tls
        ? [
            'port 0',
            `tls-port ${port}`,
            `tls-cert-file ${primary.dir}/tls.crt`,
            `tls-key-file ${primary.dir}/tls.key`,
            `tls-ca-cert-file ${primary.dir}/tls.crt`,
            'tls-auth-clients no',
            'tls-replication yes',
          ]
        : [`port ${port}`]),
      `bind ${HOST}`,
      'protected-mode no',
      `dir ${this.#dir}`,
      ...(requirepass ? [`requirepass ${requirepass}`] : []),
      `sentinel monitor ${PRIMARY_NAME} ${HOST} ${primary.port} ${quorum}`,
      `sentinel down-after-milliseconds ${PRIMARY_NAME} ${downAfterMs}`,
      ...(serverPassword ? [`sentinel auth-pass ${PRIMARY_NAME} ${serverPassword}`] : []),
      `sentinel failover-timeout ${PRIMARY_NAME} 3000`,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const run = new ProgramRun(source.path, [file, '--sentinel'], this.#dir);
    this.#runs.push(run);
    await until('a Sentinel to answer', () => this.#client(port).ping(), { deadlineMs: READY_MS }).catch(
      (cause: unknown) => {
        throw new Error(`the Sentinel does not answer:\n${run.output()}`, { cause });
      },
    );
  }

  async #facts(port: number): Promise<Map<string, string>> {
    const flat = (await this.#client(port).call('SENTINEL', 'MASTER', PRIMARY_NAME)) as string[];
    return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!] as const] : [])));
  }

  #client(port: number): Redis {
    const found = this.#clients.find((client) => client.options.port === port);
    if (found) return found;
    const { requirepass } = this.#options;
    const client = new Redis({
      host: HOST,
      port,
      protocol: 2,
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
      ...(requirepass ? { password: requirepass } : {}),
      ...(this.#ca ? { tls: { ca: this.#ca } } : {}),
    });
    client.on('error', () => undefined);
    this.#clients.push(client);
    return client;
  }
}
