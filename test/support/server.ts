import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { findServer, programAt } from './find-server.js';
import { freePort } from './ports.js';
import { ContainerRun } from './server-container.js';
import { PortTakenError, ProgramRun } from './server-program.js';
import { until } from './wait.js';

/** How a test server is set up. Without any of it: 127.0.0.1, a free port, a private folder, no persistence, no password. */
export interface ServerOptions {
  /** Further arguments of the command line, as they are. */
  args?: string[];
  /** Directives by name: `{ appendonly: 'yes' }`. A value is split at spaces, so that `save` and the like can be given. */
  config?: Record<string, string>;
  port?: number;
  /** A folder to run in, kept at the end. Without it: a private temporary one, removed by `stop`. */
  dir?: string;
  requirepass?: string;
  /** Lines of an ACL file, such as `user app on >secret ~app:* +@all`. The default user keeps all rights unless a line names it. */
  aclLines?: string[];
  /** Start with a configuration file, which is empty, so that `CONFIG REWRITE` has somewhere to write. */
  configFile?: boolean;
  /** A write beyond a limit of the file size (`prlimit --fsize`) fails, as on a full disk, instead of ending the server. */
  survivesFileLimit?: boolean;
  /** The program to run, in place of the one that all tests run with. */
  program?: string | undefined;
  /** Serve TLS instead of plain text, with a certificate made by openssl for 127.0.0.1 and localhost. */
  tls?: boolean;
  /** With the certificate of the server that runs in this folder, instead of one of its own. */
  tlsFrom?: string;
}

/** One running (or killed, or paused) server, and every client it has handed out. */
export interface TestServer {
  readonly host: string;
  readonly port: number;
  /** For the default user, with its password. */
  readonly url: string;
  readonly dir: string;
  /** Undefined in a container. */
  readonly pid: number | undefined;
  /** The certificate to trust, if the server speaks TLS. */
  readonly caFile: string | undefined;
  urlFor(user: string, password: string): string;
  /** An ioredis client (RESP2) that `stop` disconnects. It reconnects within 50 ms when the server is back. */
  client(options?: RedisOptions): Redis;
  /** Connects a client that was made, with `lazyConnect`, before the server ran. From then on it is one of the server's. */
  adopt(client: Redis, options?: RedisOptions): Promise<void>;
  /** Starts again after `kill` or `halt`, on the same port and folder; with another program if one is named. */
  start(program?: string): Promise<void>;
  /** SIGKILL: nothing is saved, no connection is closed properly. */
  kill(): Promise<void>;
  /** An orderly end (SIGTERM) that keeps folder and clients. */
  halt(): Promise<void>;
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends the server, its clients and, if private, its folder. Calling it twice does nothing. */
  stop(): Promise<void>;
}

