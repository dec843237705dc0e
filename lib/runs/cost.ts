// Responsible for estimating what exports cost in requests, time and quota. Pure.

import type { Quota } from '../quota/window.ts';

/**
 * Requests for one pass over a list of `rows` that does not change: each page after the first starts with the anchor, and a full
 * page is never the last one.
 */
export function requestsFor(rows: number, limit: number): number {
  return Math.max(1, Math.floor((rows - 1) / (limit - 1)) + 1);
}

/** From the first request to the last, milliseconds, without the response times. */
export function spanMs(requests: number, quota: Quota): number {
  return (Math.ceil(requests / quota.requests) - 1) * quota.windowMs;
}

/** How many requests the quota allows in one schedule period. */
export function allowedRequests({ requests, windowMs }: Quota, scheduleMs: number): number {
  return (scheduleMs / windowMs) * requests;
}

/** The share of the quota that `requests` per schedule period use; 1 is all of it. */
export function quotaShare(requests: number, quota: Quota, scheduleMs: number): number {
  return requests / allowedRequests(quota, scheduleMs);
}
