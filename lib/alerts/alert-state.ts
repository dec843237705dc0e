// Responsible for the stored state of alerts: what the rules have seen of each target, and which alerts are not delivered yet.
// Pure. Losing it repeats alerts that still apply.

import * as v from 'valibot';
import { backoffMs } from '../core/error-policy.ts';
import { alertsKey, snapshotTimeMs } from '../core/object-keys.ts';
import { corruptState, decodeState, encodeState } from '../core/state.ts';
import type { Alert } from './alert.ts';
import type { Seen } from './due-alerts.ts';

export type DestinationName = 'webhook' | 'smn';

export interface Queued {
  alert: Alert;
  /** Where it is not delivered yet. */
  to: DestinationName[];
}

export interface AlertState {
  /** By `Watched.id`. */
  targets: Record<string, Seen>;
  /** The oldest first. */
  queue: Queued[];
  /** Destinations that refused the key: it is not used there until then, by the store's clock. */
  refused: { [name in DestinationName]?: { times: number; untilMs: number } };
}

const alertStateVersion = 1;
/** A queue is never longer. With the longest alerts, it is shorter. */
const queuedMax = 1_000;
const queuedBytesMax = 2 ** 20;

export function emptyAlertState(): AlertState {
  return { targets: {}, queue: [], refused: {} };
}

export function encodeAlertState(state: AlertState): Uint8Array {
  return encodeState('alerts', alertStateVersion, state);
}

const snapshotShape = v.pipe(
  v.string(),
  v.check((name) => snapshotTimeMs(name) !== null, 'is not a snapshot name'),
);
const nullableText = v.nullable(v.string());
const seenShape = v.object({
  snapshot: v.optional(v.nullable(snapshotShape)),
  drifted: v.number(),
  firing: v.record(v.string(), v.string()),
});
const alertTargetShape = v.object({
  ...{ account: v.string(), table: v.string(), region: v.string(), projectId: nullableText },
});
const alertShape = v.object({
  ...{ id: v.string(), rule: v.string(), state: v.string(), noticedAt: v.string() },
  ...{ message: v.string(), hint: v.string(), snapshot: nullableText },
  ...{ target: v.nullable(alertTargetShape), values: v.record(v.string(), v.unknown()) },
});
const destinationShape = v.picklist(['webhook', 'smn']);
const refusedShape = v.optional(v.object({ times: v.number(), untilMs: v.number() }));
const stateShape = v.object({
  targets: v.record(v.string(), seenShape),
  queue: v.array(v.object({ alert: alertShape, to: v.array(destinationShape) })),
  refused: v.object({ webhook: refusedShape, smn: refusedShape }),
});

/** Null: an empty state. Throws CorruptError, also if another program wrote another shape with the right hash. */
export function decodeAlertState(bytes: Uint8Array | null): AlertState {
  if (bytes === null) return emptyAlertState();
  const state = decodeState<AlertState>('alerts', alertStateVersion, alertsKey, bytes);
  if (!v.is(stateShape, state)) throw corruptState(alertsKey, 'has another shape');
  return state;
}

/** Removes the oldest alerts of a queue that is too long, and returns how many. */
export function shortenQueue(state: AlertState): number {
  let bytes = 0;
  let kept = 0;
  for (const queued of state.queue.slice(-queuedMax).reverse()) {
    bytes += Buffer.byteLength(JSON.stringify(queued));
    if (bytes > queuedBytesMax) break;
    kept += 1;
  }
  const dropped = state.queue.length - kept;
  state.queue.splice(0, dropped);
  return dropped;
}

/** Removes what was delivered. */
export function withoutDelivered(
  queue: readonly Queued[],
  delivered: ReadonlyMap<DestinationName, ReadonlySet<string>>,
): Queued[] {
  return queue
    .map(({ alert, to }) => ({
      alert,
      to: to.filter((name) => !delivered.get(name)?.has(alert.id)),
    }))
    .filter(({ to }) => to.length > 0);
}

/** Five refused requests lock a key, and the export needs it: after a refusal the destination is left alone, longer each time. */
export function noteRefusal(state: AlertState, name: DestinationName, nowMs: number): void {
  const times = (state.refused[name]?.times ?? 0) + 1;
  state.refused[name] = { times, untilMs: Math.round(nowMs) + backoffMs(times) };
}

/** A time later than any refusal can set now is ignored: it was stored while a clock was ahead. */
export function isRefused({ refused }: AlertState, name: DestinationName, nowMs: number): boolean {
  const found = refused[name];
  if (!found) return false;
  return found.untilMs > nowMs && found.untilMs - nowMs <= backoffMs(found.times);
}
