import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

/** How long `until` waits, and how often it asks, in milliseconds. */
export interface WaitOptions {
  deadlineMs?: number;
  /** The first pause between two attempts; it doubles up to `maxPauseMs`. */
  pauseMs?: number;
  maxPauseMs?: number;
}

/**
 * A deadline of a second or more is there to end a test that hangs, and says nothing of how fast anything is: on a machine that is busy
 * with other things, all of it takes several times as long.
 */
const PATIENCE = 4;
const EXACT_BELOW_MS = 1000;

const patient = (deadlineMs: number): number =>
  deadlineMs < EXACT_BELOW_MS ? deadlineMs : deadlineMs * PATIENCE;

/**
 * Asks `predicate` until it returns something truthy, and returns that.
 * After the deadline (10 s by default, for a machine with nothing else to do) the error names what was awaited and the last value, or the last error, seen.
 */
export async function until<T>(
  description: string,
  predicate: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<NonNullable<T>> {
  const { pauseMs = 2, maxPauseMs = 100 } = options;
  const deadlineMs = patient(options.deadlineMs ?? 10_000);
  const end = Date.now() + deadlineMs;
  for (let pause = pauseMs; ; pause = Math.min(pause * 2, maxPauseMs)) {
    const [value, error] = await attempt(predicate, Math.max(1, end - Date.now()));
    if (value) return value;
    if (Date.now() >= end) {
      const last = error === undefined ? `last value: ${short(value)}` : `last error: ${short(error)}`;
      throw new Error(`not within ${deadlineMs} ms: ${description} (${last})`, { cause: error });
    }
    await delay(Math.min(pause, Math.max(1, end - Date.now())));
  }
}

/** Rejects with `description` if `promise` has not settled after the deadline. The promise itself goes on. */
export async function within<T>(description: string, deadlineMs: number, promise: Promise<T>): Promise<T> {
  return inTime(description, patient(deadlineMs), promise);
}

async function inTime<T>(description: string, deadlineMs: number, promise: Promise<T>): Promise<T> {
  const stop = new AbortController();
  const late = delay(deadlineMs, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`not within ${deadlineMs} ms: ${description}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
    late.catch(() => undefined);
  }
}

async function attempt<T>(
  predicate: () => T | Promise<T>,
  leftMs: number,
): Promise<[T | undefined, unknown]> {
  try {
    return [await inTime('the check itself to return', leftMs, Promise.resolve(predicate())), undefined];
  } catch (error) {
    return [undefined, error];
  }
}

function short(value: unknown): string {
  const text = inspect(value, { depth: 3, breakLength: Infinity });
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
