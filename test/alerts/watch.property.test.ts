// Tests the promise of alerts: whatever is sealed, fails, is killed or is not delivered, each change of state arrives at least
// once, in order, and no id belongs to two changes.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Alert } from '../../lib/alerts/alert.ts';
import type { Trouble } from '../../lib/alerts/due-alerts.ts';
import { deliverAlerts, noteChanges, type WatchPorts } from '../../lib/alerts/watch.ts';
import type { AlertRules } from '../../lib/core/alert-rules.ts';
import { TransientError } from '../../lib/core/errors.ts';
import { snapshotName } from '../../lib/core/object-keys.ts';
import { countCases } from '../support/cases.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { someTarget } from '../support/stored-run.ts';
import { sealedOf } from './stored-manifests.ts';

const hourMs = 3_600_000;
const rules: AlertRules = {
  ...{ snapshotFailed: true, unprotectedShareAbove: 0.1, nodeGone: false },
  ...{ staleAfterMs: 10 * hourMs, driftedInARow: 2, onSnapshot: true },
};

type Outcome = 'protected' | 'unprotected' | 'drifted' | 'fails' | 'nothing';
interface Step {
  outcome: Outcome;
  /** Since the invocation before. */
  hours: number;
  /** The process is killed after this call of the store; -1: before the first one. Null: it is not killed. */
  killedAt: number | null;
  /** The receiver fails at this delivery of the invocation; it has got the alert all the same if `isLost`. */
  failsAt: number | null;
  isLost: boolean;
}

const step = fc.record({
  outcome: fc.constantFrom<Outcome>('protected', 'unprotected', 'drifted', 'fails', 'nothing'),
  hours: fc.integer({ min: 1, max: 8 }),
  killedAt: fc.option(fc.integer({ min: -1, max: 12 })),
  failsAt: fc.option(fc.integer({ min: 0, max: 3 })),
  isLost: fc.boolean(),
});

/** What must arrive, from what really happened. Written without the rules. */
function createModel() {
  const expected: string[] = [];
  const open = { failed: false, stale: false, unprotected: false, drifted: false };
  let newestMs: number | null = null;
  let drifted = 0;
  const set = (name: keyof typeof open, rule: string, value: boolean) => {
    if (open[name] === value) return;
    open[name] = value;
    expected.push(`${rule} ${value ? 'firing' : 'resolved'}`);
  };
  return {
    expected,
    fails: () => set('failed', 'snapshotFailed', true),
    looks: (nowMs: number) => {
      if (newestMs !== null && nowMs - newestMs > 10 * hourMs) set('stale', 'staleAfter', true);
    },
    seals(outcome: Outcome, nameMs: number) {
      newestMs = nameMs;
      set('failed', 'snapshotFailed', false);
      set('stale', 'staleAfter', false);
      drifted = outcome === 'drifted' ? drifted + 1 : 0;
      set('drifted', 'driftedInARow', drifted === 0 ? false : open.drifted || drifted >= 2);
      if (outcome !== 'drifted')
        set('unprotected', 'unprotectedShareAbove', outcome === 'unprotected');
      expected.push(`onSnapshot event ${snapshotName(nameMs)}`);
    },
  };
}

function createWorld() {
  let nowMs = Date.UTC(2026, 10, 24, 6);
  let calls = 0;
  let killedAt: number | null = null;
  const store = createMemoryStore({
    nowMs: () => nowMs,
    onCall({ phase }) {
      if (phase === 'before') calls += 1;
      if (killedAt === null) return;
      // The last call still has its effect, but the process that made it is gone.
      if (calls > killedAt + 1 || (calls === killedAt + 1 && phase === 'after')) {
        throw new Error('killed');
      }
    },
  });
  const received: Alert[] = [];
  let sealed: string | null = null;
  let trouble: Trouble | null = null;
  const isAlive = () => killedAt === null || calls <= killedAt;

  async function seal(outcome: Outcome): Promise<void> {
    const {
      manifestKey: key,
      manifest,
      bytes,
    } = sealedOf({
      snapshot: snapshotName(nowMs),
      verdict: outcome === 'drifted' ? 'drifted' : 'complete',
      opened: outcome === 'unprotected' ? 50 : 100,
    });
    const kept = killedAt;
    killedAt = null;
    await store.put(key, bytes);
    killedAt = kept;
    sealed = manifest.snapshot;
    trouble = null;
  }

  return {
    received,
    /** Calls `happened` with what really happened. */
    async invoke(given: Step, model: ReturnType<typeof createModel>): Promise<void> {
      nowMs += given.hours * hourMs;
      calls = 0;
      killedAt = given.killedAt;
      let deliveries = 0;
      const ports: WatchPorts = {
        ...{ store, rules, log: () => {}, configured: new Set(['id']) },
        ...{ monotonicMs: () => nowMs, timeLeftMs: () => Number.POSITIVE_INFINITY },
        destinations: [
          {
            name: 'webhook',
            async send(alert) {
              const fails = deliveries === given.failsAt;
              deliveries += 1;
              if (!fails || given.isLost) received.push(structuredClone(alert));
              return fails ? new TransientError('WEBHOOK_FAILED', 'm', 'h') : null;
            },
          },
        ],
      };
      const target = { ...someTarget, account: 'prod' };
      const note = () =>
        noteChanges(ports, [{ id: 'id', target, sealed, trouble, readGone: async () => null }]);
      const before = isAlive();
      await note();
      if (!before || !isAlive()) return;
      model.looks(nowMs);
      if (given.outcome === 'fails') {
        trouble ??= {
          ...{ kind: 'failed', code: 'X', message: 'm', hint: 'h', since: null, heldUntil: null },
        };
        model.fails();
      } else if (given.outcome !== 'nothing') {
        await seal(given.outcome);
        model.seals(given.outcome, nowMs);
      }
      await note();
      if (isAlive()) await deliverAlerts(ports, { ignoresRefusals: false });
    },
  };
}

const clean: Step = { outcome: 'nothing', hours: 0, killedAt: null, failsAt: null, isLost: false };

test('each change of state arrives at least once, in order, under one id', async () => {
  let repeated = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const world = createWorld();
      const model = createModel();
      await world.invoke(clean, model);
      for (const one of steps) await world.invoke(one, model);
      await world.invoke(clean, model);
      const byId = new Map<string, Alert>();
      for (const alert of world.received) {
        const first = byId.get(alert.id);
        // The same id always says the same.
        if (first) expect(alert).toEqual(first);
        else byId.set(alert.id, alert);
      }
      repeated += world.received.length - byId.size;
      const texts = [...byId.values()].map(({ rule, state, snapshot }) =>
        rule === 'onSnapshot' ? `${rule} ${state} ${snapshot}` : `${rule} ${state}`,
      );
      expect(texts).toEqual(model.expected);
    }),
    { numRuns: countCases(600) },
  );
  expect(repeated).toBeGreaterThan(0);
});
