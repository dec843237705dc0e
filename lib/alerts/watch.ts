// Responsible for alerts in one invocation: finds what changed, stores the alerts about it, delivers them, and forgets those that
// are delivered. Each change is stored before it is delivered, so a kill repeats alerts, but loses none. It never throws.

import type { AlertRules } from '../core/alert-rules.ts';
import { AuthError, CorruptError, ExportError, ProtocolError, StoreError } from '../core/errors.ts';
import { alertsKey, isFutureName, spareAlertsKey, type TargetKey } from '../core/object-keys.ts';
import type { Log, Store } from '../core/ports.ts';
import { readState } from '../core/state.ts';
import { listSnapshots, readManifestOrFault, type Sealed } from '../snapshots/catalog.ts';
import { type Alert, type AlertTarget, describeTarget } from './alert.ts';
import {
  type AlertState,
  type DestinationName,
  decodeAlertState,
  emptyAlertState,
  encodeAlertState,
  isRefused,
  noteRefusal,
  shortenQueue,
  withoutDelivered,
} from './alert-state.ts';
import { type GoneNodes, judge, nothingSeen, type Seen, type Trouble } from './due-alerts.ts';

/** A target, as the schedule knows it. */
export interface ScheduledTarget {
  /** As in `Watched`. */
  id: string;
  target: AlertTarget;
  /** The newest snapshot that the schedule knows; null: none. */
  sealed: string | null;
  trouble: Trouble | null;
  readGone: (sealed: Sealed) => Promise<GoneNodes | null>;
}

export interface Destination {
  name: DestinationName;
  /** Resolves with why it was not delivered; null: it was. Must end within `timeoutMs`. */
  send(alert: Alert, timeoutMs: number): Promise<ExportError | null>;
}

export interface WatchPorts {
  store: Store;
  log: Log;
  rules: AlertRules;
  destinations: readonly Destination[];
  monotonicMs: () => number;
  /** Of the invocation; Infinity: no limit. */
  timeLeftMs: () => number;
  /** Names of all targets of the configuration: the state of others is forgotten. */
  configured: ReadonlySet<string>;
}

/** All deliveries of an invocation together take at most this long, milliseconds. */
const deliveryMs = 10_000;
/** Kept for what follows the deliveries: storing what was delivered, and the end of the invocation, milliseconds. */
const endMs = 1_500;
/** With less time left, changes are left to the next invocation, milliseconds. */
const noteMsMin = 3_000;
/** An invocation judges at most this many new snapshots of a target. The next invocation continues. */
const snapshotsMax = 100;

/** Finds what changed since the last call and stores the alerts about it. Returns false if no alert waits for its delivery. */
export async function noteChanges(
  ports: WatchPorts,
  targets: readonly ScheduledTarget[],
): Promise<boolean> {
  const message = 'changes were not checked for alerts; the next invocation does it';
  let isWaiting = true;
  await shield(ports, message, async () => {
    if (ports.timeLeftMs() < noteMsMin) return;
    const { destinations, configured } = ports;
    const stored = await readOrStartAgain(ports);
    const { state } = stored;
    for (const id of Object.keys(state.targets)) {
      if (!configured.has(id)) delete state.targets[id];
    }
    const to = destinations.map(({ name }) => name);
    for (const target of targets) {
      const judged = await judgeTarget(ports, target, state.targets[target.id]).catch((error) =>
        skipTarget(ports, target, error),
      );
      if (judged) state.targets[target.id] = judged.seen;
      for (const alert of judged?.alerts ?? []) {
        // After a loss of the state of this target, it can be there already.
        if (state.queue.some((queued) => queued.alert.id === alert.id)) continue;
        state.queue.push({ alert, to: [...to] });
      }
      if (ports.timeLeftMs() < noteMsMin) break;
    }
    await save(ports, stored);
    isWaiting = state.queue.length > 0;
  });
  return isWaiting;
}

/** A failure of one target must not prevent the alerts of others. Rethrows errors of the store, which all targets need. */
function skipTarget({ log }: WatchPorts, { id, target }: ScheduledTarget, error: unknown): null {
  if (error instanceof StoreError) throw error;
  const code = error instanceof ExportError ? error.code : 'INTERNAL';
  const message = 'changes of a target were not checked for alerts; the next invocation does it';
  log('warn', message, { code, target: id, account: target.account, error });
  return null;
}

