// Tests the metrics with a strict parser, written from the description of the format, not from the code under test.
// Source: Prometheus, "Exposition formats", text-based format, version 0.0.4, read 2026-11-25.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatPrometheus } from '../../lib/cli/prometheus.ts';
import type { TargetStatus } from '../../lib/runs/target-status.ts';

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Throws for any line that the format does not allow. */
function parseMetrics(text: string): { samples: Sample[]; types: Map<string, string> } {
  if (!text.endsWith('\n')) throw new Error('the last line does not end with a line feed');
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const samples: Sample[] = [];
  const seen = new Set<string>();
  /** Lines of one metric must be together. */
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (?:[^\\]|\\\\|\\n)+$/.exec(line)?.[1];
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$/.exec(line);
    if (help) {
      if (helps.has(help)) throw new Error(`second HELP: ${line}`);
      helps.add(help);
      current = help;
    } else if (type) {
      if (types.has(type[1] ?? '') || type[1] !== current) throw new Error(`wrong TYPE: ${line}`);
      types.set(type[1] ?? '', type[2] ?? '');
    } else {
      const sample = parseSample(line);
      const series = `${sample.name}${JSON.stringify(sample.labels)}`;
      if (sample.name !== current || !types.has(current)) throw new Error(`out of place: ${line}`);
      if (seen.has(series)) throw new Error(`second sample: ${line}`);
      seen.add(series);
      samples.push(sample);
    }
  }
  return { samples, types };
}

function parseSample(line: string): Sample {
  const [, name = '', list = '', number = ''] =
    /^([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line) ?? [];
  const pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/y;
  const labels: Record<string, string> = {};
  while (pair.lastIndex < list.length) {
    const match = pair.exec(list);
    if (!match) throw new Error(`not a sample: ${JSON.stringify(line)}`);
    const value = (match[2] ?? '').replace(/\\(.)/g, (_all, escaped: string) =>
      escaped === 'n' ? '\n' : escaped,
    );
    labels[match[1] ?? ''] = value;
  }
  if (name === '') throw new Error(`not a sample: ${JSON.stringify(line)}`);
  return { name, labels, value: Number(number) };
}

const sealed: TargetStatus = {
  ...{ account: 'prod', table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' },
  open: null,
  last: {
    altered: false,
    ...{ snapshot: '20261124T060000Z', verdict: 'complete', rows: 4_321, ageSeconds: 90 },
    ...{ unprotected: 21, offline: 300 },
    sealedAt: '2026-11-24T06:01:00.000Z',
  },
  latest: '20261124T060000Z',
  ...{
    scheduleSeconds: 86_400,
    due: false,
    heldUntil: null,
    failure: null,
    abandoned: null,
    missedSlots: 3,
    slotMissed: false,
    behindSince: null,
    problems: [],
  },
};
const problem = (kind: TargetStatus['problems'][number]['kind']) => {
  return { kind, code: null, message: 'm', hint: 'h' };
};
const neverSealed: TargetStatus = {
  ...sealed,
  ...{ account: null, projectId: null, last: null, latest: null, missedSlots: 0 },
  heldUntil: '2026-11-24T06:15:00.000Z',
  open: {
    ...{ snapshot: '20261124T060000Z', startedAt: '', lastPageAt: '', phase: 'collecting' },
    ...{ pages: 7, rows: 1, total: 2, sealAttempts: 0, waitsFor: null },
  },
  problems: [problem('never sealed'), problem('held')],
};

/** Value by metric, without the prefix, of the target with this project label. */
function valuesOf(text: string, projectId: string): Record<string, number> {
  const own = parseMetrics(text).samples.filter(({ labels }) => labels.project_id === projectId);
  return Object.fromEntries(own.map(({ name, value }) => [name.replace('cgs_export_', ''), value]));
}

test('a table of another dataset has no samples of unprotected and offline nodes', () => {
  const other = { ...sealed, projectId: 'p2', table: 'container_clusters' };
  const last = sealed.last && { ...sealed.last, unprotected: null, offline: null };
  const text = formatPrometheus([sealed, { ...other, last }]);
  expect(valuesOf(text, 'p1')).toMatchObject({ last_snapshot_unprotected: 21 });
  const names = Object.keys(valuesOf(text, 'p2'));
  expect(names).toContain('last_snapshot_rows');
  expect(names.filter((name) => /unprotected|offline/.test(name))).toEqual([]);
});

test('a sealed target has every metric', () => {
  const text = formatPrometheus([sealed, neverSealed]);
  expect(valuesOf(text, 'p1')).toEqual({
    last_snapshot_timestamp_seconds: Date.UTC(2026, 10, 24, 6) / 1_000,
    last_snapshot_age_seconds: 90,
    last_snapshot_rows: 4_321,
    last_snapshot_unprotected: 21,
    last_snapshot_offline: 300,
    last_snapshot_complete: 1,
    last_snapshot_drifted: 0,
    never_sealed: 0,
    held: 0,
    abandoned: 0,
    unreadable: 0,
    needs_attention: 0,
    missed_slots_total: 3,
    slot_missed: 0,
    open_run_pages: 0,
  });
});

test('a target that was never sealed has no figures of a snapshot, and a drifted one is not complete', () => {
  expect(valuesOf(formatPrometheus([sealed, neverSealed]), '')).toEqual({
    never_sealed: 1,
    held: 1,
    abandoned: 0,
    unreadable: 0,
    needs_attention: 1,
    missed_slots_total: 0,
    slot_missed: 0,
    open_run_pages: 7,
  });
  const last = { ...(sealed.last as NonNullable<TargetStatus['last']>), verdict: 'drifted' };
  const drifted = { ...sealed, last, problems: [problem('drifted')] };
  expect(valuesOf(formatPrometheus([drifted]), 'p1')).toMatchObject({
    last_snapshot_complete: 0,
    last_snapshot_drifted: 1,
    needs_attention: 1,
  });
});

test('missed slots are a counter, everything else is a gauge; each metric has a help text', () => {
  const { types } = parseMetrics(formatPrometheus([sealed]));
  expect([...types].filter(([, type]) => type === 'counter').map(([name]) => name)).toEqual([
    'cgs_export_missed_slots_total',
  ]);
  expect(types.size).toBe(15);
});

test('the text is valid without targets', () => {
  expect(parseMetrics(formatPrometheus([])).samples).toEqual([]);
});

test('any text in a label is one valid line, with control characters escaped', () => {
  const text = fc.string({ unit: 'binary', minLength: 1 });
  fc.assert(
    fc.property(text, (account) => {
      const { samples } = parseMetrics(formatPrometheus([{ ...sealed, account }]));
      const label = samples[0]?.labels.account ?? '';
      expect(label).not.toMatch(/\p{Cc}/u);
      if (!/[\p{Cc}\p{Zl}\p{Zp}]/u.test(account)) expect(label).toBe(account);
    }),
  );
  const odd = parseMetrics(formatPrometheus([{ ...sealed, account: 'a"b\\c\nd\u001b' }]));
  expect(odd.samples[0]?.labels.account).toBe('a"b\\c\\u000ad\\u001b');
});
