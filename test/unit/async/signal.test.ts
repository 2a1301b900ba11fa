import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Signal } from '../../../src/async/signal.js';

const NEVER = new AbortController().signal;

/** Whether the promise is settled once everything that is ready has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  await sleep(0);
  return settled;
}

describe('a signal', () => {
  test('raised while nobody waits is not forgotten, and counts once', async () => {
    const signal = new Signal();
    signal.raise();
    signal.raise();
    await signal.wait(NEVER);
    const abort = new AbortController();
    const second = signal.wait(abort.signal);
    expect(await isSettled(second)).toBe(false);
    abort.abort(new Error('over'));
    await expect(second).rejects.toThrow('over');
  });

  test('wakes the one who waits', async () => {
    const signal = new Signal();
    const waiting = signal.wait(NEVER);
    expect(await isSettled(waiting)).toBe(false);
    signal.raise();
    expect(await isSettled(waiting)).toBe(true);
  });

  test('wakes all who wait', async () => {
    const signal = new Signal();
    const waiting = [signal.wait(NEVER), signal.wait(NEVER)];
    signal.raise();
    await Promise.all(waiting);
  });

  test('never lets a loop sleep over what came, whenever it comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.nat({ max: 3 }), { maxLength: 12 }),
        async (scheduler, pauses) => {
          const signal = new Signal();
          const abort = new AbortController();
          let made = 0;
          let met = 0;
          const loop = (async () => {
            for (;;) {
              await signal.wait(abort.signal);
              const upTo = made;
              await scheduler.schedule(Promise.resolve());
              met = upTo;
            }
          })();
          const raising = (async () => {
            for (const pause of pauses) {
              for (let i = 0; i < pause; i++) await scheduler.schedule(Promise.resolve());
              made++;
              signal.raise();
            }
          })();
          await scheduler.waitFor(raising);
          await sleep(0);
          await scheduler.waitIdle();
          await sleep(0);
          expect(met).toBe(made);
          abort.abort();
          await expect(loop).rejects.toThrow();
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('a wait', () => {
  test('ends when its time is up, and the signal still works', async () => {
    const signal = new Signal();
    await signal.wait(NEVER, 5);
    const next = signal.wait(NEVER, 10_000);
    signal.raise();
    await next;
  });

  test('that is aborted throws the reason, at once or later', async () => {
    const signal = new Signal();
    const abort = new AbortController();
    const waiting = signal.wait(abort.signal, 10_000);
    abort.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    await expect(signal.wait(abort.signal)).rejects.toThrow('stopped');
  });

  test('that is aborted leaves what was raised for the next', async () => {
    const signal = new Signal();
    signal.raise();
    await expect(signal.wait(AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
    await signal.wait(NEVER);
  });

  test('leaves no listener and no timer behind', async () => {
    const signal = new Signal();
    let listeners = 0;
    const abort = new AbortController();
    const { signal: watched } = abort;
    const [add, remove] = [watched.addEventListener.bind(watched), watched.removeEventListener.bind(watched)];
    watched.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    watched.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    for (let i = 0; i < 20; i++) {
      const waiting = signal.wait(watched, i % 2 === 0 ? 1 : 60_000);
      if (i % 2 === 1) signal.raise();
      await waiting;
    }
    expect(listeners).toBe(0);
  });
});