/** Delivers what is stored. `ignoresRefusals`: tries a key again although a destination refused it, as a manual export does. */
export async function deliverAlerts(
  ports: WatchPorts,
  { ignoresRefusals }: { ignoresRefusals: boolean },
): Promise<void> {
  await shield(ports, 'alerts were not delivered; the next invocation does it', async () => {
    const { store, destinations, monotonicMs, timeLeftMs } = ports;
    const { state } = await readOrStartAgain(ports);
    const endsAtMs = monotonicMs() + Math.min(deliveryMs, timeLeftMs() - endMs);
    const outcomes = await Promise.all(
      destinations
        .filter(({ name }) => ignoresRefusals || !isRefused(state, name, store.nowMs()))
        .map((destination) => deliverTo(ports, state, destination, endsAtMs)),
    );
    if (outcomes.every(({ delivered, error }) => delivered.size === 0 && !error)) return;
    // Read again: another invocation can have added alerts meanwhile.
    const stored = await readOrStartAgain(ports);
    const newest = stored.state;
    newest.queue = withoutDelivered(
      newest.queue,
      new Map(outcomes.map(({ name, delivered }) => [name, delivered])),
    );
    for (const { name, delivered, error } of outcomes) {
      if (error instanceof AuthError && name === 'smn') noteRefusal(newest, name, store.nowMs());
      else if (delivered.size > 0) delete newest.refused[name];
    }
    await save(ports, stored);
  });
}

/** An alert must never fail or stop an export. */
async function shield(
  { log }: WatchPorts,
  message: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { code, hint } = error instanceof ExportError ? error : { code: 'INTERNAL', hint: '' };
    log('warn', message, { code, ...(hint === '' ? {} : { hint }), error });
  }
}

interface StoredState {
  state: AlertState;
  /** As stored; null: nothing is stored that can be read. */
  before: Uint8Array | null;
  /** True: `spareAlertsKey` is or may be stored. */
  hasSpare: boolean;
}

/** Damaged state is replaced by the next save(). Throws StoreError. */
async function readOrStartAgain({ store, log }: WatchPorts): Promise<StoredState> {
  try {
    const bytes = await readState(store, alertsKey);
    const spare = bytes === null ? await readState(store, spareAlertsKey) : null;
    const before = bytes ?? spare;
    return { state: decodeAlertState(before), before, hasSpare: spare !== null };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    const message = `${error.message}. It is started again, so alerts that still apply are sent again`;
    log('warn', message, { code: error.code });
    return { state: emptyAlertState(), before: null, hasSpare: true };
  }
}

/** Writes nothing if nothing changed. */
async function save(ports: WatchPorts, { state, before, hasSpare }: StoredState): Promise<void> {
  const { log, destinations } = ports;
  const known = destinations.map(({ name }) => name);
  state.queue = state.queue
    .map(({ alert, to }) => ({ alert, to: to.filter((name) => known.includes(name)) }))
    .filter(({ to }) => to.length > 0);
  const dropped = shortenQueue(state);
  const bytes = encodeAlertState(state);
  if (before !== null && Buffer.compare(before, bytes) === 0) return;
  await write(ports, bytes, hasSpare);
  if (dropped === 0) return;
  const what = dropped === 1 ? 'The oldest alert was' : `The ${dropped} oldest alerts were`;
  const message = `${what} dropped: too many could not be delivered.`;
  const hint = 'Run `cgs-export alerts test`: it says why alerts cannot be delivered.';
  log('error', message, { code: 'ALERTS_DROPPED', hint, dropped });
}

/** `hasSpare`: as in `StoredState`. The warning about the spare object comes once, when it comes into use. */
async function write({ store, log }: WatchPorts, bytes: Uint8Array, hasSpare: boolean) {
  const options = { durability: 'acknowledged' } as const;
  try {
    await store.put(alertsKey, bytes, options);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'STORE_UNUSABLE') throw error;
    await store.put(spareAlertsKey, bytes, options);
    if (hasSpare) return;
    const { code, hint, message } = error;
    log('warn', `${message}. The state of alerts is kept in ${spareAlertsKey}`, { code, hint });
    return;
  }
  if (hasSpare) await store.delete(spareAlertsKey);
}

