import { noDeadlines } from '../../support/life.js';
import { describe, expect, test } from 'vitest';
import { BatchPlanner, type BatchPlannerOptions, type BatchPlan } from '../../../src/conflicts/plan-batch.js';
import { BatchCheck } from '../../../src/protocol/check-batch.js';
import { LocalEntries } from '../../../src/local-writes/local-entries.js';
import { Window } from '../../../src/local-writes/window.js';
import type { DeliveredBatch } from '../../../src/protocol/batch.js';
import { KEYS } from '../capture/stream-story.js';
import { resp } from '../redis-commands/chunks.js';

const NEVER = new AbortController().signal;
const NO_COMMANDS = { writes: new Map(), names: new Set(['SELECT', 'SET', 'INCR', 'DEL', 'RPUSH', 'SADD']) };

function batchOf(first: number, ...lines: string[]): DeliveredBatch {
  const counts = { epoch: 1, timestamp: 1, seenEpoch: 1, seen: 0, special: 0 };
  const payload = resp('SELECT 0', ...lines);
  const lengths = { changes: lines.length, commands: lines.length + 1, length: payload.length + 50 };
  return { pair: 'p', origin: 'west', ...counts, ...lengths, first, groups: [], payload };
}

/** A decider at a site that has written nothing of late. */
function decider(options: Partial<BatchPlannerOptions> = {}): BatchPlanner {
  return new BatchPlanner({
    site: 'east',
    peer: 'west',
    keys: KEYS,
    deadlines: noDeadlines(),
    window: new Window({ recentMs: 1000, maxEntries: 1000 }),
    entries: new LocalEntries(() => 0),
    conflictsKept: 10,
    conflictValueBytes: 10,
    capturedThrough: () => 7,
    appendedThrough: () => 7,
    appended: () => Promise.resolve(),
    fetch: () => Promise.resolve(undefined),
    timestampOf: () => undefined,
    translate: () => undefined,
    compare: () => undefined,
    isExcluded: () => false,
    isTaken: () => true,
    peerRestores: () => '',
    fieldsExpire: false,
    inspector: new BatchCheck({ server: NO_COMMANDS, databases: 16, ownPrefix: KEYS.prefix }),
    extraCommands: NO_COMMANDS.writes,
    rejection: () => Buffer.alloc(0),
    onDecided: () => {},
    onConflict: () => {},
    appliedAtStart: 0,
    ...options,
  });
}

function linesOf({ payload }: BatchPlan): string {
  return Buffer.concat(payload).toString();
}

describe('a batch whose keys were not written here', () => {
  test('goes through untouched, decided against all that capture has met', async () => {
    const batch = batchOf(5, 'SET a 1', 'INCR b');
    const decided: DeliveredBatch[] = [];
    const decision = await decider({ onDecided: (one) => decided.push(one) }).decide(batch, NEVER);
    expect(decision).toMatchObject({ payload: [batch.payload], commands: 3, decided: 7 });
    expect(decided).toEqual([batch]);
  });
});

describe('a command the server would not queue', () => {
  test('is left out when the batch is decided again', async () => {
    const batch = batchOf(5, 'SET a 1', 'RPUSH x', 'INCR b');
    const one = decider();
    one.leaveOut(batch, (await one.decide(batch, NEVER))!, [
      { index: 2, error: { message: 'ERR', code: 'ERR' } },
    ]);
    const again = (await one.decide(batch, NEVER))!;
    expect([linesOf(again), again.commands]).toEqual([resp('SELECT 0', 'SET a 1', 'INCR b').toString(), 3]);
  });

  test('is found though commands before it are left out already', async () => {
    const batch = batchOf(5, 'RPUSH x', 'SET a 1', 'SADD x', 'INCR b');
    const one = decider();
    const error = { message: 'ERR', code: 'ERR' };
    one.leaveOut(batch, (await one.decide(batch, NEVER))!, [{ index: 1, error }]);
    one.leaveOut(batch, (await one.decide(batch, NEVER))!, [{ index: 2, error }]);
    expect(linesOf((await one.decide(batch, NEVER))!)).toBe(resp('SELECT 0', 'SET a 1', 'INCR b').toString());
  });

  test('of one batch does not touch another', async () => {
    const one = decider();
    const batch = batchOf(5, 'RPUSH x');
    one.leaveOut(batch, (await one.decide(batch, NEVER))!, [
      { index: 1, error: { message: 'ERR', code: 'ERR' } },
    ]);
    const other = batchOf(6, 'SET a 1');
    expect(linesOf((await one.decide(other, NEVER))!)).toBe(other.payload.toString());
  });
});
