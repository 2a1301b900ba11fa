import { describe, expect, it } from 'vitest';
import { judgeMemory } from '../../../src/preflight/memory.js';
import { isShort, listLimitBytes, memoryOf } from '../../../src/redis/server-memory.js';

const MIB = 2 ** 20;
const LIST = { listBytes: 0, changesBytes: 512 * MIB };

function memory(used: number, max: number): { usedBytes: number; maxmemoryBytes: number } {
  return { usedBytes: used * MIB, maxmemoryBytes: max * MIB };
}

describe('the memory of a server', () => {
  it('is what the server counts when it refuses writes', () => {
    const fields = new Map([
      ['used_memory', '100'],
      ['mem_not_counted_for_evict', '30'],
      ['maxmemory', '200'],
    ]);
    expect(memoryOf(fields)).toEqual({ usedBytes: 70, maxmemoryBytes: 200 });
    expect(memoryOf(new Map([['used_memory', '100']]))).toBeUndefined();
  });

  it('counts as short from four fifths on, and never without a bound', () => {
    expect([memory(79, 100), memory(80, 100), memory(1e6, 0)].map(isShort)).toEqual([false, true, false]);
  });
});

describe('the bound of the change list', () => {
  it.each([
    ['without maxmemory', memory(1e6, 0), LIST, 512],
    ['with much room', memory(100, 4000), LIST, 512],
    ['with little room', memory(200, 500), LIST, 250],
    ['with what the list has itself', memory(300, 500), { ...LIST, listBytes: 100 * MIB }, 250],
    ['without room', memory(499, 500), { ...LIST, listBytes: 100 * MIB }, 51],
    ['full of data', memory(500, 500), LIST, 16],
    ['below what it has in any case', memory(500, 500), { listBytes: 0, changesBytes: MIB }, 1],
  ])('is %s', (_, found, list, expected) => {
    expect(Math.floor(listLimitBytes(found, list) / MIB)).toBe(expected);
  });
});

describe('the check of the memory', () => {
  const judged = (
    found: ReturnType<typeof memory> | null,
    { waiting = 0, held = 0 }: { waiting?: number; held?: number } = {},
  ): { outcome: string; advice?: string } =>
    judgeMemory(
      { memory: found, backlogBytes: 64 * MIB, backlogHeldBytes: held * MIB },
      { changesBytes: 128 * MIB, inboxBytes: 32 * MIB },
      waiting * MIB,
    );

  it('passes what fits, and a server without a bound', () => {
    expect(judged(memory(100, 512))).toMatchObject({ outcome: 'pass' });
    expect(judged(memory(1e6, 0))).toMatchObject({ outcome: 'pass', message: 'no maxmemory' });
    expect(judged(null)).toMatchObject({ outcome: 'skipped' });
  });

  it('warns of bounds that do not fit beside the data, and says what would', () => {
    expect(judged(memory(300, 512))).toMatchObject({
      outcome: 'warn',
      advice: 'Set changesBytes to 64.7 MiB or less, or raise maxmemory.',
    });
    expect(judged(memory(400, 512))).toMatchObject({
      outcome: 'warn',
      advice: expect.stringContaining('Raise maxmemory') as string,
    });
  });

  it('does not count twice what stands in the lists and in the backlog already', () => {
    expect(judged(memory(300, 512), { waiting: 100, held: 64 })).toMatchObject({ outcome: 'pass' });
  });
});
