// Tests alerts in one invocation: what is new for a target, the time that deliveries take, refusals, and damaged state.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { Alert } from '../../lib/alerts/alert.ts';
import { decodeAlertState, encodeAlertState } from '../../lib/alerts/alert-state.ts';
import {
  type Destination,
  deliverAlerts,
  noteChanges,
  type ScheduledTarget,
  type WatchPorts,
} from '../../lib/alerts/watch.ts';
import {
  AuthError,
  type ExportError,
  ProtocolError,
  StoreError,
  TransientError,
} from '../../lib/core/errors.ts';
import { alertsKey, snapshotName, spareAlertsKey } from '../../lib/core/object-keys.ts';
import { encodeState } from '../../lib/core/state.ts';
import { systemClock } from '../../lib/platform/clock.ts';
import { openFileStore } from '../../lib/store/file.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { someTarget } from '../support/stored-run.ts';
import { type Sketch, sealedOf } from './stored-manifests.ts';

const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 10, 24, 6);

function createWorld() {
  let nowMs = startMs;
  const logs: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const store = createMemoryStore({ nowMs: () => nowMs });
  const received: Record<string, string[]> = { webhook: [], smn: [] };
  const timeouts: number[] = [];
  /** What a delivery ends with, and how long it takes. */
  let answer: (name: string, alert: Alert) => ExportError | null = () => null;
  let takesMs = 0;
  const destinationOf = (name: 'webhook' | 'smn'): Destination => ({
    name,
    async send(alert, timeoutMs) {
      timeouts.push(timeoutMs);
      nowMs += Math.min(takesMs, timeoutMs);
      const error = takesMs > timeoutMs ? late : answer(name, alert);
      if (!error) received[name]?.push(`${alert.rule} ${alert.state}`);
      return error;
    },
  });
  const ports: WatchPorts = {
    store,
    log: (level, message, fields = {}) => logs.push({ level, message, fields }),
    rules: {
      ...{ snapshotFailed: true, unprotectedShareAbove: null, nodeGone: false },
      ...{ staleAfterMs: null, driftedInARow: 2, onSnapshot: true },
    },
    destinations: [destinationOf('webhook'), destinationOf('smn')],
    monotonicMs: () => nowMs,
    timeLeftMs: () => Number.POSITIVE_INFINITY,
    configured: new Set(['id']),
  };
  let sealed: string | null = null;
  const target = { ...someTarget, account: 'prod' };
  const scheduled = (changes: Partial<ScheduledTarget> = {}): ScheduledTarget => ({
    ...{ id: 'id', target, sealed, trouble: null, readGone: async () => null },
    ...changes,
  });
  return {
    ...{ store, ports, logs, received, timeouts, scheduled, target },
    async seal(sketch: Partial<Sketch> = {}) {
      nowMs += 6 * hourMs;
      const one = sealedOf({ snapshot: snapshotName(nowMs), verdict: 'complete', ...sketch });
      await store.put(one.manifestKey, one.bytes);
      sealed = one.manifest.snapshot;
    },
    note: (changes: Partial<ScheduledTarget> = {}, more: Partial<WatchPorts> = {}) =>
      noteChanges({ ...ports, ...more }, [scheduled(changes)]),
    deliver: (ignoresRefusals = false, more: Partial<WatchPorts> = {}) =>
      deliverAlerts({ ...ports, ...more }, { ignoresRefusals }),
    answerWith(next: typeof answer, ms = 0) {
      answer = next;
      takesMs = ms;
    },
    pass: (ms: number) => {
      nowMs += ms;
    },
    state: async () => decodeAlertState(await store.get(alertsKey)),
  };
}
const late = new TransientError('TIMEOUT', 'late', 'h');

test('of a target with a history, only the newest snapshot is new; drifted ones before it count', async () => {
  const world = createWorld();
  await world.seal();
  await world.seal({ verdict: 'drifted' });
  await world.seal({ verdict: 'drifted' });
  await world.note();
  await world.deliver();
  expect(world.received.webhook).toEqual(['driftedInARow firing', 'onSnapshot event']);
  const writtenMs = () => world.store.dump().get(alertsKey)?.modifiedMs;
  const beforeMs = writtenMs();
  world.pass(1_000);
  await world.note();
  // Nothing changed, so nothing is written.
  expect(writtenMs()).toBe(beforeMs);
});

