import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { loadDeadlines } from '../../../src/capture/deadline-loader.js';
import { Deadlines } from '../../../src/local-writes/deadlines.js';

/** A connection that is lost when the first keys are asked for. */
function lostAtWork(keyspace: string): Redis {
  let isLost = false;
  const reply = (text: string): Promise<string> =>
    isLost ? Promise.reject(new Error('Connection is closed.')) : Promise.resolve(text);
  return {
    options: {},
    info: () => reply(keyspace),
    callBuffer: () => {
      isLost = true;
      return reply('');
    },
  } as unknown as Redis;
}

// vitest fails where a promise is rejected and nobody listens: the process ends by such a one.
test.each([
  ['keys alone', 'db0:keys=3,expires=1\r\n'],
  ['fields with a deadline', 'db0:keys=3,expires=1,subexpiry=1\r\n'],
])(
  'a connection that is lost meanwhile is told to the one who waits, and to nobody else: %s',
  async (_, keyspace) => {
    const loading = loadDeadlines(lostAtWork(keyspace), new Deadlines(), {
      captured: { capturedThrough: 0 },
      signal: new AbortController().signal,
    });
    await expect(loading).rejects.toThrow();
    // Whatever was rejected beside it.
    await new Promise(setImmediate);
  },
);
