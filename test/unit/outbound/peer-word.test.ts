import { describe, expect, it } from 'vitest';
import { PeerWord, toldOf } from '../../../src/outbound/peer-word.js';
import type { Redis } from '../../../src/redis/connect.js';
import { keyNames } from '../../../src/redis/keys.js';
import { exampleStatus } from '../observe/example-status.js';

const KEYS = keyNames({ prefix: 'tandem', pair: 'test' });
const NONE = { firstSequence: 5, oldestTimestamp: undefined };

function listening(): PeerWord {
  // Nothing is told here, so nothing is asked of it.
  return new PeerWord({
    client: {} as Redis,
    keys: KEYS,
    pair: 'test',
    site: 'east',
    tells: () => undefined,
  });
}

describe('what the other site tells', () => {
  it('is known when it was heard', () => {
    const word = listening();
    expect(word.heard).toBeUndefined();
    word.hear(JSON.stringify(toldOf(exampleStatus(), NONE)));
    expect(word.heard).toEqual({
      heardMs: expect.any(Number) as number,
      version: '0.1.0',
      outbound: { state: 'streaming', pausedSince: null, lagMs: 12 },
      inbound: { state: 'caught-up', pausedSince: null, lagMs: 0 },
      gap: false,
      rejectedPending: 3,
    });
    expect(word.oldestBehind(0)).toBeUndefined();
  });

  it('has the code of what keeps changes from passing there, and nothing of its words', () => {
    const status = exampleStatus();
    Object.assign(status.inbound, { state: 'backing-off', detail: 'words', reason: 'SERVER_BUSY' });
    const word = listening();
    word.hear(JSON.stringify(toldOf(status, NONE)));
    expect(word.heard?.inbound).toEqual({
      state: 'backing-off',
      reason: 'SERVER_BUSY',
      pausedSince: null,
      lagMs: 0,
    });
  });

  it('names the oldest change that is not here, until it is applied', () => {
    const word = listening();
    word.hear(JSON.stringify(toldOf(exampleStatus(), { firstSequence: 7, oldestTimestamp: 4096 * 1024 })));
    expect([6, 7, 8].map((applied) => word.oldestBehind(applied))).toEqual([4096, undefined, undefined]);
    word.hear(JSON.stringify(toldOf(exampleStatus(), NONE)));
    expect(word.oldestBehind(6)).toBeUndefined();
  });

  const sound = toldOf(exampleStatus(), NONE);
  it.each([
    'no JSON',
    'null',
    '[]',
    '{}',
    JSON.stringify({ ...sound, version: '<img>' }),
    JSON.stringify({ ...sound, gap: 1 }),
    JSON.stringify({ ...sound, rejectedPending: '1' }),
    JSON.stringify({ ...sound, oldest: { sequence: -1, madeMs: 0 } }),
    JSON.stringify({ ...sound, oldest: undefined }),
    JSON.stringify({ ...sound, outbound: { ...sound.outbound, state: 'rm -rf' } }),
    JSON.stringify({ ...sound, inbound: { ...sound.inbound, lagMs: 'x' } }),
    JSON.stringify({ ...sound, inbound: { ...sound.inbound, reason: '<img>' } }),
    JSON.stringify({ ...sound, inbound: null }),
    JSON.stringify({ ...sound, more: 'x'.repeat(3000) }),
  ])('is passed over where it cannot be read: %s', (text) => {
    const word = listening();
    word.hear(text);
    expect(word.heard).toBeUndefined();
  });
});
