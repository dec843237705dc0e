// Responsible for the fault plan: which request fails, and how. Not responsible for the responses.

import { configFault } from '../core/errors.ts';
import { createRandom } from './random.ts';

/**
 * `429`, `500`, `503`: an error of the gateway or the service. `502html`: an HTML error page of a proxy.
 * `reset`: the connection is reset without a response. `truncated`: the connection closes before Content-Length bytes
 * are sent. `brokenJson`: a body of the stated length that does not parse. `null`: the body is `null`. `wrongShape`:
 * valid JSON that is not a page. `slow`: the correct page, late.
 */
const faultKinds = [
  '429',
  '500',
  '503',
  '502html',
  'reset',
  'truncated',
  'brokenJson',
  'null',
  'wrongShape',
  'slow',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  kind: FaultKind;
  /** Retry-After of a 429 or 503, whole seconds. Missing: no such header. */
  retryAfterSeconds?: number;
  /** Delay of a `slow` response. Default 60,000. */
  slowMs?: number;
}

/**
 * `at`: the request with this number. Requests for nodes are numbered in order of arrival from 1, rejected ones too.
 * `rate`: each request with this probability.
 */
export type FaultRule = Fault & ({ at: number } | { rate: number });

/** Call the result once per request, in order. The first rule that applies wins. */
export function createFaultPlan(rules: readonly FaultRule[]): (request: number) => Fault | null {
  const random = createRandom(1);
  return (request) => {
    // One number per request, so that a rule by number does not shift the requests that the others choose.
    // Each rate takes its own part of 0 to 1, so that rules with the same rate choose different requests.
    let rest = random();
    const applies = (rule: FaultRule) => {
      if ('at' in rule) return rule.at === request;
      rest -= rule.rate;
      return rest < 0;
    };
    return rules.find(applies) ?? null;
  };
}

/** Reads `429@3` (request 3) or `slow:0.05` (each request with probability 0.05). Throws ConfigError. */
export function parseFault(text: string): FaultRule {
  const [, name, mark, number = ''] = /^(\w+)([@:])(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  const kind = faultKinds.find((known) => known === name);
  const value = Number(number);
  if (kind && mark === '@' && Number.isInteger(value) && value >= 1) return { at: value, kind };
  if (kind && mark === ':' && value <= 1) return { rate: value, kind };
  let message = `"${number}" is not a probability from 0 to 1`;
  if (!name) message = `"${text}" is neither kind@request nor kind:probability`;
  else if (!kind) message = `"${name}" is not a kind of fault`;
  else if (mark === '@')
    message = `"${number}" is not a valid request number; the first request is 1`;
  const hint = `Use for example --fault 429@3 or --fault slow:0.05. Kinds: ${faultKinds.join(', ')}.`;
  throw configFault('--fault', message, hint);
}
