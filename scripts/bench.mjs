/** Runs the measurements, each several times in turn, and prints the medians. See `--help`. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureCheck } from '../test/bench/check.mjs';
import { ALGORITHMS, KINDS, measureCompression } from '../test/bench/compress.mjs';
import { openLink } from '../test/bench/link.mjs';
import {
  FLOOR,
  end,
  endAtOnce,
  endPair,
  endServers,
  findPrograms,
  finished,
  replicate,
  start,
  startPair,
  startServers,
} from '../test/bench/programs.mjs';
import { asText, summary } from '../test/bench/report.mjs';
import { measureCatchUp, measureThroughput } from '../test/bench/throughput.mjs';
import { memory } from '../test/bench/usage.mjs';
import { measureWindow } from '../test/bench/window.mjs';

const HELP = `scripts/bench: how fast changes cross, beside a native replica (west REPLICAOF east) on the same machine

  --requests <n>     writes per loaded site (1000000)
  --keys <n>         different keys (1000000)
  --pipelines <n,n>  commands a client sends at once (1,16)
  --rounds <n>       how often everything is measured; medians are shown (3)
  --only <names>     of: native, one-way, both-ways, both-ways-same, lag, hot, catch-up, window, check, jobs,
                     compress, floor-one-way, floor-both-ways (all but the last eight). The floor is a program that
                     takes the same way through servers and lists, and knows nothing of what it carries
  --entries <n,n>    writes of the receiver that its peer has not seen, for window and check (0,1000000)
  --rate <n>         changes per second and site while the lag is measured, for hot on a few keys of all types (20000);
                     a tenth of it for compress
  --kinds <names>    of writes, for compress: json, session, counter, random (all)
  --hot <names>      of commands, for hot: set, incr, push, pop, hset, hincrby, member (all)
  --jobs <n>         jobs of BullMQ per second, added at one site and worked at the other (200)
  --events <n>       events that BullMQ keeps of them (10000)
  --delay <ms>       how long everything takes from a process to the other site's server, and back again (0)
  --seconds <n>      how long the lag is measured, and jobs are added (15)
  --build <folder>   a build to measure (dist); may be given several times, to compare
  --node-options=<…> for the Tandem processes, such as '--cpu-prof --cpu-prof-dir=/tmp/profiles'
  --logs <folder>    where the logs of the Tandem processes are kept
  --json             print JSON instead of tables`;

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const EAST_TO_WEST = [['east', 'west']];
const BOTH_WAYS = [
  ['east', 'west'],
  ['west', 'east'],
];
/** What can be measured, in the order in which it is. */
const SCENARIOS = {
  native: { title: 'native replica', directions: EAST_TO_WEST, native: true },
  'floor-one-way': { title: 'floor, one way', directions: EAST_TO_WEST, isFloor: true },
  'one-way': { title: 'one way', directions: EAST_TO_WEST },
  'floor-both-ways': { title: 'floor, both ways', directions: BOTH_WAYS, isFloor: true },
  'both-ways': { title: 'both ways', directions: BOTH_WAYS },
  'both-ways-same': { title: 'both ways, same keys', directions: BOTH_WAYS, sameKeys: true },
  // Over a link, which costs a hop.
  'catch-up': { title: 'catching up', directions: EAST_TO_WEST, isAway: true },
};
const BY_ITSELF = ['catch-up', 'floor-one-way', 'floor-both-ways'];

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    hot: { type: 'string', default: 'set,incr,push,pop,hset,hincrby,member' },
    keys: { type: 'string', default: '1000000' },
    pipelines: { type: 'string', default: '1,16' },
    rounds: { type: 'string', default: '3' },
    only: {
      type: 'string',
      default: [...Object.keys(SCENARIOS), 'lag'].filter((name) => !BY_ITSELF.includes(name)).join(),
    },
    entries: { type: 'string', default: '0,1000000' },
    rate: { type: 'string', default: '20000' },
    kinds: { type: 'string', default: KINDS.join() },
    jobs: { type: 'string', default: '200' },
    events: { type: 'string', default: '10000' },
    delay: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '15' },
    build: { type: 'string', multiple: true, default: [join(ROOT, 'dist')] },
    'node-options': { type: 'string', default: '' },
    logs: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const settings = {
  requests: number('requests'),
  keys: number('keys'),
  pipelines: values.pipelines.split(',').map(Number),
  rounds: number('rounds'),
  entries: values.entries.split(',').map(Number),
  rate: number('rate'),
  kinds: values.kinds.split(','),
  hot: values.hot.split(','),
  jobs: number('jobs'),
  events: number('events'),
  seconds: number('seconds'),
  only: values.only.split(','),
  builds: values.build.map((folder) => resolve(folder)),
};
const programs = findPrograms();
const nodeOptions = values['node-options'].split(' ').filter(Boolean);

