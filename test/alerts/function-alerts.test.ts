// Tests which errors a timer's function throws, and how often.

import { describe, expect, test } from 'vitest';
import { mergeAlerts, openAlerts } from '../../lib/alerts/function-alerts.ts';
import {
  AuthError,
  ConfigError,
  CorruptError,
  EvidenceError,
  type ExportError,
  MissedSlotError,
  ProtocolError,
  RateLimitedError,
  StoppedError,
  StoreError,
  TransientError,
} from '../../lib/core/errors.ts';
import type { CollectResult } from '../../lib/runs/invocation.ts';

const auth = new AuthError('UNAUTHORIZED', 'refused', 'check the key');
const temporary: ExportError[] = [
  new TransientError('UNAVAILABLE', '503', 'wait'),
  new RateLimitedError('429', 'wait', 1_000),
  new StoppedError('STOPPED', 'stopped', 'again'),
  new StoreError('STORE_FAILED', 'timed out', 'again'),
];
const lasting: ExportError[] = [
  auth,
  new ProtocolError('NOT_A_PAGE', 'no page', 'look'),
  new CorruptError('_runs/x', 'altered', 'restore'),
  new EvidenceError('_manifests/x', 'missing', 'restore'),
  new MissedSlotError('SLOT_MISSED', 'a slot has passed', 'look'),
  // Longer than a run waits.
  new RateLimitedError('429', 'wait', 3_600_000),
  new StoreError('DISK_FULL', 'full', 'make room'),
  new StoreError('STORE_DENIED', 'denied', 'grant'),
];

function resultOf(errors: ExportError[], verdicts: ('complete' | 'drifted')[] = []): CollectResult {
  const snapshots = verdicts.map((verdict, index) => ({
    manifest: {
      table: `t${index}`,
      scope: { account: 'prod', region: 'r', projectId: 'p' },
      run: 'abc',
      snapshot: '20261124T060000Z',
      rows: 7,
      verdict,
    },
  }));
  return { status: 'idle', snapshots, requests: 0, errors } as unknown as CollectResult;
}

const minuteMs = 60_000;

/** An instance that starts `startMs` after the full hour. */
function createInstance(startMs = 30 * minuteMs) {
  let nowMs = startMs;
  const alerts = openAlerts({ monotonicMs: () => nowMs });
  return {
    isDue: alerts.isDue,
    listDue: (result: CollectResult) => alerts.listDue(result, nowMs),
    pass(minutes: number) {
      nowMs += minutes * minuteMs;
    },
  };
}
const findActionable = (result: CollectResult) => createInstance().listDue(result);

describe('alerts about', () => {
  test.each(lasting.map((error) => [error.code, error] as const))('%s', (_code, error) => {
    expect(findActionable(resultOf([error]))).toEqual([error]);
    // Also beside temporary errors and sealed snapshots.
    expect(findActionable(resultOf([...temporary, error], ['complete']))).toEqual([error]);
  });

  test('a drifted snapshot, with its name', () => {
    const [error] = findActionable(resultOf([], ['complete', 'drifted']));
    expect(error).toMatchObject({ name: 'DriftedError', code: 'DRIFTED' });
    expect(error?.message).toContain(
      '20261124T060000Z of t1/rgn=r/prj=p (account prod, run abc) is sealed with 7 rows',
    );
  });

  test('everything in one error, because an invocation throws once: errors first, each with its hint', () => {
    const faults = findActionable(
      resultOf([auth, new ProtocolError('NOT_A_PAGE', 'no page', 'look')], ['drifted', 'drifted']),
    );
    expect(faults.map(({ code }) => code)).toEqual([
      'UNAUTHORIZED',
      'NOT_A_PAGE',
      'DRIFTED',
      'DRIFTED',
    ]);
    const merged = mergeAlerts(faults);
    expect(merged).toMatchObject({
      name: 'AuthError',
      code: 'UNAUTHORIZED',
      hint: 'check the key',
    });
    expect(merged?.message).toContain(
      'UNAUTHORIZED: refused\ncheck the key\n\nNOT_A_PAGE: no page',
    );
    for (const table of ['t0', 't1']) expect(merged?.message).toContain(`of ${table}/`);
    expect(auth.message).toBe('refused');
    expect(mergeAlerts([])).toBeNull();
  });
});

