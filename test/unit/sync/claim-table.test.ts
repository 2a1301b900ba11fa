import { describe, expect, it } from 'vitest';
import { ClaimGeneration, ClaimTable } from '../../../src/sync/claim-table.js';
import { Random } from '../../support/model/random.js';

const NOW = Date.UTC(2026, 10, 29);
const none = { ownMs: 0, peerMs: 0 };

describe('what is remembered of who wrote a key', () => {
  it('is the latest time of each site, in whatever order they are told', () => {
    const table = new ClaimTable(NOW);
    table.note(1, 2, { ownMs: NOW + 5, peerMs: 0, nowMs: NOW });
    table.note(1, 2, { ownMs: NOW + 3, peerMs: NOW - 1000, nowMs: NOW });
    table.note(1, 2, { ownMs: 0, peerMs: NOW - 2000, nowMs: NOW });
    expect(table.find(1, 2)).toEqual({ ownMs: NOW + 5, peerMs: NOW - 1000 });
    expect(table.find(2, 1)).toEqual(none);
  });

  it('is that of a map, while fewer keys are written than it holds', () => {
    const random = new Random(7);
    const [table, map] = [new ClaimTable(NOW, 4000), new Map<string, { ownMs: number; peerMs: number }>()];
    for (let at = 0; at < 20_000; at++) {
      // Few different halves, so that hashes stand in each other's way.
      const [low, high] = [random.below(60) * 0x01000000, random.below(60)];
      const claim = random.chance(0.5)
        ? { ownMs: NOW + random.below(1000), peerMs: 0 }
        : { ownMs: 0, peerMs: NOW + random.below(1000) };
      table.note(low, high, { ...claim, nowMs: NOW });
      const { ownMs, peerMs } = map.get(`${low} ${high}`) ?? none;
      map.set(`${low} ${high}`, {
        ownMs: Math.max(ownMs, claim.ownMs),
        peerMs: Math.max(peerMs, claim.peerMs),
      });
    }
    for (let low = 0; low < 60; low++)
      for (let high = 0; high < 60; high++)
        expect(table.find(low * 0x01000000, high)).toEqual(map.get(`${low * 0x01000000} ${high}`) ?? none);
  });

  it('lasts until so many other keys are written, however many come', () => {
    const table = new ClaimTable(NOW, 1000);
    for (let key = 1; key <= 10_000; key++) table.note(key, key, { ownMs: NOW, peerMs: 0, nowMs: NOW });
    expect(table.find(1, 1)).toEqual(none);
    for (let key = 9001; key <= 10_000; key++) expect(table.find(key, key).ownMs).toBe(NOW);
  });

  it('of long ago is remembered as long ago, and a clock that goes on for months is followed', () => {
    const table = new ClaimTable(NOW);
    table.note(1, 1, { ownMs: 5, peerMs: 0, nowMs: NOW });
    expect(table.find(1, 1).ownMs).toBeGreaterThan(0);
    const later = NOW + 90 * 86_400_000;
    table.note(2, 2, { ownMs: later, peerMs: 0, nowMs: later });
    expect(table.find(2, 2).ownMs).toBe(later);
    expect(table.find(1, 1).ownMs).toBeGreaterThan(0);
  });

  it('is taken over from another generation, whose times count from another moment', () => {
    const [table, fresh] = [new ClaimTable(NOW, 1000), new ClaimGeneration(NOW + 5000, 100)];
    table.note(1, 1, { ownMs: NOW + 9000, peerMs: NOW, nowMs: NOW });
    fresh.note(1, 1, 'own', NOW + 6000);
    fresh.note(1, 1, 'peer', NOW + 7000);
    fresh.note(2, 2, 'peer', NOW - 1);
    table.merge(fresh, NOW + 7000);
    expect(table.find(1, 1)).toEqual({ ownMs: NOW + 9000, peerMs: NOW + 7000 });
    expect(table.find(2, 2)).toEqual({ ownMs: 0, peerMs: NOW - 1 });
  });

  it('stays within its bound, also when many are taken over at once', () => {
    const table = new ClaimTable(NOW, 1000);
    for (let round = 0; round < 40; round++) {
      const fresh = new ClaimGeneration(NOW, 300);
      for (let key = 1; key <= 300; key++) fresh.note(round * 1000 + key, key, 'own', NOW);
      table.merge(fresh, NOW);
    }
    const held = Array.from({ length: 40 }, (_, round) => table.find(round * 1000 + 1, 1).ownMs > 0);
    expect(held.filter(Boolean).length).toBeLessThanOrEqual(6);
    expect(held.at(-1)).toBe(true);
  });

  it('takes no more memory than its keys need', () => {
    const generation = new ClaimGeneration(NOW);
    for (let key = 1; !generation.isFull; key++) generation.note(key * 2_654_435, key, 'own', NOW);
    expect(generation.bytes).toBe(8 * 1024 * 1024);
  });
});
