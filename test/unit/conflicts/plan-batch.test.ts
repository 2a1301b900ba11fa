import { describe, expect, test } from 'vitest';
import { BatchPlanner, type BatchPlan } from '../../../src/conflicts/plan-batch.js';
import type { BatchPlannerOptions } from '../../../src/conflicts/plan-options.js';
import type { DeliveredBatch } from '../../../src/protocol/batch.js';
import { noChanges, planning } from '../../support/planning.js';
import { KEYS } from '../capture/stream-story.js';
import { resp } from '../redis-commands/chunks.js';

const NEVER = new AbortController().signal;
const NO_COMMANDS = { writes: new Map(), names: new Set(['SELECT', 'SET', 'INCR', 'DEL', 'RPUSH', 'SADD']) };

function batchOf(first: number, ...lines: string[]): DeliveredBatch {
  const counts = { epoch: 1, timestamp: 1, seenEpoch: 1, seen: 0, special: 0 };
  const payload = resp('SELECT 0', ...lines);
  const length = payload.length + 50;
  const lengths = { changes: lines.length, commands: lines.length + 1, length, plainLength: length };
  return { pair: 'p', origin: 'west', ...counts, ...lengths, first, groups: [], payload };
}

/** A planner at a site that has written nothing of late. */
function planner(options: Partial<BatchPlannerOptions> = {}): BatchPlanner {
  const [captured, appended] = [{ capturedThrough: 7 }, noChanges(7)];
  return new BatchPlanner(planning(KEYS, NO_COMMANDS, { captured, appended, ...options }));
}

function linesOf({ payload }: BatchPlan): string {
  return Buffer.concat(payload).toString();
}

describe('a batch whose keys were not written here', () => {
  test('goes through untouched, decided against all that capture has met', async () => {
    const batch = batchOf(5, 'SET a 1', 'INCR b');
    const decided: DeliveredBatch[] = [];
    const decision = await planner({
      late: {
        decided: (one) => decided.push(one),
        sets: { overwritten: { isEmpty: true, mayBeOn: () => false } },
      },
    }).decide(batch, NEVER);
    expect(decision).toMatchObject({ payload: [batch.payload], commands: 3, decided: 7 });
    expect(decided).toEqual([batch]);
  });
});

describe('a command the server would not queue', () => {
  test('is left out when the batch is decided again', async () => {
    const batch = batchOf(5, 'SET a 1', 'RPUSH x', 'INCR b');
    const one = planner();
    one.leaveOut(batch, (await one.decide(batch, NEVER))!, [
      { index: 2, error: { message: 'ERR', code: 'ERR' } },
    ]);
    const again = (await one.decide(batch, NEVER))!;
    expect([linesOf(again), again.commands]).toEqual([resp('SELECT 0', 'SET a 1', 'INCR b').toString(), 3]);
  });

  test('is found though commands before it are left out already', async () => {
    const batch = batchOf(5, 'RPUSH x', 'SET a 1', 'SADD x', 'INCR b');
    const one = planner();
    const error = { message: 'ERR', code: 'ERR' };
    one.leaveOut(batch, (await one.decide(batch, NEVER))!, [{ index: 1, error }]);
    one.leaveOut(batch, (await one.decide(batch, NEVER))!, [{ index: 2, error }]);
    expect(linesOf((await one.decide(batch, NEVER))!)).toBe(resp('SELECT 0', 'SET a 1', 'INCR b').toString());
  });

  test('of one batch does not touch another', async () => {
    const one = planner();
    const batch = batchOf(5, 'RPUSH x');
    one.leaveOut(batch, (await one.decide(batch, NEVER))!, [
      { index: 1, error: { message: 'ERR', code: 'ERR' } },
    ]);
    const other = batchOf(6, 'SET a 1');
    expect(linesOf((await one.decide(other, NEVER))!)).toBe(other.payload.toString());
  });
});
