// Prints `N passed, N failed` from the test runner's JSON result, and fails if anything did, or if nothing ran.
// Arguments: the file, and the runner's exit status.
import { readFileSync } from 'node:fs';

const [file, status] = process.argv.slice(2);
const { passed, failed, skipped } = tally(readFileSync(file, 'utf8'));

if (skipped > 0) console.log(`${skipped} skipped`);
if (passed + failed === 0) console.log('no test ran');
// The runner also fails for errors outside of any test.
const failures = failed === 0 && status !== '0' ? 1 : failed;
console.log(`${passed} passed, ${failures} failed`);
process.exit(failures > 0 || passed === 0 ? 1 : 0);

function tally(text) {
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
