// Responsible for points in time as users write and read them. Pure.

const unitsMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export const timeHint =
  'Write a date (2026-11-24), a time in UTC (2026-11-24T00:00:00Z) or with its offset (2026-11-24T08:00:00+08:00), or an age in s, m, h or d (30d). A time without Z or an offset is refused.';

/**
 * A date, an ISO 8601 time in UTC or with its offset, or an age such as `30d`, counted back from `nowMs`. A date means its `secondOfDate`.
 * Milliseconds since the epoch. Null: it is none of these.
 */
export function parseTime(
  text: string,
  nowMs: number,
  secondOfDate: 'first' | 'last' = 'first',
): number | null {
  // At most 2,738 years: Date cannot hold a time that is 300,000 years ago.
  const age = /^(\d{1,6})([smhd])$/.exec(text);
  if (age) return nowMs - Number(age[1]) * unitsMs[age[2] as keyof typeof unitsMs];
  const time =
    /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(text);
  if (!time) return null;
  const [year, month, day] = time.slice(1, 4).map(Number);
  // Date.parse takes 30 February for a day in March.
  const midnight = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day));
  if (midnight.getUTCDate() !== day || midnight.getUTCMonth() + 1 !== month) return null;
  const isLastOfDate = time[4] === undefined && secondOfDate === 'last';
  const timeMs = Date.parse(isLastOfDate ? `${text}T23:59:59Z` : text);
  return Number.isNaN(timeMs) ? null : timeMs;
}

/** ISO 8601 in UTC, to the second. */
export function formatTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
