// Responsible for what the manifests of a period say about the quality of its data. Pure.

import type { Manifest } from '../snapshots/manifest.ts';
import type { QualityFigures } from './figures.ts';

export interface QualityCount {
  add(manifest: Manifest): void;
  figures(): QualityFigures;
}

export function openQuality(): QualityCount {
  const sums = { snapshots: 0, rejects: 0, repeats: 0, requests: 0, retries: 0, throttled: 0 };
  const values = new Map<string, Map<string, number>>();
  const fields = new Set<string>();
  const mistyped = new Map<string, number>();
  return {
    add({ rejects, evidence, unknownValues, unknownFields, mistyped: wrong }) {
      sums.snapshots += 1;
      sums.rejects += rejects;
      for (const name of ['repeats', 'requests', 'retries', 'throttled'] as const) {
        sums[name] += evidence[name];
      }
      for (const [column, counts] of Object.entries(unknownValues)) {
        const known = values.get(column) ?? new Map<string, number>();
        values.set(column, known);
        for (const [value, count] of Object.entries(counts)) addTo(known, value, count);
      }
      for (const field of unknownFields) fields.add(field);
      for (const [column, count] of Object.entries(wrong)) addTo(mistyped, column, count);
    },
    figures: () => ({
      snapshots: sums.snapshots,
      rejects: sums.rejects,
      repeats: sums.repeats,
      unknownValues: toRecord(values, toCounts),
      unknownFields: [...fields].sort(),
      mistyped: toCounts(mistyped),
      requests: sums.requests,
      retries: sums.retries,
      throttled: sums.throttled,
    }),
  };
}

function addTo(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

/** The highest count first. */
function toCounts(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

function toRecord<T, U>(entries: ReadonlyMap<string, T>, of: (value: T) => U): Record<string, U> {
  return Object.fromEntries([...entries].map(([name, value]) => [name, of(value)]));
}
