import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { TandemError } from '../../src/errors.js';
import { JobsBench } from '../support/jobs.js';
import { until } from '../support/wait.js';

const bench = new JobsBench();

describe('pausing', () => {
  test('keeps jobs from beginning until they are resumed, over a new process as well', async () => {
    const first = bench.start({ copy: async () => 'done' });
    await bench.ended(await first.plane.add('copy', {}));
    await bench.client.pause();
    expect(await bench.client.isPaused()).toBe(true);
    const id = await bench.client.add('copy', {});
    await first.stop();
    bench.start({ copy: async () => 'done' });
    await pause(1200);
    expect(await bench.client.get(id)).toMatchObject({ state: 'waiting' });
    await bench.client.resume();
    await bench.ended(id);
  });
});

describe('what it leaves', () => {
  test('is a hundred jobs of each kind and state at the most', async () => {
    let runs = 0;
    const { plane } = bench.start({
      copy: async () => {
        if (++runs % 2 === 0) throw new TandemError('NO_PERMISSION', 'no');
      },
    });
    for (let i = 0; i < 220; i++) await plane.add('copy', {});
    await until('all jobs to be done', () => runs === 220, { deadlineMs: 15_000 });
    await until('the last to end', async () =>
      (await bench.client.list()).every(({ endedAt }) => endedAt !== null),
    );
    const states = (await bench.client.list()).map(({ state }) => state);
    expect(states.filter((state) => state === 'failed')).toHaveLength(100);
    expect(states.filter((state) => state === 'completed')).toHaveLength(100);
    expect(await bench.redis.xlen(`${bench.keys.jobsPrefix}copy:events`)).toBeLessThan(300);
  });

  test('an idle one writes nothing', async () => {
    const { plane } = bench.start({ copy: async () => 'done', verify: async () => 'done' });
    await bench.ended(await plane.add('copy', {}));
    await pause(100);
    const offset = async (): Promise<string | undefined> =>
      /rdb_changes_since_last_save:(\d+)/.exec(await bench.redis.info('persistence'))?.[1];
    const before = await offset();
    await pause(1500);
    expect(await offset()).toBe(before);
  });
});

describe('the regular comparison', () => {
  test('is done when it is due, and no longer once the setting is gone', async () => {
    let runs = 0;
    const tasks = { verify: async (): Promise<number> => ++runs };
    const first = bench.start(tasks, { TANDEM_VERIFY_CRON: '* * * * * *' });
    await until('two comparisons', () => runs >= 2);
    await first.stop();
    const second = bench.start(tasks, { TANDEM_VERIFY_CRON: '0 3 * * *' });
    await until('the next one to be set', async () =>
      (await bench.client.list()).some((job) => job.state === 'delayed'),
    );
    const so = runs;
    await pause(1500);
    expect(runs - so).toBeLessThanOrEqual(1);
    expect(await bench.redis.zcard(`${bench.keys.jobsPrefix}verify:repeat`)).toBe(1);
    // The next one cannot be taken away: the schedule would end with it.
    const next = (await bench.client.list()).find((job) => job.state === 'delayed')!;
    expect(await bench.client.cancel(next.id)).toBe('asked');
    expect(await bench.client.get(next.id)).toMatchObject({ state: 'delayed' });
    await second.stop();
    bench.start(tasks);
    await until(
      'the schedule to be gone',
      async () => !(await bench.redis.exists(`${bench.keys.jobsPrefix}verify:repeat`)),
    );
    expect((await bench.client.list()).filter(({ state }) => state === 'delayed')).toEqual([]);
  });
});

describe('following a job', () => {
  test('tells of each progress, and gives how it ended', async () => {
    bench.start({
      copy: async ({ progress }) => {
        for (let done = 0; done < 3; done++) {
          await progress({ done });
          await pause(400);
        }
      },
    });
    const told: unknown[] = [];
    const id = await bench.client.add('copy', {});
    const last = await bench.client.follow(
      id,
      (job) => told.push(job.progress),
      new AbortController().signal,
    );
    expect(last).toMatchObject({ state: 'completed' });
    expect(told).toContainEqual({ done: 1 });
  });
});

describe('dropping', () => {
  test('takes a job off the list that has ended, and no other', async () => {
    const [failed, waits] = [await bench.client.add('copy', {}, { attempts: 1 }), 'copy-waits'];
    bench.start({
      copy: async () => {
        throw new TandemError('NO_PERMISSION', 'no');
      },
    });
    await bench.ended(failed);
    await bench.client.pause();
    await bench.client.add('copy', {}, { id: waits });
    expect(await bench.client.drop(waits)).toBe('not ended');
    expect(await bench.client.drop(failed)).toBe('dropped');
    expect(await bench.client.drop(failed)).toBe('unknown');
    expect((await bench.client.list()).map(({ id }) => id)).toEqual([waits]);
  });
});
