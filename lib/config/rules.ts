// Owns what settings mean together: defaults, and faults that no setting has by itself. Refuses files and text.

import { resolve } from 'node:path';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import { isLoopback } from '../core/network-host.ts';
import type { Environment } from '../core/ports.ts';
import type { NodeFilters } from '../datasets/container-nodes.ts';
import { defaultDataset } from '../datasets/index.ts';
import {
  checkAgency,
  type Report,
  readDefaultCredentials,
  readLogLevel,
  readProxy,
} from './environment.ts';
import type { Account, Config, StoreConfig, Target } from './load.ts';
import type { ConfigShape, Credentials, checkShape } from './schema.ts';

const dayMs = 24 * 60 * 60 * 1_000;
const agency: Credentials = { kind: 'agency' };

interface Context {
  env: Environment;
  agencyPossible: boolean;
  /** Where relative `file:` paths start. */
  folder: string;
  logLevel: string | undefined;
  /** The path of a setting as the operator knows it. */
  pathOf: (path: string) => string;
}

/** Defaults, and what settings mean together. Judges what is right so far, so that all faults come at once. */
export function assembleConfig(checked: ReturnType<typeof checkShape>, context: Context): Config {
  const { shape, issues } = checked;
  const { env } = context;
  const report: Report = (path, message, hint) => issues.push({ path, message, hint });
  const isFaulty = (path: string) => issues.some((issue) => issue.path === path);

  const accounts = (shape.accounts ?? []).map((account, index): Account => {
    const path = `accounts.${index}`;
    const name = account?.name ?? '';
    const credentials =
      account?.credentials ??
      (account === undefined || isFaulty(`${path}.credentials`)
        ? agency
        : readDefaultCredentials(env, context.agencyPossible, `${path}.credentials`, report));
    if (account?.credentials?.kind === 'agency') {
      checkAgency(context.agencyPossible, `${path}.credentials`, report);
    }
    const targets = (account?.targets ?? []).flatMap((target, targetIndex) => {
      const targetPath = `${path}.targets.${targetIndex}`;
      return target?.region === undefined
        ? []
        : [toTarget({ ...target, region: target.region }, name, targetPath, isFaulty, report)];
    });
    return { name, credentials, targets };
  });

  const names = accounts.map(({ name }) => name);
  names.forEach((name, index) => {
    const first = names.indexOf(name);
    if (name !== '' && first !== index) {
      report(
        `accounts.${index}.name`,
        `is the name of accounts.${first} too`,
        'Give every account a name of its own: rows carry it.',
      );
    }
  });
  // A target that is not known well enough is no evidence against another.
  const isKnown = ({ account, path }: Target) => {
    const own = ['projectId', 'table', 'filters'].map((name) => `${path}.${name}`);
    return account !== '' && !issues.some((issue) => own.some((of) => issue.path.startsWith(of)));
  };
  const targets = accounts.flatMap((account) => account.targets).filter(isKnown);
  issues.push(...findRepeatedTargets(targets), ...findMixedTables(targets));

  const config: Config = {
    store: toStore(shape, accounts, context, isFaulty, report),
    scheduleMs: shape.schedule ?? dayMs,
    formats: (['parquet', 'ndjson'] as const).filter(
      (format) => shape.formats === undefined || shape.formats.includes(format),
    ),
    quota: {
      requests: shape.quota?.requests ?? 5,
      windowSeconds: shape.quota?.windowSeconds ?? 60,
    },
    accounts,
    logLevel: readLogLevel(env, context.logLevel, report),
    proxy: readProxy(env, report),
  };
  if (issues.length === 0) return config;
  // One fault of the environment strikes every account that relies on it.
  const distinct = new Map(issues.map((issue) => [`${issue.path}\n${issue.message}`, issue]));
  throw new ConfigError(
    [...distinct.values()].map((issue) => ({ ...issue, path: context.pathOf(issue.path) })),
  );
}

type TargetShape = NonNullable<
  NonNullable<NonNullable<NonNullable<ConfigShape['accounts']>[number]>['targets']>[number]
> & { region: string };

/** Regions of the EU cloud end in `.eu`: so do the HSS endpoints read 2026-11-24. Assumed: IAM and OBS there do as well. */
function hostOf(service: string, region: string): string {
  return `https://${service}.${region}.myhuaweicloud.${region.startsWith('eu-') ? 'eu' : 'com'}`;
}

