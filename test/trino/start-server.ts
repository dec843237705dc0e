// Responsible for one Trino server for all test files of the project: it takes 20 seconds to start.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startTrino } from './trino-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The address of the server. */
    trino: string;
  }
}

/** Vitest calls it before the tests, and the result after them. */
export default async function startServer(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTrino(mkdtempSync(join(tmpdir(), 'cgs-trino-')));
  project.provide('trino', server.address);
  return server.close;
}
