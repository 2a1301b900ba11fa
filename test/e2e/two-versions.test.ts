import { afterEach, describe, expect, test } from 'vitest';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { expectEqual } from '../support/equal.js';
import { writeMixed } from '../support/mixed-keys.js';
import { monitorOf } from '../support/monitor.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LiveWriters } from './live-writers.js';
import { jobOf, settingsOf, verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, ownKeys, QUICK, statusOf } from './observe.js';
import { runCli } from './run-cli.js';

/** Another server than the one of all tests, of another version: `TANDEM_TEST_OTHER_REDIS`. */
const OTHER = process.env['TANDEM_TEST_OTHER_REDIS'];
const KEYS = ownKeys();
const LONG = { timeout: 180_000 };
const DEADLINE = { deadlineMs: 60_000 };

let pair: Pair | undefined;
let writers: LiveWriters | undefined;

afterEach(async () => {
  await writers?.stop();
  writers = undefined;
  await pair?.close();
  pair = undefined;
});

async function copied(site: Site): Promise<{ rejected: number }> {
  const job = await until(
    `the first copy of ${site.name} to end`,
    async () => {
      const found = await jobOf(site, 'first-copy');
      return found?.state === 'completed' || found?.state === 'failed' ? found : undefined;
    },
    DEADLINE,
  );
  expect(job, site.tail()).toMatchObject({ state: 'completed' });
  return job.result as { rejected: number };
}

/** Puts a value at a site that its stream does not tell of. */
async function unseen({ redis }: Site, ...command: string[]): Promise<void> {
  await redis.eval('redis.set_repl(redis.REPL_NONE) return redis.call(unpack(ARGV))', 0, ...command);
}

describe('of two servers that number their dumps apart', () => {
  test('a value goes as its elements to the one that has said it does not take the dump', LONG, async () => {
    pair = await startPair({ server: LONG_BACKLOG, env: QUICK });
    const { east, west } = pair;
    await west.redis.hset(KEYS.site, 'restores', ',1,2,');
    // At its next connection east's process reads that.
    const clients = String(await west.redis.call('CLIENT', 'LIST'));
    const [, id] = /^id=(\d+) .*name=tandem:east:courier/m.exec(clients)!;
    await west.redis.call('CLIENT', 'KILL', 'ID', id!);
    await writeMixed(east.redis, { prefix: 'mixed', count: 500 });
    await quiet(pair);
    for (const name of ['list', 'hash', 'set'] as const)
      await unseen(east, { list: 'RPUSH', hash: 'HSET', set: 'SADD' }[name], `un:${name}`, 'a', 'b');
    await unseen(east, 'XADD', 'un:stream', '1-1', 'f', 'v');
    await unseen(east, 'XGROUP', 'CREATE', 'un:stream', 'g', '0');
    const monitor = await monitorOf(east.redis);
    const states: string[] = [];
    monitor.on('monitor', (_, args: string[]) => {
      // One write holds many.
      if (args[1] === KEYS.out) states.push(...(args[2]?.split('TANDEM.STATE').slice(1) ?? []));
    });
    const { code, result, stderr } = await verifyAt(pair, east, '--repair', '--prefer', 'east');
    monitor.disconnect();
    expect(result, stderr).toMatchObject({ differing: 4, repaired: 4 });
    expect(code).toBe(0);
    expect(states.length).toBeGreaterThanOrEqual(4);
    expect(states.filter((state) => !state.includes('elements'))).toEqual([]);
    await expectEqual(east.redis, west.redis);
    expect((await statusOf(west)).rejected).toBe(0);
  });

  test('a dump that this one does not take is not rejected: its elements are asked for', LONG, async () => {
    pair = await startPair({ server: LONG_BACKLOG, env: QUICK });
    const { east, west } = pair;
    await unseen(west, 'RPUSH', 'list', 'a', 'b');
    await unseen(west, 'SET', 'string', 'v', 'PXAT', '1900000000000');
    for (const [key, expiry, length] of [
      ['list', 0, 2],
      ['string', 1_900_000_000_000, -1],
    ] as const) {
      const dump = await west.redis.dumpBuffer(key);
      dump.writeUInt16LE(126, dump.length - 10);
      const state = ['TANDEM.STATE', 0, key, expiry, 0, 'west', 0, length, dump];
      await west.redis.set(KEYS.out, encodeCommand(state));
    }
    await until(
      'both values to come',
      async () => (await east.redis.exists('list', 'string')) === 2,
      DEADLINE,
    );
    await quiet(pair);
    await expectEqual(east.redis, west.redis);
    expect((await statusOf(east)).rejected).toBe(0);
  });

  test('elements that are not those of their key are not sent', LONG, async () => {
    pair = await startPair({ server: LONG_BACKLOG, env: QUICK });
    const { east, west } = pair;
    const made = encodeCommand(['RPUSH', 'another', 'x']);
    await west.redis.rpush('list', 'a');
    await quiet(pair);
    const state = ['TANDEM.STATE', 0, 'list', 0, 0, 'west', 0, 1, made, 'elements'];
    expect(await west.redis.set(KEYS.out, encodeCommand(state))).toBe('OK');
    await west.redis.set('behind', 1);
    await quiet(pair);
    expect(await east.redis.exists('another')).toBe(0);
    expect((await statusOf(west)).capture.skippedTotal).toMatchObject({ 'not-ours': 1 });
  });
});

