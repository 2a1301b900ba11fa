import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Signal } from '../../src/async/signal.js';
import type { JobContext, JobProgress, Task } from '../../src/jobs/jobs.js';
import { TandemError } from '../../src/errors.js';
import { JobsBench, killConnections, untilAborted } from '../support/jobs.js';
import { until } from '../support/wait.js';

const bench = new JobsBench();

describe('a job', () => {
  test('is done, and tells its progress and its result', async () => {
    const { plane } = bench.start({
      copy: async ({ id, data, progress }: JobContext) => {
        const half: JobProgress = { done: 1, total: 2, phase: 'half' };
        await progress(half);
        return { id, data };
      },
    });
    const id = await plane.add('copy', { from: 'west' }, { id: 'first' });
    expect(id).toBe('first');
    expect(await bench.ended(id)).toMatchObject({
      task: 'copy',
      state: 'completed',
      attempts: 1,
      progress: { done: 1, total: 2, phase: 'half' },
      result: { id: 'first', data: { from: 'west' } },
      failure: null,
    });
  });

  test('begins when changes cross, which is waited for within a bound', async () => {
    const did: string[] = [];
    let cross = (): void => {};
    const crossing = new Promise<void>((resolve) => (cross = resolve));
    const wait: Signal['wait'] = (_, timeoutMs) => {
      did.push(`waited for, ${timeoutMs} ms at the most`);
      return crossing;
    };
    const reading = Object.assign(new Signal(), { wait });
    bench.start({ copy: () => Promise.resolve(did.push('at work')) }, {}, undefined, reading);
    await bench.client.add('copy', {}, { id: 'one' });
    await until('the wait', () => did.length > 0);
    did.push('changes cross');
    cross();
    await bench.ended('one');
    expect(did).toEqual(['waited for, 2000 ms at the most', 'changes cross', 'at work']);
  });

  test('is not added a second time while one of its id waits or is at work, and is when that has ended', async () => {
    let runs = 0;
    const ends: (() => void)[] = [];
    const { plane } = bench.start({
      copy: async () => {
        runs++;
        await new Promise<void>((resolve) => ends.push(resolve));
      },
    });
    await bench.client.add('copy', {}, { id: 'one' });
    await until('the job to begin', () => runs === 1);
    expect(await plane.add('copy', {}, { id: 'one' })).toBe('one');
    ends[0]!();
    await bench.ended('one');
    await plane.add('copy', {}, { id: 'one' });
    await until('the job to begin again', () => runs === 2);
    ends[1]!();
    await bench.ended('one');
    expect(await bench.client.list()).toHaveLength(1);
  });

  test('whose list somebody has deleted is added again', async () => {
    let runs = 0;
    await bench.client.add('copy', {}, { id: 'lost' });
    await bench.redis.del(`${bench.keys.jobsPrefix}copy:wait`);
    await bench.redis.set(`${bench.keys.jobsPrefix}copy:lost:lock`, 'of a process that is gone');
    const { plane } = bench.start({ copy: () => Promise.resolve(runs++) });
    await plane.add('copy', {}, { id: 'lost', once: true });
    expect(await bench.ended('lost')).toMatchObject({ state: 'completed' });
    await plane.add('copy', {}, { id: 'lost', once: true });
    expect(runs).toBe(1);
  });

  test('is added by several at once, while it is taken up and ends', async () => {
    let runs = 0;
    const { plane } = bench.start({ copy: () => Promise.resolve(runs++) });
    for (let round = 0; round < 20; round++) {
      const adding = [plane, bench.client, plane, bench.client].map((one) =>
        one.add('copy', {}, { id: 'wanted' }),
      );
      expect(await Promise.all(adding)).toEqual(['wanted', 'wanted', 'wanted', 'wanted']);
      await until('it to be done once more', () => runs > round);
      await bench.ended('wanted');
    }
  });

  test('that stands among those that have ended, and is at work, is left there', async () => {
    let runs = 0;
    const { plane } = bench.start({
      copy: ({ signal }) => (runs++ === 0 ? Promise.resolve() : pause(60_000, undefined, { signal })),
    });
    await bench.ended(await plane.add('copy', {}, { id: 'twice' }));
    await bench.redis.del(`${bench.keys.jobsPrefix}copy:twice`);
    await plane.add('copy', {}, { id: 'twice' });
    await until('it to be at work', () => runs === 2);
    expect(await plane.add('copy', {}, { id: 'twice' })).toBe('twice');
    expect(runs).toBe(2);
  });

  test('whose options somebody has deleted, and that has failed by it, is added again', async () => {
    let runs = 0;
    const { plane } = bench.start({
      copy: async () => {
        runs++;
        if (runs === 1) throw new TandemError('UNREACHABLE', 'the peer is away');
      },
    });
    const options = { id: 'bare', attempts: 1000 };
    await bench.client.add('copy', {}, { ...options, attempts: 1 });
    expect(await bench.ended('bare')).toMatchObject({ state: 'failed' });
    await plane.add('copy', {}, { ...options, once: true });
    await until('it to be done', () => runs === 2);
    await plane.add('copy', {}, { ...options, once: true });
    await bench.ended('bare');
    expect(runs).toBe(2);
  });

  test('that fails is tried again from its checkpoint', async () => {
    const seen: unknown[] = [];
    bench.start({
      copy: async ({ checkpoint, save }) => {
        seen.push(checkpoint);
        if (checkpoint !== null) return 'done';
        await save({ cursor: 17 });
        throw new TandemError('UNREACHABLE', 'the peer is away');
      },
    });
    const job = await bench.ended(await bench.client.add('copy', {}));
    expect(job).toMatchObject({ state: 'completed', attempts: 2, result: 'done' });
    expect(seen).toEqual([null, { cursor: 17 }]);
  });

  test('is not tried again when a person has to mend something', async () => {
    bench.start({
      copy: async () => {
        throw new TandemError('NO_PERMISSION', 'the account may not SCAN');
      },
    });
    expect(await bench.ended(await bench.client.add('copy', {}))).toMatchObject({
      state: 'failed',
      attempts: 1,
      failure: 'the account may not SCAN',
    });
  });
});

