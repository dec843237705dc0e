// Responsible for the fault plan: which request fails, and how. Not responsible for the responses.

import { ConfigError } from '../core/errors.ts';
import { createRandom, drawOne } from './random.ts';

/**
 * `429`, `500`, `503`: an error of the gateway or the service. `502html`: an HTML error page of a proxy.
 * `reset`: the connection is reset without a response. `truncated`: the connection closes before Content-Length bytes
 * are sent. `brokenJson`: a body of the stated length that does not parse. `null`: the body is `null`. `wrongShape`:
 * valid JSON that is not a page. `slow`: the correct page, late.
 */
export const faultKinds = [
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

interface FaultDetail {
  /** Retry-After of a 429 or 503, whole seconds. Missing: no such header. */
  retryAfterSeconds?: number | undefined;
  /** Delay of a `slow` response. Default 60,000. */
  slowMs?: number | undefined;
}

/** Requests for nodes are numbered in order of arrival from 1. Rejected requests count too. */
export type FaultRule = FaultDetail &
  (
    | { at: number; kind: FaultKind }
    /** Requests n, 2n, 3n, … */
    | { every: number; kind: FaultKind }
    /** Each request with this probability, with one of the kinds. Default seed 1. */
    | { rate: number; kinds: readonly FaultKind[]; seed?: number }
  );

export type Fault = FaultDetail & { kind: FaultKind };

/** Call the result once per request, in order. The first rule that applies wins. */
export function createFaultPlan(rules: readonly FaultRule[]): (request: number) => Fault | null {
  const deciders = rules.map((rule): ((request: number) => Fault | null) => {
    const { retryAfterSeconds, slowMs } = rule;
    const faultOf = (kind: FaultKind) => ({ kind, retryAfterSeconds, slowMs });
    if ('at' in rule) return (request) => (request === rule.at ? faultOf(rule.kind) : null);
    if ('every' in rule) {
      return (request) => (request % rule.every === 0 ? faultOf(rule.kind) : null);
    }
    const random = createRandom(rule.seed ?? 1);
    return () => {
      // Draws both numbers each time, so that which request fails does not depend on earlier faults.
      const isHit = random() < rule.rate;
      const kind = drawOne(random, rule.kinds);
      return isHit ? faultOf(kind) : null;
    };
  });
  return (request) => {
    // Calls every rule, so that one rule does not shift the random numbers of another.
    const outcomes = deciders.map((decide) => decide(request));
    return outcomes.find((outcome) => outcome !== null) ?? null;
  };
}

/** Reads `429@3` (request 3) or `slow:0.05` (each request with probability 0.05). Throws ConfigError. */
export function parseFault(text: string): FaultRule {
  const [, name, mark, number = ''] = /^(\w+)([@:])(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  const kind = faultKinds.find((known) => known === name);
  const value = Number(number);
  if (kind && mark === '@' && Number.isInteger(value) && value >= 1) return { at: value, kind };
  if (kind && mark === ':' && value <= 1) return { rate: value, kinds: [kind] };
  const message = !name
    ? `"${text}" is neither kind@request nor kind:probability`
    : !kind
      ? `"${name}" is not a kind of fault`
      : mark === '@'
        ? `"${number}" is not a valid request number; the first request is 1`
        : `"${number}" is not a probability from 0 to 1`;
  throw new ConfigError([
    {
      path: '--fault',
      message,
      hint: `Use for example --fault 429@3 or --fault slow:0.05. Kinds: ${faultKinds.join(', ')}.`,
    },
  ]);
}