describe.skipIf(OTHER === undefined)('two servers of different versions', () => {
  async function apart(older: 'east' | 'west'): Promise<Pair> {
    const other = { server: { ...LONG_BACKLOG, program: OTHER } };
    pair = await startPair({
      server: LONG_BACKLOG,
      env: QUICK,
      ...(older === 'east' ? { west: other } : { east: other }),
      start: false,
    });
    return pair;
  }

  for (const older of ['east', 'west'] as const)
    test(`copy, compare and repair values of all types, the other one at ${older}`, LONG, async () => {
      const running = await apart(older);
      const { east, west } = running;
      await writeMixed(east.redis, { prefix: 'east', count: 800 });
      await writeMixed(west.redis, { prefix: 'west', count: 800 });
      for (const site of [east, west]) site.start();
      for (const site of [east, west]) expect(await copied(site)).toMatchObject({ rejected: 0 });
      writers = new LiveWriters([east, west], { seed: 7, rate: 200, burst: 10 });
      await until('some writes', () => writers!.written > 1000, DEADLINE);
      await writers.stop();
      writers = undefined;
      await quiet(running, { deadlineMs: 60_000 });
      for (const site of [east, west]) {
        expect((await statusOf(site)).rejected).toBe(0);
        const { code, result } = await verifyAt(running, site);
        expect(result).toMatchObject({ differing: 0, undecided: 0 });
        expect(code).toBe(0);
      }
    });

  test('what one server lacks is named by check, listed, and told by the job', LONG, async (context) => {
    const running = await apart('west');
    const { east, west } = running;
    const knows = async ({ redis }: Site): Promise<boolean> =>
      ((await redis.call('COMMAND', 'INFO', 'HPEXPIREAT')) as unknown[])[0] !== null;
    const [newer, older] = (await knows(east)) ? [east, west] : [west, east];
    if (!(await knows(newer)) || (await knows(older))) return context.skip();
    await newer.redis.hset('fields', 'a', 1, 'b', 2);
    await newer.redis.call('HPEXPIREAT', 'fields', '1900000000000', 'FIELDS', '1', 'a');
    await newer.redis.hset('plain', 'a', 1);
    for (const site of [east, west]) site.start();
    expect(await copied(newer)).toMatchObject({ rejected: 1 });
    const keys = ownKeys();
    const listed = await older.redis.xrange(keys.rejected, '-', '+');
    expect(JSON.stringify(listed)).toMatch(/fields.*does not know HPEXPIREAT/);
    expect(await older.redis.exists('fields', 'plain')).toBe(1);
    const { stdout } = await runCli(['check'], settingsOf(running, newer));
    expect(stdout).toMatch(new RegExp(`warn +versions .*${older.name} does not know .*HPEXPIREAT`));
    const { stdout: jobs } = await runCli(['jobs'], settingsOf(running, newer));
    expect(jobs).toContain('has rejected 1 values');
  });

  test(
    'a site is upgraded under load, with the data file of the older server: nothing is rejected or lost',
    LONG,
    async (context) => {
      const saving = { config: { ...LONG_BACKLOG.config, save: '3600 1' } };
      pair = await startPair({ server: saving, env: QUICK });
      const { east, west } = pair;
      const dump = await east.redis.dumpBuffer('nothing');
      expect(dump).toBeNull();
      await writeMixed(east.redis, { prefix: 'mixed', count: 500 });
      await quiet(pair);
      let counted = 0;
      const over = new AbortController();
      const load = (async () => {
        while (!over.signal.aborted) {
          await west.redis.incr('counter');
          await west.redis.rpush('queue', counted);
          counted++;
        }
      })();
      await until('the load to begin', () => counted > 50, DEADLINE);
      await east.server.halt();
      try {
        await east.server.start(OTHER);
      } catch (error) {
        over.abort();
        await load;
        // The other server is the older one.
        if (/Can't handle RDB format/.test(String(error))) return context.skip();
        throw error;
      }
      const before = counted;
      await until('the load to go on', () => counted > before + 200, DEADLINE);
      over.abort();
      await load;
      await quiet(pair, { deadlineMs: 60_000 });
      expect(await east.redis.get('counter')).toBe(String(counted));
      expect(await east.redis.llen('queue')).toBe(counted);
      for (const site of [east, west]) {
        const status = await statusOf(site);
        expect([status.rejected, status.gap]).toEqual([0, false]);
        const { code, result } = await verifyAt(pair, site);
        expect(result).toMatchObject({ differing: 0 });
        expect(code).toBe(0);
      }
    },
  );
});
