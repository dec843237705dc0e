// Responsible for the simulator's options: defaults, the accounts that they lead to, validation. Not responsible for command-line syntax.

import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import {
  type Account,
  type AccountPlan,
  demoIdentity,
  type Identity,
  planAccounts,
} from './accounts.ts';
import type { Drift } from './drift.ts';
import type { FaultRule } from './faults.ts';
import type { SimulatedQuota } from './gateway-quota.ts';
import type { Flavour, NodeRecord, Oddities } from './nodes.ts';

/** The identity is that of the first account, and defaults to fixed demo values. */
export interface SimulatorOptions extends Partial<Identity> {
  /** 0: any free port. Default 0. */
  port?: number;
  /** Default hss, which the exporter assumes for a host name that does not start with `cgs.`. */
  flavour?: Flavour;
  /** How many nodes each project has at the start. A list: the projects have these numbers in turn. Default 300. */
  nodes?: number | readonly number[];
  /** How many clusters each project has at the start. Default 20. The flavour cgs has no list of clusters. */
  clusters?: number;
  /** How many accounts there are, each with a key of its own. Default 1. */
  accounts?: number;
  /** The regions of each account's projects, in turn. Default: `region` only. */
  regions?: readonly string[];
  /** How many projects each account has. Default: one in each region. */
  projects?: number;
  /** For the generated nodes and the latency. Default 1. */
  seed?: number;
  odd?: Oddities;
  /** Makes each key a temporary one: every signature must cover X-Security-Token with this value. */
  securityToken?: string;
  /** Of each user. Null: no quota. Default 5 requests in 60 s, sliding. */
  quota?: SimulatedQuota | null;
  /** Each response is delayed by a random time in this range. Default 0. */
  latencyMs?: { min: number; max: number };
  /** Changes the list of the project that was asked for. */
  drift?: Drift;
  /** Called before each page is built (`index` from 0) with the project's list, which it may change. */
  beforePage?: (page: {
    index: number;
    offset: number;
    projectId: string;
    readonly list: NodeRecord[];
  }) => void;
  faults?: readonly FaultRule[];
  /** Default: the real clock. */
  clock?: Clock;
}

const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) => sleep(delayMs, undefined, { signal }),
};

const defaults = {
  ...demoIdentity,
  port: 0,
  flavour: 'hss' as Flavour,
  nodes: 300 as number | readonly number[],
  clusters: 20,
  accounts: 1,
  regions: null as readonly string[] | null,
  projects: null as number | null,
  seed: 1,
  odd: {} as Oddities,
  securityToken: null as string | null,
  quota: { requests: 5, windowSeconds: 60 } as SimulatedQuota | null,
  latencyMs: { min: 0, max: 0 },
  drift: {} as Drift,
  beforePage: null as NonNullable<SimulatorOptions['beforePage']> | null,
  faults: [] as readonly FaultRule[],
  clock: realClock,
};

export type SimulatorSettings = ReturnType<typeof completeOptions>;

/** So that the numbers in keys and ids have at most four digits. */
const numberMax = 9_999;

/** Every option, with its default if it is missing. Throws ConfigError for invalid options. */
export function completeOptions(options: SimulatorOptions) {
  const settings = { ...defaults, ...options };
  const regions = settings.regions ?? [settings.region];
  const plan = {
    ...settings,
    regions,
    projects: settings.projects ?? regions.length,
    nodes: [settings.nodes].flat() as readonly number[],
  };
  const issues = findIssues(plan);
  if (issues.length > 0) throw new ConfigError(issues);
  const accounts: readonly Account[] = planAccounts(plan);
  return { ...settings, accounts };
}

type Plan = Omit<typeof defaults, keyof AccountPlan> & AccountPlan;

function findIssues(plan: Plan): ConfigIssue[] {
  const { port, nodes, clusters, quota, latencyMs, faults, accounts, projects, regions } = plan;
  const issues: ConfigIssue[] = [];
  const report = (path: string, message: string, hint: string) =>
    issues.push({ path, message, hint });
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    report('--port', `${port} is not a valid port`, 'Use a whole number from 0 to 65535.');
  }
  const wrongNodes = nodes.filter((count) => !Number.isInteger(count) || count < 0);
  if (wrongNodes.length > 0) {
    const message = `${wrongNodes.join(', ')} is not a valid number of nodes`;
    report('--nodes', message, 'Use a whole number, 0 or more.');
  }
  if (!Number.isInteger(clusters) || clusters < 0) {
    const message = `${clusters} is not a valid number of clusters`;
    report('--clusters', message, 'Use a whole number, 0 or more.');
  }
  for (const [path, count] of Object.entries({ '--accounts': accounts, '--projects': projects })) {
    if (Number.isInteger(count) && count >= 1 && count <= numberMax) continue;
    report(path, `${count} is not a valid number`, `Use a whole number from 1 to ${numberMax}.`);
  }
  if (projects < regions.length) {
    const message = `is less than the number of regions, ${regions.length}`;
    report('--projects', message, 'Use at least one project per region, or fewer regions.');
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
  return issues;
}
