/** Copies many keys to an empty site while both are written, compares and repairs them. See `--help`. */
import { execFile } from 'node:child_process';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { end, endAtOnce, endServers, findPrograms, start, startServers } from '../test/bench/programs.mjs';
import { compareByServer, fill, plant, Writer } from '../test/bench/sync-load.mjs';
import { CpuMeter, memory } from '../test/bench/usage.mjs';

const HELP = `scripts/sync-bench: first copy, comparison and repair of many keys while both sites are written

  --keys <n>     keys of mixed types at east (1000000)
  --large <n>    keys of 10 MB beside them (5)
  --members <n>  a hash, a list, a set and a sorted set of so many members beside them (0)
  --rate <n>     writes a second at each site (5000)
  --seconds <n>  how long the writers are measured without anything beside the link (10)
  --build <f>    the folder of the build that is measured (dist)
  --profile <f>  a folder for processor profiles of both processes`;
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SITES = ['east', 'west'];
/** What the servers' slow log takes note of. */
const SLOW_US = 5000;
const DEADLINE_MS = Number(process.env.DEADLINE_MS ?? 600_000);

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    large: { type: 'string', default: '5' },
    members: { type: 'string', default: '0' },
    rate: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '10' },
    build: { type: 'string', default: join(ROOT, 'dist') },
    profile: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
process.once('exit', endAtOnce);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const [keys, large, members, rate, seconds] = [
  values.keys,
  values.large,
  values.members,
  values.rate,
  values.seconds,
].map(Number);
const servers = await startServers(findPrograms().server, { 'enable-debug-command': 'local' });
await fill(servers.east.redis, { keys, large, members });
for (const site of SITES) await servers[site].redis.config('SET', 'slowlog-log-slower-than', SLOW_US);
say(`${keys} keys and ${large} of 10 MB at east`);
const writers = Object.fromEntries(
  SITES.map((site) => [site, new Writer(servers[site].redis.duplicate(), { site, rate })]),
);
await sleep(2000);
await said('writers alone');

const cli = join(resolve(values.build), 'cli.js');
const began = performance.now();
const processes = Object.fromEntries(SITES.map((site) => [site, startSite(site)]));
const copyMeter = meter();
await until('the first copy', async () => {
  const done = await Promise.all(
    SITES.map((site) => servers[site].redis.hget('tandem:{bench}:state', 'copied')),
  );
  return done.every((one) => one === '1');
});
await crossed('copied');
const copySeconds = (performance.now() - began) / 1000;
const copyCost = costs(copyMeter, copySeconds);
const copied = await servers.west.redis.dbsize();
say(
  `first copy: ${copySeconds.toFixed(1)} s, ${Math.round(keys / copySeconds)} keys/s, with the writers' ${Math.round(copied / copySeconds)} keys/s, from the start of the processes on; ${perKey(copyCost, copied)}`,
);
await said('writers during the first copy');
for (const site of SITES) writers[site].hasMet = true;
const linkMeter = meter();
await sleep(seconds * 1000);
await said(`writers with the link alone (${shares(costs(linkMeter, seconds))})`);

const planted = await plant(servers.west.redis);
await told('east: verify', 'east', ['verify', '--json'], planted);
await said('writers during the comparison');
await told('west: verify', 'west', ['verify', '--json'], planted);
await told('east: repair', 'east', ['repair', '--json', '--prefer', 'east'], planted);
for (const site of SITES) await writers[site].stop();
await crossed('stopped');
const { compared, different } = await compareByServer(servers.east.redis, servers.west.redis);
say(
  `by the servers' own digests: ${different.length} of ${compared} keys differ ${different.slice(0, 5).join(' ')}`,
);
await told('east: verify, without writers', 'east', ['verify', '--json'], 0);
say(`Tandem's memory in MB, highest: ${peaks()}`);
for (const site of SITES) await end(processes[site]);
await endServers(servers);
process.exit(0);

/** Waits until all that was sent so far is applied: what is written last comes last. */
async function crossed(name) {
  for (const site of SITES) await servers[site].redis.set(`crossed:${name}:${site}`, 1);
  await until(`all to be applied: ${name}`, async () => {
    const found = await Promise.all(
      SITES.map((site) => servers[site].redis.exists(SITES.map((from) => `crossed:${name}:${from}`))),
    );
    return found.every((count) => count === SITES.length);
  });
}