process.on('exit', endAtOnce);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

const samples = [];
for (let round = 1; round <= settings.rounds; round++) {
  for (const pipeline of settings.pipelines) await throughputs(pipeline, round);
  if (settings.only.includes('window'))
    for (const pipeline of settings.pipelines) await windows(pipeline, round);
  if (settings.only.includes('lag')) await lags(round);
  if (settings.only.includes('hot')) await lags(round, { isHot: true });
  if (settings.only.includes('check')) await checks(round);
  if (settings.only.includes('jobs')) await jobs(round);
  if (settings.only.includes('compress')) await compressions(round);
}
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGb: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  server: execFileSync(programs.server, ['--version'], { encoding: 'utf8' }).split(/\s+sha/)[0],
};
const report = summary({ machine, settings, samples });
console.log(values.json ? JSON.stringify(report, null, 2) : asText(report));

async function throughputs(pipeline, round) {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    if (!settings.only.includes(name)) continue;
    for (const build of buildsFor(scenario)) {
      progress(`round ${round}: ${scenario.title}, pipeline ${pipeline}`);
      const { isAway = false, ...rest } = scenario;
      const measured = isAway ? measureCatchUp : measureThroughput;
      const result = await onFreshServers(
        build,
        (servers, pair, { east: link }) =>
          measured({ ...rest, ...settings, ...programs, servers, pair, link, pipeline }),
        { isCounted: isAway },
      );
      samples.push({
        kind: 'throughput',
        round,
        scenario: name,
        title: scenario.title,
        pipeline,
        build,
        ...result,
      });
    }
  }
}

function buildsFor({ native = false, isFloor = false }) {
  if (native) return [undefined];
  return isFloor ? [FLOOR] : settings.builds;
}

async function windows(pipeline, round) {
  for (const entries of settings.entries) {
    for (const build of settings.builds) {
      progress(`round ${round}: ${entries} unseen writes, pipeline ${pipeline}`);
      const work = (servers, pair, { west: link }) =>
        measureWindow({ ...settings, ...programs, servers, pair, link, pipeline, entries });
      const result = await onFreshServers(build, work, { canBeCut: true });
      const title = `${entries.toLocaleString('en')} unseen writes`;
      samples.push({ kind: 'window', round, scenario: title, title, pipeline, build, ...result });
    }
  }
}

async function checks(round) {
  for (const entries of settings.entries) {
    for (const build of settings.builds) {
      progress(`round ${round}: the check alone, ${entries} unseen writes`);
      const title = `${entries.toLocaleString('en')} unseen writes`;
      const result = await measureCheck({ build, entries });
      samples.push({ kind: 'check', round, scenario: title, title, build, ...result });
    }
  }
}

/** @param isHot whether both sites write the same few keys */
async function lags(round, { isHot = false } = {}) {
  for (const build of isHot ? settings.builds : [undefined, ...settings.builds]) {
    progress(`round ${round}: lag${isHot ? ' of hot keys' : ''}`);
    const result = await onFreshServers(build, async (servers, pair) => {
      const links = (build ? BOTH_WAYS : EAST_TO_WEST).map(([from, to]) => ({
        from: servers[from].port,
        to: servers[to].port,
        name: from,
      }));
      const { rate, seconds, keys } = settings;
      const script = join(ROOT, 'test/bench/lag.mjs');
      const child = start('lag', process.execPath, [
        script,
        JSON.stringify({ links, rate, seconds, keys, hot: isHot ? settings.hot : undefined }),
      ]);
      try {
        await finished(child, (seconds + 20) * 1000);
      } finally {
        await end(child);
      }
      const measured = JSON.parse(child.output());
      return {
        lagsMs: measured.flatMap((link) => link.lags),
        crossedRate: Math.min(...measured.map((link) => link.crossedRate)),
        reachedRate: Math.min(...measured.map((link) => link.rate)),
        memory: pair ? { east: memory(pair.east.pid), west: memory(pair.west.pid) } : undefined,
      };
    });
    const title = isHot ? 'few hot keys' : build ? 'both ways' : 'native replica';
    const scenario = isHot ? 'hot' : build ? 'both-ways' : 'native';
    samples.push({ kind: 'lag', scenario, title, build, ...result });
  }
}

