import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LocalEntries } from '../../../src/local-writes/local-entries.js';
import { Window } from '../../../src/local-writes/window.js';
import { loadIntoWindow } from '../../../src/local-writes/window-loader.js';
import { decodeBatch } from '../../../src/protocol/batch.js';
import { effectOfCode } from '../../../src/redis-commands/effect-code.js';
import { cut, cuts } from '../redis-commands/chunks.js';
import { captured } from '../capture/captured.js';
import { stories, tell } from '../capture/stream-story.js';

/** A window that keeps what it is told in a list as well. */
class ListingWindow extends Window {
  readonly writes: string[] = [];

  override record(low: number, high: number, sequence: number, effect: number): void {
    this.writes.push(`${low} ${high} ${sequence} ${effectOfCode(effect)}`);
    super.record(low, high, sequence, effect);
  }
}

function loaded(batches: readonly { readonly bytes: Buffer }[]): ListingWindow {
  const window = new ListingWindow({ recentMs: 1000, maxEntries: 1 << 20 });
  for (const { bytes } of batches)
    loadIntoWindow({ window, entries: new LocalEntries(() => 0) }, decodeBatch(bytes));
  return window;
}

test('the window loaded from the change list is the one that capture filled', () => {
  fc.assert(
    fc.property(stories(), cuts, fc.constantFrom(1, 4, 512), (story, shares, batchCommands) => {
      const { batches, writes } = captured(cut(story.stream, shares), { batchCommands });
      expect(loaded(batches).writes).toEqual(writes);
    }),
    { numRuns: 300 },
  );
});

test('every write of a group has the sequence of the group, and what follows the next', () => {
  const command = (database: number, ...words: string[]) => ({ database, words });
  const { stream } = tell([
    { kind: 'single', command: command(0, 'SET', 'a', '1') },
    {
      kind: 'group',
      commands: [command(0, 'SET', 'a', '2'), command(3, 'DEL', 'b', 'c')],
      selectsInside: true,
    },
    { kind: 'group', commands: [command(3, 'SET', 'a', '2')], selectsInside: false },
    { kind: 'single', command: command(0, 'PUBLISH', 'news', 'x') },
    { kind: 'single', command: command(0, 'SET', 'a', '3') },
  ]);
  const window = loaded(captured([stream]).batches);
  expect(Array.from({ length: window.head }, (_, at) => window.sequenceOf(at))).toEqual([1, 2, 2, 2, 3, 5]);
});