function settings(site) {
  const [peer] = SITES.filter((other) => other !== site);
  return {
    TANDEM_PAIR: 'bench',
    TANDEM_SITE: site,
    TANDEM_PEER: peer,
    TANDEM_LOCAL_URL: servers[site].url,
    TANDEM_PEER_URL: servers[peer].url,
    TANDEM_SYNC_KEYS_PER_SECOND: process.env.TANDEM_SYNC_KEYS_PER_SECOND ?? '0',
    TANDEM_SYNC_BYTES_PER_SECOND: '0',
  };
}

function startSite(site) {
  const profile = values.profile ? ['--cpu-prof', `--cpu-prof-dir=${resolve(values.profile)}`] : [];
  return start(`${site}-tandem`, process.execPath, [...profile, cli, 'run'], settings(site));
}

async function told(what, site, args, expected) {
  const used = meter();
  const at = performance.now();
  const out = await new Promise((done) => {
    const options = {
      env: { PATH: process.env.PATH, ...settings(site) },
      maxBuffer: 1 << 28,
      timeout: DEADLINE_MS,
    };
    execFile(process.execPath, [cli, ...args], options, (error, stdout, stderr) =>
      done({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
  const took = (performance.now() - at) / 1000;
  const cost = costs(used, took);
  const { differences: _list, ...result } =
    out.stdout === '' ? { failed: out.stderr } : JSON.parse(out.stdout);
  say(
    `${what}: ${took.toFixed(1)} s, ${Math.round(result.compared / took)} keys/s, code ${out.code}, ${result.differing === expected ? 'as planted' : 'NOT AS PLANTED'}, ${JSON.stringify(result)}; ${perKey(cost, result.compared)}`,
  );
}

async function said(what) {
  const figures = [];
  for (const site of SITES) {
    const { p50, p99, max } = writers[site].latency();
    const longest = await longestCommand(servers[site].redis);
    figures.push(
      `${site} p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} max ${max.toFixed(0)} ms (longest command ${longest} ms)`,
    );
  }
  say(`${what}: ${figures.join(', ')}`);
}

function meter() {
  const own = { pid: process.pid };
  return new CpuMeter([
    ...SITES.flatMap((site) => [
      [`${site} server`, servers[site].child],
      [`${site} tandem`, processes[site]],
    ]),
    ['benchmark', own],
  ]);
}

/** Processor seconds by program, and in how many seconds. */
function costs(used, took) {
  return { took, used: Object.entries(used.stop()) };
}

/** What a key costs each program, the writers' load included. */
function perKey({ used }, count) {
  return `µs a key: ${used.map(([name, cpu]) => `${name} ${((cpu / count) * 1e6).toFixed(1)}`).join(', ')}`;
}

/** How much of a core each program takes. */
function shares({ took, used }) {
  return `cores: ${used.map(([name, cpu]) => `${name} ${(cpu / took).toFixed(2)}`).join(', ')}`;
}

/** How long the server was held up at the most by one command or transaction since the last call, in ms, by its own slow log. */
async function longestCommand(redis) {
  const entries = await redis.slowlog('GET', -1);
  await redis.slowlog('RESET');
  return Math.round(Math.max(0, ...entries.map(([, , micros]) => micros)) / 1000);
}

function peaks() {
  return SITES.map((site) => Math.round(memory(processes[site].pid)?.peakMb ?? 0)).join(' and ');
}

function say(text) {
  console.log(`[load ${loadavg()[0].toFixed(1)}] ${text}`);
}

async function until(what, condition) {
  const hasEnded = ({ exitCode, signalCode }) => exitCode !== null || signalCode !== null;
  const ends = performance.now() + DEADLINE_MS;
  const all = Object.values(processes);
  for (; performance.now() < ends && !all.some(hasEnded); await sleep(50)) if (await condition()) return;
  throw new Error(
    `not within ${DEADLINE_MS} ms, or a process ended: ${what}\n${all.map((one) => one.output().slice(-2000)).join('\n')}`,
  );
}