describe('cancelling', () => {
  test('ends a job at work, for good', async () => {
    bench.start({ copy: untilAborted });
    const id = await bench.client.add('copy', {});
    await bench.begun(id);
    expect(await bench.client.cancel(id)).toBe('asked');
    expect(await bench.ended(id)).toMatchObject({ state: 'failed', failure: 'cancelled', attempts: 1 });
    expect(await bench.client.cancel(id)).toBe('ended');
  });

  test('takes a waiting job away', async () => {
    const id = await bench.client.add('copy', {});
    expect(await bench.client.cancel(id)).toBe('removed');
    expect(await bench.client.cancel(id)).toBe('unknown');
    expect(await bench.client.list()).toEqual([]);
  });
});

describe('a control plane that stops', () => {
  test('puts the job back at once, and the attempt does not count', async () => {
    const { stop } = bench.start({ copy: untilAborted });
    const id = await bench.client.add('copy', {}, { attempts: 1 });
    await bench.begun(id);
    const from = Date.now();
    await stop();
    expect(Date.now() - from).toBeLessThan(500);
    expect(await bench.client.get(id)).toMatchObject({ state: 'waiting', attempts: 0 });
    bench.start({ copy: async () => 'done' });
    expect(await bench.ended(id)).toMatchObject({ state: 'completed', attempts: 1 });
  });

  test('does not wait for a task that heeds nothing, and does not run it a second time beside itself', async () => {
    let atWork = 0;
    let most = 0;
    let release = (): void => {};
    const stubborn: Task = async () => {
      most = Math.max(most, ++atWork);
      await new Promise<void>((resolve) => (release = resolve));
      atWork--;
      return 'done';
    };
    const { plane, stop } = bench.start({ copy: stubborn });
    const id = await bench.client.add('copy', {});
    await bench.begun(id);
    const from = Date.now();
    await stop();
    expect(Date.now() - from).toBeLessThan(2500);
    const again = new AbortController();
    const over = plane.run(again.signal);
    await pause(700);
    expect(atWork).toBe(1);
    release();
    await until('the job to begin again', () => atWork === 1 && most === 1 && plane.status.active === 1);
    await pause(100);
    release();
    expect(await bench.ended(id)).toMatchObject({ state: 'completed' });
    expect(most).toBe(1);
    again.abort();
    await over;
  });

  test('ends within two seconds though its Redis hangs', async () => {
    const { stop } = bench.start({ copy: untilAborted });
    await bench.begun(await bench.client.add('copy', {}));
    await bench.server.pause();
    try {
      const from = Date.now();
      await stop();
      expect(Date.now() - from).toBeLessThan(2500);
    } finally {
      await bench.server.resume();
    }
  });
});