test('a target whose project is not known yet fails under the id that it keeps', async () => {
  const world = createWorld();
  const trouble = {
    ...{
      kind: 'failed' as const,
      code: 'X',
      message: 'm',
      hint: 'h',
      since: null,
      heldUntil: null,
    },
  };
  await world.note({ target: { ...world.target, projectId: null }, trouble });
  await world.seal();
  await world.note();
  await world.deliver();
  expect(world.received.webhook).toEqual([
    ...['snapshotFailed firing', 'snapshotFailed resolved', 'onSnapshot event'],
  ]);
});

test('deliveries take at most 10 s in total, and less if less is left; the rest waits and is logged', async () => {
  const world = createWorld();
  for (let count = 0; count < 8; count += 1) {
    await world.seal();
    await world.note();
  }
  const one = { destinations: world.ports.destinations.slice(0, 1) };
  world.answerWith(() => null, 3_000);
  await world.deliver(false, one);
  expect(world.timeouts).toEqual([10_000, 7_000, 4_000, 1_000]);
  expect(world.received.webhook).toHaveLength(3);
  expect(world.logs.at(-1)).toMatchObject({
    level: 'warn',
    fields: { waiting: 5, code: 'TIMEOUT' },
  });
  world.timeouts.length = 0;
  await world.deliver(false, { ...one, timeLeftMs: () => 4_000 });
  expect(world.timeouts).toEqual([2_500]);
  world.timeouts.length = 0;
  await world.deliver(false, { ...one, timeLeftMs: () => 1_000 });
  expect(world.timeouts).toEqual([]);
});

test('one destination that fails does not keep the other one from its alerts', async () => {
  const world = createWorld();
  await world.seal();
  await world.note();
  world.answerWith((name) => (name === 'webhook' ? late : null));
  await world.deliver();
  expect(world.received).toEqual({ webhook: [], smn: ['onSnapshot event'] });
  world.answerWith(() => null);
  await world.deliver();
  expect(world.received).toEqual({ webhook: ['onSnapshot event'], smn: ['onSnapshot event'] });
  expect((await world.state()).queue).toEqual([]);
});

test('an alert that is refused does not keep the next ones back; three refusals end the invocation', async () => {
  const world = createWorld();
  for (let count = 0; count < 6; count += 1) {
    await world.seal();
    await world.note();
  }
  const refused = new ProtocolError('WEBHOOK_REFUSED', 'm', 'h');
  let sent = 0;
  world.answerWith((name) => {
    if (name === 'webhook') sent += 1;
    return name === 'webhook' && sent === 1 ? refused : null;
  });
  await world.deliver();
  expect(world.received.webhook).toHaveLength(5);
  await world.note();
  for (let count = 0; count < 6; count += 1) {
    await world.seal();
    await world.note();
  }
  world.answerWith(() => refused);
  world.timeouts.length = 0;
  await world.deliver(false, { destinations: world.ports.destinations.slice(0, 1) });
  expect(world.timeouts).toHaveLength(3);
});

test('a key that SMN refuses is not used for 15 minutes, because five refusals lock it; an export tries at once', async () => {
  const world = createWorld();
  await world.seal();
  await world.note();
  world.answerWith((name) => (name === 'smn' ? new AuthError('AUTH', 'm', 'h') : null));
  await world.deliver();
  await world.deliver();
  expect(world.timeouts).toHaveLength(2);
  world.answerWith(() => null);
  await world.deliver();
  expect(world.received.smn).toEqual([]);
  world.pass(15 * 60_000);
  await world.deliver();
  expect(world.received.smn).toEqual(['onSnapshot event']);
  await world.seal();
  await world.note();
  world.answerWith(() => new AuthError('AUTH', 'm', 'h'));
  await world.deliver();
  world.answerWith(() => null);
  await world.deliver(true);
  expect(world.received.smn).toHaveLength(2);
});

