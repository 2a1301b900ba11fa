import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { TandemError } from '../../src/errors.js';
import { JobsBench, untilAborted } from '../support/jobs.js';
import { until } from '../support/wait.js';

const bench = new JobsBench();

describe('trying a failed job again', () => {
  test('gives it all its attempts, and it goes on from its checkpoint', async () => {
    let isMended = false;
    const seen: unknown[] = [];
    bench.start({
      copy: async ({ checkpoint, save }) => {
        seen.push(checkpoint);
        await save({ step: 7 });
        if (!isMended) throw new TandemError('NO_PERMISSION', 'no');
        return 'done';
      },
    });
    const id = await bench.client.add('copy', {}, { attempts: 1 });
    expect(await bench.ended(id)).toMatchObject({ state: 'failed', attempts: 1 });
    isMended = true;
    expect(await bench.client.retry(id)).toBe('waits');
    await until('it to be done', async () => (await bench.client.get(id))?.state === 'completed');
    expect(await bench.client.get(id)).toMatchObject({ result: 'done', failure: null, attempts: 1 });
    expect(seen).toEqual([null, { step: 7 }]);
  });

  test('runs one that was cancelled', async () => {
    let isToWait = true;
    bench.start({ copy: async (context) => (isToWait ? untilAborted(context) : 'done') });
    const id = await bench.client.add('copy', {});
    await bench.begun(id);
    await bench.client.cancel(id);
    expect(await bench.ended(id)).toMatchObject({ state: 'failed', failure: 'cancelled' });
    isToWait = false;
    expect(await bench.client.retry(id)).toBe('waits');
    await until('it to be done', async () => (await bench.client.get(id))?.state === 'completed');
  });

  test('counts the processes that die during it anew', async () => {
    const id = await bench.client.add('copy', {});
    await bench.redis.hset(`${bench.keys.jobsPrefix}copy:${id}`, 'stc', 11);
    bench.start({ copy: async () => 'done' });
    expect(await bench.ended(id)).toMatchObject({ state: 'failed' });
    expect(await bench.client.retry(id)).toBe('waits');
    await until('it to be done', async () => (await bench.client.get(id))?.state === 'completed');
  });

  test('leaves one alone that has not failed, and takes nothing back that is asked of it', async () => {
    const ending = new AbortController();
    bench.start({
      copy: async () => {
        await once(ending.signal, 'abort');
      },
    });
    const id = await bench.client.add('copy', {});
    await bench.begun(id);
    await bench.client.cancel(id);
    expect(await bench.client.retry(id)).toBe('not failed');
    expect(await bench.redis.hget(`${bench.keys.jobsPrefix}copy:${id}`, 'cancel')).toBe('1');
    ending.abort();
    expect(await bench.ended(id)).toMatchObject({ state: 'completed' });
    expect(await bench.client.retry(id)).toBe('not failed');
    expect(await bench.client.retry('copy-none')).toBe('unknown');
  });

  test('of two who ask at once, only one has it run again', async () => {
    let runs = 0;
    bench.start({
      copy: async () => {
        if (++runs === 1) throw new TandemError('NO_PERMISSION', 'no');
      },
    });
    const id = await bench.client.add('copy', {});
    await bench.ended(id);
    const told = await Promise.all(Array.from({ length: 8 }, async () => bench.client.retry(id)));
    expect(told.filter((one) => one === 'waits')).toHaveLength(1);
    await until('it to be done', async () => (await bench.client.get(id))?.state === 'completed');
    expect(runs).toBe(2);
  });

  test('leaves the schedule that made it as it is', async () => {
    let runs = 0;
    bench.start(
      {
        verify: async () => {
          if (++runs === 1) throw new TandemError('NO_PERMISSION', 'no');
        },
      },
      { TANDEM_VERIFY_CRON: '*/2 * * * * *' },
    );
    const failed = await until('the first one to fail', async () =>
      (await bench.client.list()).find(({ state }) => state === 'failed'),
    );
    expect(await bench.client.retry(failed.id)).toBe('waits');
    await until('it to be done', async () => (await bench.client.get(failed.id))?.state === 'completed');
    const so = runs;
    await until('the next one', () => runs > so + 1);
    expect((await bench.client.list()).filter(({ state }) => state === 'delayed')).toHaveLength(1);
  });
});
