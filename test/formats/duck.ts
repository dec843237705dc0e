// Responsible for DuckDB and a temporary folder that all tests of a file share.

import { afterAll, beforeAll } from 'vitest';
import { createTempDir, type Duck, openDuck } from './readers.ts';

/** To be called once at the top of a test file. `duck`: may be used inside tests. */
export function useDuck() {
  const temp = createTempDir();
  let opened: Duck | null = null;
  beforeAll(async () => {
    opened = await openDuck();
  });
  afterAll(() => {
    opened?.close();
    temp.remove();
  });
  const duck: Omit<Duck, 'close'> = {
    query: (...given) => requireOpen(opened).query(...given),
    readRows: (...given) => requireOpen(opened).readRows(...given),
  };
  return { temp, duck };
}

function requireOpen(duck: Duck | null): Duck {
  if (!duck) throw new Error('DuckDB is open inside tests only');
  return duck;
}
