// Tests when an invocation looks for changes and delivers alerts, and what counts as a failure of a target.

import { expect, onTestFinished, test } from 'vitest';
import { createFetch } from '../../lib/api/transport.ts';
import { openAlerting } from '../../lib/app/alerting.ts';
import type { ServiceClient } from '../../lib/app/target.ts';
import type { AlertsConfig } from '../../lib/config/model.ts';
import { StoreError } from '../../lib/core/errors.ts';
import { alertsKey } from '../../lib/core/object-keys.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { unlimitedBudget } from '../../lib/quota/budget.ts';
import type { CollectResult, Task } from '../../lib/runs/invocation.ts';
import { emptySchedule, type Schedule, type TargetState } from '../../lib/runs/schedule.ts';
import { startAlertReceiver } from '../support/alert-receiver.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const nowMs = Date.UTC(2026, 10, 24, 6);
const clock = { nowMs: Date.now, monotonicMs: () => performance.now(), sleep: async () => {} };
const idle: CollectResult = {
  ...{ status: 'idle', snapshots: [], requests: 0, throttled: 0, errors: [], held: [] },
  ...{ failing: [], paused: [], idle: 'not due' },
};
const failure = { code: 'NOT_FOUND', message: 'answered 404', hint: 'h', sinceMs: 1, lastMs: 2 };

async function createWorld() {
  const receiver = await startAlertReceiver({ ak: 'A', sk: 's' });
  onTestFinished(() => receiver.close());
  const reads: string[] = [];
  const store = createMemoryStore({
    nowMs: () => nowMs,
    onCall: ({ op, key, phase }) => void (op === 'get' && phase === 'before' && reads.push(key)),
  });
  const target = createTestExporter().createTarget();
  const { table, region, projectId } = target;
  const id = `${table}/rgn=${region}/prj=${projectId}`;
  const task = { target, projectId, key: { table, region, projectId }, id } as Task;
  let schedule = emptySchedule();
  const alerts: AlertsConfig = {
    webhook: { url: receiver.url, secret: receiver.secret },
    smn: null,
    rules: {
      ...{ snapshotFailed: true, unprotectedShareAbove: null, nodeGone: false },
      ...{ staleAfterMs: null, driftedInARow: 2, onSnapshot: false },
    },
  };
  const fetch = createFetch(openConnections({ httpsProxy: null, noProxy: null }));
  const client = { fetch, clock, scrubber: createScrubber() } as Partial<ServiceClient>;
  const account = { name: 'prod', credentials: { kind: 'agency' }, targets: [target] } as never;
  const alerting = openAlerting(alerts, [account], {
    ...{ store, scratch: createTestExporter().scratch, decoder: parquetDecoder, log: () => {} },
    ...{ client: client as ServiceClient, account, agencyKey: undefined },
    viewSchedule: async () => ({ schedule, tasks: [task] }),
  });
  return {
    receiver,
    reads,
    store,
    set(state: Partial<TargetState>, holds: Schedule['holds'] = {}) {
      const whole = { open: null, sealed: null, failures: 1, retryAtMs: 0, ...state };
      schedule = { ...emptySchedule(), targets: { [id]: whole }, holds };
    },
    /** `during`: what changes while the export works. */
    around(
      result: CollectResult,
      { mode = 'timer', signal = neverAborted(), during }: Around = {},
    ) {
      return alerting.around(mode, unlimitedBudget(signal), async (viewSchedule) => {
        if (mode === 'timer') await viewSchedule();
        during?.();
        return result;
      });
    },
  };
}

interface Around {
  mode?: 'timer' | 'command';
  signal?: AbortSignal;
  during?: () => void;
}
const neverAborted = () => new AbortController().signal;

test('an idle invocation reads the state of alerts once, and returns the result unchanged', async () => {
  const { around, reads } = await createWorld();
  expect(await around(idle)).toBe(idle);
  reads.length = 0;
  expect(await around(idle)).toBe(idle);
  expect(reads).toEqual([alertsKey]);
});

test.each([
  ['failed', { failure }, {}, 'failed'],
  ['held', { failure, retryAtMs: nowMs + 60_000 }, {}, 'held'],
  [
    'its key held',
    {},
    { '0123456789ab': { failures: 1, untilMs: nowMs + 60_000, failure } },
    'held',
  ],
  [
    'its run was given up',
    { abandoned: { snapshot: '20261124T000000Z', atMs: 1 } },
    {},
    'abandoned',
  ],
  ['a 429 that the run waits for', { failure: { ...failure, code: 'RATE_LIMITED' } }, {}, null],
  ['nothing', {}, {}, null],
] as const)('%s', async (_what, state, holds, kind) => {
  const { around, set, receiver } = await createWorld();
  set(state, holds);
  await around(idle);
  expect(receiver.accepted.map(({ values }) => values.kind)).toEqual(kind === null ? [] : [kind]);
});

test('what happened in the invocation is delivered at its end', async () => {
  const { around, set, receiver } = await createWorld();
  await around({ ...idle, status: 'failed', idle: null }, { during: () => set({ failure }) });
  expect(receiver.accepted).toHaveLength(1);
});

test.each(['timer', 'command'] as const)(
  'a failure from before that ends during a %s is an alert all the same',
  async (mode) => {
    const { around, set, receiver } = await createWorld();
    set({ failure });
    await around({ ...idle, idle: null }, { mode, during: () => set({}) });
    expect(receiver.accepted.map(({ rule, state }) => `${rule} ${state}`)).toEqual([
      'snapshotFailed firing',
    ]);
  },
);

test('an invocation that found another one at work, was stopped, or lost its store delivers nothing', async () => {
  const { around, set, receiver } = await createWorld();
  set({ failure });
  await around({ ...idle, idle: 'leased' });
  const stopper = new AbortController();
  stopper.abort();
  await around({ ...idle, idle: null }, { mode: 'command', signal: stopper.signal });
  await around({ ...idle, idle: null, errors: [new StoreError('STORE_FAILED', 'm', 'h')] });
  expect(receiver.accepted).toEqual([]);
  // The changes are stored: the next invocation delivers them once.
  await around(idle);
  await around(idle);
  expect(receiver.accepted).toHaveLength(1);
});
