// Responsible for publishing one message to a topic of Simple Message Notification (SMN), signed as every other request. Of
// the answer only the status is used: it decides, and a body that arrives slowly must not keep the next message back.

import type { ExportError } from '../core/errors.ts';
import type { Clock, Scrubber } from '../core/ports.ts';
import { type Answer, classifyAnswer, type Peer } from './answers.ts';
import { type DeliveryLimits, deliver, withDeliveryHint } from './delivery.ts';
import { type HttpRequest, sendRequest } from './send.ts';
import { type CredentialsProvider, signRequest } from './sign.ts';
import type { Fetch } from './transport.ts';
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
  limits: DeliveryLimits,
): Promise<ExportError | null> {
  const { region, projectId, topicUrn, endpoint, clock, fetch, scrubber } = options;
  // Not escaped: the signer escapes each part itself, and a path may contain colons.
  const url = `${endpoint}/v2/${projectId}/notifications/topics/${topicUrn}/publish`;
  const body = JSON.stringify({ ...message, subject: cutSubject(message.subject) });
  const peer = {
    ...{ fetch, clock, scrub: scrubber.scrub, name: 'SMN', settings },
    identityHint: "Check the first account's credentials: alerts to SMN are sent with them.",
    permissionHint: `Grant the identity smn:topic:publish in project ${projectId} in region ${region}, and check alerts.smn.topicUrn.`,
    windowMs: 60_000,
  };
  return deliver(clock, limits, async (left) => {
    const headers = await authorize(options, url, body);
    const request: HttpRequest = {
      ...{ method: 'POST', url, headers, body, okStatus: 200, readsBody: false },
      ...left(),
    };
    const { answer, error } = await sendRequest(peer, request);
    return answer === null
      ? withDeliveryHint(error as ExportError, settings)
      : judge(peer, answer, describeTopic(options));
  });
}

const settings = 'alerts.smn';

function describeTopic({ topicUrn, projectId, region }: TopicOptions): string {
  return `the topic ${topicUrn} exists in project ${projectId} in region ${region}`;
}

/** Null for a success. The reference names 200; gateways also use other 2xx, and the service has taken the message then. */
function judge(peer: Peer, { status, headers }: Answer, topic: string): ExportError | null {
  if (status >= 200 && status < 300) return null;
  const kept = ['date', 'retry-after'].flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value] as [string, string]];
  });
  const answer = { status, headers: new Headers(kept), body: '' };
  const error = classifyAnswer(peer, answer, peer.clock.nowMs());
  if (status === 401 || status === 403 || status === 407) return error;
  return Object.assign(error, { hint: hintOf(status, topic) });
}

function hintOf(status: number, topic: string): string {
  if (status === 404) {
    return `Check alerts.smn.topicUrn: whether ${topic}. If alerts.smn.endpoint is set, check it too.`;
  }
  if (status === 429) {
    return 'SMN limits how many messages an account, a project and a topic may send: wait some minutes. If it persists, turn some of alerts.rules off, or ask for a higher quota of SMN.';
  }
  if (status >= 500 || status === 408 || status === 409 || status === 425) {
    return 'This may be temporary. If it persists, look at the state of SMN in its console, and check alerts.smn.endpoint.';
  }
  if (status >= 300 && status < 400) {
    return 'Redirects are not followed: correct alerts.smn.endpoint, and check the proxy.';
  }
  return `Check alerts.smn.topicUrn: whether ${topic}.`;
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
