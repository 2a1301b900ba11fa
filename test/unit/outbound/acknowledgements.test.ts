import { describe, expect, test } from 'vitest';
import type { Batch } from '../../../src/protocol/batch.js';
import { Acknowledgements } from '../../../src/outbound/acknowledgements.js';
import { until } from '../../support/wait.js';

function setup(applied = 0): {
  acknowledgements: Acknowledgements;
  told: number[];
  trimmed: number[];
  /** A batch of one change is applied here. */
  apply: (sequence: number, seen: number) => void;
} {
  const told: number[] = [];
  const trimmed: number[] = [];
  const acknowledgements = new Acknowledgements({
    applied,
    list: {
      last: Infinity,
      trim: (seen) => Promise.resolve(trimmed.push(seen)),
    },
    window: { advance: (seen) => told.push(seen) },
  });
  const apply = (sequence: number, seen: number): void => {
    acknowledgements.applied({ first: sequence, changes: 1, seen } as Batch);
  };
  return { acknowledgements, told, trimmed, apply };
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
    const { acknowledgements, told, apply } = setup(3);
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
      applied: 0,
      list: { last: Infinity, trim: () => Promise.reject(new Error('gone')) },
      window: { advance: () => {} },
    });
    acknowledgements.applied({ first: 1, changes: 1, seen: 1 } as Batch);
    await expect(acknowledgements.run(new AbortController().signal)).rejects.toThrow('gone');
  });
});
