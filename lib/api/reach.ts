// Responsible for asking whether a host can be reached, and what time it has: one request without a key to its root, which
// is not an API and has no quota.

import type { ExportError } from '../core/errors.ts';
import type { Clock, Scrubber } from '../core/ports.ts';
import { requestTimeoutMs, sendRequest } from './send.ts';
import type { Fetch } from './transport.ts';

export interface ReachOptions {
  fetch: Fetch;
  clock: Clock;
  scrubber: Scrubber;
  /** In hints: the settings that name the host. */
  settings: string;
  signal: AbortSignal;
}

/** How far this host's clock is ahead of the host's, milliseconds. Null: the answer has no valid Date header. */
export interface Reached {
  aheadMs: number | null;
}

/** Any answer of the host is enough, whatever its status. Throws why there is none; after the signal aborts, its reason. */
export async function reachHost(
  { fetch, clock, scrubber, settings, signal }: ReachOptions,
  address: string,
): Promise<Reached> {
  const { host, origin } = new URL(address);
  const hint = `Check ${settings}.`;
  const peer = {
    ...{ fetch, clock, scrub: scrubber.scrub, name: host, settings, windowMs: 0 },
    ...{ identityHint: hint, permissionHint: hint },
  };
  const sentMs = clock.nowMs();
  const { answer, error, thrown } = await sendRequest(peer, {
    ...{ method: 'GET', url: `${origin}/`, headers: {}, okStatus: 200 },
    ...{ timeoutMs: requestTimeoutMs, signal },
  });
  if (thrown) throw thrown.value;
  if (answer === null || error?.code === 'PROXY_REFUSED') throw error as ExportError;
  const dateMs = Date.parse(answer.headers.get('date') ?? '');
  if (Number.isNaN(dateMs)) return { aheadMs: null };
  // The header has whole seconds: on average the host's time is half a second later.
  return { aheadMs: (sentMs + clock.nowMs()) / 2 - (dateMs + 500) };
}
