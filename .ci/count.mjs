// Owns the closing line of a check: counts from vitest's JSON report. Refuses to call skipped tests a success.

import { readFileSync } from 'node:fs';

let report;
try {
  report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
} catch {
  console.error('There is no report of the tests: the check failed before they ran.');
  process.exit(1);
}

const { numPassedTests: passed, numFailedTests: failed } = report;
const skipped = report.numPendingTests + report.numTodoTests;
// A file that does not even load has no tests to fail.
const broken = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
);
for (const { name } of broken) console.error(`No test of ${name} could run.`);
if (skipped > 0) console.error(`${skipped} skipped: every test must run here.`);
console.log(`${passed} passed, ${failed + broken.length} failed`);
if (!report.success || failed + broken.length + skipped > 0 || passed === 0) process.exit(1);
