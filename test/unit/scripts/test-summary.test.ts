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
function result(
  name: string,
  { passed, failed, files = [] }: { passed: number; failed: number; files?: readonly object[] },
): string {
  const file = join(dir, name);
  writeFileSync(
    file,
    JSON.stringify({
      numPassedTests: passed,
      numFailedTests: failed,
      numPendingTests: 0,
      numTodoTests: 0,
      testResults: files,
    }),
  );
  return file;
}

function printed(...words: string[]): { code: number | null; lines: string[] } {
  const { status, stdout } = spawnSync(process.execPath, ['scripts/test-summary.mjs', ...words]);
  return { code: status, lines: stdout.toString().trimEnd().split('\n') };
}

function summary(...words: string[]): { code: number | null; last: string | undefined } {
  const { code, lines } = printed(...words);
  return { code, last: lines.at(-1) };
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

describe('what stands before the last line', () => {
  it('names each test that failed, and a file that failed without one, with the beginning and the end of the message', () => {
    const frame = '    at run (file:///node_modules/runner.js:1:1)';
    const long = `not quiet: ${'x'.repeat(5000)}\n${frame}\n  east: the last line`;
    const test = (fullName: string, status: string): object => ({
      fullName,
      status,
      failureMessages: [long],
    });
    const files = [
      {
        name: join(process.cwd(), 'test/e2e/a.test.ts'),
        status: 'failed',
        message: '',
        assertionResults: [test('is killed', 'failed'), test('goes on', 'passed')],
      },
      {
        name: join(process.cwd(), 'test/e2e/b.test.ts'),
        status: 'failed',
        message: '1 × Timeout',
        assertionResults: [],
      },
    ];
    const { lines } = printed(result('told', { passed: 1, failed: 1, files }), '1');
    const text = lines.join('\n');
    expect(text).toMatch(
      /^failed: test\/e2e\/a\.test\.ts: is killed\nnot quiet: x+ \[…\] x+\n {2}east: the last line\n/,
    );
    expect(text).toMatch(/\nfailed: test\/e2e\/b\.test\.ts\n1 × Timeout\n1 passed, 2 failed$/);
    expect(text).not.toMatch(/goes on|node_modules/);
    expect(text.length).toBeLessThan(2500);
  });
});
