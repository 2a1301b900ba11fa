import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { loadDeadlines } from '../../../src/capture/deadline-loader.js';
import { Deadlines } from '../../../src/local-writes/deadlines.js';
import { KEYS } from './stream-story.js';

/** A connection that is lost when the first keys are asked for. */
function lostAtWork(keyspace: string): Redis {
  return {
    options: {},
    call: () => Promise.resolve([keyspace, 0]),
    callBuffer: () => Promise.reject(new Error('Connection is closed.')),
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
      keys: KEYS,
      captured: { capturedThrough: 0 },
      signal: new AbortController().signal,
    });
    await expect(loading).rejects.toThrow();
    // Whatever was rejected beside it.
    await new Promise(setImmediate);
  },
);

test.each([
  ['no key has a deadline', 'db0:keys=9,expires=0\r\ndb1:keys=9,expires=0\r\n', 0, []],
  ["only Tandem's own have", 'db0:keys=9,expires=3\r\n', 3, []],
  ['one more has', 'db0:keys=9,expires=4\r\n', 3, [0]],
  ['one has elsewhere', 'db0:keys=9,expires=3\r\ndb7:keys=9,expires=1,avg_ttl=5\r\n', 3, [7]],
])(
  'the keys of a database are gone through where some may have a deadline: %s',
  async (_, keyspace, internal, gone) => {
    const through: unknown[] = [];
    const redis = {
      options: {},
      call: () => Promise.resolve([keyspace, internal]),
      callBuffer: (...args: unknown[]) => {
        through.push(args[3]);
        return Promise.resolve([Buffer.from('0')]);
      },
    } as unknown as Redis;
    await loadDeadlines(redis, new Deadlines(), {
      keys: KEYS,
      captured: { capturedThrough: 0 },
      signal: new AbortController().signal,
    });
    expect(through).toEqual(gone);
  },
);
