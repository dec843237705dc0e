// Responsible for the status of targets as metrics in the text format of Prometheus.
// Source: Prometheus, "Exposition formats", text-based format, version 0.0.4, read 2026-11-25.

import { snapshotTimeMs } from '../core/object-keys.ts';
import type { TargetStatus } from '../runs/target-status.ts';
import { escapeControls } from './format.ts';

interface Metric {
  name: string;
  type: 'gauge' | 'counter';
  help: string;
  /** Null: the target has no value, so it has no line. */
  sample(target: TargetStatus): number | null;
}

const hasProblem = (kind: TargetStatus['problems'][number]['kind']) => (target: TargetStatus) =>
  Number(target.problems.some((problem) => problem.kind === kind));

const metrics: readonly Metric[] = [
  {
    name: 'last_snapshot_timestamp_seconds',
    type: 'gauge',
    help: 'The time in the name of the newest snapshot: the start of its slot, or of a manual run.',
    sample: ({ last }) => last && (snapshotTimeMs(last.snapshot) ?? 0) / 1_000,
  },
  {
    name: 'last_snapshot_age_seconds',
    type: 'gauge',
    help: 'Seconds since the time in the name of the newest snapshot.',
    sample: ({ last }) => last?.ageSeconds ?? null,
  },
  {
    name: 'last_snapshot_rows',
    type: 'gauge',
    help: 'Rows of the newest snapshot.',
    sample: ({ last }) => last?.rows ?? null,
  },
  {
    name: 'last_snapshot_unprotected',
    type: 'gauge',
    help: 'Nodes of the newest snapshot whose protect_status is not opened, null included.',
    sample: ({ last }) => last?.unprotected ?? null,
  },
  {
    name: 'last_snapshot_offline',
    type: 'gauge',
    help: 'Nodes of the newest snapshot whose agent_status is offline.',
    sample: ({ last }) => last?.offline ?? null,
  },
  {
    name: 'last_snapshot_complete',
    type: 'gauge',
    help: '1 if the verdict of the newest snapshot is complete.',
    sample: ({ last }) => last && Number(last.verdict === 'complete'),
  },
  {
    name: 'last_snapshot_drifted',
    type: 'gauge',
    help: '1 if the verdict of the newest snapshot is drifted.',
    sample: ({ last }) => last && Number(last.verdict === 'drifted'),
  },
  {
    name: 'never_sealed',
    type: 'gauge',
    help: '1 if the target has no snapshot.',
    sample: hasProblem('never sealed'),
  },
  {
    name: 'held',
    type: 'gauge',
    help: '1 if timers do not try the target for some time, because it or its key failed.',
    sample: ({ heldUntil }) => Number(heldUntil !== null),
  },
  {
    name: 'abandoned',
    type: 'gauge',
    help: '1 if a run was given up since the newest snapshot.',
    sample: hasProblem('abandoned'),
  },
  {
    name: 'unreadable',
    type: 'gauge',
    help: '1 if an object of the target is missing, damaged or may not be read.',
    sample: hasProblem('unreadable'),
  },
  {
    name: 'needs_attention',
    type: 'gauge',
    help: '1 if `status --check` finds something in the target.',
    sample: ({ problems }) => Number(problems.length > 0),
  },
  {
    name: 'missed_slots_total',
    type: 'counter',
    help: 'Slots that passed without a snapshot since a timer first looked at the target.',
    sample: ({ missedSlots }) => missedSlots,
  },
  {
    name: 'slot_missed',
    type: 'gauge',
    help: '1 if a slot has passed without a snapshot, and the target was not sealed since.',
    sample: ({ slotMissed }) => Number(slotMissed),
  },
  {
    name: 'open_run_pages',
    type: 'gauge',
    help: 'Pages that the open run has stored; 0 without an open run.',
    sample: ({ open }) => open?.pages ?? 0,
  },
];

/** One family of lines for each metric. */
export function formatPrometheus(targets: readonly TargetStatus[]): string {
  const blocks = metrics.map(({ name, type, help, sample }) => {
    const full = `cgs_export_${name}`;
    const samples = targets.flatMap((target) => {
      const value = sample(target);
      return value === null ? [] : [`${full}${formatLabels(target)} ${value}\n`];
    });
    return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${samples.join('')}`;
  });
  return blocks.join('');
}

/** A name that is not known is an empty label. */
function formatLabels({ account, table, region, projectId }: TargetStatus): string {
  const labels = { account, table, region, project_id: projectId };
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = escapeControls(value ?? '')
      .replaceAll('\\', '\\\\')
      .replaceAll('"', '\\"');
    return `${name}="${escaped}"`;
  });
  return `{${pairs.join(',')}}`;
}
