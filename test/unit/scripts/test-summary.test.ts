import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tandem-summary-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The runner's result of a run, as far as it is looked at. */
function result(name: string, { passed, failed }: { passed: number; failed: number }): string {
  const file = join(dir, name);
  writeFileSync(
    file,
    JSON.stringify({
      numPassedTests: passed,
      numFailedTests: failed,
      numPendingTests: 0,
      numTodoTests: 0,
      testResults: [],
    }),
  );
  return file;
}

function summary(...words: string[]): { code: number | null; last: string | undefined } {
  const { status, stdout } = spawnSync(process.execPath, ['scripts/test-summary.mjs', ...words]);
  return { code: status, last: stdout.toString().trimEnd().split('\n').at(-1) };
}

describe('the last line of a run of the tests', () => {
  it('is the sum of all runs', () => {
    const [ordinary, containers] = [
      result('a', { passed: 7, failed: 0 }),
      result('b', { passed: 2, failed: 0 }),
    ];
    expect(summary(ordinary, '0')).toEqual({ code: 0, last: '7 passed, 0 failed' });
    expect(summary(ordinary, '0', containers, '0')).toEqual({ code: 0, last: '9 passed, 0 failed' });
  });

  it('fails when either failed, by a test or outside of any', () => {
    const [good, bad] = [result('good', { passed: 7, failed: 0 }), result('bad', { passed: 1, failed: 3 })];
    expect(summary(good, '0', bad, '1')).toEqual({ code: 1, last: '8 passed, 3 failed' });
    expect(summary(bad, '1', good, '0')).toEqual({ code: 1, last: '8 passed, 3 failed' });
    expect(summary(good, '0', good, '1')).toEqual({ code: 1, last: '14 passed, 1 failed' });
  });

  it('fails when a run could not begin, though the other one passed', () => {
    const good = result('good', { passed: 7, failed: 0 });
    expect(summary(good, '0', join(dir, 'none'), '1')).toEqual({ code: 1, last: '7 passed, 1 failed' });
    expect(summary(good, '0', result('empty', { passed: 0, failed: 0 }), '0')).toEqual({
      code: 1,
      last: '7 passed, 1 failed',
    });
  });
});