describe('does not alert about', () => {
  test('errors that recover by themselves', () => {
    expect(findActionable(resultOf(temporary))).toEqual([]);
    for (const error of temporary) expect(findActionable(resultOf([error]))).toEqual([]);
  });
  test('a complete snapshot, or an invocation without work', () => {
    expect(findActionable(resultOf([], ['complete']))).toEqual([]);
    expect(findActionable(resultOf([]))).toEqual([]);
  });
});

describe('frequency', () => {
  const denied = resultOf([new StoreError('STORE_DENIED', 'denied', 'grant')]);
  const failed = resultOf([new StoreError('STORE_FAILED', 'timed out', 'again')]);

  test('a store that denies access: at once, after 15 minutes, after 30 more, and in the end every 6 hours', () => {
    const { listDue, pass } = createInstance();
    const alertedAt: number[] = [];
    for (let minute = 0; minute < 24 * 60; minute += 1) {
      if (listDue(denied).length > 0) alertedAt.push(minute);
      pass(1);
    }
    expect(alertedAt).toEqual([0, 15, 45, 105, 225, 465, 825, 1185]);
  });

  test('an error that was over and came back: at once', () => {
    const { listDue, pass } = createInstance();
    expect(listDue(denied)).toHaveLength(1);
    pass(1);
    expect(listDue(denied)).toEqual([]);
    listDue(resultOf([]));
    expect(listDue(denied)).toHaveLength(1);
  });

  test('an invalid configuration: like a store that denies access', () => {
    const { isDue, pass } = createInstance();
    const broken = () =>
      new ConfigError([{ path: 'store', message: 'is missing', hint: 'set it' }]);
    expect([isDue(broken()), isDue(broken())]).toEqual([true, false]);
    pass(15);
    expect(isDue(broken())).toBe(true);
  });

  test('two errors of one kind: each separately, also while the other continues', () => {
    const { listDue } = createInstance();
    const of = (...paths: string[]) =>
      resultOf(
        paths.map((path) => new ConfigError([{ path, message: 'is unknown', hint: 'set it' }])),
      );
    expect(listDue(of('accounts.0', 'accounts.1'))).toHaveLength(2);
    expect(listDue(of('accounts.0', 'accounts.1'))).toEqual([]);
    // One is over, and comes back.
    expect(listDue(of('accounts.0'))).toEqual([]);
    expect(listDue(of('accounts.0', 'accounts.1'))).toMatchObject([
      { message: 'accounts.1: is unknown' },
    ]);
  });

  test('a store that fails once in an instance where it has worked before: never', () => {
    const { listDue } = createInstance(0);
    expect(listDue(resultOf([]))).toEqual([]);
    expect(listDue(failed)).toEqual([]);
  });

  test('errors whose state is in the store: each time', () => {
    const { listDue } = createInstance();
    for (const error of [auth, new ProtocolError('NOT_A_PAGE', 'no page', 'look')]) {
      expect([listDue(resultOf([error])), listDue(resultOf([error]))]).toEqual([[error], [error]]);
    }
  });

  test('a store that fails: once after ten minutes in one instance', () => {
    const { listDue, pass } = createInstance();
    const alertedAt: number[] = [];
    for (let minute = 0; minute < 25; minute += 1) {
      if (listDue(failed).length > 0) alertedAt.push(minute);
      pass(1);
    }
    expect(alertedAt).toEqual([10]);
  });

  test.each([1, 2, 5])(
    'a store that fails in new instances every %i minutes: within the first five minutes of each hour',
    (everyMinutes) => {
      for (let offset = 0; offset < everyMinutes; offset += 1) {
        const alertedAt = Array.from(
          { length: 60 / everyMinutes },
          (_, tick) => offset + tick * everyMinutes,
        ).filter((minute) => createInstance((minute + 0.5) * minuteMs).listDue(failed).length > 0);
        expect(alertedAt.length).toBeGreaterThan(0);
        expect(Math.max(...alertedAt)).toBeLessThan(5);
      }
    },
  );
});
