import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scriptDigest, scriptSource, type ScriptName } from '../../src/lua/scripts.js';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until, within } from '../support/wait.js';
import { Load } from './load.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, ownKeys } from './observe.js';
import { MOMENTS, type Moment, type Step, StepProxy } from './step-proxy.js';

/**
 * Both processes work under load, and at each step that east's takes something happens to it: it is killed, its network is cut,
 * or a command arrives long after the process has given it up. A step is a command on its way to a server.
 */

const KEYS = ownKeys();

interface Row {
  step: string;
  /** The server the step is on. */
  server: 'local' | 'peer';
  matches: Step;
  /** Taken when a process begins, not while it works. */
  atStart?: boolean;
  /** Taken only while nobody writes. */
  whenIdle?: boolean;
  /** The server does not answer it. */
  hasNoReply?: boolean;
}

const STEPS: readonly Row[] = [
  {
    step: 'append to the change list',
    server: 'local',
    matches: (args) => isScript('append-batches', args) && args.length > 19,
  },
  { step: 'trim the change list', server: 'local', matches: (args) => isScript('trim-changes', args) },
  { step: 'deliver a batch', server: 'peer', matches: (args) => isScript('deliver-batch', args) },
  {
    step: 'send a heartbeat',
    server: 'peer',
    matches: (args) => isScript('deliver-heartbeat', args),
    whenIdle: true,
  },
  { step: 'watch before a run', server: 'local', matches: named('WATCH') },
  { step: 'guard a run', server: 'local', matches: (args) => isScript('guard-transaction', args) },
  {
    step: 'begin the transaction',
    server: 'local',
    matches: (args) => isNamed('MULTI', args) && args.length === 1,
  },
  {
    step: 'mark the run',
    server: 'local',
    matches: (args) => isNamed('HSET', args) && isKey(KEYS.applied, args),
  },
  { step: 'make the first change of a run', server: 'local', matches: named('INCR') },
  {
    step: 'take the batch out of the inbox',
    server: 'local',
    matches: (args) => isScript('end-transaction', args),
  },
  { step: 'end the transaction', server: 'local', matches: named('EXEC') },
  { step: 'acknowledge the stream', server: 'local', matches: named('REPLCONF', 'ACK'), hasNoReply: true },
  { step: 'keep the lease', server: 'local', matches: (args) => isScript('take-lease', args) },
  { step: 'take the lease', server: 'local', matches: (args) => isScript('take-lease', args), atStart: true },
  { step: 'open the state', server: 'local', matches: (args) => isScript('open-state', args), atStart: true },
  {
    step: 'load the change list',
    server: 'local',
    matches: (args) => isNamed('LRANGE', args) && isKey(KEYS.changes, args),
    atStart: true,
  },
  { step: 'announce a replica', server: 'local', matches: named('REPLCONF', 'CAPA'), atStart: true },
  { step: 'ask for the stream', server: 'local', matches: named('PSYNC'), atStart: true },
  {
    step: 'save the position',
    server: 'local',
    matches: (args) => isScript('append-batches', args) && args.length === 19,
    atStart: true,
  },
  {
    step: 'read the inbox',
    server: 'local',
    matches: (args) => isNamed('LRANGE', args) && isKey(KEYS.inbox, args),
    atStart: true,
  },
  {
    step: 'ask the peer what it has',
    server: 'peer',
    matches: (args) => isNamed('HMGET', args) && isKey(KEYS.received, args),
    atStart: true,
  },
];

/** What happens at a step. The network is cut on the way to the server of the step. */
const BLOWS = ['killed', 'cut off'] as const;

/** Rounds the load makes before each blow, so that both processes are at work. */
const ROUNDS_BEFORE = 40;
const ROUNDS_AFTER = 100;
const STRIKE_DEADLINE_MS = 20_000;
const QUIET_DEADLINE_MS = 40_000;

let pair: Pair;
let load: Load;
const proxies = {} as Record<Row['server'], StepProxy>;
const outcomes: string[] = [];

beforeAll(async () => {
  proxies.local = await StepProxy.start();
  proxies.peer = await StepProxy.start();
  pair = await startPair({
    env: QUICK,
    server: LONG_BACKLOG,
    east: { localUrl: (server) => proxies.local.urlTo(server) },
    west: { peerUrl: (server) => proxies.peer.urlTo(server) },
  });
});

afterAll(async () => {
  await pair?.close();
  await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
  process.stdout.write(`${outcomes.join('\n')}\n`);
});

