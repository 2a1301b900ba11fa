import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 10;

/** Asks again and again until the answer is yes; fails after the deadline, or at once when the program it depends on has ended. */
export async function until(what, deadlineMs, holds, child) {
  const deadline = Date.now() + deadlineMs;
  while (Date.now() < deadline) {
    if (child && (child.exitCode !== null || child.signalCode !== null))
      throw new Error(`${what}: ${child.label} has ended:\n${child.output().slice(-2000)}`);
    if (await Promise.race([holds(), delay(1000)])) return;
    await delay(PAUSE_MS);
  }
  throw new Error(`${what}: not within ${deadlineMs / 1000} s`);
}

/** The result of some work, or an error after the deadline. */
export async function within(what, deadlineMs, work) {
  const stop = new AbortController();
  const late = delay(deadlineMs, undefined, { signal: stop.signal }).then(
    () => Promise.reject(new Error(`${what}: not within ${deadlineMs / 1000} s`)),
    () => undefined,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    stop.abort();
  }
}
