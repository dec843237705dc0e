// Owns which request fails and how. Refuses to write any answer: simulator.ts does what is decided here.

import { ConfigError } from '../core/errors.ts';
import { createRandom, drawOne } from './random.ts';

/**
 * `429` 500 503: the service's own error bodies. `502html`: a proxy's page. `reset`: the socket dies unanswered.
 * `truncated`: fewer bytes than Content-Length. `brokenJson`: a whole body that does not parse. `null`: the body `null`.
 * `wrongShape`: JSON, but no page. `slow`: the right page, late.
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
  /** Retry-After of a 429 or 503, whole seconds; no header without it. */
  retryAfterSeconds?: number;
  /** How late a `slow` answer comes, milliseconds. Default 60,000. */
  slowMs?: number;
}

/** Request numbers are those of the log: 1 is the first request for nodes, refused ones counted. */
export type FaultRule = FaultDetail &
  (
    | { at: number; kind: FaultKind }
    /** Requests n, 2n, 3n, … */
    | { every: number; kind: FaultKind }
    /** Each request with this probability, one of the kinds. Default seed 1. */
    | { rate: number; kinds: readonly FaultKind[]; seed?: number }
  );

export type Fault = FaultDetail & { kind: FaultKind };

/** Asked once a request, in order. The first rule that applies wins. */
export function createFaultPlan(rules: readonly FaultRule[]): (request: number) => Fault | null {
  const deciders = rules.map((rule) => {
    const { retryAfterSeconds, slowMs } = rule;
    const detail: FaultDetail = {
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      ...(slowMs === undefined ? {} : { slowMs }),
    };
    if ('at' in rule) {
      return (request: number) => (request === rule.at ? { ...detail, kind: rule.kind } : null);
    }
    if ('every' in rule) {
      return (request: number) =>
        request % rule.every === 0 ? { ...detail, kind: rule.kind } : null;
    }
    const random = createRandom(rule.seed ?? 1);
    return () => {
      // Both numbers are drawn each time: which request fails does not depend on earlier outcomes.
      const hit = random() < rule.rate;
      const kind = drawOne(random, rule.kinds);
      return hit ? { ...detail, kind } : null;
    };
  });
  return (request) => {
    // Every rule is asked, so that one rule's luck does not shift another's.
    const outcomes = deciders.map((decide) => decide(request));
    return outcomes.find((outcome) => outcome !== null) ?? null;
  };
}

/** `429@3`: request 3. `slow:0.05`: each request with probability 0.05. Throws ConfigError. */
export function parseFault(text: string): FaultRule {
  const [, name, mark, number = ''] = /^(\w+)([@:])(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  const kind = faultKinds.find((known) => known === name);
  const value = Number(number);
  if (kind && mark === '@' && Number.isInteger(value) && value >= 1) return { at: value, kind };
  if (kind && mark === ':' && value <= 1) return { rate: value, kinds: [kind] };
  const message = !name
    ? `"${text}" is neither kind@request nor kind:probability`
    : !kind
      ? `"${name}" is no kind of fault`
      : mark === '@'
        ? `"${number}" is no request number; the first request is 1`
        : `"${number}" is no probability from 0 to 1`;
  throw new ConfigError([
    {
      path: '--fault',
      message,
      hint: `Write for example --fault 429@3 or --fault slow:0.05; kinds: ${faultKinds.join(', ')}.`,
    },
  ]);
}
