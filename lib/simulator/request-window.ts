// Owns counting requests per user against the gateway's quota. Refuses the clock: arrivals come in with their time.

/** Of all arrivals, rejected ones too, the first `requests` in a window are let through. */
export interface SimulatedQuota {
  requests: number;
  windowSeconds: number;
  /** `sliding`: any window that ends now. `fixed`: windows that begin at multiples of the clock. Default sliding. */
  mode?: 'sliding' | 'fixed';
  /** Whether a 429 says Retry-After (whole seconds, rounded up). Default false. */
  retryAfter?: boolean;
}

export interface Arrival {
  admitted: boolean;
  /** Until a request would be let through if none came before, milliseconds; 0 if this one was. */
  retryAfterMs: number;
}

/** `atMs` must not step back. A sliding window is half open: an arrival is forgotten exactly one window later. */
export function createQuotaCounter(quota: SimulatedQuota): (user: string, atMs: number) => Arrival {
  const windowMs = quota.windowSeconds * 1_000;
  const arrivalsByUser = new Map<string, number[]>();
  return (user, atMs) => {
    const windowStart = Math.floor(atMs / windowMs) * windowMs;
    const isLive = (timeMs: number) =>
      quota.mode === 'fixed' ? timeMs >= windowStart : timeMs > atMs - windowMs;
    const live = (arrivalsByUser.get(user) ?? []).filter(isLive);
    live.push(atMs);
    arrivalsByUser.set(user, live);
    if (live.length <= quota.requests) return { admitted: true, retryAfterMs: 0 };
    const freeAtMs =
      quota.mode === 'fixed'
        ? windowStart + windowMs
        : (live[live.length - quota.requests] as number) + windowMs;
    return { admitted: false, retryAfterMs: freeAtMs - atMs };
  };
}

const units: readonly (readonly [string, number])[] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** The gateway's own words, in the largest unit that is whole, always singular: `1 minute`, `90 second`. */
export function describeQuota(quota: SimulatedQuota): string {
  const { requests, windowSeconds } = quota;
  const [unit, seconds] = units.find(([, size]) => windowSeconds % size === 0) ?? ['second', 1];
  return `limit:${requests},time:${windowSeconds / seconds} ${unit}`;
}
