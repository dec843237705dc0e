// Owns how the checks on the documented runtimes run: apart, as they need Node binaries that only they install. Refuses to know what they check.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/platform/**/*.platform.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    allowOnly: false,
    fileParallelism: false,
    reporters: ['default', ['json', { outputFile: 'coverage/platform.json' }]],
  },
});
