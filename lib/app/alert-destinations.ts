// Responsible for where alerts go: the webhook and the topic of the configuration, and the text that each gets.

import { type Alert, describeTarget } from '../alerts/alert.ts';
import type { Destination } from '../alerts/watch.ts';
import { publishToTopic } from '../api/smn.ts';
import { postToWebhook } from '../api/webhook.ts';
import type { Account, AlertsConfig } from '../config/model.ts';
import { type AgencyKey, createCredentials } from './credentials.ts';
import type { ServiceClient } from './target.ts';

export interface DestinationOptions {
  client: ServiceClient;
  /** SMN is asked with its credentials. */
  account: Account | undefined;
  agencyKey: AgencyKey;
}

/** Sends nothing. `signal`: ends deliveries. */
export function openDestinations(
  { webhook, smn }: AlertsConfig,
  { client, account, agencyKey }: DestinationOptions,
): (signal: AbortSignal) => Destination[] {
  const { fetch, clock, scrubber } = client;
  let smnEndsAtMs = 0;
  /** A sign-in is a part of the delivery, and must end with it. */
  const signInClient = {
    ...client,
    timeLeftMs: () => smnEndsAtMs - clock.monotonicMs(),
    mayWait: (delayMs: number) => clock.monotonicMs() + delayMs < smnEndsAtMs,
  };
  const [target] = account?.targets ?? [];
  const topic = smn &&
    account &&
    target && {
      ...{ ...smn, fetch, clock, scrubber },
      credentials: createCredentials(
        account,
        { ...target, region: smn.region, projectId: smn.projectId },
        signInClient,
        agencyKey,
      ),
    };
  return (signal) => {
    const destinations: Destination[] = [];
    if (webhook) {
      destinations.push({
        name: 'webhook',
        send: (alert, timeoutMs) => {
          const bodyAt = (nowMs: number) => scrubber.scrub(JSON.stringify(withTime(alert, nowMs)));
          const options = { ...webhook, fetch, clock };
          return postToWebhook(options, bodyAt, { timeoutMs, signal });
        },
      });
    }
    if (topic) {
      destinations.push({
        name: 'smn',
        send: (alert, timeoutMs) => {
          smnEndsAtMs = clock.monotonicMs() + timeoutMs;
          const { subject, message } = describeMail(withTime(alert, clock.nowMs()));
          const scrubbed = { subject: scrubber.scrub(subject), message: scrubber.scrub(message) };
          return publishToTopic(topic, scrubbed, { timeoutMs, signal });
        },
      });
    }
    return destinations;
  };
}

/** The time is part of what is signed, so that a receiver can reject a copy that is sent later. */
function withTime(alert: Alert, nowMs: number) {
  return { ...alert, sentAt: new Date(nowMs).toISOString() };
}

/** For people first; the last line is for programs. */
function describeMail(alert: ReturnType<typeof withTime>) {
  const { rule, state, target, message, hint } = alert;
  const about = target === null ? '' : `: ${describeTarget(target)}`;
  return {
    subject: `cgs-export: ${rule} ${state}${about}`,
    message: `${message}\n${hint}\n\n${JSON.stringify(alert)}`,
  };
}
