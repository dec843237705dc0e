// Responsible for the gateway's quota: counts requests per user. Not responsible for the clock: the caller passes the time.

export interface SimulatedQuota {
  requests: number;
  windowSeconds: number;
  /** `sliding`: the window ends now. `fixed`: windows start at multiples of their length. Default sliding. */
  mode?: 'sliding' | 'fixed';
}

/**
 * Call the result once per request; `atMs` must not decrease. True: the request is among the first `requests` of its
 * window, so it is admitted. Rejected requests count too. A request leaves a sliding window exactly `windowSeconds` later.
 */
export function createQuotaCounter(quota: SimulatedQuota): (user: string, atMs: number) => boolean {
  const windowMs = quota.windowSeconds * 1_000;
  const arrivalsByUser = new Map<string, number[]>();
  return (user, atMs) => {
    const windowStart = Math.floor(atMs / windowMs) * windowMs;
    const isCounted = (timeMs: number) =>
      quota.mode === 'fixed' ? timeMs >= windowStart : timeMs > atMs - windowMs;
    const arrivals = arrivalsByUser.get(user) ?? [];
    arrivalsByUser.set(user, arrivals);
    while (arrivals[0] !== undefined && !isCounted(arrivals[0])) arrivals.shift();
    return arrivals.push(atMs) <= quota.requests;
  };
}

const units: readonly (readonly [string, number])[] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** The quota as the gateway writes it: in the largest unit that gives a whole number, in the singular (`90 second`). */
export function describeQuota({ requests, windowSeconds }: SimulatedQuota): string {
  const [unit, seconds] = units.find(([, size]) => windowSeconds % size === 0) ?? ['second', 1];
  return `limit:${requests},time:${windowSeconds / seconds} ${unit}`;
}
