// Responsible for durations in messages, in the unit that suits them.

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** Rounded to the unit that suits it: `90 s`, `15 min`, `25 h`, `3 d`. */
export function describeDuration(durationMs: number): string {
  if (durationMs < 2 * minuteMs) return `${Math.round(durationMs / 1_000)} s`;
  if (durationMs < 2 * hourMs) return `${Math.round(durationMs / minuteMs)} min`;
  if (durationMs < 48 * hourMs) return `${Math.round(durationMs / hourMs)} h`;
  return `${Math.round(durationMs / 24 / hourMs)} d`;
}
