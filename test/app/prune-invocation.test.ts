// Tests what an invocation of the function `prune` returns and throws.

import { expect, test } from 'vitest';
import type { Connection } from '../../lib/app/connect.ts';
import type { InvocationTools } from '../../lib/app/function-instance.ts';
import { openPruneInvocation } from '../../lib/app/prune-invocation.ts';
import { ConfigError, CorruptError, type ExportError, StoreError } from '../../lib/core/errors.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import type { PruneResult } from '../../lib/runs/prune.ts';
import { createMemoryStore } from '../support/memory-store.ts';

type Prune = NonNullable<Connection['prune']>;

const nothing: PruneResult = {
  ...{ targets: [], notCovered: [], errors: [], isLeased: false },
  ...{ marked: 0, parts: 0, bytes: 0, locked: [] },
};

async function invoke(prune: Prune | null, more: Partial<InvocationTools> = {}) {
  const lines: unknown[] = [];
  const connection: Partial<Connection> = {
    store: createMemoryStore({ nowMs: () => 0 }),
    prune,
    limit: (_timeLeftMs, work) => work(),
  };
  const outcome = await openPruneInvocation().run({
    connect: async () => connection as Connection,
    timeLeftMs: () => 60_000,
    memoryMb: 256,
    log: (...line) => void lines.push(line),
    scrubber: createScrubber(),
    ...more,
  });
  return { ...outcome, lines };
}

const withErrors = (...errors: ExportError[]) => invoke(async () => ({ ...nothing, errors }));

test('does nothing without `retention`, and reports no fault', async () => {
  const { json, alert } = await invoke(null);
  expect([json.status, alert]).toEqual(['idle', null]);
});

test('prunes every covered target, and does not wait for another exporter', async () => {
  const calls: Parameters<Prune>[0][] = [];
  const target = { table: 't', region: 'r', projectId: 'p' };
  const { json, done, alert, lines } = await invoke(async (call) => {
    calls.push(call);
    return { ...nothing, marked: 2, parts: 4, bytes: 9, locked: ['t/a', 't/b'] };
  });
  expect(calls).toMatchObject([{ isDryRun: false, waitsForOthers: false }]);
  expect(calls[0]?.pick([target])).toEqual([target]);
  expect(json).toMatchObject({ status: 'pruned', deleted: { tombstones: 2, parts: 4, bytes: 9 } });
  expect(done).toMatchObject({ status: 'pruned', locked: 2, targets: 0 });
  expect(alert).toBeNull();
  expect(lines).toMatchObject([['warn', expect.stringContaining('refused'), { count: 2 }]]);
});

test('is idle if another exporter holds the lease', async () => {
  const { json, alert } = await invoke(async () => ({ ...nothing, isLeased: true }));
  expect([json.status, alert]).toEqual(['idle', null]);
});

test('stops before its time is over, and that is not thrown', async () => {
  let reason: unknown = null;
  const { json, alert } = await invoke(
    ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
          resolve({ ...nothing, errors: [signal.reason as ExportError] });
        });
      }),
    { timeLeftMs: () => 5_010 },
  );
  expect(reason).toMatchObject({ code: 'STOPPED', hint: expect.stringContaining('continues') });
  expect(json).toMatchObject({ status: 'failed', errors: [{ code: 'STOPPED' }] });
  expect(alert).toBeNull();
});

test('throws a fault that a person must act on, and leaves one that passes to the next invocation', async () => {
  const damaged = new CorruptError('_manifests/x', 'is damaged', 'Restore it.');
  const down = new StoreError('STORE_FAILED', 'does not respond', '');
  expect((await withErrors(down)).alert).toBeNull();
  expect((await withErrors(down)).json.status).toBe('failed');
  const { alert } = await withErrors(down, damaged);
  expect(alert).toMatchObject({ code: 'CORRUPT', message: expect.stringContaining('Restore it.') });
  expect(alert?.message).not.toContain('does not respond');
});

test('throws a wrong configuration with its hint', async () => {
  const connect = async () => {
    throw new ConfigError([{ path: 'store', message: 'is missing', hint: 'Write one.' }]);
  };
  await expect(invoke(null, { connect })).rejects.toMatchObject({
    ...{ name: 'ConfigError', code: 'CONFIG', message: 'CONFIG: store: is missing\nWrite one.' },
  });
});
