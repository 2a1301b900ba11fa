// Prints `N passed, N failed` from the test runner's JSON results, and fails if anything did, or if a run ran nothing. What failed stands
// before it once more, in short: the end of a long output is what is looked at first, and what is kept of it.
// Arguments: the file of each run, and the runner's exit status behind it.
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Failures that are told, and of each so many characters: the error, and the lines of the log that end its message. */
const MAX_TOLD = 20;
const BEGINNING = 500;
const ENDING = 1500;

const sum = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const words = process.argv.slice(2);
for (let i = 0; i < words.length; i += 2) add(tally(words[i]), words[i + 1]);

for (const failure of failures.slice(0, MAX_TOLD)) console.log(failure);
if (failures.length > MAX_TOLD) console.log(`… and ${failures.length - MAX_TOLD} more failures`);
if (sum.skipped > 0) console.log(`${sum.skipped} skipped`);
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exit(sum.failed > 0 || sum.passed === 0 ? 1 : 0);

function add({ passed, failed, skipped }, status) {
  if (passed + failed === 0) console.log('no test ran');
  sum.passed += passed;
  sum.skipped += skipped;
  // The runner also fails for errors outside of any test.
  sum.failed += failed === 0 && (status !== '0' || passed === 0) ? 1 : failed;
}

/** A run that could not begin has left no file. */
function tally(file) {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (text === '') return { passed: 0, failed: 0, skipped: 0 };
  const result = JSON.parse(text);
  failures.push(...result.testResults.flatMap(failuresOf));
  // A file that does not load, or leaves something open, fails without a failed test.
  const brokenFiles = result.testResults.filter(
    (testFile) =>
      testFile.status === 'failed' && !testFile.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + brokenFiles.length,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

function failuresOf({ name, message, status, assertionResults }) {
  if (status !== 'failed') return [];
  const failed = assertionResults.filter((test) => test.status === 'failed');
  const file = relative(process.cwd(), name);
  if (failed.length === 0) return [`failed: ${file}\n${shortened(message)}`];
  return failed.map(
    (test) => `failed: ${file}: ${test.fullName}\n${shortened(test.failureMessages.join('\n'))}`,
  );
}

function shortened(message) {
  const lines = stripVTControlCharacters(message).split('\n');
  const text = lines
    .filter((line) => !/^ +at .*(node_modules|node:|\(<anonymous>|new Promise)/.test(line))
    .join('\n');
  if (text.length <= BEGINNING + ENDING) return text;
  return `${text.slice(0, BEGINNING)} […] ${text.slice(-ENDING)}`;
}
