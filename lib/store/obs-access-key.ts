// Responsible for the access key that requests to an OBS store are signed with, and for not using a
// refused key again.

import type { ExportError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';

export interface AccessKey {
  ak: string;
  sk: string;
  /** Only temporary keys have one. */
  securityToken?: string;
}

/**
 * Called before every try, so that the key of an agency is never out of date. `refused`: the store
 * has just refused this key, so a provider that caches keys must not return it again. An error that
 * the provider throws reaches the caller of the store unchanged.
 */
export type AccessKeyProvider = (refused: AccessKey | null) => Promise<AccessKey>;

/** Five refusals may lock a key. So a refused key is not used for this long, milliseconds. */
const refusedKeyHoldMs = 15 * 60_000;

export interface AccessKeys {
  /** The key to sign with, null before the first `next`. */
  current(): AccessKey | null;
  /** Asks the provider for the key of the next try. `refused` as in AccessKeyProvider. */
  next(refused: AccessKey | null): Promise<AccessKey>;
  /** True if the provider has another key than the current one, which the store refused. */
  hasReplacement(): Promise<boolean>;
  /** Keeps the current key from being used for 15 minutes. `error`: how the store refused it. */
  hold(error: ExportError): void;
  /** The error given to `hold` if the current key must not be used now, otherwise null. */
  holdReason(): ExportError | null;
}

export function createAccessKeys(
  provider: AccessKeyProvider,
  clock: Pick<Clock, 'monotonicMs'>,
): AccessKeys {
  let current: AccessKey | null = null;
  let held: { key: AccessKey; error: ExportError; untilMonotonicMs: number } | null = null;
  return {
    current: () => current,
    async next(refused) {
      current = await provider(refused);
      return current;
    },
    async hasReplacement() {
      const replacement = await provider(current);
      return replacement.securityToken !== current?.securityToken;
    },
    hold(error) {
      if (current === null) return;
      held = { key: current, error, untilMonotonicMs: clock.monotonicMs() + refusedKeyHoldMs };
    },
    holdReason() {
      if (held === null || current === null || !isSameKey(held.key, current)) return null;
      return clock.monotonicMs() < held.untilMonotonicMs ? held.error : null;
    },
  };
}

function isSameKey(a: AccessKey, b: AccessKey): boolean {
  return a.ak === b.ak && a.sk === b.sk && a.securityToken === b.securityToken;
}
