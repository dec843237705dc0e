// Responsible for the simulator's options: defaults, the demo identity, validation. Not responsible for command-line syntax.

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
  /** Makes the key a temporary one: every signature must cover X-Security-Token with this value. */
  securityToken?: string;
  /** Null: no quota. Default 5 requests in 60 s, sliding. */
  quota?: SimulatedQuota | null;
  /** Each response is delayed by a random time in this range. Default 0. */
  latencyMs?: { min: number; max: number };
  drift?: Drift;
  /** Called before each page is built (`index` from 0) with the list, which it may change. */
  beforePage?: (page: { index: number; offset: number; list: NodeRecord[] }) => void;
  faults?: readonly FaultRule[];
  /** Default: the real clock. */
  clock?: Clock;
}

/** Fixed values that are easy to type and that cannot be mistaken for real ones. */
const demoIdentity = {
  /** Also the name of the project. */
  region: 'cn-south-4',
  projectId: 'de300000000000000000000000000de3',
  ak: 'DEMOACCESSKEY0000000',
  sk: 'demo-secret-key-that-opens-nothing-00000',
  iamUser: 'demo-user',
  iamPassword: 'demo-password-that-opens-nothing',
  iamDomain: 'demo-domain',
};

/** The one account, region and project that the simulator serves. */
export type Identity = typeof demoIdentity;

const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) => sleep(delayMs, undefined, { signal }),
};

const defaults = {
  ...demoIdentity,
  port: 0,
  flavour: 'hss' as Flavour,
  nodes: 300,
  seed: 1,
  odd: {} as Oddities,
  securityToken: null,
  quota: { requests: 5, windowSeconds: 60 } as SimulatedQuota | null,
  latencyMs: { min: 0, max: 0 },
  drift: {} as Drift,
  beforePage: null,
  faults: [],
  clock: realClock,
};

export type SimulatorSettings = ReturnType<typeof completeOptions>;

/** Every option, with its default if it is missing. Throws ConfigError for invalid options. */
export function completeOptions(options: SimulatorOptions) {
  const settings = { ...defaults, ...options };
  const { port, nodes, quota, latencyMs, faults } = settings;
  const issues: ConfigIssue[] = [];
  const report = (path: string, message: string, hint: string) =>
    issues.push({ path, message, hint });
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    report('--port', `${port} is not a valid port`, 'Use a whole number from 0 to 65535.');
  }
  if (!Number.isInteger(nodes) || nodes < 0) {
    report('--nodes', `${nodes} is not a valid number of nodes`, 'Use a whole number, 0 or more.');
  }
  if (
    quota &&
    !(Number.isInteger(quota.requests) && quota.requests > 0 && quota.windowSeconds > 0)
  ) {
    const hint = 'Use a whole number of requests, at least 1, and a window longer than 0 seconds.';
    report('--quota', 'is not a valid quota', hint);
  }
  if (!(latencyMs.min >= 0 && latencyMs.max >= latencyMs.min)) {
    report(
      '--latency',
      'is not a valid range',
      'Use min and max in milliseconds, with 0 ≤ min ≤ max.',
    );
  }
  if (faults.some((rule) => 'at' in rule && rule.at < 1)) {
    report('--fault', 'can never happen', 'Use a request number from 1.');
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return settings;
}
