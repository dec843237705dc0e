// Owns how the tests on the real store run: apart, as they need a server that root must install (test/support/rgw.sh). Refuses to skip.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/rgw/**/*.rgw.ts'],
    pool: 'forks',
    // They stop, kill and count the one server.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    allowOnly: false,
    reporters: ['default', ['json', { outputFile: 'coverage/rgw.json' }]],
  },
});
