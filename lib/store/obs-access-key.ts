// Responsible for the access key that requests to an OBS store are signed with, and for not using a refused key again.

import { isDeepStrictEqual } from 'node:util';
import type { ExportError } from '../core/errors.ts';
import type { Clock, KeyCredentials } from '../core/ports.ts';

export type AccessKey = Omit<KeyCredentials, 'kind'>;

/**
 * Called before every try, because the platform renews the key of an agency. `refused`: the store has just refused this
 * key, so a provider that caches keys must not return it again. An error of the provider reaches the caller of the store
 * unchanged.
 */
export type AccessKeyProvider = (refused: AccessKey | null) => Promise<AccessKey>;

/** Five refusals may lock a key. So a refused key is not used for this long, milliseconds. */
const refusedKeyHoldMs = 15 * 60_000;

export function createAccessKeys(provider: AccessKeyProvider, clock: Pick<Clock, 'monotonicMs'>) {
  let current: AccessKey | null = null;
  let held: { key: AccessKey; error: ExportError; untilMonotonicMs: number } | null = null;
  return {
    /** The key to sign with; null before the first `next`. */
    current: (): AccessKey | null => current,
    /** Asks the provider for the key of the next try. */
    async next(refused: AccessKey | null): Promise<AccessKey> {
      current = await provider(refused);
      return current;
    },
    /** True if the provider has another key than the current one, which the store refused. */
    async hasReplacement(): Promise<boolean> {
      const replacement = await provider(current);
      return replacement.securityToken !== current?.securityToken;
    },
    /** Keeps the current key from being used for 15 minutes. `error`: how the store refused it. */
    hold(error: ExportError): void {
      if (current === null) return;
      held = { key: current, error, untilMonotonicMs: clock.monotonicMs() + refusedKeyHoldMs };
    },
    /** The error given to `hold` if the current key must not be used now, otherwise null. */
    holdReason(): ExportError | null {
      if (held === null || !isDeepStrictEqual(held.key, current)) return null;
      return clock.monotonicMs() < held.untilMonotonicMs ? held.error : null;
    },
  };
}
