// Owns how the tests run. Refuses to know what they test.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    globals: false,
    // A forgotten `.only` would pass for the whole suite.
    allowOnly: false,
    // The JSON report is what .ci/run counts.
    reporters: ['default', ['json', { outputFile: 'coverage/vitest.json' }]],
    coverage: { include: ['lib/**', 'functions/**'], reporter: ['text-summary', 'html'] },
  },
});
