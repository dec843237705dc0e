// Tests which snapshots retention keeps: by examples, and on seeded histories against a second, simple implementation.

import { describe, expect, test } from 'vitest';
import { snapshotName } from '../../lib/core/object-keys.ts';
import {
  type Candidate,
  describeRules,
  type RetentionRules,
  retain,
} from '../../lib/retention/retention.ts';
import { countCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';

const dayMs = 24 * 3_600_000;
const none: RetentionRules = { all: null, daily: null, weekly: null, monthly: null };
const at = (iso: string) => Date.parse(iso);
const complete = (...isos: string[]): Candidate[] =>
  isos.map((iso) => ({ snapshot: snapshotName(at(iso)), verdict: 'complete' }));

/** The rule that keeps each snapshot, oldest first. */
function rulesOf(candidates: readonly Candidate[], rules: Partial<RetentionRules>, now: string) {
  return [...retain(candidates, { ...none, ...rules }, at(now)).rules.values()];
}

describe('keeps', () => {
  test('with all: 0s only the newest complete snapshot and everything after it', () => {
    const all = complete(
      '2026-11-20T00:00:00Z',
      '2026-11-21T00:00:00Z',
      '2026-11-22T00:00:00Z',
      '2026-11-23T00:00:00Z',
    );
    (all[3] as Candidate).verdict = 'drifted';
    const now = '2026-11-30T00:00:00Z';
    expect(rulesOf(all, { all: 0 }, now)).toEqual([null, null, 'newest', 'newest']);
  });

  test('with a week from Monday to Sunday its first complete snapshot', () => {
    // 2026-11-16 and 2026-11-23 are Mondays.
    const sunday = complete('2026-11-15T23:59:59Z');
    const week = complete('2026-11-16T00:00:00Z', '2026-11-22T23:59:59Z');
    const next = complete('2026-11-23T00:00:00Z', '2026-11-30T00:00:00Z');
    const rules = rulesOf(
      [...sunday, ...week, ...next],
      { weekly: 365 * dayMs },
      '2026-12-01T00:00:00Z',
    );
    expect(rules).toEqual(['weekly', 'weekly', null, 'weekly', 'newest']);
  });

  test('a week that begins in the year before as one week', () => {
    // 2027-01-01 is a Friday of the week that begins on 2026-12-28.
    const week = complete('2026-12-28T06:00:00Z', '2027-01-01T06:00:00Z', '2027-01-03T06:00:00Z');
    const all = [...week, ...complete('2027-02-01T00:00:00Z')];
    const rules = rulesOf(all, { weekly: 365 * dayMs }, '2027-02-01T00:00:00Z');
    expect(rules).toEqual(['weekly', null, null, 'newest']);
  });

  test('the first complete snapshot of a day and of a month, up to exactly the age', () => {
    const all = complete('2026-10-31T12:00:00Z', '2026-11-01T00:00:00Z', '2026-11-20T00:00:00Z');
    const now = '2026-11-30T00:00:00Z';
    expect(rulesOf(all, { daily: 29 * dayMs }, now)).toEqual([null, 'daily', 'newest']);
    expect(rulesOf(all, { daily: 29 * dayMs - 1 }, now)).toEqual([null, null, 'newest']);
    expect(rulesOf(all, { monthly: 365 * dayMs }, now)).toEqual(['monthly', 'monthly', 'newest']);
  });

  test('a drifted snapshot only by all; it takes no place of a complete one', () => {
    const all = complete('2026-11-01T00:00:00Z', '2026-11-01T06:00:00Z', '2026-11-20T00:00:00Z');
    (all[0] as Candidate).verdict = 'drifted';
    const now = '2026-11-21T00:00:00Z';
    const year = 365 * dayMs;
    const periods = { daily: year, weekly: year, monthly: year };
    expect(rulesOf(all, periods, now)).toEqual([null, 'daily', 'newest']);
    expect(rulesOf(all, { all: 20 * dayMs }, now)).toEqual(['all', 'all', 'newest']);
  });

  test('the newest snapshot of a target that has no complete one', () => {
    const all = complete('2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z');
    for (const one of all) one.verdict = 'drifted';
    expect(rulesOf(all, { all: 0 }, '2026-11-21T00:00:00Z')).toEqual([null, 'newest']);
    expect(retain([], none, 0)).toEqual({ rules: new Map(), keptFrom: null });
  });

  test('what is named after tomorrow, which is never the newest complete one', () => {
    const all = complete('2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', '2030-01-01T00:00:00Z');
    expect(rulesOf(all, { all: 0 }, '2026-11-21T00:00:00Z')).toEqual([null, 'newest', 'newest']);
  });

  test('the snapshot that _latest names, and everything after it', () => {
    const all = complete('2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', '2026-11-03T00:00:00Z');
    const latest = all[1]?.snapshot;
    const { keptFrom } = retain(all, { ...none, all: 0 }, at('2026-11-21T00:00:00Z'), latest);
    expect(keptFrom).toBe(latest);
  });
});

test('describes the rules as they are written', () => {
  expect(
    describeRules({ all: 30 * dayMs, daily: 36 * 3_600_000, weekly: null, monthly: 2555 * dayMs }),
  ).toBe('all: 30d, daily: 36h, monthly: 7y');
  expect(describeRules({ ...none, all: 0 })).toBe('all: 0s');
});

/** Which of `all` are kept. Follows the wording of docs/operations.md, one snapshot after the other. */
function keepsSimply(all: readonly Candidate[], rules: RetentionRules, nowMs: number): Set<string> {
  const timeOf = ({ snapshot: s }: Candidate) =>
    Date.UTC(+s.slice(0, 4), +s.slice(4, 6) - 1, +s.slice(6, 8), +s.slice(9, 11), +s.slice(11, 13));
  const mondayOf = (one: Candidate) => {
    const day = new Date(timeOf(one));
    while (day.getUTCDay() !== 1) day.setUTCDate(day.getUTCDate() - 1);
    return day.toISOString().slice(0, 10);
  };
  const periods = {
    daily: (one: Candidate) => one.snapshot.slice(0, 8),
    weekly: mondayOf,
    monthly: (one: Candidate) => one.snapshot.slice(0, 6),
  };
  const kept = new Set<string>();
  const sealedBefore = (one: Candidate) => all.filter((other) => other.snapshot < one.snapshot);
  for (const one of all) {
    const ageMs = nowMs - timeOf(one);
    const isLaterComplete = (other: Candidate) =>
      other.snapshot > one.snapshot && other.verdict === 'complete';
    const isOutdated = all.some(isLaterComplete);
    const hasComplete = all.some(({ verdict }) => verdict === 'complete');
    if (hasComplete ? !isOutdated : one === all.at(-1)) kept.add(one.snapshot);
    if (rules.all !== null && ageMs <= rules.all) kept.add(one.snapshot);
    if (one.verdict === 'drifted') continue;
    for (const rule of ['daily', 'weekly', 'monthly'] as const) {
      const limitMs = rules[rule];
      if (limitMs === null || ageMs > limitMs) continue;
      const isSame = (other: Candidate) =>
        other.verdict === 'complete' && periods[rule](other) === periods[rule](one);
      if (!sealedBefore(one).some(isSame)) kept.add(one.snapshot);
    }
  }
  return kept;
}

const seeds = countCases(300);

test(`keeps what the simple implementation keeps, never brings back a snapshot, and is idempotent: ${seeds} seeds`, () => {
  let pruned = 0;
  const rulesSeen = new Set<string | null>();
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    const where = `seed ${seed}`;
    const limit = (days: number) => (random() < 0.3 ? null : Math.floor(random() * days) * dayMs);
    const rules = { all: limit(10), daily: limit(40), weekly: limit(120), monthly: limit(500) };
    const stepMs = [6, 24, 50][seed % 3] as number;
    let timeMs = Date.UTC(2025, 11, 20) + Math.floor(random() * 400) * 3_600_000;
    const history: Candidate[] = [];
    const gone = new Set<string>();
    for (let round = 0; round < 12; round += 1) {
      for (let count = Math.floor(random() * 8); count >= 0; count -= 1) {
        timeMs += Math.ceil(random() * 3) * stepMs * 3_600_000;
        const verdict = random() < 0.25 ? 'drifted' : 'complete';
        history.push({ snapshot: snapshotName(timeMs), verdict });
      }
      const nowMs = timeMs + Math.floor(random() * 5 * dayMs);
      const candidates = history.filter(({ snapshot }) => !gone.has(snapshot));
      const found = retain(candidates, rules, nowMs).rules;
      const kept = candidates.filter(({ snapshot }) => found.get(snapshot));
      const names = new Set(kept.map(({ snapshot }) => snapshot));
      expect(names, where).toEqual(keepsSimply(candidates, rules, nowMs));
      for (const rule of found.values()) rulesSeen.add(rule);
      // What was kept is kept by the same rules again.
      expect([...retain(kept, rules, nowMs).rules.values()], where).not.toContain(null);
      // One more snapshot never keeps what was not kept without it.
      const more: Candidate = { snapshot: snapshotName(nowMs), verdict: 'complete' };
      const later = retain([...candidates, more], rules, nowMs).rules;
      const returned = candidates.filter(
        ({ snapshot }) => !names.has(snapshot) && later.get(snapshot),
      );
      if (candidates.at(-1)?.snapshot !== more.snapshot) expect(returned, where).toEqual([]);
      for (const { snapshot } of candidates) if (!names.has(snapshot)) gone.add(snapshot);
      const newest = history.findLast(({ verdict }) => verdict === 'complete');
      if (newest) expect(gone.has(newest.snapshot), where).toBe(false);
    }
    pruned += gone.size;
  }
  expect(pruned).toBeGreaterThan(10 * seeds);
  expect(rulesSeen).toEqual(new Set(['newest', 'all', 'daily', 'weekly', 'monthly', null]));
});
