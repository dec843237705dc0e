// Owns the arithmetic of what exports will cost in requests and time. Pure.

import type { Quota } from '../quota/window.ts';

/** Requests for one pass over `rows` nodes while nothing moves: each page but the first starts with the anchor. */
export function requestsFor(rows: number, limit: number): number {
  return Math.max(1, Math.ceil((rows - 1) / (limit - 1)));
}

/** From the first request to the last, milliseconds, answers' own time apart. */
export function spanMs(requests: number, quota: Quota): number {
  return (Math.ceil(requests / quota.requests) - 1) * quota.windowMs;
}

/** The share of the whole quota that a snapshot of every target, once a schedule, uses. */
export function quotaShare(requests: number, quota: Quota, scheduleMs: number): number {
  return requests / ((scheduleMs / quota.windowMs) * quota.requests);
}
