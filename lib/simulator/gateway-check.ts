// Responsible for what the gateway checks before a request reaches the service: the identity, the quota, the project.

import { createQuotaCounter, describeQuota } from './gateway-quota.ts';
import type { Authenticate } from './iam-endpoint.ts';
import { type GatewayError, throttlingError } from './response-bodies.ts';
import type { ReceivedRequest } from './signature-check.ts';
import type { SimulatorSettings } from './simulator-options.ts';

/** Assumed: the code. The documents only give the status 403. */
const forbidden: GatewayError = {
  status: 403,
  code: 'APIGW.0302',
  message: 'The IAM user is not allowed to access the API.',
};

/** The check of one path, because the gateway counts the quota per path. */
export function createGatewayCheck({ quota }: SimulatorSettings, authenticate: Authenticate) {
  const isAdmitted = quota ? createQuotaCounter(quota) : () => true;
  // A planned 429 needs this text even if there is no quota.
  const quotaText = describeQuota(quota ?? { requests: 5, windowSeconds: 60 });
  let throttled = 0;
  return {
    quotaText,
    /** Responses 429 because of the quota. */
    throttled: () => throttled,
    /** Null: the request is admitted. */
    findRejection(received: ReceivedRequest, projectId: string, atMs: number): GatewayError | null {
      const result = authenticate(received);
      if (!result.ok) return result.error;
      if (!isAdmitted(result.user, atMs)) {
        throttled += 1;
        return throttlingError(quotaText);
      }
      return result.account.projects.some(({ id }) => id === projectId) ? null : forbidden;
    },
  };
}
