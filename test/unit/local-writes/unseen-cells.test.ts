import { expect, test } from 'vitest';
import { UnseenCells } from '../../../src/local-writes/unseen-cells.js';
import { LocalChanges } from '../../../src/local-writes/local-changes.js';
import { Window } from '../../../src/local-writes/window.js';
import { encodeBatch } from '../../../src/protocol/batch.js';
import { effectCode } from '../../../src/redis-commands/effect-code.js';
import { KeyHash } from '../../../src/protocol/key-hash.js';
import { resp } from '../redis-commands/chunks.js';

const KEY = { database: 0, key: Buffer.from('hot') };

function hashOf(): KeyHash {
  const hash = new KeyHash();
  hash.of(KEY.database, KEY.key, 0, KEY.key.length);
  return hash;
}

/** A site whose changes are these, each a transaction that writes the key. */
function cellsOf(...changes: (readonly string[])[]): UnseenCells {
  const window = new Window({ recentMs: 1000, maxEntries: 10_000, now: () => 1_000_000 });
  const groups: number[] = [];
  let commands = 1;
  for (const [index, lines] of changes.entries()) {
    const hash = hashOf();
    window.record(hash.low, hash.high, index + 1, effectCode('cells'));
    groups.push(commands, lines.length);
    commands += lines.length;
  }
  const batch = encodeBatch({
    pair: 'p',
    origin: 'east',
    epoch: 1,
    first: 1,
    changes: changes.length,
    commands,
    timestamp: 1,
    seenEpoch: 1,
    seen: 0,
    special: 0,
    groups,
    payload: resp('SELECT 0', ...changes.flat()),
  });
  return new UnseenCells(window, new LocalChanges(() => Promise.resolve(batch)));
}

test('a cell is written when a local write that the sender had not seen leaves something there', async () => {
  const cells = cellsOf(['HSET hot f 1'], ['HINCRBY hot n 1'], ['HDEL hot gone']);
  const isOn = await cells.find(KEY, hashOf(), { seen: 0, decided: 3 });
  expect([isOn('f'), isOn('n'), isOn('gone'), isOn('other')]).toEqual([true, true, false, false]);
  const later = await cells.find(KEY, hashOf(), { seen: 1, decided: 3 });
  expect([later('f'), later('n')]).toEqual([false, true]);
});

test('what a transaction writes in another key is no cell of this one', async () => {
  const cells = cellsOf(['HSET other f 1', 'HSET hot g 1']);
  const isOn = await cells.find(KEY, hashOf(), { seen: 0, decided: 1 });
  expect([isOn('f'), isOn('g')]).toEqual([false, true]);
});

test('with more than 256 local writes since the last batch it is not known on which cells they are', async () => {
  const cells = cellsOf(...Array.from({ length: 257 }, (_, i) => [`HSET hot f${i} 1`]));
  const isOn = await cells.find(KEY, hashOf(), { seen: 0, decided: 257 });
  expect([isOn('f1'), isOn('of the other site')]).toEqual([undefined, undefined]);
  const seen = await cells.find(KEY, hashOf(), { seen: 257, decided: 257 });
  expect(seen('f1')).toBe(false);
});