describe.each(STEPS)('when it is to $step', (row) => {
  const moments = row.hasNoReply ? MOMENTS.slice(0, 1) : MOMENTS;
  // A network that is cut behind a reply is cut before the next command.
  const cases = BLOWS.flatMap((blow) =>
    moments.slice(0, blow === 'killed' ? undefined : 2).map((moment) => ({ blow, moment })),
  );

  test.each(cases)(
    'and is $blow $moment, nothing is lost and nothing comes twice',
    async ({ blow, moment }) => {
      await underBlow(`${row.step}: ${blow} ${moment}`, async () => {
        const act = (): void => (blow === 'killed' ? killEast() : proxies[row.server].cut());
        await strike(row, moment, act);
        if (blow === 'cut off') return;
        await pair.east.ended();
        await startEast();
      });
    },
  );
});

describe.each(STEPS.filter(({ hasNoReply }) => !hasNoReply))('when it is to $step', (row) => {
  test('and the command arrives after all when its connection is long given up, it does no harm', async () => {
    let release = (): void => {};
    await underBlow(`${row.step}: arrives late`, async () => {
      await strike(row, 'before it', () => (release = proxies[row.server].cutAndHold()));
      await more(ROUNDS_AFTER);
      release();
    });
  });
});

test('killed when it is to trim the change list, it trims it after all, though nobody writes any more', async () => {
  const { east } = pair;
  await quiet(pair, { deadlineMs: QUIET_DEADLINE_MS });
  await expectNothingWaits(pair);
  const step: Step = (args) => isScript('trim-changes', args);
  const struck = proxies.local.strike({ step, moment: 'before it', act: killEast });
  await east.redis.set('the last write', 'x');
  await within('the trim', STRIKE_DEADLINE_MS, struck);
  await east.ended();
  expect(await east.redis.llen(KEYS.changes)).toBeGreaterThan(0);
  await startEast();
  await expectNothingWaits(pair);
});

/** Load at both sites, the blow, more load; then both sites hold exactly what was written, and nothing waits. */
async function underBlow(name: string, blow: () => Promise<void>): Promise<void> {
  const began = performance.now();
  let outcome = 'FAILED';
  load = new Load(pair, { name: `load:${outcomes.length}` });
  load.start();
  try {
    await more(ROUNDS_BEFORE);
    await blow();
    await more(ROUNDS_AFTER);
    await load.stop();
    await quiet(pair, { deadlineMs: QUIET_DEADLINE_MS });
    await load.expectExact();
    await expectEqual(pair.east.redis, pair.west.redis);
    await expectNothingWaits(pair);
    await load.clear();
    outcome = 'exact';
  } finally {
    await load.stop();
    for (const proxy of Object.values(proxies)) proxy.disarm();
    if (!pair.east.running) await startEast();
    outcomes.push(`${outcome.padEnd(7)} ${name} (${Math.round(performance.now() - began)} ms)`);
  }
}

/** Resolves when the blow has fallen. */
async function strike(row: Row, moment: Moment, act: () => void): Promise<void> {
  if (row.atStart) await pair.east.kill();
  const struck = proxies[row.server].strike({ step: row.matches, moment, act });
  if (row.atStart) await startEast();
  if (row.whenIdle) await load.stop();
  await within(`the step: ${row.step}\n${pair.east.tail()}`, STRIKE_DEADLINE_MS, struck);
  if (row.whenIdle) load.start();
}

async function more(rounds: number): Promise<void> {
  const from = load.rounds;
  await until('the load to go on', () => load.rounds >= from + rounds);
}

/** The lease of the process that was killed would end by itself; that takes time, and lease.test.ts looks at it. */
async function startEast(): Promise<void> {
  await pair.east.redis.del(KEYS.lease);
  pair.east.start();
}

function killEast(): void {
  process.kill(pair.east.pid!, 'SIGKILL');
}

function isNamed(name: string, args: readonly Buffer[]): boolean {
  return args[0]?.toString('latin1').toUpperCase() === name;
}

function named(name: string, argument?: string): Step {
  return (args) =>
    isNamed(name, args) && (argument === undefined || args[1]?.toString('latin1').toUpperCase() === argument);
}

function isKey(key: string, args: readonly Buffer[]): boolean {
  return args[1]?.toString('latin1') === key;
}

function isScript(name: ScriptName, args: readonly Buffer[]): boolean {
  if (isNamed('EVALSHA', args)) return args[1]?.toString('latin1') === scriptDigest(name);
  return isNamed('EVAL', args) && args[1]?.toString('utf8') === scriptSource(name);
}
