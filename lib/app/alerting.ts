// Responsible for alerts around an export: what the schedule says before and after it goes to the rules, and alerts are
// delivered after it. It changes neither the result nor the errors of the export.

import { randomBytes } from 'node:crypto';
import type { Alert } from '../alerts/alert.ts';
import type { Trouble } from '../alerts/due-alerts.ts';
import { readGoneNodes } from '../alerts/gone-nodes.ts';
import {
  deliverAlerts,
  noteChanges,
  type ScheduledTarget,
  type WatchPorts,
} from '../alerts/watch.ts';
import type { AlertsConfig, Config } from '../config/model.ts';
import { ExportError, StoreError } from '../core/errors.ts';
import { targetId } from '../core/object-keys.ts';
import type { Decoder, Log, Scratch, Store } from '../core/ports.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import { systemClock } from '../platform/clock.ts';
import type { Budget } from '../quota/budget.ts';
import { describeHold } from '../runs/holds.ts';
import type { CollectResult, ScheduleView, Task } from '../runs/invocation.ts';
import type { CollectMode } from '../runs/policy.ts';
import { unresolvedId } from '../runs/projects.ts';
import { plausibleName, type Schedule, targetStateOf } from '../runs/schedule.ts';
import { type DestinationOptions, openDestinations } from './alert-destinations.ts';

interface AlertingPorts extends DestinationOptions {
  store: Store;
  scratch: Scratch;
  /** Of changes. */
  decoder: Decoder;
  log: Log;
  viewSchedule: () => Promise<ScheduleView>;
}

export interface TestedDestination {
  destination: 'webhook' | 'smn';
  /** Null: the alert was delivered. */
  error: ExportError | null;
}

export interface Alerting {
  /** Runs `work`, an export that looks at the schedule with the function that it is given. */
  around(
    mode: CollectMode,
    budget: Budget,
    work: (viewSchedule: () => Promise<ScheduleView>) => Promise<CollectResult>,
  ): Promise<CollectResult>;
  /** Sends one test alert to each destination. Neither reads nor writes the store. */
  test(signal: AbortSignal): Promise<TestedDestination[]>;
}

/** Of `alerts test`, milliseconds. */
const testTimeoutMs = 10_000;

export function openAlerting(
  alerts: AlertsConfig,
  accounts: Config['accounts'],
  ports: AlertingPorts,
): Alerting {
  const { store, log, viewSchedule } = ports;
  const openFor = openDestinations(alerts, ports);
  const configured = new Set(accounts.flatMap(({ targets }) => targets.map(watchedId)));
  const monotonicMs = () => systemClock.monotonicMs();
  return {
    async around(mode, { signal, timeLeftMs }, work) {
      const destinations = openFor(signal);
      const watch: WatchPorts = {
        ...{ store, log, rules: alerts.rules, destinations, configured },
        ...{ monotonicMs, timeLeftMs },
      };
      const note = (view: ScheduleView) => noteChanges(watch, listScheduled(ports, view));
      let isWaiting = true;
      const noteStored = async () => {
        const view = await viewOrNull(viewSchedule);
        if (view) isWaiting = await note(view);
      };
      // Before the work too: it can end a failure whose alert an earlier invocation could not store.
      if (mode === 'command') await noteStored();
      const result = await work(async () => {
        const view = await viewSchedule();
        isWaiting = await note(view);
        return view;
      });
      // The exporter that holds the lease does it.
      if (result.idle === 'leased' || signal.aborted) return result;
      if (result.errors.some((error) => error instanceof StoreError)) return result;
      if (result.idle === null) await noteStored();
      // So that an idle invocation reads the state once.
      if (isWaiting) await deliverAlerts(watch, { ignoresRefusals: mode === 'command' });
      return result;
    },
    async test(signal) {
      const alert = createTestAlert(systemClock.nowMs());
      return Promise.all(
        openFor(signal).map(async ({ name, send }) => {
          return { destination: name, error: await send(alert, testTimeoutMs) };
        }),
      );
    },
  };
}

/** Null: the schedule cannot be read. The export reports that. */
async function viewOrNull(viewSchedule: () => Promise<ScheduleView>): Promise<ScheduleView | null> {
  try {
    return await viewSchedule();
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    return null;
  }
}

type Named = Pick<Task['target'], 'account' | 'table' | 'region' | 'projectId'>;

/** By the configuration alone, so that it is the same before and after IAM is asked for the project. */
function watchedId({ account, table, region, projectId }: Named): string {
  if (projectId === null) return unresolvedId({ account, table, region });
  return targetId({ table, region, projectId });
}

function listScheduled(
  { store, scratch, decoder, log }: AlertingPorts,
  { schedule, tasks }: ScheduleView,
): ScheduledTarget[] {
  const nowMs = store.nowMs();
  return tasks.map((task) => {
    const { account, table, region, dataset } = task.target;
    return {
      id: watchedId(task.target),
      target: { account, table, region, projectId: task.projectId },
      sealed: plausibleName(targetStateOf(schedule, task.id).sealed, nowMs),
      trouble: findTrouble(schedule, task, nowMs),
      // The rule is about nodes: other datasets have none.
      readGone: async ({ manifest }) =>
        dataset.name === containerNodes.name
          ? readGoneNodes(manifest, { ...{ store, scratch, decoder, dataset, log } })
          : null,
    };
  });
}

function findTrouble(schedule: Schedule, { id, target }: Task, nowMs: number): Trouble | null {
  const state = targetStateOf(schedule, id);
  const { heldUntil, failure } = describeHold(schedule, target.user, state, nowMs);
  const { abandoned } = state;
  const about = {
    code: failure?.code ?? null,
    message: failure?.message ?? 'see the log',
    hint: failure?.hint ?? 'Run `cgs-export status --problems`.',
    since: failure?.since ?? null,
    heldUntil,
  };
  if (heldUntil !== null) return { kind: 'held', ...about };
  if (abandoned) {
    const message = failure?.message ?? 'it received no page';
    const since = failure?.since ?? new Date(abandoned.atMs).toISOString();
    return { kind: 'abandoned', ...about, message, since };
  }
  // A short wait that the service asked for is not a failure: the run continues after it.
  if (!failure || failure.code === 'RATE_LIMITED') return null;
  return { kind: 'failed', ...about };
}

function createTestAlert(nowMs: number): Alert {
  return {
    alertVersion: 1,
    id: randomBytes(16).toString('hex'),
    rule: 'test',
    state: 'event',
    target: null,
    snapshot: null,
    noticedAt: new Date(nowMs).toISOString(),
    message: 'This is a test of cgs-export: nothing happened.',
    values: {},
    hint: 'Nothing to do.',
  };
}
