// Tests when the time of an invocation suffices to seal, and that an attempt stops early only if it clearly does not.

import { describe, expect, test } from 'vitest';
import type { Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { limitedBudget } from '../../lib/quota/budget.ts';
import { type SealPace, startCheckpoint } from '../../lib/reading/checkpoint.ts';
import { checkPace, estimateSealMs, measurePace } from '../../lib/runs/seal-pace.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { scopeOf, someTarget } from '../support/stored-run.ts';
import { createClock } from '../support/virtual-clock.ts';

/** A run of 5,000 pages: 1,000,000 records. */
function createSeal(timeoutMs: number, sealPace: SealPace | null = null, memoryMb?: number) {
  const clock = createClock();
  const endMs = clock.monotonicMs() + timeoutMs;
  const store: Store = createMemoryStore({ nowMs: clock.nowMs });
  const start = startCheckpoint({
    target: someTarget,
    dataset: 'container_nodes',
    schemaVersion: 1,
    snapshot: '20261124T060000Z',
    scope: scopeOf(someTarget),
    startedAtMs: 0,
  });
  const checkpoint = { ...start, sealPace, evidence: { ...start.evidence, pages: 5_000 } };
  const { signal } = new AbortController();
  const timeLeftMs = () => endMs - clock.monotonicMs();
  const budget = limitedBudget({ windowMs: 60_000, timeLeftMs, signal });
  return { clock, checkpoint, ports: { store, clock, dataset: containerNodes, budget, memoryMb } };
}

/** Reads and writes at this speed. Returns how far the attempt came. */
function attempt(
  { clock, checkpoint, ports }: ReturnType<typeof createSeal>,
  speed: { msPerRecord: number; msPerRow: number },
) {
  const measured = measurePace(ports, checkpoint);
  const done = { read: 0, written: 0 };
  try {
    for (; done.read < 1_000_000; ) {
      clock.advance(10_000 * speed.msPerRecord);
      done.read += 10_000;
      measured.note(done);
    }
    for (; done.written < 1_000_000; ) {
      clock.advance(10_000 * speed.msPerRow);
      done.written += 10_000;
      measured.note(done);
    }
  } catch (error) {
    expect(error).toBe(measured.tooSlow());
    expect(error).not.toBeNull();
  }
  return { done, measured, left: ports.budget.timeLeftMs() };
}

test('is estimated with 0.5 ms for each record before anything is measured', () => {
  const { ports, checkpoint } = createSeal(900_000);
  expect(estimateSealMs(ports, checkpoint)).toBe(502_000);
  expect(checkPace(ports, checkpoint)).toBeNull();
});

describe('an attempt', () => {
  test('that has enough time is not stopped, up to its last row', () => {
    const { done, measured } = attempt(createSeal(900_000), { msPerRecord: 0.3, msPerRow: 0.5 });
    expect(done).toEqual({ read: 1_000_000, written: 1_000_000 });
    expect(measured.tooSlow()).toBeNull();
    expect(measured.pace().msPerRecord).toBeCloseTo(0.3);
    expect(measured.pace().msPerRow).toBeCloseTo(0.5);
  });

  test('that could still succeed is not stopped', () => {
    const { done } = attempt(createSeal(900_000), { msPerRecord: 0.5, msPerRow: 0.4 });
    expect(done.written).toBe(1_000_000);
  });

  test('that is clearly too slow stops in its first records, and says what was measured and what to raise', () => {
    const slow = createSeal(900_000, null, 128);
    const { done, measured } = attempt(slow, { msPerRecord: 2, msPerRow: 3 });
    expect(done).toEqual({ read: 20_000, written: 0 });
    const error = measured.tooSlow();
    expect(error).toMatchObject({ code: 'SEAL_TOO_SLOW' });
    expect(error?.message).toBe(
      'Sealing 20261124T060000Z needs about 4000 s, but the invocation has 900 s. Measured with 128 MB: 500 records read per second.',
    );
    expect(error?.hint).toContain('time-out');
    expect(error?.hint).toContain('memory');
    expect(error?.hint).toContain('cgs-export export');
  });

  test('that writes too slowly stops in time to be stored', () => {
    const { done, measured, left } = attempt(createSeal(900_000), {
      msPerRecord: 0.4,
      msPerRow: 3,
    });
    expect(done.read).toBe(1_000_000);
    expect(done.written).toBe(20_000);
    expect(left).toBeGreaterThan(400_000);
    expect(measured.tooSlow()?.message).toContain('2,500 records read and 333 rows written');
  });
});

describe('what the last attempt has measured', () => {
  const pace: SealPace = { msPerRecord: 0.5, msPerRow: 1, memoryMb: 256 };

  test('tells before the next attempt whether the time suffices', () => {
    const short = createSeal(900_000, pace, 256);
    expect(estimateSealMs(short.ports, short.checkpoint)).toBe(1_502_000);
    expect(checkPace(short.ports, short.checkpoint)).toMatchObject({
      code: 'SEAL_TOO_SLOW',
      message: expect.stringContaining('needs about 1502 s, but the invocation has 900 s'),
    });
    const raised = createSeal(1_600_000, pace, 256);
    expect(checkPace(raised.ports, raised.checkpoint)).toBeNull();
  });

  test('does not predict the time for another memory size', () => {
    const { ports, checkpoint } = createSeal(900_000, pace, 512);
    expect(checkPace(ports, checkpoint)).toBeNull();
    expect(estimateSealMs(ports, checkpoint)).toBe(502_000);
  });

  test('assumes that a row takes longer than a record until rows were measured', () => {
    const { ports, checkpoint } = createSeal(900_000, { ...pace, msPerRow: null }, 256);
    expect(estimateSealMs(ports, checkpoint)).toBe(1_502_000);
  });
});