describe('a job whose process died', () => {
  /** As a process leaves it that is killed at work: in the list of active jobs, under a lock. */
  async function leave(id: string, deaths: number): Promise<void> {
    await bench.redis.rpoplpush(`${bench.keys.jobsPrefix}copy:wait`, `${bench.keys.jobsPrefix}copy:active`);
    await bench.redis.set(`${bench.keys.jobsPrefix}copy:${id}:lock`, 'of the dead one', 'PX', 30_000);
    await bench.redis.hset(`${bench.keys.jobsPrefix}copy:${id}`, 'stc', deaths);
  }

  test('is taken up at once, though its lock still stands', async () => {
    const id = await bench.client.add('copy', {}, { attempts: 1 });
    await leave(id, 9);
    bench.start({
      copy: async ({ save }) => {
        await save(1);
        return bench.redis.hexists(`${bench.keys.jobsPrefix}copy:${id}`, 'stc');
      },
    });
    // With the checkpoint the deaths are forgotten.
    expect(await bench.ended(id)).toMatchObject({ state: 'completed', attempts: 1, result: 0 });
  });

  test('stays with the process that has the lease by now', async () => {
    const id = await bench.client.add('copy', {});
    await leave(id, 0);
    await bench.redis.set(bench.keys.fence, '2');
    let runs = 0;
    const copy = async (): Promise<number> => ++runs;
    const { plane, stop } = bench.start({ copy }, {}, 1);
    await until('it to be refused', () => plane.status.faults > 1);
    expect(await bench.client.get(id)).toMatchObject({ state: 'active' });
    await stop();
    bench.start({ copy }, {}, 2);
    await bench.ended(id);
    expect(runs).toBe(1);
  });

  test('is failed when more than ten have died of it without a new checkpoint', async () => {
    const id = await bench.client.add('copy', {});
    await leave(id, 10);
    bench.start({ copy: async () => 'done' });
    expect(await bench.ended(id)).toMatchObject({
      state: 'failed',
      failure: 'the process died during it again and again',
    });
  });
});

describe('when something is wrong with its keys or its connection', () => {
  test('it goes on once the keys are right again', async () => {
    const { plane } = bench.start({ copy: async () => 'done' });
    await bench.ended(await plane.add('copy', {}));
    await bench.redis.set(`${bench.keys.jobsPrefix}copy:wait`, 'not a list');
    await until('it to fail', () => plane.status.faults > 2);
    await bench.redis.del(`${bench.keys.jobsPrefix}copy:wait`);
    await bench.redis.set(`${bench.keys.jobsPrefix}copy:lost:lock`, 'of a process that is gone');
    expect(await bench.ended(await bench.client.add('copy', {}))).toMatchObject({ state: 'completed' });
    const lines = bench.log.filter(({ msg }) => msg === 'jobs are backing off');
    expect(lines.length).toBeLessThan(3);
    expect(JSON.stringify(lines)).toContain('WRONGTYPE');
  });

  test('the log says why a job has failed', async () => {
    const copy = (): Promise<never> => Promise.reject(new Error('the disk is on fire'));
    bench.start({ copy });
    await bench.ended(await bench.client.add('copy', {}, { attempts: 1 }));
    const line = bench.log.find(({ msg }) => msg === 'a job has failed');
    expect(JSON.stringify(line)).toContain('the disk is on fire');
  });

  test('a job goes on from its checkpoint over connections that are closed again and again', async () => {
    const begins: unknown[] = [];
    bench.start({
      copy: async ({ checkpoint, save, signal }) => {
        begins.push(checkpoint);
        for (let step = Number(checkpoint ?? 0); step < 40; step++) {
          signal.throwIfAborted();
          await save(step + 1);
          await pause(20);
        }
        return 'done';
      },
    });
    const id = await bench.client.add('copy', {}, { attempts: 1 });
    for (let kill = 0; kill < 4; kill++) {
      await until('a new beginning', () => begins.length > kill);
      await pause(100);
      await killConnections(bench.redis, 'tandem:east:jobs');
    }
    expect(await bench.ended(id)).toMatchObject({ state: 'completed', attempts: 1, result: 'done' });
    const steps = begins.map(Number);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    expect(steps.length).toBeGreaterThan(2);
  });
});
