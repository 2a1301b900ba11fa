/**
 * What the check for concurrent writes takes by itself: the processor time to find the keys of batches and look each up in
 * a window of other keys, and none is found. Nothing else runs, so it is exact where the whole pair is too noisy.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const VALUE = 'x'.repeat(100);
const BATCH = 512;
const BATCHES = 64;
const ROUNDS = 40;
const WARM_UP_ROUNDS = 5;
/** What SET is noted as; the check for keys that are not found does not look at it. */
const EFFECT = 1;

/** Nanoseconds of processor time a change. `entries`: unseen writes in the window. */
export async function measureCheck({ build, entries }) {
  const load = (file) => import(pathToFileURL(join(build, file)).href);
  const { Window } = await load('local-writes/window.js');
  const { forEachKey } = await load('protocol/payload.js');
  const { CommandNames } = await load('redis-commands/command-names.js');
  const { KeyHash } = await load('protocol/key-hash.js');
  const window = new Window({ recentMs: 1000, maxEntries: 1 << 20 });
  const hash = new KeyHash();
  for (let i = 0; i < entries; i++) {
    const key = Buffer.from(`window:${String(i).padStart(12, '0')}`);
    hash.of(0, key, 0, key.length);
    window.record(hash.low, hash.high, i + 1, EFFECT);
  }
  const names = new CommandNames();
  const batches = Array.from({ length: BATCHES }, (_, at) => batchOf(at));
  let found = 0;
  const each = ({ low, high }) => {
    if (window.newest(low, high) >= 0) found++;
  };
  const check = () => {
    for (const batch of batches) {
      // As the decider asks first: whether anything at all is unseen.
      if (window.firstAbove(0) === window.head) continue;
      forEachKey({ batch, names, extra: undefined, each });
    }
  };
  for (let i = 0; i < WARM_UP_ROUNDS; i++) check();
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) {
    const began = process.cpuUsage();
    check();
    const { user, system } = process.cpuUsage(began);
    rounds.push(user + system);
  }
  if (found > 0) throw new Error('the keys of the batches are in the window');
  const median = rounds.toSorted((a, b) => a - b)[ROUNDS >> 1];
  return { nanoseconds: (median * 1000) / (BATCH * BATCHES) };
}

function batchOf(at) {
  const commands = Array.from({ length: BATCH }, () => {
    const key = `traffic:${String(Math.floor(Math.random() * 1_000_000)).padStart(12, '0')}`;
    return `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${VALUE.length}\r\n${VALUE}\r\n`;
  });
  const payload = Buffer.from(`*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n${commands.join('')}`);
  return { payload, commands: BATCH + 1, changes: BATCH, first: at * BATCH + 1, groups: [] };
}
