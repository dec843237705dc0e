// Responsible for whether the quota is enough for a schedule, and for what would be enough. Pure.

import type { Quota } from '../quota/window.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** The schedules that are suggested up to a day. Longer ones are whole days. */
const usualSchedules = [
  ...[1, 2, 3, 5, 10, 15, 20, 30].map((minutes) => minutes * minuteMs),
  ...[1, 2, 3, 4, 6, 8, 12, 24].map((hours) => hours * hourMs),
];
/** Of the setting `schedule`. */
const scheduleMsMax = 366 * dayMs;

/**
 * Whether one snapshot of every target per schedule period fits. `known`: requests for the targets of known size. A target of
 * unknown size needs at least one request. Null: it depends on the `unknown` sizes.
 */
export function judgeFit(known: number, unknown: number, allowed: number): boolean | null {
  if (known + unknown > allowed) return false;
  return unknown > 0 ? null : true;
}

/** Above this share of the quota, little is left for pages that are read again and for retries. */
export const tightShare = 0.8;

/** The shortest usual schedule in which `requests` use at most `tightShare` of the quota, milliseconds. Null: none does. */
export function findSchedule(requests: number, quota: Quota): number | null {
  const neededMs = (requests / quota.requests / tightShare) * quota.windowMs;
  const scheduleMs =
    usualSchedules.find((oneMs) => oneMs >= neededMs) ?? Math.ceil(neededMs / dayMs) * dayMs;
  return scheduleMs > scheduleMsMax ? null : scheduleMs;
}

export interface AccountDemand {
  account: string;
  /** Hash of its access key. */
  user: string;
  /** Requests per schedule period. */
  requests: number;
}

/**
 * The accounts of each configuration if they are split so that each one fits `allowed`: the largest first, each into the first
 * configuration with room. Accounts with one key stay together, because the service counts each key. Null: a key alone needs more.
 */
export function splitAccounts(
  demands: readonly AccountDemand[],
  allowed: number,
): string[][] | null {
  const byUser = new Map<string, { accounts: string[]; requests: number }>();
  for (const { account, user, requests } of demands) {
    const before = byUser.get(user) ?? { accounts: [], requests: 0 };
    const accounts = [...before.accounts, account];
    byUser.set(user, { accounts, requests: before.requests + requests });
  }
  const groups: { accounts: string[]; requests: number }[] = [];
  const largestFirst = [...byUser.values()].sort((a, b) => b.requests - a.requests);
  for (const { accounts, requests } of largestFirst) {
    if (requests > allowed) return null;
    const group = groups.find((one) => one.requests + requests <= allowed);
    if (group) {
      group.accounts.push(...accounts);
      group.requests += requests;
    } else groups.push({ accounts, requests });
  }
  return groups.map(({ accounts }) => accounts);
}
