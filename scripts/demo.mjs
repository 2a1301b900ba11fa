// The demo behind scripts/demo: starts two servers and two sites, writes at both, shows what crossed and how fast.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';

const PORTS = { east: 6401, west: 6402 };
const HOST = '127.0.0.1';
const READY_DEADLINE_MS = 20_000;
const CROSS_DEADLINE_MS = 5_000;
const END_DEADLINE_MS = 5_000;
const SHOWN_LOG_LINES = 10;
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

const other = { east: 'west', west: 'east' };
const { values: options } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
const dir = mkdtempSync(join(tmpdir(), 'tandem-demo-'));
const children = new Set();
const clients = {};
let ending;

process.on('exit', () => {
  for (const { child } of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => void end(options.once ? 1 : 0));

try {
  await start();
  const crossed = await writeAtBothSites();
  if (options.once) {
    await end(crossed ? 0 : 1);
  } else {
    explain();
  }
} catch (error) {
  if (!ending) console.error(`\ndemo: ${error.message}`);
  await end(1);
}

async function start() {
  for (const [site, port] of Object.entries(PORTS)) await refuseTakenPort(site, port);
  console.log('Starting two Redis servers and two Tandem processes …');
  for (const site of Object.keys(PORTS)) startServer(site);
  for (const [site, port] of Object.entries(PORTS)) {
    clients[site] = new Redis({
      host: HOST,
      port,
      protocol: 2,
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
    });
    clients[site].on('error', () => undefined);
    await until(`the ${site} server to answer`, () => clients[site].ping(), READY_DEADLINE_MS);
  }
  for (const site of Object.keys(PORTS)) startSite(site);
  for (const site of Object.keys(PORTS))
    await until(`the link ${site} → ${other[site]}`, () => linked(site), READY_DEADLINE_MS);
}

/** Written again each time: a write from before the site reads the replication stream for the first time does not cross. */
async function linked(site) {
  const key = `demo:ready:${site}`;
  await clients[site].set(key, 'yes');
  await delay(10);
  return clients[other[site]].get(key);
}

function startServer(site) {
  const settings = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0', '--bind', HOST];
  run(`${site} server`, serverProgram(), ['--port', String(PORTS[site]), '--dir', dir, ...settings], {});
}

function startSite(site) {
  run(`${site} site`, process.execPath, [CLI, 'run'], {
    TANDEM_PAIR: 'demo',
    TANDEM_SITE: site,
    TANDEM_PEER: other[site],
    TANDEM_LOCAL_URL: urlOf(site),
    TANDEM_PEER_URL: urlOf(other[site]),
  });
}

/** A process group of its own: Ctrl-C reaches the demo alone, which ends the others in order. */
function run(name, program, args, env) {
  const log = join(dir, `${name.replace(' ', '-')}.log`);
  const output = openSync(log, 'a');
  const child = spawn(program, args, {
    cwd: dir,
    env: { PATH: process.env.PATH, ...env },
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const entry = { name, log, child };
  children.add(entry);
  child.once('error', (error) => void fail(name, error.message, log));
  child.once('exit', (code, signal) => {
    children.delete(entry);
    if (!ending) void fail(name, `ended with ${code ?? signal}`, log);
  });
}

async function writeAtBothSites() {
  const rows = [
    await cross('east', 'SET greeting "hello from east"', ['GET', 'greeting']),
    await cross('west', 'HSET user:1 name Ada city London', ['HGETALL', 'user:1']),
    await cross('west', 'RPUSH queue one two three', ['LRANGE', 'queue', '0', '-1']),
    await cross('east', 'SADD tags red green', ['SCARD', 'tags']),
    await cross('east', 'MULTI; SET account:a 60; SET account:b 40; EXEC', [
      'MGET',
      'account:a',
      'account:b',
    ]),
    await cross('west', 'SET session abc EX 3600', ['GET', 'session']),
  ];
  const counter = await count();
  table(
    ['written at', 'command', 'seen at', 'reads', 'lag ms'],
    rows.map(({ cells }) => cells),
  );
  console.log(`\nAt the same moment: INCRBY visits 7 at east, INCRBY visits 5 at west`);
  console.log(`  → east reads ${counter.east}, west reads ${counter.west}`);
  return rows.every(({ crossed }) => crossed) && counter.east === '12' && counter.west === '12';
}

/** Writes at one site and reads at the other until both read the same. */
async function cross(site, text, read) {
  const commands = text.split('; ').map(words);
  const here = clients[site];
  const there = clients[other[site]];
  const writtenAt = performance.now();
  for (const [name, ...args] of commands) await here.call(name, ...args);
  const wanted = JSON.stringify(await here.call(...read));
  const lag = await lagUntil(writtenAt, async () => JSON.stringify(await there.call(...read)) === wanted);
  const reading = [await there.call(...read)].flat().join(' ');
  return { crossed: lag !== undefined, cells: [site, text, other[site], reading, lag ?? 'not crossed'] };
}

async function count() {
  await Promise.all([clients.east.incrby('visits', 7), clients.west.incrby('visits', 5)]);
  const read = () => Promise.all([clients.east.get('visits'), clients.west.get('visits')]);
  await lagUntil(performance.now(), async () => (await read()).every((value) => value === '12'));
  const [east, west] = await read();
  return { east, west };
}

async function lagUntil(writtenAt, holds) {
  while (performance.now() - writtenAt < CROSS_DEADLINE_MS) {
    if (await holds()) return (performance.now() - writtenAt).toFixed(1);
  }
  return undefined;
}

function explain() {
  console.log(`
Both sites are up, until Ctrl-C. Write at one, read at the other:

  redis-cli -p ${PORTS.east}        # east
  redis-cli -p ${PORTS.west}        # west

  redis-cli -p ${PORTS.east} SET colour blue && redis-cli -p ${PORTS.west} GET colour
  redis-cli -p ${PORTS.west} --scan --pattern 'tandem:*'    # what Tandem keeps for itself

Logs: ${dir}`);
}

async function end(code) {
  ending ??= endAll();
  await ending;
  process.exit(code);
}

/** The sites first: they take leave of their servers. What does not end in time is killed as the demo exits. */
async function endAll() {
  for (const kind of ['site', 'server']) {
    const these = [...children].filter(({ name }) => name.endsWith(kind));
    for (const { child } of these) child.kill('SIGTERM');
    if (kind === 'server') for (const client of Object.values(clients)) client.disconnect();
    const deadline = Date.now() + END_DEADLINE_MS;
    while (these.some((entry) => children.has(entry)) && Date.now() < deadline) await delay(20);
  }
}

async function fail(name, what, log) {
  if (ending) return;
  const lines = readFileSync(log, 'utf8').trim().split('\n').slice(-SHOWN_LOG_LINES);
  console.error(`\ndemo: the ${name} ${what}. Its last lines:\n${lines.join('\n')}`);
  await end(1);
}

async function refuseTakenPort(site, port) {
  const taken = await new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (taken)
    throw new Error(`port ${port}, which the ${site} server needs, is taken: end what listens there`);
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

async function until(what, holds, deadlineMs) {
  const deadline = Date.now() + deadlineMs;
  while (Date.now() < deadline) {
    if (await Promise.race([holds(), delay(1000)])) return;
    await delay(10);
  }
  throw new Error(`${what}: not within ${deadlineMs / 1000} s`);
}

function table(head, rows) {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => String(row[i]).length)));
  const line = (row) =>
    row
      .map((cell, i) => String(cell).padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  console.log(
    ['', line(head), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n'),
  );
}

/** Splits a command at spaces outside of double quotes. */
function words(text) {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare);
}

function urlOf(site) {
  return `redis://${HOST}:${PORTS[site]}`;
}
