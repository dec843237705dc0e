// Responsible for publishing one message to a topic of Simple Message Notification (SMN), signed as every other request.

import { ExportError } from '../core/errors.ts';
import type { Clock, Scrubber } from '../core/ports.ts';
import { isTransient, retry } from './retry.ts';
import { type HttpRequest, sendRequest } from './send.ts';
import { type CredentialsProvider, signRequest } from './sign.ts';
import type { Fetch } from './transport.ts';
import { type DeliveryLimits, deliveryBackoffMs, deliveryTriesMax } from './webhook.ts';

export interface TopicOptions {
  topicUrn: string;
  /** Those of the URN. */
  region: string;
  projectId: string;
  /** Scheme and host, without a path. */
  endpoint: string;
  credentials: CredentialsProvider;
  fetch: Fetch;
  clock: Clock;
  scrubber: Scrubber;
}

/**
 * The most bytes of UTF-8 of a subject. A message has at most 256 kB, which no alert reaches.
 * Source: SMN API Reference, "Publishing a Message", read 2026-11-26.
 */
const subjectBytesMax = 512;

/** Resolves with null if the service has taken the message. Never throws but for bugs. */
export async function publishToTopic(
  options: TopicOptions,
  message: { subject: string; message: string },
  { timeoutMs, signal }: DeliveryLimits,
): Promise<ExportError | null> {
  const { region, projectId, topicUrn, endpoint, clock, fetch, scrubber } = options;
  const endMs = clock.monotonicMs() + timeoutMs;
  // Not escaped: the signer escapes each part itself, and a path may contain colons.
  const url = `${endpoint}/v2/${projectId}/notifications/topics/${topicUrn}/publish`;
  const body = JSON.stringify({ ...message, subject: cutSubject(message.subject) });
  const peer = {
    ...{ fetch, clock, scrub: scrubber.scrub, name: 'SMN', settings: 'alerts.smn' },
    identityHint: "Check the first account's credentials: alerts to SMN are sent with them.",
    permissionHint: `Grant the identity smn:topic:publish in project ${projectId} in region ${region}, and check alerts.smn.topicUrn.`,
    windowMs: 60_000,
  };
  async function tryOnce() {
    const headers = await authorize(options, url, body);
    const request: HttpRequest = {
      ...{ method: 'POST', url, headers, body, okStatus: 200 },
      timeoutMs: endMs - clock.monotonicMs(),
      signal,
    };
    const { answer, error } = await sendRequest(peer, request);
    // The reference names 200; gateways also use other 2xx. The service has taken the message then.
    const isTaken = answer !== null && answer.status >= 200 && answer.status < 300;
    return error === null || isTaken ? { value: null } : { error };
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

/** The headers of a request, for a key or a sign-in. Throws the errors of a sign-in. */
async function authorize(
  { region, projectId, credentials, clock, scrubber }: TopicOptions,
  url: string,
  body: string,
): Promise<Record<string, string>> {
  const plain = { 'Content-Type': 'application/json', region, 'X-Project-Id': projectId };
  const identity = await credentials();
  if (identity.kind === 'token') {
    const { token } = await identity.getToken();
    scrubber.add(token);
    return { ...plain, 'X-Auth-Token': token };
  }
  for (const secret of [identity.ak, identity.sk, identity.securityToken]) {
    scrubber.add(secret ?? '');
  }
  return signRequest({ url, query: {}, headers: plain, body }, identity, clock.nowMs());
}

/** Without control characters, which a mail does not allow in its subject. Never cut within a character. */
function cutSubject(subject: string): string {
  let cut = '';
  for (const character of subject.replaceAll(/\p{Cc}+/gu, ' ')) {
    if (Buffer.byteLength(cut + character) > subjectBytesMax) break;
    cut += character;
  }
  return cut;
}
