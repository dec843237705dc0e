// Responsible for how tests run: one project per kind of test, told apart by the ending of the file name.

import { defineConfig } from 'vitest/config';
import { definePageAssets } from './page-assets.mjs';
import { LongestFirst } from './test/support/longest-first.ts';

/** Tests that start built files or other processes. */
const endToEnd = ['test/e2e/**/*.test.ts', 'test/**/*.e2e.test.ts'];
/** Long histories, faults and fleets through the built files: minutes together. */
const scenarios = ['test/scenarios/**/*.test.ts'];
/** Tests that pack and install, or package and deploy with Serverless: commands of seconds, dozens of times. */
const deployment = [
  'test/deploy/*.e2e.test.ts',
  'test/package/*.e2e.test.ts',
  'test/structure/workflows.e2e.test.ts',
];
/** Tests with many seeded cases: seconds each. */
const property = ['test/**/*.property.test.ts'];

const project = (name: string, test: object) => ({
  extends: true as const,
  test: { name, ...test },
});

export default defineConfig({
  // As in a build: the script and the style of the page of a report.
  define: await definePageAssets(import.meta.dirname),
  test: {
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    globalSetup: 'test/support/temporary-folder.ts',
    // Tests spend much of their time in child processes and waits.
    maxWorkers: 3,
    // They end what hangs. No test checks how fast the code is: machines can be busy.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    globals: false,
    // A forgotten `.only` would otherwise hide all other tests.
    allowOnly: false,
    // .ci/run counts the tests in the JSON report. Each lane names its own.
    reporters: [
      'default',
      ['json', { outputFile: process.env.TEST_REPORT ?? 'coverage/vitest.json' }],
    ],
    projects: [
      // Not isolated: test files of a worker share modules, because loading these is a third of the CPU time.
      project('unit', {
        include: ['test/**/*.test.ts'],
        exclude: [...endToEnd, ...scenarios, ...property],
        isolate: false,
      }),
      project('property', { include: property, isolate: false }),
      project('e2e', { include: endToEnd, exclude: deployment }),
      project('scenarios', { include: scenarios, testTimeout: 180_000 }),
      project('deploy', { include: deployment }),
      // These need more than npm packages; .ci/run installs it. Run them with --no-file-parallelism: they share one server.
      project('radosgw', {
        include: ['test/rgw/**/*.rgw.ts'],
        testTimeout: 180_000,
      }),
      project('platform', {
        include: ['test/platform/**/*.platform.ts'],
        testTimeout: 180_000,
      }),
      // Thousands of verifications: minutes.
      project('forger', { include: ['test/forger/**/*.forger.ts'], testTimeout: 300_000 }),
      // What is in examples/, as root on Linux. `npm run test:examples` installs what checks it.
      project('examples', {
        include: ['test/examples/**/*.examples.ts'],
        testTimeout: 180_000,
        hookTimeout: 180_000,
      }),
      // In Chromium, which .ci/run installs.
      project('browser', { include: ['test/browser/**/*.browser.ts'] }),
      // With Trino and the committer of lake/, which `npm run test:trino` installs.
      project('trino', {
        include: ['test/trino/**/*.trino.ts'],
        globalSetup: ['test/trino/start-server.ts'],
        testTimeout: 300_000,
        hookTimeout: 180_000,
      }),
      // Engines that read the bucket of `npm run rgw:start`. `npm run test:buckets` installs what they need.
      project('buckets', { include: ['test/engines/**/*.buckets.ts'], testTimeout: 300_000 }),
      project('engines', {
        include: ['test/engines/**/*.engines.ts'],
        testTimeout: 300_000,
        hookTimeout: 180_000,
      }),
    ],
    coverage: {
      include: ['lib/**', 'functions/**'],
      reporter: ['text-summary', 'html', 'json-summary'],
      // The folders that the promises rest on. The limits are just below what the tests reach (percent).
      thresholds: {
        'lib/core/**': { lines: 99, branches: 95, functions: 100 },
        'lib/quota/**': { lines: 99, branches: 96, functions: 100 },
        'lib/reading/**': { lines: 98, branches: 93, functions: 100 },
        'lib/snapshots/**': { lines: 99, branches: 94, functions: 100 },
        'lib/retention/**': { lines: 99, branches: 94, functions: 100 },
        'lib/sealing/**': { lines: 99, branches: 94, functions: 100 },
        'lib/verification/**': { lines: 99, branches: 94, functions: 100 },
        'lib/runs/**': { lines: 98, branches: 92, functions: 100 },
      },
    },
  },
});
