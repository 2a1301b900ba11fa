// Prints `N passed, N failed` from the test runner's JSON results, and fails if anything did, or if a run ran nothing.
// Arguments: the file of each run, and the runner's exit status behind it.
import { existsSync, readFileSync } from 'node:fs';

const sum = { passed: 0, failed: 0, skipped: 0 };
const words = process.argv.slice(2);
for (let i = 0; i < words.length; i += 2) add(tally(words[i]), words[i + 1]);

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