async function judgeTarget(ports: WatchPorts, scheduled: ScheduledTarget, before = nothingSeen) {
  const { store, rules } = ports;
  const { id, target, trouble, sealed } = scheduled;
  const nowMs = store.nowMs();
  const { projectId } = target;
  const key = projectId === null ? null : { ...target, projectId };
  const hasNew = sealed !== null && !isFutureName(sealed, nowMs) && sealed !== before.snapshot;
  const seen = key && before.snapshot === undefined ? await startWatch(ports, key, before) : before;
  const { found, newest } =
    key && (hasNew || seen !== before) ? await readNew(ports, key, seen) : nothingNew;
  const snapshots = [];
  for (const one of found) {
    const gone = rules.nodeGone ? await scheduled.readGone(one) : null;
    snapshots.push({ sealed: one, gone });
  }
  const watched = { store: store.url, id, target, trouble, snapshots, nowMs };
  const judged = judge(rules, watched, seen);
  // Also past a manifest that cannot be read: otherwise each invocation would read it again.
  if (newest !== null) judged.seen.snapshot = newest;
  return judged;
}

const nothingNew = { found: [] as Sealed[], newest: null };

/** Of a target that was not watched before, only the newest snapshot is new. */
async function startWatch(ports: WatchPorts, key: TargetKey, before: Seen): Promise<Seen> {
  const names = (await listNames(ports.store, key)).slice(0, -1);
  let drifted = 0;
  for (const name of names.slice(-(ports.rules.driftedInARow ?? 1)).reverse()) {
    const { sealed } = await readManifestOrFault(ports.store, key, name);
    if (sealed?.manifest.verdict !== 'drifted') break;
    drifted += 1;
  }
  return { ...before, snapshot: names.at(-1) ?? null, drifted };
}

/** `newest`: the name of the last one that was read; null: there is none. */
async function readNew({ store, log }: WatchPorts, key: TargetKey, seen: Seen) {
  const names = await listNames(store, key);
  const found: Sealed[] = [];
  const isNew = (name: string) => seen.snapshot == null || name > seen.snapshot;
  const read = names.filter(isNew).slice(0, snapshotsMax);
  for (const name of read) {
    const { sealed, fault } = await readManifestOrFault(store, key, name);
    if (sealed) found.push(sealed);
    if (fault) log('warn', `no alert is about ${fault.key}: it ${fault.message}`);
  }
  return { found, newest: read.at(-1) ?? null };
}

/** Oldest first, without names that a wrong clock made. */
async function listNames(store: Store, key: TargetKey): Promise<string[]> {
  const names = await listSnapshots(store, key);
  return names.filter((name) => !isFutureName(name, store.nowMs()));
}

/** After this many refused alerts, a destination gets no more in this invocation. */
const refusalsMax = 3;

/**
 * In the order of the queue. An alert that is refused does not keep the next ones from being delivered. After any other failure
 * the next delivery would mostly fail too.
 */
async function deliverTo(
  { log, monotonicMs }: WatchPorts,
  { queue }: AlertState,
  { name, send }: Destination,
  endsAtMs: number,
) {
  const waiting = queue.filter(({ to }) => to.includes(name)).map(({ alert }) => alert);
  const delivered = new Set<string>();
  let error: ExportError | null = null;
  let refusals = 0;
  for (const alert of waiting) {
    const timeoutMs = endsAtMs - monotonicMs();
    if (timeoutMs <= 0) break;
    const failure = await send(alert, timeoutMs);
    if (failure) {
      error = failure;
      refusals += 1;
      if (failure instanceof ProtocolError && refusals < refusalsMax) continue;
      break;
    }
    delivered.add(alert.id);
    const { id, rule, state, snapshot, target } = alert;
    const about = target === null ? '' : `: ${describeTarget(target)}`;
    log('info', `alert delivered (${rule}, ${state})${about}`, {
      ...{ destination: name, id, rule, state, snapshot, account: target?.account },
    });
  }
  const left = waiting.length - delivered.size;
  if (left > 0) {
    const why = error?.message ?? 'the time for deliveries is used up';
    const what = left === 1 ? '1 alert waits' : `${left} alerts wait`;
    log('warn', `${what} for the next invocation: ${why}`, {
      ...{ destination: name, waiting: left },
      ...(error ? { code: error.code, hint: error.hint } : {}),
    });
  }
  return { name, delivered, error };
}
