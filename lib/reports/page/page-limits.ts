// Responsible for how much of the figures is in the page, so that it stays below its size: levels, each with less than the one
// before. Pure. Usually everything is in it; names full of `<`, which are longer in HTML, or hundreds of targets need a lower level.

import type { LeftOut, ReportFigures, TargetFigures } from '../figures.ts';

interface Level {
  /** Figures by day of each target. */
  dayTables: boolean;
  calendars: number;
  /** Rows of each list without sorting: targets, days that are not proven, missed slots, unknown values, faults. */
  listed: number;
  /** Null: the embedded figures are those of `report.json`. Otherwise rows of the lists of nodes and of changes, and days. */
  embedded: { rows: number; days: number } | null;
}

/** The last one has a few 100 kB at most, whatever the figures are. */
export const levels: readonly Level[] = [
  { dayTables: true, calendars: 1_000, listed: 1_000, embedded: null },
  { dayTables: false, calendars: 200, listed: 300, embedded: null },
  { dayTables: false, calendars: 20, listed: 100, embedded: null },
  { dayTables: false, calendars: 10, listed: 50, embedded: { rows: 100, days: 400 } },
  { dayTables: false, calendars: 3, listed: 12, embedded: { rows: 10, days: 100 } },
];

export interface PageFigures {
  /** What the page shows. */
  figures: ReportFigures;
  /** What the page embeds as data. */
  embedded: ReportFigures;
  level: Level;
  left: LeftOut;
}

const nothingLeft: LeftOut = {
  targets: 0,
  gaps: 0,
  days: 0,
  calendars: 0,
  notReached: 0,
  quality: 0,
};

export function limitPage(figures: ReportFigures, level: Level): PageFigures {
  const { embedded, listed } = level;
  const left = { ...nothingLeft, ...figures.leftOut };
  const targets = figures.targets.slice(0, listed);
  left.targets += figures.targets.length - targets.length;
  left.gaps += figures.targets.slice(listed).reduce((sum, { gaps }) => sum + gaps.length, 0);
  const shown = { ...figures, targets };
  if (embedded === null) return { figures: shown, embedded: figures, level, left };
  const cut = cutFigures(shown, embedded.rows, embedded.days, listed);
  left.days += figures.days.length - cut.days.length;
  left.notReached += figures.integrity.notReached.length - cut.integrity.notReached.length;
  return { figures: cut, embedded: { ...cut, leftOut: left }, level, left };
}

function cutFigures(
  figures: ReportFigures,
  rows: number,
  lastDays: number,
  listed: number,
): ReportFigures {
  const { nodes, changes, quality, integrity } = figures;
  const days = figures.days.slice(-lastDays);
  const cut = <Value>(list: readonly Value[]) => list.slice(0, listed);
  const cutCounts = <Value>(counts: Record<string, Value>) =>
    Object.fromEntries(cut(Object.entries(counts)));
  return {
    ...figures,
    targets: figures.targets.map(
      (target): TargetFigures => ({
        ...target,
        days: target.days.slice(-lastDays),
        gaps: cut(target.gaps),
      }),
    ),
    days,
    nodes: { ...nodes, shown: nodes.shown.slice(0, rows) },
    changes: { ...changes, shown: changes.shown.slice(0, rows) },
    quality: {
      ...quality,
      unknownFields: cut(quality.unknownFields),
      unknownValues: Object.fromEntries(
        cut(Object.entries(quality.unknownValues)).map(([column, counts]) => [
          column,
          cutCounts(counts),
        ]),
      ),
      mistyped: cutCounts(quality.mistyped),
    },
    integrity: {
      ...integrity,
      notReached: cut(integrity.notReached),
      faults: { ...integrity.faults, shown: cut(integrity.faults.shown) },
      unchecked: { ...integrity.unchecked, shown: cut(integrity.unchecked.shown) },
    },
  };
}
