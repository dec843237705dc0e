// Responsible for how an account and a store get their keys: from the configuration, an agency or a sign-in.

import { createTokenProvider, type IamOptions } from '../api/iam.ts';
import type { CredentialsProvider } from '../api/sign.ts';
import { agencyHint } from '../config/environment.ts';
import type { Account, StoreConfig, Target as TargetConfig } from '../config/model.ts';
import { configFault } from '../core/errors.ts';
import type { KeyCredentials, Scrubber } from '../core/ports.ts';
import type { AccessKeyProvider } from '../store/obs-access-key.ts';

type StoreCredentials = Extract<StoreConfig, { kind: 'obs' }>['credentials'];
/** Returns the agency's current temporary key. Undefined outside of a function. */
export type AgencyKey = (() => KeyCredentials) | undefined;

/** Credentials for requests to the service. An agency's key is read for each request, because the platform renews it. */
export function createCredentials(
  { credentials }: Account,
  { region, projectId, iamEndpoint }: TargetConfig,
  client: Omit<IamOptions, 'iamEndpoint'>,
  agencyKey: AgencyKey,
): CredentialsProvider {
  if (credentials.kind === 'agency') return async () => requireAgencyKey(agencyKey);
  if (credentials.kind === 'key') {
    const key = { kind: 'aksk' as const, ...keyOf(credentials) };
    return async () => key;
  }
  const { iamUser: user, iamPassword: password, iamDomain: domain } = credentials;
  const account = { user, password, domain };
  const provider = createTokenProvider({ ...client, ...account, iamEndpoint, region, projectId });
  return async () => provider;
}

/** Keys for an OBS store. An agency's key is read for each try, because the platform renews it. */
export function createStoreKeys(
  credentials: StoreCredentials,
  scrubber: Scrubber,
  agencyKey: AgencyKey,
): AccessKeyProvider {
  if (credentials.kind === 'key') {
    const key = keyOf(credentials);
    return async () => key;
  }
  return async () => {
    const key = requireAgencyKey(agencyKey);
    for (const secret of [key.ak, key.sk, key.securityToken]) scrubber.add(secret ?? '');
    return key;
  };
}

/**
 * Names the user under which the service counts requests: the access key, the agency's account, or the IAM user. The
 * caller hashes it.
 */
export function identityOf({ name, credentials }: Account): string {
  if (credentials.kind === 'key') return credentials.ak;
  if (credentials.kind === 'agency') return `agency of ${name}`;
  return `${credentials.iamDomain}/${credentials.iamUser}`;
}

function keyOf({ ak, sk, securityToken }: Extract<Account['credentials'], { kind: 'key' }>) {
  return { ak, sk, ...(securityToken ? { securityToken } : {}) };
}

function requireAgencyKey(agencyKey: AgencyKey): KeyCredentials {
  if (agencyKey) return agencyKey();
  const message = 'credentials are `agency`, but this command does not run in a function';
  throw configFault('accounts', message, agencyHint);
}
