// Responsible for counting how many requests fall into one window of the quota.

/** The largest number of arrivals in any half-open window of this length. */
export function mostInWindow(arrivals: readonly number[], windowMs: number): number {
  const sorted = [...arrivals].sort((a, b) => a - b);
  let most = 0;
  let start = 0;
  for (const [index, timeMs] of sorted.entries()) {
    while ((sorted[start] as number) <= timeMs - windowMs) start += 1;
    most = Math.max(most, index - start + 1);
  }
  return most;
}
