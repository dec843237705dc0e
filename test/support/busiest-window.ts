// Responsible for counting how many requests fall into one window of the quota.

/** The largest number of requests in any window of this length. A window includes its start but not its end. */
export function countMost(requests: readonly { atMs: number }[], windowMs: number): number {
  return mostInWindow(
    requests.map(({ atMs }) => atMs),
    windowMs,
  );
}

/** As countMost, for the times alone. */
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
