// Responsible for durations in messages, in the unit that suits them.

const unitMs = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Seconds below 2 minutes, minutes below 2 hours, hours below 2 days, else days. So the number is at least 2, but for seconds. */
export function chooseUnit(durationMs: number): keyof typeof unitMs {
  if (durationMs < 2 * unitMs.min) return 's';
  if (durationMs < 2 * unitMs.h) return 'min';
  return durationMs < 2 * unitMs.d ? 'h' : 'd';
}

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
  const unit = chooseUnit(durationMs);
  return `${round(durationMs / unitMs[unit])} ${unit}`;
}
