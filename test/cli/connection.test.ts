// Tests how a command opens a store without a configuration file, and shows the progress of an export.

import { expect, test } from 'vitest';
import { openStoreByFlags } from '../../lib/cli/connection.ts';
import { openSession } from '../../lib/cli/session.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { call, createTestRuntime, flagsFor, keyOf, simulate } from './test-runtime.ts';

test('opens a folder without a key, and redacts nothing', () => {
  const runtime = createTestRuntime();
  const scrubber = createScrubber();
  const session = openSession(runtime, scrubber, { json: false });
  const store = openStoreByFlags({ store: 'file:./lake' }, session);
  expect(store.url).toBe(`file:${runtime.cwd}/lake`);
  expect(scrubber.scrub('a - b -- c')).toBe('a - b -- c');
});

test('rejects a bucket if the environment has no key', () => {
  const session = openSession(createTestRuntime(), createScrubber(), { json: false });
  expect(() => openStoreByFlags({ store: 'obs://lake/cgs' }, session)).toThrow(
    /HUAWEICLOUD_SDK_AK/,
  );
});

test('shows the progress of an export on a terminal', async () => {
  const simulator = await simulate({ nodes: 450 });
  const { code, runtime } = await call(['export', ...flagsFor(simulator)], {
    env: keyOf(simulator),
    terminal: true,
    every(_intervalMs, work) {
      const timer = setInterval(work, 1);
      return () => clearInterval(timer);
    },
  });
  expect(code).toBe(0);
  expect(runtime.err()).toMatch(/\/450 nodes/);
});
