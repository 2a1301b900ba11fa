// What the demo runs on: two servers, two Tandem processes, a client of each server, and the end of them all.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';

const HOST = '127.0.0.1';
const READY_DEADLINE_MS = 60_000;
const COMMAND_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 5_000;
const ANSWER_MS = 1_000;
const ASK_AGAIN_MS = 10;
const SHOWN_LOG_LINES = 10;
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

export const SITES = ['east', 'west'];
export const OTHER = { east: 'west', west: 'east' };

export class DemoPair {
  /** A client of each site's server. */
  clients = {};
  dir = mkdtempSync(join(tmpdir(), 'tandem-demo-'));
  #ports;
  #httpPorts;
  #children = new Map();
  #onFailure;
  #isEnding = false;

  /** @param onFailure told in words that a child has ended which should not have */
  constructor([eastPort, westPort, eastHttp, westHttp], onFailure) {
    this.#ports = { east: eastPort, west: westPort };
    this.#httpPorts = { east: eastHttp, west: westHttp };
    this.#onFailure = onFailure;
  }

  async start() {
    for (const site of SITES) {
      await refuseTakenPort(this.#ports[site], `the ${site} server`);
      await refuseTakenPort(this.#httpPorts[site], `the status page of ${site}`);
    }
    for (const site of SITES) this.#startServer(site);
    for (const site of SITES) {
      this.clients[site] = this.#client(site);
      await until(`the ${site} server answers`, () => this.clients[site].ping(), READY_DEADLINE_MS);
    }
    for (const site of SITES) this.startSite(site);
    await this.untilReady();
  }

  startSite(site) {
    this.#run(`${site} site`, process.execPath, [CLI, 'run'], {
      ...this.settingsOf(site),
      TANDEM_HTTP_PORT: String(this.#httpPorts[site]),
    });
  }

  /** As a crash ends it: it is told nothing. */
  async killSite(site) {
    const entry = this.#children.get(`${site} site`);
    entry.isExpected = true;
    const ended = once(entry.child, 'exit');
    entry.child.kill('SIGKILL');
    await ended;
  }

  /** Resolves when both sites say that they are ready, and a write has crossed each way. */
  async untilReady() {
    for (const site of SITES) {
      await until(`a write crosses from ${site}`, () => this.#isLinked(site), READY_DEADLINE_MS);
      await until(`${site} is ready`, async () => (await this.ask(site, '/readyz')).ok, READY_DEADLINE_MS);
    }
  }

  /** A path of the HTTP port of a site. */
  ask(site, path) {
    return fetch(this.pageOf(site) + path, { signal: AbortSignal.timeout(ANSWER_MS) });
  }

  pageOf(site) {
    return `http://${HOST}:${this.#httpPorts[site]}`;
  }

  /** Runs a command of `tandem` as an operator of the site does. Resolves with its exit code and what it printed. */
  tandem(site, ...args) {
    const options = {
      cwd: this.dir,
      env: { PATH: process.env.PATH, ...this.settingsOf(site) },
      timeout: COMMAND_DEADLINE_MS,
    };
    return new Promise((resolve) => {
      execFile(process.execPath, [CLI, ...args], options, (error, stdout, stderr) =>
        resolve({ code: error ? (error.code ?? error.signal) : 0, output: (stdout + stderr).trimEnd() }),
      );
    });
  }

  /** The sites first: they take leave of their servers. What does not end in time is killed by `destroy`. */
  async end() {
    this.#isEnding = true;
    for (const kind of ['site', 'server']) {
      const running = () => [...this.#children].filter(([name]) => name.endsWith(kind));
      for (const [, { child }] of running()) child.kill('SIGTERM');
      if (kind === 'server') for (const client of Object.values(this.clients)) client.disconnect();
      const deadline = Date.now() + END_DEADLINE_MS;
      while (running().length > 0 && Date.now() < deadline) await delay(ASK_AGAIN_MS);
    }
  }

  /** At once, for the very end of this process. */
  destroy() {
    for (const { child } of this.#children.values()) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Written again each time: a write from before the site reads the replication stream for the first time does not cross. */
  async #isLinked(site) {
    const key = `demo:ready:${site}`;
    await this.clients[site].set(key, 'yes');
    await delay(ASK_AGAIN_MS);
    return this.clients[OTHER[site]].get(key);
  }

  /** What a process of the site, and a command there, finds in its environment. */
  settingsOf(site) {
    return {
      TANDEM_PAIR: 'demo',
      TANDEM_SITE: site,
      TANDEM_PEER: OTHER[site],
      TANDEM_LOCAL_URL: `redis://${HOST}:${this.#ports[site]}`,
      TANDEM_PEER_URL: `redis://${HOST}:${this.#ports[OTHER[site]]}`,
    };
  }

  #client(site) {
    const client = new Redis({
      host: HOST,
      port: this.#ports[site],
      protocol: 2,
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
    });
    client.on('error', () => undefined);
    return client;
  }

  #startServer(site) {
    const settings = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0', '--bind', HOST];
    const args = ['--port', String(this.#ports[site]), '--dir', this.dir, ...settings];
    this.#run(`${site} server`, serverProgram(), args, {});
  }

  /** A process group of its own: Ctrl-C reaches the demo alone, which ends the others in order. */
  #run(name, program, args, env) {
    const log = join(this.dir, `${name.replace(' ', '-')}.log`);
    const output = openSync(log, 'a');
    const child = spawn(program, args, {
      cwd: this.dir,
      env: { PATH: process.env.PATH, ...env },
      detached: true,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    const entry = { child, isExpected: false };
    this.#children.set(name, entry);
    const ended = (what) => {
      if (this.#children.get(name) === entry) this.#children.delete(name);
      if (this.#isEnding || entry.isExpected) return;
      const lines = readFileSync(log, 'utf8').trim().split('\n').slice(-SHOWN_LOG_LINES);
      this.#onFailure(`the ${name} ${what}. Its last lines:\n${lines.join('\n')}`);
    };
    child.once('error', (error) => ended(error.message));
    child.once('exit', (code, signal) => ended(`ended with ${code ?? signal}`));
  }
}

/** Asks until it holds, again when there is no answer after `answerMs`, and gives what it gave then. @throws an error that names what was waited for */
export async function until(what, holds, deadlineMs, answerMs = ANSWER_MS) {
  const deadline = Date.now() + deadlineMs;
  while (Date.now() < deadline) {
    const answer = await Promise.race([Promise.resolve(holds()).catch(() => undefined), delay(answerMs)]);
    if (answer) return answer;
    await delay(ASK_AGAIN_MS);
  }
  throw new Error(`not within ${deadlineMs / 1000} s: ${what}`);
}

async function refuseTakenPort(port, whose) {
  const taken = await new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (!taken) return;
  throw new Error(
    `port ${port}, which ${whose} needs, is taken:\nend what listens there, or name four others with --ports`,
  );
}

/** TANDEM_TEST_REDIS, or redis-server or valkey-server, whichever is on the PATH. */
function serverProgram() {
  if (process.env.TANDEM_TEST_REDIS) return process.env.TANDEM_TEST_REDIS;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = ['redis-server', 'valkey-server'].flatMap((name) =>
    folders.map((folder) => join(folder, name)),
  );
  const path = paths.find((candidate) => existsSync(candidate));
  if (!path)
    throw new Error('no redis-server or valkey-server found: install one (apt-get install redis-server)');
  return path;
}
