// Responsible for the gateway's quota: counts requests per user. Not responsible for the clock: the caller passes the time.

/** The first `requests` arrivals in a window are admitted. Rejected arrivals count too. */
export interface SimulatedQuota {
  requests: number;
  windowSeconds: number;
  /** `sliding`: the window ends now. `fixed`: windows start at multiples of their length. Default sliding. */
  mode?: 'sliding' | 'fixed';
  /** Whether a 429 has a Retry-After header (whole seconds, rounded up). Default false. */
  retryAfter?: boolean;
}

export interface Arrival {
  isAdmitted: boolean;
  /** 0 if admitted, otherwise milliseconds until a request is admitted, provided that none arrives before. */
  retryAfterMs: number;
}

/** `atMs` must not decrease. An arrival leaves a sliding window exactly `windowSeconds` later. */
export function createQuotaCounter(quota: SimulatedQuota): (user: string, atMs: number) => Arrival {
  const windowMs = quota.windowSeconds * 1_000;
  const arrivalsByUser = new Map<string, number[]>();
  return (user, atMs) => {
    const windowStart = Math.floor(atMs / windowMs) * windowMs;
    const isCounted = (timeMs: number) =>
      quota.mode === 'fixed' ? timeMs >= windowStart : timeMs > atMs - windowMs;
    const counted = (arrivalsByUser.get(user) ?? []).filter(isCounted);
    counted.push(atMs);
    arrivalsByUser.set(user, counted);
    if (counted.length <= quota.requests) return { isAdmitted: true, retryAfterMs: 0 };
    const freeAtMs =
      quota.mode === 'fixed'
        ? windowStart + windowMs
        : (counted[counted.length - quota.requests] as number) + windowMs;
    return { isAdmitted: false, retryAfterMs: freeAtMs - atMs };
  };
}

const units: readonly (readonly [string, number])[] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/**
 * The quota as the gateway writes it: in the largest unit that gives a whole number, the unit in the singular
 * (`1 minute`, `90 second`).
 */
export function describeQuota(quota: SimulatedQuota): string {
  const { requests, windowSeconds } = quota;
  const [unit, seconds] = units.find(([, size]) => windowSeconds % size === 0) ?? ['second', 1];
  return `limit:${requests},time:${windowSeconds / seconds} ${unit}`;
}
