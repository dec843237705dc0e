// Responsible for durations in messages, in the unit that suits them.

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** How long something lasts or has lasted. Rounded down, so that it is never longer than it says: `90 s`, `15 min`, `25 h`, `3 d`. */
export function describeDuration(durationMs: number): string {
  return inOneUnit(durationMs, Math.floor);
}

/** Of a wait. Rounded up, so that it does not end later than it says. */
export function describeWait(waitMs: number): string {
  return inOneUnit(waitMs, Math.ceil);
}

/** Of a difference between two clocks or times, which is neither lived through nor waited for. Rounded to the nearest. */
export function describeDifference(differenceMs: number): string {
  return inOneUnit(differenceMs, Math.round);
}

function inOneUnit(durationMs: number, round: (value: number) => number): string {
  if (durationMs < 2 * minuteMs) return `${round(durationMs / 1_000)} s`;
  if (durationMs < 2 * hourMs) return `${round(durationMs / minuteMs)} min`;
  if (durationMs < 48 * hourMs) return `${round(durationMs / hourMs)} h`;
  return `${round(durationMs / 24 / hourMs)} d`;
}
