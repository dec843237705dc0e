// Responsible for the simulator's options: defaults, the demo identity, validation. Not responsible for command-line syntax.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Drift } from './drift.ts';
import type { FaultRule } from './faults.ts';
import type { SimulatedQuota } from './gateway-quota.ts';
import type { Flavour, NodeRecord, Oddities } from './nodes.ts';

/** The identity defaults to fixed demo values. */
export interface SimulatorOptions extends Partial<Identity> {
  /** 0: any free port. Default 0. */
  port?: number;
  /** Default hss, which the exporter assumes for a host name that does not start with `cgs.`. */
  flavour?: Flavour;
  /** How many nodes to generate. Default 300. */
  nodes?: number;
  /** For the generated nodes and the latency. Default 1. */
  seed?: number;
  odd?: Oddities;
  /** The list, served as it is, instead of generated nodes. Copied. */
  records?: readonly unknown[];
  /** Makes the key a temporary one: every signature must cover X-Security-Token with this value. */
  securityToken?: string;
  /** Lifetime of a token. Default 86,400. */
  tokenSeconds?: number;
  /** Null: no quota. Default 5 requests in 60 s, sliding. */
  quota?: SimulatedQuota | null;
  /** Each response is delayed by a random time in this range. Default 0. */
  latencyMs?: { min: number; max: number };
  drift?: Drift;
  /** Called before each page is built (`index` from 0) with the list, which it may change. */
  beforePage?: (page: { index: number; offset: number; list: NodeRecord[] }) => void;
  faults?: readonly FaultRule[];
  /** How far the server's wall clock is ahead. Default 0. */
  clockSkewMs?: number;
  /** How long the key is locked after five failed authentications in a row. Default 300,000. */
  lockMs?: number;
  /** Default: the real clock. */
  clock?: Clock;
}

/** The one account, region and project that the simulator serves. */
export interface Identity {
  /** Also the name of the project. */
  region: string;
  projectId: string;
  ak: string;
  sk: string;
  iamUser: string;
  iamPassword: string;
  iamDomain: string;
}

/** Fixed values that are easy to type and that cannot be mistaken for real ones. */
const demoIdentity: Identity = {
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

const defaults = {
  ...demoIdentity,
  port: 0,
  flavour: 'hss' as Flavour,
  nodes: 300,
  seed: 1,
  odd: {} as Oddities,
  records: null as readonly unknown[] | null,
  securityToken: null,
  tokenSeconds: 86_400,
  quota: { requests: 5, windowSeconds: 60 } as SimulatedQuota | null,
  latencyMs: { min: 0, max: 0 },
  drift: {} as Drift,
  beforePage: null,
  faults: [],
  clockSkewMs: 0,
  lockMs: 300_000,
  clock: realClock,
};

export type SimulatorSettings = ReturnType<typeof completeOptions>;

/** Every option, with its default if it is missing. Throws ConfigError for invalid options. */
export function completeOptions(options: SimulatorOptions) {
  checkOptions(options);
  const settings = { ...defaults, ...options };
  return { ...settings, serverNowMs: () => settings.clock.nowMs() + settings.clockSkewMs };
}

function checkOptions(options: SimulatorOptions): void {
  const issues: ConfigIssue[] = [];
  const check = (isValid: boolean, path: string, message: string, hint: string) => {
    if (!isValid) issues.push({ path, message, hint });
  };
  const { port = 0, nodes = 0, quota, latencyMs, faults = [] } = options;
  const isPort = Number.isInteger(port) && port >= 0 && port <= 65_535;
  check(isPort, '--port', `${port} is not a valid port`, 'Use a whole number from 0 to 65535.');
  const isCount = Number.isInteger(nodes) && nodes >= 0;
  check(
    isCount,
    '--nodes',
    `${nodes} is not a valid number of nodes`,
    'Use a whole number, 0 or more.',
  );
  if (quota) {
    const isQuota =
      Number.isInteger(quota.requests) && quota.requests >= 1 && quota.windowSeconds > 0;
    const hint = 'Use at least one request and a window longer than 0 seconds.';
    check(isQuota, '--quota', 'is not a valid quota', hint);
  }
  if (latencyMs) {
    const isRange = latencyMs.min >= 0 && latencyMs.max >= latencyMs.min;
    const hint = 'Use min and max in milliseconds, with 0 ≤ min ≤ max.';
    check(isRange, '--latency', 'is not a valid range', hint);
  }
  for (const rule of faults) {
    const canHappen =
      'at' in rule ? rule.at >= 1 : 'every' in rule ? rule.every >= 1 : rule.kinds.length > 0;
    const hint = 'Use a request number from 1, or a probability with at least one kind.';
    check(canHappen, '--fault', 'can never happen', hint);
  }
  if (issues.length > 0) throw new ConfigError(issues);
}