/** Few writes at a time, as with a server that is not busy, and as many as cross: what batches hold differs. */
async function compressions(round) {
  const loads = [
    { load: 'paced', rate: settings.rate / 10, count: (settings.rate / 10) * settings.seconds },
    { load: 'unpaced', rate: 0, count: settings.requests },
  ];
  for (const build of settings.builds)
    for (const kind of settings.kinds)
      for (const { load, rate, count } of loads)
        for (const algorithm of ALGORITHMS) {
          progress(`round ${round}: compress ${kind}, ${load}, ${algorithm}`);
          const result = await onFreshServers(
            build,
            (servers, pair, { east: link }) => measureCompression({ servers, pair, link, kind, count, rate }),
            { isCounted: true, given: { TANDEM_COMPRESS: algorithm } },
          );
          const title = `${kind}, ${load}`;
          samples.push({
            kind: 'compress',
            round,
            scenario: title,
            title,
            pipeline: algorithm,
            build,
            ...result,
          });
        }
}

/** On one server alone, and with the producer at east and the worker at west. */
async function jobs(round) {
  for (const build of [undefined, ...settings.builds]) {
    progress(`round ${round}: jobs`);
    const result = await onFreshServers(build, async (servers, pair) => {
      const { jobs: rate, events, seconds } = settings;
      const script = join(ROOT, 'test/bench/jobs.mjs');
      const ports = { producer: servers.east.port, worker: servers[build ? 'west' : 'east'].port };
      const child = start('jobs', process.execPath, [
        script,
        JSON.stringify({ ...ports, rate, seconds, events }),
      ]);
      try {
        await finished(child, (seconds + 90) * 1000);
      } finally {
        await end(child);
      }
      const memories = pair ? { east: memory(pair.east.pid), west: memory(pair.west.pid) } : undefined;
      return { ...JSON.parse(child.output()), memory: memories };
    });
    const title = build ? 'two sites' : 'one server';
    samples.push({ kind: 'jobs', round, scenario: build ? 'pair' : 'native', title, build, ...result });
  }
}

/**
 * @param canBeCut whether west reaches east over a link that can be cut, which costs a hop
 * @param isCounted whether east reaches west over one that counts
 */
async function onFreshServers(build, work, { canBeCut = false, isCounted = false, given = {} } = {}) {
  const servers = await startServers(programs.server);
  const delayMs = Number(values.delay);
  const links = {};
  let pair;
  try {
    if (canBeCut || delayMs > 0) links.west = await openLink(servers.east.port, delayMs);
    if (isCounted || delayMs > 0) links.east = await openLink(servers.west.port, delayMs);
    const peerUrls = { east: links.east?.url, west: links.west?.url };
    if (build) pair = await startPair(servers, { build, nodeOptions, peerUrls, given });
    else await replicate(servers);
    return await work(servers, pair, links);
  } finally {
    if (pair) await endPair(pair);
    for (const link of Object.values(links)) link.close();
    if (pair && values.logs) keepLogs(pair, values.logs);
    await endServers(servers);
  }
}

/** Those of the last measurement stay. */
function keepLogs(pair, folder) {
  mkdirSync(folder, { recursive: true });
  for (const child of Object.values(pair)) writeFileSync(join(folder, `${child.label}.log`), child.output());
}

function progress(text) {
  if (process.stderr.isTTY || !values.json) process.stderr.write(`${text}\n`);
}

function number(name) {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number above 0`);
  return value;
}