test('damaged state is started again: alerts that still apply are repeated, with the same id', async () => {
  const world = createWorld();
  const ids: string[] = [];
  world.answerWith((name, { id }) => {
    if (name === 'webhook') ids.push(id);
    return null;
  });
  await world.seal();
  await world.note();
  await world.deliver();
  await world.store.put(alertsKey, Buffer.from('{"half"'));
  // From an earlier time at which a folder was in its place.
  await world.store.put(spareAlertsKey, Buffer.from('{"half"'));
  await world.note();
  await world.deliver();
  expect(await world.store.get(spareAlertsKey)).toBeNull();
  expect(ids).toHaveLength(2);
  expect(new Set(ids).size).toBe(1);
  expect(
    world.logs.some(({ level, message }) => level === 'warn' && /started again/.test(message)),
  ).toBe(true);
});

test('snapshots that were sealed while alerts were off are judged once they are on again, in order', async () => {
  const world = createWorld();
  const about: (string | null)[] = [];
  world.answerWith((name, { rule, snapshot }) => {
    if (name === 'webhook' && rule === 'onSnapshot') about.push(snapshot);
    return null;
  });
  const names: (string | null)[] = [];
  for (let count = 0; count < 4; count += 1) {
    await world.seal();
    names.push(world.scheduled().sealed);
    if (count === 1 || count === 2) continue;
    await world.note();
    await world.deliver();
  }
  expect(about).toEqual(names);
  // Without the state, only the newest one is judged.
  await world.seal();
  await world.store.delete(alertsKey);
  await world.seal();
  await world.note();
  await world.deliver();
  expect(about).toEqual([...names, world.scheduled().sealed]);
});

const emptyState = { targets: {}, queue: [], refused: {} };
const otherShapes = [
  null,
  'text',
  {},
  { ...emptyState, targets: { id: null } },
  { ...emptyState, targets: { id: { snapshot: 'zzzz', drifted: 0, firing: {} } } },
  { ...emptyState, targets: { id: { snapshot: null, drifted: 0 } } },
  { ...emptyState, queue: {} },
  { ...emptyState, queue: [{ alert: { id: 'a' }, to: ['webhook'] }] },
  { ...emptyState, queue: [{ to: 'webhook' }] },
  { ...emptyState, refused: null },
  { ...emptyState, refused: { smn: 'ever' } },
];

test.each(otherShapes)(
  'state of another shape with the right hash is started again: %j',
  async (value) => {
    const world = createWorld();
    await world.seal();
    await world.store.put(alertsKey, encodeState('alerts', 1, value as object));
    await world.note();
    await world.deliver();
    expect(world.received.webhook).toEqual(['onSnapshot event']);
    expect(world.logs.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: expect.stringContaining(alertsKey), fields: { code: 'CORRUPT' } },
    ]);
  },
);

function writeLarge(path: string): void {
  writeFileSync(path, '');
  truncateSync(path, 65 * 2 ** 20);
}

test.each([
  ['a file that is too large', writeLarge],
  ['a folder', (path: string) => mkdirSync(join(path, 'more'), { recursive: true })],
  ['a pipe', (path: string) => execFileSync('mkfifo', [path])],
  ['a link', (path: string) => symlinkSync('/dev/null', path)],
])(
  'with %s in place of the state, alerts are sent once, and one warning names it',
  async (what, put) => {
    const root = mkdtempSync(join(tmpdir(), 'alerts-'));
    const path = join(root, alertsKey);
    mkdirSync(dirname(path));
    put(path);
    const world = createWorld();
    const files = openFileStore({ root, fileMode: 0o600, clock: systemClock });
    const { get, put: write, delete: remove } = files;
    const more = { store: { ...world.store, get: getEither, put: write, delete: remove } };
    async function getEither(key: string) {
      return key.startsWith('_runs/') ? get(key) : world.store.get(key);
    }
    await world.seal();
    for (let count = 0; count < 3; count += 1) {
      await world.note({}, more);
      await world.deliver(false, more);
    }
    expect(world.received.webhook).toEqual(['onSnapshot event']);
    expect(world.logs.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: expect.stringContaining(alertsKey) },
    ]);
    if (what !== 'a folder') return;
    // Once the folder is moved away, the state goes back to its place.
    rmSync(path, { recursive: true });
    await world.seal();
    await world.note({}, more);
    await world.deliver(false, more);
    expect(world.received.webhook).toEqual(['onSnapshot event', 'onSnapshot event']);
    expect(await get(spareAlertsKey)).toBeNull();
    expect(decodeAlertState(await get(alertsKey)).queue).toEqual([]);
  },
);

