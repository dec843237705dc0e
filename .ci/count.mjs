// Responsible for the last line of a check: adds up vitest's JSON reports. Fails if a test failed, was skipped or did not run.

import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
let skipped = 0;
let isComplete = true;
for (const path of process.argv.slice(2)) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    console.error(`${path} is missing: these tests did not run because an earlier step failed.`);
    isComplete = false;
    continue;
  }
  // A test file that does not load has no failed tests, so it counts as one failure.
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  for (const { name } of broken) console.error(`${name} could not be loaded.`);
  passed += report.numPassedTests;
  failed += report.numFailedTests + broken.length;
  skipped += report.numPendingTests + report.numTodoTests;
  isComplete = isComplete && report.success && report.numPassedTests > 0;
}
if (skipped > 0) console.error(`${skipped} skipped. No test may be skipped in this check.`);
console.log(`${passed} passed, ${failed} failed`);
if (!isComplete || failed + skipped > 0 || passed === 0) process.exit(1);
