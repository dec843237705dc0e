// Responsible for what deliveries of an alert have in common: their tries, their time, and what they say of an error.

import { ExportError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { isTransient, retry } from './retry.ts';

/** How long all tries of one delivery together may take, and what stops them. */
export interface DeliveryLimits {
  timeoutMs: number;
  signal: AbortSignal;
}

/** Tries of one delivery in one invocation. The next invocation tries again. */
const triesMax = 2;
const backoffMs = 500;

/** `tryOnce`: is given a function that returns what is left of the limits at that moment; resolves with null if the alert was delivered. Never throws but for bugs. */
export async function deliver(
  clock: Clock,
  { timeoutMs, signal }: DeliveryLimits,
  tryOnce: (left: () => DeliveryLimits) => Promise<ExportError | null>,
): Promise<ExportError | null> {
  const endMs = clock.monotonicMs() + timeoutMs;
  const left = () => ({ timeoutMs: endMs - clock.monotonicMs(), signal });
  const attempt = async () => {
    const error = await tryOnce(left);
    return error === null ? { value: null } : { error };
  };
  try {
    return await retry(attempt, {
      ...{ triesMax, backoffMs, clock, signal, isRetryable: isTransient },
      mayWait: (delayMs) => clock.monotonicMs() + delayMs < endMs,
    });
  } catch (error) {
    if (error instanceof ExportError) return error;
    throw error;
  }
}

/** For an error without an answer: its own hint can be about an export, which a test of alerts is not. */
export function withDeliveryHint(error: ExportError, settings: string): ExportError {
  if (error.code !== 'TIMEOUT' && error.code !== 'NETWORK') return error;
  const hint = `This may be temporary. If it persists, check ${settings}, the network and the proxy.`;
  return Object.assign(error, { hint });
}
