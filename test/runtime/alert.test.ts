import { describe, expect, test } from 'vitest';
import {
  AuthError,
  CorruptError,
  type ExportError,
  ProtocolError,
  RateLimitedError,
  StoppedError,
  StoreError,
  TransientError,
} from '../../lib/errors.ts';
import { findActionable } from '../../lib/runtime/alert.ts';
import type { CollectResult } from '../../lib/snapshot/invocation.ts';

const auth = new AuthError('UNAUTHORIZED', 'refused', 'check the key');
const passing: ExportError[] = [
  new TransientError('UNAVAILABLE', '503', 'wait'),
  new RateLimitedError('429', 'wait', 1_000),
  new StoppedError('STOPPED', 'stopped', 'again'),
  new StoreError('STORE_FAILED', 'timed out', 'again'),
];
const lasting: ExportError[] = [
  auth,
  new ProtocolError('NOT_A_PAGE', 'no page', 'look'),
  new CorruptError('_runs/x', 'altered', 'restore'),
  new StoreError('DISK_FULL', 'full', 'make room'),
  new StoreError('STORE_DENIED', 'denied', 'grant'),
];

function resultOf(errors: ExportError[], verdicts: ('complete' | 'drifted')[] = []): CollectResult {
  const snapshots = verdicts.map((verdict, index) => ({
    manifest: { table: `t${index}`, snapshot: '20261124T060000Z', rows: 7, verdict },
  }));
  return { status: 'idle', snapshots, requests: 0, errors } as unknown as CollectResult;
}

describe('a person must hear of', () => {
  test.each(lasting.map((error) => [error.code, error] as const))('%s', (_code, error) => {
    expect(findActionable(resultOf([error]))).toBe(error);
    // Whatever else was done or passes by itself.
    expect(findActionable(resultOf([...passing, error], ['complete']))).toBe(error);
  });

  test('a drifted snapshot, by name', () => {
    const error = findActionable(resultOf([], ['complete', 'drifted']));
    expect(error).toMatchObject({ name: 'DriftedError', code: 'DRIFTED' });
    expect(error?.message).toContain('20261124T060000Z of t1 is sealed with 7 rows');
  });

  test('a fault rather than a drifted snapshot: an exception has room for one', () => {
    expect(findActionable(resultOf([auth], ['drifted']))).toBe(auth);
  });
});

describe('nobody needs to hear of', () => {
  test('what passes by itself', () => {
    expect(findActionable(resultOf(passing))).toBeNull();
    for (const error of passing) expect(findActionable(resultOf([error]))).toBeNull();
  });
  test('a snapshot that is complete, nor of nothing at all', () => {
    expect(findActionable(resultOf([], ['complete']))).toBeNull();
    expect(findActionable(resultOf([]))).toBeNull();
  });
});
