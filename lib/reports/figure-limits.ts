// Responsible for the size of `report.json`, and so of the page: lists are cut, and what is left out is counted. Pure.

import { targetId } from '../core/object-keys.ts';
import type { LeftOut, QualityFigures, ReportFigures, TargetFigures } from './figures.ts';

/** Bytes of `report.json`. The page has them, its program and the first rows as tables, in at most 1,048,576 bytes. */
export const figuresBytesMax = 600_000;

/** Bytes of each list if all together are too long. The days of the targets get what is left. */
const limits = {
  targets: 150_000,
  /** Of one target. */
  gaps: 4_000,
  days: 80_000,
  nodes: 75_000,
  changes: 75_000,
  findings: 20_000,
  notReached: 8_000,
  /** Of the columns with unknown values, the values of one of them, the fields, the mistyped columns. */
  unknownValues: 10_000,
  quality: 4_000,
};
/** Longer texts are cut: nothing limits the names of columns and values that a service sends. */
const textCharactersMax = 200;

/** The figures, at most `figuresBytesMax` long as JSON. `leftOut` is there only if a list was cut that has no total of its own. */
export function limitFigures(figures: ReportFigures): ReportFigures {
  return bytesOf(figures) <= figuresBytesMax ? figures : cutLists(figures);
}

function cutLists(figures: ReportFigures): ReportFigures {
  const { integrity, nodes, changes } = figures;
  const ranked = figures.targets
    .map((target): TargetFigures => {
      return { ...target, gaps: takeLast(target.gaps, limits.gaps), days: [] };
    })
    .sort((a, b) => troublesOf(b) - troublesOf(a));
  const kept = new Set(take(ranked, limits.targets).map(targetId));
  const limited: ReportFigures = {
    ...figures,
    targets: ranked.filter((target) => kept.has(targetId(target))),
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
    gaps: sumGaps(figures) - sumGaps(limited),
    days: figures.days.length - limited.days.length,
    calendars: limited.targets.length,
    notReached: integrity.notReached.length - limited.integrity.notReached.length,
    quality: countQuality(figures.quality) - countQuality(limited.quality),
  };
  const calendars = takeCalendars(
    figures,
    limited,
    figuresBytesMax - bytesOf({ ...limited, leftOut }),
  );
  leftOut.calendars -= calendars.size;
  const isCut = Object.values(leftOut).some((count) => count > 0);
  const targets = figures.targets.flatMap((target) => {
    const one = limited.targets.find((other) => targetId(other) === targetId(target));
    return one ? { ...one, days: calendars.has(targetId(one)) ? target.days : [] } : [];
  });
  return { ...limited, targets, ...(isCut ? { leftOut } : {}) };
}

/** The targets that keep their days, by id: in the order of `limited`, as far as the bytes suffice. */
function takeCalendars(all: ReportFigures, limited: ReportFigures, bytesMax: number): Set<string> {
  const days = new Map(all.targets.map((target) => [targetId(target), target.days]));
  const taken = new Set<string>();
  let left = bytesMax;
  for (const id of limited.targets.map(targetId)) {
    const bytes = bytesOf(days.get(id));
    if (bytes > left) continue;
    left -= bytes;
    taken.add(id);
  }
  return taken;
}

/** Targets with missed slots and drifted snapshots come first: what is left out of the others says less. */
function troublesOf({ snapshots: { missed, drifted } }: TargetFigures): number {
  return missed + drifted;
}

function sumGaps({ targets }: ReportFigures): number {
  return targets.reduce((sum, { gaps }) => sum + gaps.length, 0);
}

function limitQuality(quality: QualityFigures): QualityFigures {
  const { unknownValues, unknownFields, mistyped } = quality;
  const columns = Object.entries(unknownValues).map(
    ([column, counts]) => [column, limitCounts(counts)] as const,
  );
  return {
    ...quality,
    unknownValues: Object.fromEntries(take(columns, limits.unknownValues)),
    unknownFields: take(unknownFields.map(cutText), limits.quality),
    mistyped: limitCounts(mistyped),
  };
}

function limitCounts(counts: Record<string, number>): Record<string, number> {
  const entries = Object.entries(counts).map(([name, count]) => [cutText(name), count] as const);
  return Object.fromEntries(take(entries, limits.quality));
}

function countQuality({ unknownValues, unknownFields, mistyped }: QualityFigures): number {
  const values = Object.values(unknownValues).flatMap((counts) => Object.keys(counts));
  return values.length + unknownFields.length + Object.keys(mistyped).length;
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
