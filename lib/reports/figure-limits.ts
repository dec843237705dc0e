// Responsible for the size of `report.json`, and so of the page: lists are cut, and what is left out is counted. Pure.

import type { LeftOut, QualityFigures, ReportFigures, TargetFigures } from './figures.ts';

/** Bytes of `report.json`. The page has them, its program and the first rows as tables, in at most 1,048,576 bytes. */
export const figuresBytesMax = 600_000;

/** Bytes of each list if all together are too long. The days of the targets get what is left. */
const limits = {
  targets: 120_000,
  /** Of one target. */
  gaps: 4_000,
  days: 80_000,
  nodes: 120_000,
  changes: 120_000,
  findings: 30_000,
  notReached: 15_000,
  /** Of the values or fields of one kind. */
  quality: 8_000,
};
/** Longer texts are cut: nothing limits the names of columns and values that a service sends. */
const textCharactersMax = 200;

/** The figures, at most `figuresBytesMax` long as JSON. `leftOut` is there only if a list was cut that has no total of its own. */
export function limitFigures(figures: ReportFigures): ReportFigures {
  return bytesOf(figures) <= figuresBytesMax ? figures : cutLists(figures);
}

function cutLists(figures: ReportFigures): ReportFigures {
  const { integrity, nodes, changes } = figures;
  const targets = figures.targets.map((target) => ({
    ...target,
    gaps: takeLast(target.gaps, limits.gaps),
    days: [] as TargetFigures['days'],
  }));
  const limited: ReportFigures = {
    ...figures,
    targets: take(targets, limits.targets),
    days: takeLast(figures.days, limits.days),
    nodes: { ...nodes, shown: take(nodes.shown, limits.nodes) },
    changes: { ...changes, shown: take(changes.shown, limits.changes) },
    quality: limitQuality(figures.quality),
    integrity: {
      ...integrity,
      notReached: take(integrity.notReached, limits.notReached),
      faults: limitFindings(integrity.faults),
      unchecked: limitFindings(integrity.unchecked),
    },
  };
  const leftOut: LeftOut = {
    targets: figures.targets.length - limited.targets.length,
    gaps:
      sum(figures.targets, ({ gaps }) => gaps.length) -
      sum(limited.targets, ({ gaps }) => gaps.length),
    days: figures.days.length - limited.days.length,
    calendars: 0,
    notReached: integrity.notReached.length - limited.integrity.notReached.length,
    quality: countQuality(figures.quality) - countQuality(limited.quality),
  };
  const withDays = addCalendars(limited, figures.targets, {
    ...leftOut,
    calendars: figures.targets.length,
  });
  leftOut.calendars = sum(withDays, ({ days }) => Number(days.length === 0));
  const isCut = Object.values(leftOut).some((count) => count > 0);
  return { ...limited, targets: withDays, ...(isCut ? { leftOut } : {}) };
}

/** Targets with missed slots and drifted snapshots first: the calendar of the others says less. */
function addCalendars(
  limited: ReportFigures,
  all: readonly TargetFigures[],
  leftOut: LeftOut,
): TargetFigures[] {
  let left = figuresBytesMax - bytesOf({ ...limited, leftOut });
  const targets = [...limited.targets];
  const troubles = ({ snapshots: { missed, drifted } }: TargetFigures) => missed + drifted;
  const order = [...targets.keys()].sort(
    (a, b) => troubles(all[b] as TargetFigures) - troubles(all[a] as TargetFigures),
  );
  for (const index of order) {
    const { days } = all[index] as TargetFigures;
    const bytes = bytesOf(days);
    if (bytes > left) continue;
    left -= bytes;
    targets[index] = { ...(targets[index] as TargetFigures), days };
  }
  return targets;
}

function limitQuality(quality: QualityFigures): QualityFigures {
  const { unknownValues, unknownFields, mistyped } = quality;
  const columns = Object.entries(unknownValues).map(
    ([column, counts]) => [column, limitCounts(counts)] as const,
  );
  return {
    ...quality,
    unknownValues: Object.fromEntries(take(columns, 4 * limits.quality)),
    unknownFields: take(unknownFields.map(cutText), limits.quality),
    mistyped: limitCounts(mistyped),
  };
}

function limitCounts(counts: Record<string, number>): Record<string, number> {
  const entries = Object.entries(counts).map(([name, count]) => [cutText(name), count] as const);
  return Object.fromEntries(take(entries, limits.quality));
}

function countQuality({ unknownValues, unknownFields, mistyped }: QualityFigures): number {
  const values = sum(Object.values(unknownValues), (counts) => Object.keys(counts).length);
  return values + unknownFields.length + Object.keys(mistyped).length;
}

type Findings = ReportFigures['integrity']['faults'];

function limitFindings({ total, shown }: Findings): Findings {
  return { total, shown: take(shown, limits.findings) };
}

function cutText(text: string): string {
  const characters = [...text];
  if (characters.length <= textCharactersMax) return text;
  return `${characters.slice(0, textCharactersMax - 1).join('')}…`;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** The first items that have at most so many bytes together. */
function take<T>(items: readonly T[], bytesMax: number): T[] {
  let bytes = 0;
  const end = items.findIndex((item) => {
    bytes += bytesOf(item);
    return bytes > bytesMax;
  });
  return end === -1 ? [...items] : items.slice(0, end);
}

function takeLast<T>(items: readonly T[], bytesMax: number): T[] {
  return take([...items].reverse(), bytesMax).reverse();
}

/** As JSON, with the comma after it. */
function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value)) + 1;
}
