import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BatchBuilder, type BuiltBatch } from '../../../src/capture/batch-builder.js';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';

/** What is done to a builder. `read` says how many commands one chunk brings before its memory is used again. */
type Step =
  | { readonly kind: 'add' | 'special'; readonly database: number; readonly size: number }
  | { readonly kind: 'begin' | 'end' | 'cut' | 'read' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constantFrom('add' as const, 'add' as const, 'special' as const),
        database: fc.constantFrom(0, 0, 0, 1, 15),
        size: fc.constantFrom(0, 3, 3, 100, 40_000),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constantFrom('begin' as const, 'end' as const, 'cut' as const, 'read' as const),
      }),
    },
  ),
  { maxLength: 60, size: 'max' },
);

interface Change {
  readonly commands: { database: number; text: string }[];
  specials: number;
}

/** A batch as its receiver reads it: its changes, each with the database its commands run in. */
function replay(batch: BuiltBatch): string[][] {
  const reader = new CommandReader();
  reader.push(Buffer.from(batch.payload));
  const all: (string | undefined)[] = [];
  let database = -1;
  while (reader.next()) {
    const [name, first] = reader.arguments().map(String);
    if (name === 'SELECT') database = Number(first);
    all.push(name === 'SELECT' ? undefined : `${database} ${first}`);
  }
  expect(all).toHaveLength(batch.commands);
  return byChange(all, batch.groups);
}

function byChange(all: readonly (string | undefined)[], groups: readonly number[]): string[][] {
  const changes: string[][] = [];
  const starts = new Map<number, number>();
  for (let i = 0; i < groups.length; i += 2) starts.set(groups[i]!, groups[i + 1]!);
  for (let i = 0; i < all.length;) {
    const length = starts.get(i) ?? 1;
    const commands = all.slice(i, i + length).filter((text) => text !== undefined);
    if (commands.length > 0) changes.push(commands);
    i += length;
  }
  return changes;
}

/** Runs the steps on a builder and on lists; every cut must bring the same. */
function run(all: readonly Step[]): void {
  const builder = new BatchBuilder();
  let complete: Change[] = [];
  let group: Change | undefined;
  let next = 0;
  let chunk = Buffer.alloc(1024 * 1024);
  let at = 0;
  const cut = (): void => {
    const built = builder.cut();
    expect(replay(built)).toEqual(
      complete.map(({ commands }) => commands.map(({ database, text }) => `${database} ${text}`)),
    );
    expect(built.changes).toBe(complete.length);
    expect(built.special).toBe(complete.reduce((sum, change) => sum + change.specials, 0));
    complete = [];
  };
  for (const step of all) {
    if (step.kind === 'begin' && !group) {
      builder.beginGroup();
      group = { commands: [], specials: 0 };
    } else if (step.kind === 'end' && group) {
      expect(builder.endGroup()).toBe(group.commands.length > 0);
      if (group.commands.length > 0) complete.push(group);
      group = undefined;
    } else if (step.kind === 'cut') cut();
    else if (step.kind === 'read') {
      builder.settle();
      chunk.fill(0x2a);
      at = 0;
    } else if (step.kind === 'add' || step.kind === 'special') {
      const text = `${next++}`;
      const bytes = encodeCommand(['SET', text, 'v'.repeat(step.size)]);
      const change = group ?? { commands: [], specials: 0 };
      if (step.kind === 'special') {
        builder.addSpecial(bytes, 0, bytes.length, step.database);
        change.specials++;
      } else {
        if (at + bytes.length > chunk.length) [chunk, at] = [Buffer.alloc(chunk.length), 0];
        bytes.copy(chunk, at);
        builder.add(chunk, at, at + bytes.length, step.database);
        at += bytes.length;
      }
      change.commands.push({ database: step.database, text });
      if (!group) complete.push(change);
    }
    expect([builder.changes, builder.inGroup]).toEqual([complete.length, group !== undefined]);
  }
  cut();
  if (group && builder.endGroup()) complete.push(group);
  cut();
}

describe('what is cut', () => {
  test('replays to the same commands in the same databases, change by change, groups whole', () => {
    fc.assert(fc.property(steps, run), { numRuns: 200 });
  });

  test('is nothing when nothing was added, an empty group included', () => {
    const builder = new BatchBuilder();
    builder.beginGroup();
    expect(builder.endGroup()).toBe(false);
    expect(builder.cut()).toMatchObject({ changes: 0, commands: 0, special: 0, groups: [] });
  });

  test('begins with a SELECT, even of the database the batch before ended with', () => {
    const builder = new BatchBuilder();
    const bytes = encodeCommand(['INCR', 'a']);
    for (let i = 0; i < 2; i++) {
      builder.add(bytes, 0, bytes.length, 0);
      expect(String(builder.cut().payload)).toBe(`*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n${bytes.toString()}`);
    }
  });

  test('leaves the open group for the next one, with the database it relied on', () => {
    const builder = new BatchBuilder();
    const bytes = encodeCommand(['INCR', 'a']);
    builder.add(bytes, 0, bytes.length, 3);
    builder.beginGroup();
    builder.add(bytes, 0, bytes.length, 3);
    expect(builder.cut()).toMatchObject({ changes: 1, commands: 2 });
    builder.add(bytes, 0, bytes.length, 3);
    builder.endGroup();
    const second = builder.cut();
    expect(second).toMatchObject({ changes: 1, commands: 3, groups: [0, 3] });
    expect(replay(second)).toEqual([['3 a', '3 a']]);
  });
});
