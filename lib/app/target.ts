// Responsible for turning a configured target into one that can be exported: its project, its scope and its source.

import { findProjectId, type IamOptions } from '../api/iam.ts';
import { fetchOwnCount } from '../api/own-count.ts';
import { createSource, type SourceOptions } from '../api/pages.ts';
import { type CredentialsProvider, fingerprintOf } from '../api/sign.ts';
import type { Account, Target as TargetConfig } from '../config/model.ts';
import { ConfigError, ProtocolError } from '../core/errors.ts';
import type { ListScope, Log, RequestGate, Source } from '../core/ports.ts';
import { datasetOf } from '../datasets/index.ts';
import type { Budget } from '../quota/budget.ts';
import type { Target } from '../runs/invocation.ts';
import { type AgencyKey, createCredentials, identityOf } from './credentials.ts';

/** What all requests to the service and to IAM share. */
export type ServiceClient = Required<Pick<IamOptions, 'mayWait' | 'timeLeftMs'>> &
  Pick<
    SourceOptions,
    'fetch' | 'clock' | 'scrubber' | 'log' | 'backoffMs' | 'windowMs' | 'quotaRequests'
  >;

/** A target with what `doctor` asks beyond an export. */
export interface ServiceTarget extends Target {
  /** As the configuration has it. */
  config: TargetConfig;
  /** True if the account signs in by password, so that IAM is needed and no request is signed with a key. */
  signsIn: boolean;
  /** The list with further filters. */
  openFiltered: (projectId: string, filters: ListScope['filters']) => Source;
  /** The service's own count. Null: it has none. */
  countRecords: ((projectId: string, gate: RequestGate) => Promise<number | 'paused'>) | null;
}

export function createTarget(
  shared: ServiceClient,
  account: Account,
  config: TargetConfig,
  agencyKey: AgencyKey,
): ServiceTarget {
  const { region, projectId, endpoint, iamEndpoint, api, enterpriseProjectId, filters } = config;
  const named = { account: account.name, table: config.table, region };
  const log: Log = (level, message, fields) => shared.log(level, message, { ...named, ...fields });
  const client = { ...shared, log };
  const dataset = datasetOf(config.dataset);
  const credentials = createCredentials(account, config, client, agencyKey);
  const user = fingerprintOf(identityOf(account));
  const { ownCount } = dataset;
  const toSourceOptions = (project: string, more: ListScope['filters'] = {}): SourceOptions => ({
    ...client,
    dataset,
    scope: { api, enterpriseProjectId, filters: { ...filters, ...more } },
    endpoint,
    region,
    projectId: project,
    credentials,
  });
  return {
    config,
    signsIn: account.credentials.kind === 'password',
    account: account.name,
    table: config.table,
    region,
    projectId,
    projectQuestion: `${user} ${iamEndpoint} ${region}`,
    user,
    dataset,
    findProjectId: (budget) => askProjectId(client, config, credentials, budget),
    scopeOf: (project) => ({
      account: account.name,
      region,
      projectId: project,
      api,
      endpoint,
      enterpriseProjectId,
      filters: omitUndefined(filters),
    }),
    openSource: (project) => createSource(toSourceOptions(project)),
    openFiltered: (project, more) => createSource(toSourceOptions(project, more)),
    countRecords:
      api === 'hss' && ownCount
        ? (project, gate) => fetchOwnCount(toSourceOptions(project), ownCount, gate)
        : null,
  };
}

/** Throws ConfigError with the target's path in the configuration, and ProtocolError if the answer is not a project id. */
async function askProjectId(
  client: ServiceClient,
  { path, iamEndpoint, region }: TargetConfig,
  credentials: CredentialsProvider,
  { signal, takeWait: mayWait, timeLeftMs }: Budget,
): Promise<string> {
  const options = { ...client, iamEndpoint, region, credentials, signal, mayWait, timeLeftMs };
  const found = await findProjectId(options).catch((error: unknown) => {
    if (!(error instanceof ConfigError) || path === '') throw error;
    throw new ConfigError(
      error.issues.map((issue) => ({ ...issue, path: `${path}.${issue.path}` })),
    );
  });
  if (/^[\w-]{1,64}$/.test(found)) return found;
  throw new ProtocolError(
    'NO_PROJECT_ID',
    'IAM returned a project id that is not valid.',
    'Check iamEndpoint, or set projectId.',
  );
}

function omitUndefined(values: object): Record<string, string | boolean> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
