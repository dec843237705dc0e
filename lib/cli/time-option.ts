// Responsible for points in time on the command line: a date, a time or an age.

import { configFault } from '../core/errors.ts';
import { parseTime, timeHint } from '../core/time-text.ts';

/**
 * Milliseconds since the epoch. A date means its last second in UTC; an age counts back from `nowMs`. Throws ConfigError that
 * names `path` for any other text.
 */
export function readLastMoment(path: string, text: string, nowMs: number): number {
  return toMoment(path, text, parseTime(text, nowMs, 'last'));
}

/** As readLastMoment(), but a date means its first second. */
export function readFirstMoment(path: string, text: string, nowMs: number): number {
  return toMoment(path, text, parseTime(text, nowMs, 'first'));
}

function toMoment(path: string, text: string, timeMs: number | null): number {
  if (timeMs !== null) return timeMs;
  throw configFault(path, `"${text}" is not a point in time`, timeHint);
}