/** The one process or container of a server, while it runs. */
export interface ServerRun {
  readonly pid: number | undefined;
  kill(): Promise<void>;
  halt(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** What the server has said so far, for error messages. */
  output(): string;
  /** True once it has ended, wanted or not. */
  ended(): boolean;
}

/** This server was built without TLS: a test about TLS can only be skipped. */
export class NoTlsError extends Error {
  constructor() {
    super('the server was built without TLS');
    this.name = 'NoTlsError';
  }
}

const HOST = '127.0.0.1';
const PORT_ATTEMPTS = 10;
const READY_DEADLINE_MS = 15_000;
const RECONNECT_MS = 50;
const PING_TIMEOUT_MS = 200;

/** Starts a server and resolves once it answers PING. Rejects with the server's own output if it does not within 15 s. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  for (let attempt = 1; ; attempt++) {
    const server = new Server(options, options.port ?? (await freePort()));
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.stop();
      const another =
        error instanceof PortTakenError && options.port === undefined && attempt < PORT_ATTEMPTS;
      if (!another) throw error;
    }
  }
}

class Server implements TestServer {
  readonly host = HOST;
  readonly port: number;
  readonly dir: string;
  readonly caFile: string | undefined;
  readonly #options: ServerOptions;
  readonly #clients = new Set<Redis>();
  #run: ServerRun | undefined;
  #program: string | undefined;
  #stopped = false;

  constructor(options: ServerOptions, port: number) {
    this.#options = options;
    this.#program = options.program;
    this.port = port;
    this.dir = options.dir ?? mkdtempSync(join(tmpdir(), 'tandem-server-'));
    // A server in a container runs as another user, and writes here.
    if (!options.dir) chmodSync(this.dir, 0o777);
    if (options.tls)
      this.caFile = options.tlsFrom ? copyCertificate(options.tlsFrom, this.dir) : makeCertificate(this.dir);
    if (options.configFile) writeFileSync(join(this.dir, 'redis.conf'), '');
    if (options.aclLines) writeFileSync(join(this.dir, 'users.acl'), aclFile(options));
  }

  get pid(): number | undefined {
    return this.#run?.pid;
  }

  get url(): string {
    const { requirepass } = this.#options;
    return `${this.#scheme}://${requirepass ? `:${encodeURIComponent(requirepass)}@` : ''}${this.host}:${this.port}`;
  }

  urlFor(user: string, password: string): string {
    return `${this.#scheme}://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${this.host}:${this.port}`;
  }

  client(options: RedisOptions = {}): Redis {
    const client = new Redis({ ...this.#clientOptions(), ...options });
    this.#keep(client);
    return client;
  }

  async adopt(client: Redis, options: RedisOptions = {}): Promise<void> {
    // A duplicate of it connects at once, as one of any other client does.
    Object.assign(client.options, this.#clientOptions(), options, { lazyConnect: false });
    this.#keep(client);
    await client.connect();
  }

  async start(program?: string): Promise<void> {
    this.#program = program ?? this.#program;
    if (this.#stopped) throw new Error('this server was stopped for good');
    if (this.#run) throw new Error('this server is running');
    const source = this.#program === undefined ? await findServer() : programAt(this.#program);
    const run =
      source.kind === 'program'
        ? new ProgramRun(
            source.path,
            this.#arguments(this.dir, HOST, source.version[0]),
            this.dir,
            this.#options,
          )
        : await ContainerRun.start(source.image, this.#arguments('/data', '0.0.0.0', 7), this.dir, this.port);
    this.#run = run;
    await this.#ready(run);
  }

  async kill(): Promise<void> {
    await this.#run?.kill();
    this.#run = undefined;
  }

  async halt(): Promise<void> {
    await this.#run?.halt();
    this.#run = undefined;
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  async pause(): Promise<void> {
    await this.#run?.pause();
  }

  async resume(): Promise<void> {
    await this.#run?.resume();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const client of this.#clients) client.disconnect();
    await this.kill();
    if (!this.#options.dir) rmSync(this.dir, { recursive: true, force: true });
  }

  #clientOptions(): RedisOptions {
    const { requirepass } = this.#options;
    return {
      host: this.host,
      port: this.port,
      protocol: 2,
      retryStrategy: () => RECONNECT_MS,
      maxRetriesPerRequest: null,
      ...(requirepass ? { password: requirepass } : {}),
      ...(this.caFile ? { tls: { ca: readFileSync(this.caFile) } } : {}),
    };
  }

  #keep(client: Redis): void {
    // Without a listener ioredis prints every lost connection. The commands reject in any case.
    client.on('error', () => undefined);
    client.once('end', () => this.#clients.delete(client));
    this.#clients.add(client);
  }

  get #scheme(): string {
    return this.#options.tls ? 'rediss' : 'redis';
  }

  #arguments(dir: string, bind: string, major: number): string[] {
    const { config = {}, args = [], requirepass, aclLines, tls, configFile } = this.#options;
    const port = String(this.port);
    const directives: Record<string, string> = {
      bind,
      dir,
      save: '',
      appendonly: 'no',
      'repl-diskless-sync-delay': '0',
      'protected-mode': 'no',
      ...(tls
        ? {
            port: '0',
            'tls-port': port,
            'tls-cert-file': `${dir}/tls.crt`,
            'tls-key-file': `${dir}/tls.key`,
            'tls-ca-cert-file': `${dir}/tls.crt`,
            'tls-auth-clients': 'no',
          }
        : { port }),
      ...(major >= 7 ? { 'enable-debug-command': 'yes' } : {}),
      ...(aclLines ? { aclfile: `${dir}/users.acl` } : requirepass ? { requirepass } : {}),
      ...config,
    };
    const words = Object.entries(directives).flatMap(([name, value]) => [
      `--${name}`,
      ...(value === '' ? [''] : value.split(' ')),
    ]);
    return [...(configFile ? [`${dir}/redis.conf`] : []), ...words, ...args];
  }

  /** Waits for PONG, or for an error that only a running server gives (it may want another password than ours). */
  async #ready(run: ServerRun): Promise<void> {
    const client = this.client({ commandTimeout: PING_TIMEOUT_MS });
    try {
      await until(
        'the server to answer PING, or to end',
        async () => run.ended() || (await client.ping().catch((error: Error) => isAnswer(error))),
        { deadlineMs: READY_DEADLINE_MS },
      );
    } catch (error) {
      throw new Error(`the server on port ${this.port} does not answer:\n${run.output()}`, { cause: error });
    } finally {
      client.disconnect();
    }
    if (!run.ended()) return;
    this.#run = undefined;
    if (/address already in use/i.test(run.output())) throw new PortTakenError(this.port);
    if (/tls-port.*\s+Bad directive/.test(run.output())) throw new NoTlsError();
    throw new Error(`the server on port ${this.port} ended at once:\n${run.output()}`);
  }
}

function isAnswer(error: Error): boolean {
  return /^(NOAUTH|NOPERM|WRONGPASS)/.test(error.message);
}

function aclFile({ aclLines = [], requirepass }: ServerOptions): string {
  const secret = requirepass ? `>${requirepass}` : 'nopass';
  const named = aclLines.some((line) => line.startsWith('user default '));
  const own = named ? [] : [`user default on ${secret} ~* &* +@all`];
  return [...own, ...aclLines, ''].join('\n');
}

/** A self-signed certificate is its own authority: clients trust the file itself. */
function copyCertificate(from: string, to: string): string {
  for (const name of ['tls.crt', 'tls.key']) copyFileSync(join(from, name), join(to, name));
  return join(to, 'tls.crt');
}

function makeCertificate(dir: string): string {
  const file = join(dir, 'tls.crt');
  const key = join(dir, 'tls.key');
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost';
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      names,
    ].concat(['-keyout', key, '-out', file]),
    { stdio: 'pipe' },
  );
  chmodSync(key, 0o644);
  return file;
}
