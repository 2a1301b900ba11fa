import { describe, expect, test } from 'vitest';
import { KeyRun } from '../../../src/apply/key-run.js';
import { NOTHING_ON_KEY } from '../../../src/apply/own-on-key.js';
import { UNKNOWN } from '../../../src/apply/rules/occasion.js';
import { LACK, type Lack } from '../../../src/change/special.js';

const KEY = { database: 0, key: Buffer.from('k') };

function run({ isHot = false, lack = LACK.nothing }: { isHot?: boolean; lack?: Lack }): KeyRun {
  return new KeyRun({
    key: KEY,
    site: 'east',
    own: NOTHING_ON_KEY,
    held: UNKNOWN,
    known: undefined,
    isDoubtful: () => false,
    isHot,
    lack,
    timestamp: 5,
    seen: 0,
    out: 'out',
  });
}

describe('a request for the state', () => {
  const need = { timestamp: 7, keys: [KEY], lack: LACK.nothing };

  test('is answered by a site that can look at the key', () => {
    expect(run({}).answers(need)).toBe(true);
  });

  test('is asked back while the key cannot be looked at, at either site', () => {
    expect(run({}).answers({ ...need, isHot: true })).toBe(false);
    expect(run({ isHot: true }).answers(need)).toBe(false);
  });

  test('is asked back by a site whose value lacks worse than that of the asker', () => {
    expect(run({ lack: LACK.removals }).answers(need)).toBe(false);
    expect(run({ lack: LACK.writes }).answers({ ...need, lack: LACK.removals })).toBe(false);
    expect(run({ lack: LACK.removals }).answers({ ...need, lack: LACK.removals })).toBe(true);
  });

  test('is answered in any case when the asker has lost own writes, or repairs', () => {
    expect(run({ isHot: true, lack: LACK.own }).answers({ ...need, lack: LACK.own })).toBe(true);
    expect(run({ isHot: true }).answers({ ...need, timestamp: 0 })).toBe(true);
  });

  test('is answered by a value that lacks something with the lowest rank', () => {
    const lacking = run({ lack: LACK.removals });
    lacking.sendState(7);
    expect(lacking.state?.timestamp).toBe(0);
  });
});
