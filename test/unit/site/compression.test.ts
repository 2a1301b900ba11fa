import { describe, expect, test } from 'vitest';
import { algorithmFor } from '../../../src/site/compression.js';

const ALL = ['deflate-raw', 'brotli'];
const NEAR = { roundTripMs: 0.4, peerReads: ALL };
const FAR = { roundTripMs: 40, peerReads: ALL };
const UNMET = { roundTripMs: undefined, peerReads: undefined };

function settings(compress: 'auto' | 'none' | 'deflate-raw' | 'brotli', wanBytesPerSecond = 0) {
  return { compress, wanBytesPerSecond };
}

describe('auto', () => {
  test('packs for a peer that is far, and not for one that is near or was not met', () => {
    expect(algorithmFor(settings('auto'), FAR)).toBe('brotli');
    expect(algorithmFor(settings('auto'), { ...FAR, roundTripMs: 5 })).toBe('brotli');
    expect(algorithmFor(settings('auto'), { ...FAR, roundTripMs: 4.9 })).toBeUndefined();
    expect(algorithmFor(settings('auto'), NEAR)).toBeUndefined();
    expect(algorithmFor(settings('auto'), UNMET)).toBeUndefined();
  });

  test('packs for a peer that is near when the bytes are bounded', () => {
    expect(algorithmFor(settings('auto', 1e6), NEAR)).toBe('brotli');
  });

  test('does not pack for a peer that has not said that it reads it', () => {
    expect(algorithmFor(settings('auto'), { ...FAR, peerReads: [] })).toBeUndefined();
    expect(algorithmFor(settings('auto'), { ...FAR, peerReads: ['deflate-raw'] })).toBeUndefined();
  });
});

test('none never packs', () => {
  expect(algorithmFor(settings('none', 1e6), FAR)).toBeUndefined();
});

test('an algorithm that is named is used near and far, and before the peer is met, but for a peer that lacks it', () => {
  expect(algorithmFor(settings('deflate-raw'), NEAR)).toBe('deflate-raw');
  expect(algorithmFor(settings('deflate-raw'), UNMET)).toBe('deflate-raw');
  expect(algorithmFor(settings('deflate-raw'), { ...FAR, peerReads: ['brotli'] })).toBeUndefined();
  expect(algorithmFor(settings('brotli'), { ...FAR, peerReads: [] })).toBeUndefined();
});
