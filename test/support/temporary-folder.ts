// Responsible for one temporary folder per test run, which is removed when the run ends, also if tests fail.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

/** Vitest calls it before it starts the workers, which inherit the environment; the result is called at the end. */
export default function useTemporaryFolder(): () => void {
  // Vitest calls it once for each project.
  if (process.env.OUTER_TMPDIR !== undefined) return () => {};
  // Servers that were started before have their files there.
  process.env.OUTER_TMPDIR = tmpdir();
  const folder = mkdtempSync(join(tmpdir(), 'cgs-test-'));
  // Some tests run a command as another user.
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
  // More than 100 tests start this program, and to compile it each time would cost more than to run it.
  buildSync({
    entryPoints: [join(import.meta.dirname, 'plain-endpoint.ts')],
    outfile: join(folder, 'plain-endpoint.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
  return () => rmSync(folder, { recursive: true, force: true });
}