test('the oldest alerts of a queue that is too long are dropped, and the log says so', async () => {
  const world = createWorld();
  world.answerWith(() => late);
  for (let count = 0; count < 1_003; count += 1) {
    world.pass(1_000);
    const one = sealedOf({ snapshot: snapshotName(startMs + count * 1_000), verdict: 'complete' });
    await world.store.put(one.manifestKey, one.bytes);
  }
  const first = sealedOf({ snapshot: snapshotName(startMs - 1_000), verdict: 'complete' });
  await world.store.put(first.manifestKey, first.bytes);
  await world.note({ sealed: null });
  // The first call starts with the newest; so the state is made to start with the oldest.
  const state = await world.state();
  state.targets.id = { snapshot: first.manifest.snapshot, drifted: 0, firing: {} };
  state.queue = [];
  await world.store.put(alertsKey, encodeAlertState(state));
  for (let count = 0; count < 11; count += 1) {
    await world.note({ sealed: snapshotName(startMs + 1_002_000) });
  }
  expect((await world.state()).queue.length).toBeLessThanOrEqual(1_000);
  const dropped = world.logs.filter(({ fields }) => fields.code === 'ALERTS_DROPPED');
  expect(dropped.length).toBeGreaterThan(0);
  expect(dropped[0]).toMatchObject({ level: 'error', fields: { dropped: expect.any(Number) } });
});

test.each([
  [1, 'The oldest alert was dropped: too many could not be delivered.'],
  [2, 'The 2 oldest alerts were dropped: too many could not be delivered.'],
])('with %i alerts too many, the log says so in words', async (more, message) => {
  const world = createWorld();
  await world.seal();
  await world.note();
  const state = await world.state();
  const [queued] = state.queue;
  if (!queued) throw new Error('no alert is in the queue');
  state.queue = Array.from({ length: 1_000 + more }, (_, index) => {
    return { ...queued, alert: { ...queued.alert, id: String(index) } };
  });
  await world.store.put(alertsKey, encodeAlertState(state));
  await world.note();
  expect(world.logs.at(-1)).toMatchObject({ message, fields: { dropped: more } });
});

test('targets and destinations that left the configuration are forgotten', async () => {
  const world = createWorld();
  await world.seal();
  await world.note();
  const later = { ...world.ports, destinations: [], configured: new Set<string>() };
  await noteChanges(later, []);
  expect(await world.state()).toMatchObject({ targets: {}, queue: [] });
});

test('no failure of alerts is thrown', async () => {
  const world = createWorld();
  await world.seal();
  const broken = async () => {
    throw new StoreError('STORE_FAILED', 'm', 'h');
  };
  await noteChanges({ ...world.ports, store: { ...world.store, get: broken } }, [
    world.scheduled(),
  ]);
  await deliverAlerts(
    { ...world.ports, store: { ...world.store, get: broken } },
    { ignoresRefusals: false },
  );
  expect(world.logs.map(({ level, fields }) => `${level} ${fields.code}`)).toEqual([
    ...['warn STORE_FAILED', 'warn STORE_FAILED'],
  ]);
  expect(await world.store.get(alertsKey)).toBeNull();
});

test('a target that cannot be judged keeps no other one from its alerts, and is judged again', async () => {
  const world = createWorld();
  await world.seal();
  let isBroken = true;
  const readGone = async () => {
    if (isBroken) throw new TypeError('a bug');
    return null;
  };
  const ports = {
    ...{ ...world.ports, rules: { ...world.ports.rules, nodeGone: true } },
    configured: new Set(['id', 'other']),
  };
  const targets = [world.scheduled({ readGone }), world.scheduled({ id: 'other' })];
  await noteChanges(ports, targets);
  expect(Object.keys((await world.state()).targets)).toEqual(['other']);
  expect(world.logs.map(({ fields }) => [fields.code, fields.target])).toEqual([
    ['INTERNAL', 'id'],
  ]);
  isBroken = false;
  await noteChanges(ports, targets);
  await world.deliver();
  expect(world.received.webhook).toEqual(['onSnapshot event', 'onSnapshot event']);
});

test('with little time left, changes wait for the next invocation', async () => {
  const world = createWorld();
  await world.seal();
  await noteChanges({ ...world.ports, timeLeftMs: () => 2_000 }, [world.scheduled()]);
  expect(await world.store.get(alertsKey)).toBeNull();
});
