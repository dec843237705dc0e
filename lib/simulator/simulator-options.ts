// Owns what a simulator can be told, the demo identity it has otherwise, and what makes no sense. Refuses to start one.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Drift } from './drift.ts';
import type { FaultRule } from './faults.ts';
import type { Flavour, NodeRecord, Oddities } from './nodes.ts';
import type { SimulatedQuota } from './request-window.ts';

/** The identity's defaults are fixed demo values. */
export interface SimulatorOptions extends Partial<Identity> {
  /** 0: any free port. Default 0. */
  port?: number;
  /** Default hss: what an address that says nothing is taken for. */
  flavour?: Flavour;
  /** How many to make up. Default 300. */
  nodes?: number;
  /** Default 1. */
  seed?: number;
  odd?: Oddities;
  /** The list itself, sent as it is, instead of made-up nodes. Copied. */
  records?: readonly unknown[];
  /** Makes the key a temporary one: every signature must cover X-Security-Token. */
  securityToken?: string;
  /** Default 86,400. */
  tokenSeconds?: number;
  /** Null: none. Default 5 requests in 60 s, sliding. */
  quota?: SimulatedQuota | null;
  /** Each answer is held back for a time between the two. Default 0. */
  latencyMs?: { min: number; max: number };
  drift?: Drift;
  /** Called before each page is cut (`index` from 0), with the list, which it may change. */
  beforePage?: (page: { index: number; offset: number; list: NodeRecord[] }) => void;
  faults?: readonly FaultRule[];
  /** What the server's wall clock is ahead by. Default 0. */
  clockSkewMs?: number;
  /** Default 300,000. */
  lockMs?: number;
  /** Default: the real ones. */
  clock?: Clock;
}

/** Whom the simulator knows. */
export interface Identity {
  /** Also the name of the one project. */
  region: string;
  projectId: string;
  ak: string;
  sk: string;
  iamUser: string;
  iamPassword: string;
  iamDomain: string;
}

/** Fixed, so that it can be typed, and plainly not a real one. */
const demo: Identity = {
  region: 'cn-south-4',
  projectId: 'de300000000000000000000000000de3',
  ak: 'DEMOACCESSKEY0000000',
  sk: 'demo-secret-key-that-opens-nothing-00000',
  iamUser: 'demo-user',
  iamPassword: 'demo-password-that-opens-nothing',
  iamDomain: 'demo-domain',
};

const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (delayMs, signal) => {
    await sleep(delayMs, undefined, signal ? { signal } : {});
  },
};

/** Every option with its default. Throws ConfigError. */
export function completeOptions(options: SimulatorOptions) {
  checkOptions(options);
  return {
    identity: {
      region: options.region ?? demo.region,
      projectId: options.projectId ?? demo.projectId,
      ak: options.ak ?? demo.ak,
      sk: options.sk ?? demo.sk,
      iamUser: options.iamUser ?? demo.iamUser,
      iamPassword: options.iamPassword ?? demo.iamPassword,
      iamDomain: options.iamDomain ?? demo.iamDomain,
    },
    port: options.port ?? 0,
    flavour: options.flavour ?? 'hss',
    nodes: options.nodes ?? 300,
    seed: options.seed ?? 1,
    odd: options.odd ?? {},
    records: options.records ?? null,
    securityToken: options.securityToken ?? null,
    tokenSeconds: options.tokenSeconds ?? 86_400,
    quota: options.quota === undefined ? { requests: 5, windowSeconds: 60 } : options.quota,
    latencyMs: options.latencyMs ?? { min: 0, max: 0 },
    drift: options.drift ?? {},
    beforePage: options.beforePage ?? null,
    faults: options.faults ?? [],
    clockSkewMs: options.clockSkewMs ?? 0,
    lockMs: options.lockMs ?? 300_000,
    clock: options.clock ?? realClock,
  };
}

function checkOptions(options: SimulatorOptions): void {
  const issues: ConfigIssue[] = [];
  const check = (isRight: boolean, path: string, message: string, hint: string) => {
    if (!isRight) issues.push({ path, message, hint });
  };
  const { port = 0, nodes = 0, quota, latencyMs, faults = [] } = options;
  const isPort = Number.isInteger(port) && port >= 0 && port <= 65_535;
  check(isPort, '--port', `${port} is no port`, 'Give a whole number from 0 to 65535.');
  const isCount = Number.isInteger(nodes) && nodes >= 0;
  check(isCount, '--nodes', `${nodes} is no number of nodes`, 'Give a whole number from 0.');
  if (quota) {
    const isQuota =
      Number.isInteger(quota.requests) && quota.requests >= 1 && quota.windowSeconds > 0;
    const hint = 'Give at least one request and a window longer than 0 seconds.';
    check(isQuota, '--quota', 'is no quota', hint);
  }
  if (latencyMs) {
    const isRange = latencyMs.min >= 0 && latencyMs.max >= latencyMs.min;
    check(isRange, '--latency', 'is no range of milliseconds', 'Give min and max, 0 ≤ min ≤ max.');
  }
  for (const rule of faults) {
    const isRule =
      'at' in rule ? rule.at >= 1 : 'every' in rule ? rule.every >= 1 : rule.kinds.length > 0;
    const hint = 'Requests count from 1; a probability needs at least one kind.';
    check(isRule, '--fault', 'can never happen', hint);
  }
  if (issues.length > 0) throw new ConfigError(issues);
}
