// Owns the closing line of a check: counts from vitest's JSON reports, one a lane. Refuses to call skipped tests a success.

import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
let skipped = 0;
let good = true;
for (const path of process.argv.slice(2)) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    console.error(`There is no ${path}: the check failed before those tests ran.`);
    good = false;
    continue;
  }
  // A file that does not even load has no tests to fail.
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  for (const { name } of broken) console.error(`No test of ${name} could run.`);
  passed += report.numPassedTests;
  failed += report.numFailedTests + broken.length;
  skipped += report.numPendingTests + report.numTodoTests;
  good = good && report.success && report.numPassedTests > 0;
}
if (skipped > 0) console.error(`${skipped} skipped: every test must run here.`);
console.log(`${passed} passed, ${failed} failed`);
if (!good || failed + skipped > 0 || passed === 0) process.exit(1);
