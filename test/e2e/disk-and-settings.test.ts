import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { findServer } from '../support/find-server.js';
import { type Pair, type PairOptions, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, statusOf } from './observe.js';
import { Tally } from './tally.js';

let pair: Pair;
let tally: Tally;

afterEach(async () => {
  await tally.stop().catch(() => {});
  await pair.close();
});

async function underLoad(options: PairOptions = {}): Promise<Pair> {
  pair = await startPair({ server: LONG_BACKLOG, env: QUICK, ...options });
  tally = new Tally(pair);
  tally.start();
  await more(50);
  return pair;
}

async function more(count: number): Promise<void> {
  const goal = tally.made + count;
  await until('more to be written', () => tally.made >= goal, { deadlineMs: 20_000 });
}

async function expectExact(): Promise<void> {
  await more(50);
  await tally.stop();
  await quiet(pair, { deadlineMs: 30_000 });
  await tally.expectExact();
  await expectEqual(pair.east.redis, pair.west.redis);
  await expectNothingWaits(pair);
  for (const site of [pair.east, pair.west]) expect((await statusOf(site)).capture.gaps, site.name).toBe(0);
}

const isProgram = (await findServer()).kind === 'program';

describe.skipIf(!isProgram)('a disk that is full', () => {
  test('so that the AOF cannot be written holds up what comes to that site, and nothing is lost when there is room again', async () => {
    const config = { ...LONG_BACKLOG.config, appendonly: 'yes', appendfsync: 'everysec' };
    const { east } = await underLoad({ east: { server: { config, survivesFileLimit: true } } });
    const limit = (bytes: string): void => {
      execFileSync('prlimit', ['--pid', String(east.server.pid), `--fsize=${bytes}:`]);
    };
    const from = east.log.length;
    limit('1000');
    const line = await east.waitForLog((one) => String(one['detail']).includes('MISCONF'), { from });
    expect(line['reason']).toBe('SERVER_BUSY');
    const refused = tally.refused;
    await until('writes to be refused', () => tally.refused > refused + 20);
    limit('unlimited');
    await expectExact();
    expect(east.running).toBe(true);
  });
});

test('the settings may be written to their file, and changed, at any time', async () => {
  const { east, west } = await underLoad({ server: { ...LONG_BACKLOG, configFile: true } });
  for (const [name, value] of [
    ['repl-backlog-size', '128mb'],
    ['hz', '50'],
    ['maxmemory-policy', 'noeviction'],
    ['appendonly', 'yes'],
    ['activedefrag', 'no'],
    ['appendonly', 'no'],
  ] as const)
    for (const site of [east, west]) {
      await site.redis.config('SET', name, value);
      await site.redis.config('REWRITE');
      await more(5);
    }
  await expectExact();
});

test('the sites may be in time zones a day apart: what expires does so at the same moment', async () => {
  const { east, west } = await underLoad({
    east: { env: { TZ: 'Pacific/Kiritimati' } },
    west: { env: { TZ: 'Pacific/Pago_Pago' } },
  });
  const at = Math.floor(Date.now() / 1000) + 1000;
  await east.redis.set('ex', '1', 'EX', 1000);
  await east.redis.set('exat', '1', 'EXAT', at);
  await west.redis.hset('hash', 'f', 'v');
  await west.redis.expireat('hash', at);
  await west.redis.set('soon', '1', 'PX', 300);
  await expectExact();
  await until('what is to expire to be gone', async () => {
    return (await east.redis.exists('soon')) + (await west.redis.exists('soon')) === 0;
  });
  for (const key of ['ex', 'exat', 'hash'])
    expect(Math.abs((await west.redis.pttl(key)) - (await east.redis.pttl(key))), key).toBeLessThan(1000);
  for (const site of [east, west])
    expect(Math.abs((await statusOf(site)).clockSkewMs ?? 0)).toBeLessThan(5000);
});
