import { expect, it } from 'vitest';
import { ANSWER_MESSAGE, parseAnswer, withMarks } from '../../src/protocol/messages/answer.js';
import { scriptSource } from '../../src/lua/scripts.js';
import { findingOf } from '../../src/sync/entry-finding.js';
import { useServer } from '../support/use-server.js';

const FAR = 1_900_000_000_000;
const { redis } = useServer();

const nobody = {
  isBusy: () => false,
  isNew: () => false,
  claimOf: () => ({ ownMs: 0, peerMs: 0 }),
  gap: undefined,
};

/** What the script finds of a key, whose own entry is told as well. */
async function byScript(theirs: string): Promise<string> {
  const written = scriptSource('compare-keys').replace(
    /redis.call\('UNLINK'[^]*$/,
    "return redis.call('GET', KEYS[1])",
  );
  const answer = await redis.eval(written, 1, 'out', 's', 1, 0, '00', 16, 0, 'key', theirs);
  // Every other line is a word.
  const words = String(answer).split('\r\n').slice(2);
  const args = words.filter((_, at) => at % 2 === 0).map((word) => Buffer.from(word));
  expect(ANSWER_MESSAGE.fault(args)).toBeUndefined();
  return parseAnswer(withMarks(args, nobody)).found[0]?.finding ?? 'equal';
}

async function ownEntry(): Promise<string> {
  const [head] = scriptSource('digest-keys').split('local parts, sizes');
  return String(await redis.eval(`${head!} return entry_of('key')`, 1, 'out', 's', 1, '00'));
}

it('the process finds of two entries what the script finds', async () => {
  const soon = Date.now() + 500;
  const values: (() => Promise<unknown>)[] = [
    () => redis.del('key'),
    () => redis.set('key', 'a'),
    () => redis.set('key', 'b'),
    () => redis.set('key', 'a', 'PXAT', FAR),
    () => redis.set('key', 'a', 'PXAT', FAR + 1),
    () => redis.multi().del('key').rpush('key', 'a').exec(),
  ];
  const entries: string[] = ['s0123456789abcdef!', `s0123456789abcdef:${soon}`];
  for (const make of values) {
    await make();
    entries.push(await ownEntry());
  }
  const found = new Set<string>();
  for (const make of values) {
    await make();
    const own = await ownEntry();
    for (const theirs of entries) {
      const expected = await byScript(theirs);
      // The script runs at the site that answers, the process at the one that asks.
      const here = findingOf({ theirs: own, own: theirs, nowMs: Date.now(), arrives: false });
      expect(here, `${theirs} here, ${own} there`).toBe(expected);
      found.add(expected);
    }
  }
  expect([...found].toSorted()).toEqual([
    'equal',
    'expiry',
    'missing-here',
    'missing-there',
    'passing',
    'type',
    'value',
  ]);
});
