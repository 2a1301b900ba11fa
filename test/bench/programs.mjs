/**
 * The programs a measurement is made of: servers, Tandem processes, load generators. All of them end with this process, and what
 * does not end in time is killed.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, openSync, closeSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { until, within } from './wait.mjs';

const HOST = '127.0.0.1';
const END_DEADLINE_MS = 5_000;
const START_DEADLINE_MS = 60_000;
const SHOWN_LOG_LINES = 10;
const SITES = ['east', 'west'];
/** In place of a build: the program that only carries changes. */
export const FLOOR = fileURLToPath(new URL('floor.mjs', import.meta.url));

const running = new Set();
let folder;

/** Kills and removes whatever is left. */
export function endAtOnce() {
  for (const child of running) child.kill('SIGKILL');
  if (folder) rmSync(folder, { recursive: true, force: true });
}

/** Starts a program whose output goes to a file in the temporary folder. */
export function start(name, program, args, env = {}) {
  folder ??= mkdtempSync(join(tmpdir(), 'tandem-bench-'));
  const log = join(folder, `${name}.log`);
  const output = openSync(log, 'w');
  const child = spawn(program, args, {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  running.add(child);
  child.ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(code ?? signal));
  }).finally(() => running.delete(child));
  child.output = () => readFileSync(log, 'utf8');
  child.label = name;
  return child;
}

/** Resolves when the program has ended well. */
export async function finished(child, deadlineMs) {
  const ending = await within(`${child.label} to end`, deadlineMs, child.ended);
  if (ending !== 0) throw new Error(`${child.label} ended with ${ending}:\n${tail(child)}`);
}

export async function end(child) {
  if (!running.has(child)) return;
  child.kill('SIGTERM');
  await within(`${child.label} to end`, END_DEADLINE_MS, child.ended).catch(() => child.kill('SIGKILL'));
}

/** `TANDEM_TEST_REDIS`, or the first server on the PATH; and the load generator that came with it, or any. */
export function findPrograms() {
  const server = process.env.TANDEM_TEST_REDIS ?? onPath('redis-server') ?? onPath('valkey-server');
  if (!server) throw new Error('no redis-server or valkey-server: install one, or set TANDEM_TEST_REDIS');
  const names = ['redis-benchmark', 'valkey-benchmark'];
  const beside = names.map((name) => join(dirname(server), name)).find(isExecutable);
  const benchmark = beside ?? names.map(onPath).find(Boolean);
  if (!benchmark) throw new Error('no redis-benchmark: it comes with redis-tools');
  return { server, benchmark };
}

/** Two empty servers that keep nothing on disk. */
export async function startServers(program, more = {}) {
  const servers = {};
  for (const site of SITES) {
    const port = await freePort();
    const settings = {
      port,
      bind: HOST,
      save: '',
      // A snapshot for a replica is left behind, and would be there at the start of the next server.
      dbfilename: `${port}.rdb`,
      appendonly: 'no',
      'repl-backlog-size': '256mb',
      'client-output-buffer-limit': 'replica 0 0 0',
      'repl-diskless-sync': 'yes',
      'repl-diskless-sync-delay': '0',
      ...more,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...words(name, value)]);
    const child = start(`${site}-server`, program, args);
    const redis = new Redis({
      host: HOST,
      port,
      protocol: 2,
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
    });
    redis.on('error', () => undefined);
    servers[site] = { port, child, redis, url: `redis://${HOST}:${port}` };
  }
  for (const site of SITES) {
    const { child, redis } = servers[site];
    await until(`the ${site} server to answer`, START_DEADLINE_MS, () => redis.ping(), child);
  }
  return servers;
}

export async function endServers(servers) {
  for (const site of SITES) servers[site].redis.disconnect();
  await Promise.all(SITES.map((site) => end(servers[site].child)));
}

/** West becomes an ordinary replica of east: the yardstick. */
export async function replicate(servers) {
  const { east, west } = servers;
  await west.redis.replicaof(HOST, east.port);
  await until('the replica to be in step', START_DEADLINE_MS, async () =>
    (await west.redis.info('replication')).includes('master_link_status:up'),
  );
}

/** Both Tandem processes of a pair, linked: every write from now on crosses. `peerUrls`: by which URL each site reaches the other. `given`: further settings. */
export async function startPair(servers, { build, nodeOptions, peerUrls = {}, given = {} }) {
  const pair = {};
  for (const site of SITES) {
    const peer = SITES.find((other) => other !== site);
    const env = {
      ...givenSettings(),
      ...given,
      TANDEM_PAIR: 'bench',
      TANDEM_SITE: site,
      TANDEM_PEER: peer,
      TANDEM_LOCAL_URL: servers[site].url,
      TANDEM_PEER_URL: peerUrls[site] ?? servers[peer].url,
    };
    pair[site] = start(
      `${site}-tandem`,
      process.execPath,
      [...nodeOptions, ...(build === FLOOR ? [FLOOR] : [join(build, 'cli.js'), 'run'])],
      env,
    );
  }
  for (const site of SITES) {
    const peer = SITES.find((other) => other !== site);
    // Written again each time: what was written before the site reads the replication stream does not cross.
    await until(
      `the link from ${site}`,
      START_DEADLINE_MS,
      async () => {
        await servers[site].redis.set(`linked:${site}`, 'yes');
        return servers[peer].redis.get(`linked:${site}`);
      },
      pair[site],
    );
  }
  return pair;
}

/** Settings of Tandem may be set in the environment, to see what they do. */
function givenSettings() {
  const given = Object.entries(process.env).filter(([name]) => name.startsWith('TANDEM_'));
  return Object.fromEntries(given.filter(([name]) => name !== 'TANDEM_TEST_REDIS'));
}

export async function endPair(pair) {
  await Promise.all(SITES.map((site) => end(pair[site])));
}

/** The last lines of what a program wrote. */
export function tail(child) {
  return child.output().trim().split('\n').slice(-SHOWN_LOG_LINES).join('\n');
}

function onPath(name) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.map((path) => join(path, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The one setting whose value is several words, and an empty one, which must stay one. */
function words(name, value) {
  return name === 'client-output-buffer-limit' ? value.split(' ') : [String(value)];
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, HOST, resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