function toTarget(
  shape: TargetShape,
  account: string,
  path: string,
  isFaulty: (path: string) => boolean,
  report: Report,
): Target {
  const { region } = shape;
  // The 2021 reference, table 1-1, lists this one region for the old service.
  const endpoint = shape.endpoint ?? hostOf(region === 'cn-south-4' ? 'cgs' : 'hss', region);
  const { hostname } = new URL(endpoint);
  const api = shape.api ?? (hostname.startsWith('cgs.') ? 'cgs' : 'hss');
  const isSure = !isFaulty(`${path}.endpoint`) && !isFaulty(`${path}.api`);
  const filters = Object.fromEntries(
    Object.entries(shape.filters ?? {}).filter(([, value]) => value !== undefined),
  ) as NodeFilters;
  if (api === 'cgs' && isSure) {
    if (shape.enterpriseProjectId !== undefined) {
      report(
        `${path}.enterpriseProjectId`,
        'is not sent to the cgs api, which does not know it',
        'Remove it, or set `api: hss` with an hss endpoint.',
      );
    }
    // The 2021 reference, table 3-2.
    for (const name of ['protectStatus', 'containerTags'] as const) {
      if (filters[name] === undefined) continue;
      report(
        `${path}.filters.${name}`,
        'is no filter of the cgs api',
        'It knows hostName and agentStatus; set `api: hss` with an hss endpoint for the others.',
      );
    }
    if (
      filters.agentStatus &&
      !['not_installed', 'online', 'offline'].includes(filters.agentStatus)
    ) {
      report(
        `${path}.filters.agentStatus`,
        'is no value of the cgs api',
        'It knows not_installed, online and offline.',
      );
    }
  }
  if (Object.keys(filters).length > 0 && shape.table === undefined && !isFaulty(`${path}.table`)) {
    report(
      `${path}.table`,
      'is missing: a filtered target must name its own table',
      'Add one, as in `table: web_nodes`, so that nobody takes a part of the nodes for all.',
    );
  }
  return {
    path,
    account,
    table: shape.table ?? defaultDataset.name,
    region,
    projectId: shape.projectId ?? null,
    endpoint,
    // Whoever runs a server on this host (the simulator) runs its IAM too: no key of a trial may go out.
    iamEndpoint: shape.iamEndpoint ?? (isLoopback(hostname) ? endpoint : hostOf('iam', region)),
    api,
    enterpriseProjectId: api === 'hss' ? (shape.enterpriseProjectId ?? 'all_granted_eps') : null,
    filters,
  };
}

function toStore(
  shape: ConfigShape,
  accounts: readonly Account[],
  context: Context,
  isFaulty: (path: string) => boolean,
  report: Report,
): StoreConfig {
  const { store, obs } = shape;
  if (store?.kind !== 'obs') {
    if (store !== undefined && obs !== undefined) {
      report(
        'obs',
        'is there, but the store is no obs://',
        'Remove it, or write `store: obs://…`.',
      );
    }
    return { kind: 'file', root: resolve(context.folder, store?.path ?? '.') };
  }
  const first = accounts[0];
  const credentials = obs?.credentials ?? first?.credentials ?? agency;
  if (obs?.credentials?.kind === 'agency')
    checkAgency(context.agencyPossible, 'obs.credentials', report);
  if (credentials.kind === 'password' && !isFaulty('obs.credentials')) {
    report(
      'obs.credentials',
      obs?.credentials
        ? 'is a sign-in, which OBS does not take'
        : 'is missing, and the first account signs in with a password, which OBS does not take',
      'Give { ak, sk } of a user who may read and write the bucket.',
    );
  }
  const targetRegion = first?.targets[0]?.region ?? '';
  const endpoint = obs?.endpoint ?? hostOf('obs', targetRegion);
  return {
    kind: 'obs',
    bucket: store.bucket,
    prefix: store.prefix,
    endpoint,
    region:
      /^https:\/\/obs\.([a-z0-9-]+)\.myhuaweicloud\.(?:com|eu)$/.exec(endpoint)?.[1] ??
      targetRegion,
    pathStyle: obs?.pathStyle ?? false,
    credentials: credentials.kind === 'password' ? { kind: 'agency' } : credentials,
    kmsKeyId: obs?.kmsKeyId ?? null,
  };
}

/** What makes a target's snapshots one series. */
export interface Series {
  path: string;
  account: string;
  table: string;
  region: string;
  projectId: string | null;
}

/** Two targets that would write one series of snapshots. Where the project is not known yet, the account stands for it. */
export function findRepeatedTargets(targets: readonly Series[]): ConfigIssue[] {
  const known = new Map<string, Series>();
  const issues: ConfigIssue[] = [];
  for (const target of targets) {
    const project =
      target.projectId === null ? ['account', target.account] : ['project', target.projectId];
    const id = JSON.stringify([target.table, target.region, ...project]);
    const first = known.get(id);
    if (first === undefined) {
      known.set(id, target);
      continue;
    }
    issues.push({
      path: target.path,
      message: `has the table, region and project of ${first.path}`,
      hint: `Remove one of them, or give one a table of its own instead of ${target.table}.`,
    });
  }
  return issues;
}

/** A table in which some targets are whole and others filtered would be taken for whole. */
function findMixedTables(targets: readonly Target[]): ConfigIssue[] {
  const filtersOf = new Map<string, string>();
  const issues: ConfigIssue[] = [];
  for (const { path, table, filters } of targets) {
    const own = JSON.stringify(Object.entries(filters).sort());
    const others = filtersOf.get(table) ?? own;
    filtersOf.set(table, others);
    if (own === others) continue;
    issues.push({
      path: `${path}.filters`,
      message: `differs from the filters of other targets of the table ${table}`,
      hint: 'Give targets with other filters a table of their own.',
    });
  }
  return issues;
}
