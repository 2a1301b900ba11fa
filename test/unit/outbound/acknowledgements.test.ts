import { describe, expect, test } from 'vitest';
import type { Batch } from '../../../src/protocol/batch.js';
import { Acknowledgements } from '../../../src/outbound/acknowledgements.js';
import { until } from '../../support/wait.js';

function setup(): {
  acknowledgements: Acknowledgements;
  told: number[];
  trimmed: number[];
  /** Moves what is applied here, and says so. */
  apply: (sequence: number, seen: number) => void;
  at: { applied: number };
} {
  const at = { applied: 0 };
  const told: number[] = [];
  const trimmed: number[] = [];
  const acknowledgements = new Acknowledgements({
    applied: () => at.applied,
    made: () => Infinity,
    trim: (seen) => Promise.resolve(trimmed.push(seen)),
    onSeen: (seen) => told.push(seen),
  });
  const apply = (sequence: number, seen: number): void => {
    at.applied = sequence;
    acknowledgements.applied({ seen } as Batch);
  };
  return { acknowledgements, told, trimmed, apply, at };
}

describe('what the peer has seen', () => {
  test('comes with every batch and only moves forward', () => {
    const { acknowledgements, told, apply } = setup();
    apply(1, 5);
    apply(2, 5);
    apply(3, 4);
    apply(4, 9);
    expect([told, acknowledgements.seen]).toEqual([[5, 9], 9]);
  });

  test('comes with a heartbeat when all that was made before it is applied', () => {
    const { acknowledgements, told, apply, at } = setup();
    at.applied = 3;
    acknowledgements.heartbeat({ sequence: 3, seen: 7 });
    acknowledgements.heartbeat({ sequence: 4, seen: 8 });
    expect(told).toEqual([7]);
    apply(4, 7);
    expect(told).toEqual([7, 8]);
  });

  test('is what the last heartbeat said, when several wait', () => {
    const { acknowledgements, told, apply } = setup();
    acknowledgements.heartbeat({ sequence: 2, seen: 7 });
    acknowledgements.heartbeat({ sequence: 3, seen: 8 });
    apply(3, 0);
    expect(told).toEqual([8]);
  });
});

describe('the change list', () => {
  test('is trimmed up to what was seen, several steps at a time', async () => {
    const { acknowledgements, trimmed, apply } = setup();
    const abort = new AbortController();
    const running = acknowledgements.run(abort.signal);
    for (let i = 1; i <= 50; i++) apply(i, i);
    await until('all is trimmed', () => trimmed.at(-1) === 50);
    expect(trimmed.length).toBeLessThan(5);
    apply(51, 51);
    await until('the rest is trimmed', () => trimmed.at(-1) === 51);
    abort.abort(new Error('over'));
    await expect(running).rejects.toThrow('over');
  });

  test('whose trimming fails ends the work with that reason', async () => {
    const acknowledgements = new Acknowledgements({
      made: () => Infinity,
      applied: () => 0,
      trim: () => Promise.reject(new Error('gone')),
      onSeen: () => {},
    });
    acknowledgements.applied({ seen: 1 } as Batch);
    await expect(acknowledgements.run(new AbortController().signal)).rejects.toThrow('gone');
  });
});
