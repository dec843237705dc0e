// Responsible for points in time on the command line: a date, a time or an age.

import { configFault } from '../core/errors.ts';

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Milliseconds since the epoch. A date means its last second in UTC; an age counts back from `nowMs`. Throws ConfigError that
 * names `path` for any other text.
 */
export function readLastMoment(path: string, text: string, nowMs: number): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return nowMs - Number(count) * (unitMs[unit] ?? 0);
  const isDate = /^\d{4}-\d\d-\d\d$/.test(text);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const timeMs = isDate || isTime ? Date.parse(isDate ? `${text}T23:59:59Z` : text) : Number.NaN;
  // Date.parse takes 30 February for a day of March.
  const isDay =
    new Date(`${text.slice(0, 10)}T00:00:00Z`).getUTCDate() === Number(text.slice(8, 10));
  if (Number.isFinite(timeMs) && isDay) return timeMs;
  const hint =
    'Write a date (2026-11-24), a time with its zone (2026-11-24T06:00:00Z) or an age (12h, 30d).';
  throw configFault(path, `"${text}" is not a point in time`, hint);
}
