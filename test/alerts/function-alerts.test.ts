import { describe, expect, test } from 'vitest';
import { alarmOf, openAlerts } from '../../lib/alerts/function-alerts.ts';
import {
  AuthError,
  ConfigError,
  CorruptError,
  type ExportError,
  ProtocolError,
  RateLimitedError,
  StoppedError,
  StoreError,
  TransientError,
} from '../../lib/core/errors.ts';
import type { CollectResult } from '../../lib/runs/invocation.ts';

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
    manifest: {
      table: `t${index}`,
      scope: { region: 'r', projectId: 'p' },
      run: 'abc',
      snapshot: '20261124T060000Z',
      rows: 7,
      verdict,
    },
  }));
  return { status: 'idle', snapshots, requests: 0, errors } as unknown as CollectResult;
}

const minuteMs = 60_000;

/** An instance that is `startMs` into an hour. */
function createInstance(startMs = 30 * minuteMs) {
  let nowMs = startMs;
  const alerts = openAlerts({ monotonicMs: () => nowMs });
  return {
    isNews: alerts.isNews,
    find: (result: CollectResult) => alerts.find(result, nowMs),
    pass(minutes: number) {
      nowMs += minutes * minuteMs;
    },
  };
}
const findActionable = (result: CollectResult) => createInstance().find(result);

describe('a person must hear of', () => {
  test.each(lasting.map((error) => [error.code, error] as const))('%s', (_code, error) => {
    expect(findActionable(resultOf([error]))).toEqual([error]);
    // Whatever else was done or passes by itself.
    expect(findActionable(resultOf([...passing, error], ['complete']))).toEqual([error]);
  });

  test('a drifted snapshot, by name', () => {
    const [error] = findActionable(resultOf([], ['complete', 'drifted']));
    expect(error).toMatchObject({ name: 'DriftedError', code: 'DRIFTED' });
    expect(error?.message).toContain(
      '20261124T060000Z of t1/rgn=r/prj=p (run abc) is sealed with 7 rows',
    );
  });

  test('all of it at once, since an invocation throws once: faults first, each with what to do', () => {
    const faults = findActionable(
      resultOf([auth, new ProtocolError('NOT_A_PAGE', 'no page', 'look')], ['drifted', 'drifted']),
    );
    expect(faults.map(({ code }) => code)).toEqual([
      'UNAUTHORIZED',
      'NOT_A_PAGE',
      'DRIFTED',
      'DRIFTED',
    ]);
    const alarm = alarmOf(faults);
    expect(alarm).toMatchObject({ name: 'AuthError', code: 'UNAUTHORIZED', hint: 'check the key' });
    expect(alarm?.message).toContain('UNAUTHORIZED: refused\ncheck the key\n\nNOT_A_PAGE: no page');
    for (const table of ['t0', 't1']) expect(alarm?.message).toContain(`of ${table}/`);
    expect(auth.message).toBe('refused');
    expect(alarmOf([])).toBeNull();
  });
});

describe('nobody needs to hear of', () => {
  test('what passes by itself', () => {
    expect(findActionable(resultOf(passing))).toEqual([]);
    for (const error of passing) expect(findActionable(resultOf([error]))).toEqual([]);
  });
  test('a snapshot that is complete, nor of nothing at all', () => {
    expect(findActionable(resultOf([], ['complete']))).toEqual([]);
    expect(findActionable(resultOf([]))).toEqual([]);
  });
});

describe('how often', () => {
  const denied = resultOf([new StoreError('STORE_DENIED', 'denied', 'grant')]);
  const failed = resultOf([new StoreError('STORE_FAILED', 'timed out', 'again')]);

  test('a store that refuses: at once, after 15 minutes, after 30 more, at last every 6 hours', () => {
    const { find, pass } = createInstance();
    const toldAt: number[] = [];
    for (let minute = 0; minute < 24 * 60; minute += 1) {
      if (find(denied).length > 0) toldAt.push(minute);
      pass(1);
    }
    expect(toldAt).toEqual([0, 15, 45, 105, 225, 465, 825, 1185]);
  });

  test('anew once it had passed', () => {
    const { find, pass } = createInstance();
    expect(find(denied)).toHaveLength(1);
    pass(1);
    expect(find(denied)).toEqual([]);
    find(resultOf([]));
    expect(find(denied)).toHaveLength(1);
  });

  test('a configuration that is broken: as a store that refuses', () => {
    const { isNews, pass } = createInstance();
    const broken = () =>
      new ConfigError([{ path: 'store', message: 'is missing', hint: 'set it' }]);
    expect([isNews(broken()), isNews(broken())]).toEqual([true, false]);
    pass(15);
    expect(isNews(broken())).toBe(true);
  });

  test('two faults of one kind: each for itself, also while the other stands', () => {
    const { find } = createInstance();
    const of = (...paths: string[]) =>
      resultOf(
        paths.map((path) => new ConfigError([{ path, message: 'is unknown', hint: 'set it' }])),
      );
    expect(find(of('accounts.0', 'accounts.1'))).toHaveLength(2);
    expect(find(of('accounts.0', 'accounts.1'))).toEqual([]);
    // One has passed, and comes anew.
    expect(find(of('accounts.0'))).toEqual([]);
    expect(find(of('accounts.0', 'accounts.1'))).toMatchObject([
      { message: 'accounts.1: is unknown' },
    ]);
  });

  test('a store that fails for one tick of an instance that knew it better: nobody', () => {
    const { find } = createInstance(0);
    expect(find(resultOf([]))).toEqual([]);
    expect(find(failed)).toEqual([]);
  });

  test('what the store itself keeps from being told twice: each time it comes', () => {
    const { find } = createInstance();
    for (const error of [auth, new ProtocolError('NOT_A_PAGE', 'no page', 'look')]) {
      expect([find(resultOf([error])), find(resultOf([error]))]).toEqual([[error], [error]]);
    }
  });

  test('a store that fails: after ten minutes in one instance, and once', () => {
    const { find, pass } = createInstance();
    const toldAt: number[] = [];
    for (let minute = 0; minute < 25; minute += 1) {
      if (find(failed).length > 0) toldAt.push(minute);
      pass(1);
    }
    expect(toldAt).toEqual([10]);
  });

  test.each([1, 2, 5])(
    'a store that fails, met by instances that remember nothing, every %i minutes: within each hour, in five minutes of it',
    (everyMinutes) => {
      for (let offset = 0; offset < everyMinutes; offset += 1) {
        const toldAt = Array.from(
          { length: 60 / everyMinutes },
          (_, tick) => offset + tick * everyMinutes,
        ).filter((minute) => createInstance((minute + 0.5) * minuteMs).find(failed).length > 0);
        expect(toldAt.length).toBeGreaterThan(0);
        expect(Math.max(...toldAt)).toBeLessThan(5);
      }
    },
  );
});
