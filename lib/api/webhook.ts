// Responsible for one POST to a webhook: its signature, its tries, and what its status means. Nothing of the address or of the
// answer but its status is ever in an error: the address is a secret, and the answer can be anything.

import { createHmac } from 'node:crypto';
import { AuthError, type ExportError, ProtocolError, TransientError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { type DeliveryLimits, deliver, withDeliveryHint } from './delivery.ts';
import { sendRequest } from './send.ts';
import type { Fetch } from './transport.ts';

export interface WebhookOptions {
  url: string;
  /** Key of the HMAC. */
  secret: string;
  fetch: Fetch;
  clock: Clock;
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
  limits: DeliveryLimits,
): Promise<ExportError | null> {
  // Texts of the answer are not used, so there is nothing to scrub in them.
  const peer = { fetch, clock, scrub: () => '', name, settings, ...noHints };
  return deliver(clock, limits, async (left) => {
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
      ...left(),
    });
    return answer === null
      ? hideAddress(withDeliveryHint(error as ExportError, settings), url)
      : judge(answer.status);
  });
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
    const hint = 'This may be temporary. If it persists, look at the log of the receiver.';
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
