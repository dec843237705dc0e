// Responsible for one POST to a webhook: its signature, its tries, and what its status means. Nothing of the address or of the
// answer but its status is ever in an error: the address is a secret, and the answer can be anything.

import { createHmac } from 'node:crypto';
import { AuthError, ExportError, ProtocolError, TransientError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { isTransient, retry } from './retry.ts';
import { sendRequest } from './send.ts';
import type { Fetch } from './transport.ts';

export interface WebhookOptions {
  url: string;
  /** Key of the HMAC. */
  secret: string;
  fetch: Fetch;
  clock: Clock;
}

/** How long all tries of one delivery together may take, and what stops them. */
export interface DeliveryLimits {
  timeoutMs: number;
  signal: AbortSignal;
}

/** Tries of one delivery in one invocation. The next invocation tries again. */
export const deliveryTriesMax = 2;
export const deliveryBackoffMs = 500;
/** For an error without an answer: its own hint can be about an export, which a test of alerts is not. */
export function withDeliveryHint(error: ExportError, settings: string): ExportError {
  if (error.code !== 'TIMEOUT' && error.code !== 'NETWORK') return error;
  const hint = `This can pass by itself. If it persists, check ${settings}, the network and the proxy.`;
  return Object.assign(error, { hint });
}

const name = 'the webhook';
/** As in hints. */
const settings = 'alerts.webhook.url';

/**
 * `bodyAt`: the body for a try at this time, milliseconds since the epoch. Resolves with null if it was delivered: the status is
 * 2xx. Redirects are not followed.
 */
export async function postToWebhook(
  { url, secret, fetch, clock }: WebhookOptions,
  bodyAt: (nowMs: number) => string,
  { timeoutMs, signal }: DeliveryLimits,
): Promise<ExportError | null> {
  const endMs = clock.monotonicMs() + timeoutMs;
  // Texts of the answer are not used, so there is nothing to scrub in them.
  const peer = { fetch, clock, scrub: () => '', name, settings, ...noHints };
  async function tryOnce() {
    const body = bodyAt(clock.nowMs());
    const { answer, error } = await sendRequest(peer, {
      method: 'POST',
      url,
      headers: {
        'Content-Type': 'application/json',
        'X-Cgs-Export-Signature': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      },
      body,
      okStatus: 200,
      readsBody: false,
      timeoutMs: endMs - clock.monotonicMs(),
      signal,
    });
    const failure =
      answer === null
        ? hideAddress(withDeliveryHint(error as ExportError, settings), url)
        : judge(answer.status);
    return failure === null ? { value: null } : { error: failure };
  }
  try {
    return await retry(tryOnce, {
      triesMax: deliveryTriesMax,
      backoffMs: deliveryBackoffMs,
      clock,
      signal,
      isRetryable: isTransient,
      mayWait: (delayMs) => clock.monotonicMs() + delayMs < endMs,
    });
  } catch (error) {
    if (error instanceof ExportError) return error;
    throw error;
  }
}

const noHints = { identityHint: '', permissionHint: '', windowMs: 0 };

/** Null for a success. */
function judge(status: number): ExportError | null {
  if (status >= 200 && status < 300) return null;
  const message = `${name} answered ${status}`;
  if (status === 401 || status === 403) {
    const hint = `Check ${settings} and alerts.webhook.secret, and that the receiver checks the signature of the raw body.`;
    return new AuthError('WEBHOOK_DENIED', message, hint);
  }
  if (status >= 500 || [408, 425, 429].includes(status)) {
    const hint = 'This can pass by itself. If it persists, look at the log of the receiver.';
    return new TransientError('WEBHOOK_FAILED', message, hint, { brief: message });
  }
  const hint =
    status >= 300 && status < 400
      ? `Redirects are not followed: write the final address into ${settings}.`
      : `Check that ${settings} is the right address, and that the receiver accepts a POST with JSON.`;
  return new ProtocolError('WEBHOOK_REFUSED', message, hint);
}

/** The texts about a connection name the host, which is a part of the secret address. */
function hideAddress(error: ExportError, url: string): ExportError {
  const { origin, host, hostname } = new URL(url);
  const hide = (text: string) =>
    [url, origin, host, hostname].reduce((rest, part) => rest.replaceAll(part, name), text);
  error.message = hide(error.message);
  Object.assign(error, { hint: hide(error.hint) });
  return error;
}
