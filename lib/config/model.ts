// Responsible for what a configuration is once it is read: types only.

import type { AlertRules } from '../core/alert-rules.ts';
import type { ConfigIssue } from '../core/errors.ts';
import type { LogLevel } from '../core/ports.ts';
import type { NodeFilters } from '../datasets/container-nodes.ts';

/** An access key (temporary if it has a token), the function's agency, or a user who signs in to IAM. */
export type Credentials =
  | { kind: 'key'; ak: string; sk: string; securityToken: string | null }
  | { kind: 'agency' }
  | { kind: 'password'; iamUser: string; iamPassword: string; iamDomain: string };

/** As it is written: a relative path is not resolved yet. */
export type StoreLocation =
  | { kind: 'file'; path: string }
  | { kind: 'obs'; bucket: string; prefix: string };

export type StoreConfig =
  /** `fileMode`: permissions of new files. */
  | { kind: 'file'; root: string; fileMode: number }
  | {
      kind: 'obs';
      bucket: string;
      /** Without slashes at its ends; empty for the bucket's root. */
      prefix: string;
      endpoint: string;
      /** Part of every signature. */
      region: string;
      pathStyle: boolean;
      credentials: Exclude<Credentials, { kind: 'password' }>;
      kmsKeyId: string | null;
      /** Canned ACL of every object; null: none is sent. */
      acl: string | null;
    };

/** What makes a target's snapshots one series. */
export interface Series {
  /** Place in the configuration, for messages: `accounts.0.targets.1`. */
  path: string;
  account: string;
  table: string;
  region: string;
  /** Null: IAM is asked for it. */
  projectId: string | null;
}

/** Each dataset of a target of the file is a target of its own. */
export interface Target extends Series {
  /** The name of one of the datasets. */
  dataset: string;
  /** Origins: scheme, host, port. */
  endpoint: string;
  iamEndpoint: string;
  api: 'cgs' | 'hss';
  /** Null: not sent. */
  enterpriseProjectId: string | null;
  filters: NodeFilters;
}

export interface Account {
  name: string;
  credentials: Credentials;
  targets: readonly Target[];
}

/** As in curl's environment variables; null where a variable is not set. */
export interface ProxyConfig {
  httpsProxy: string | null;
  noProxy: string | null;
}

/** Defaults of the command `verify`. */
export interface VerifyConfig {
  /**
   * The object with the pins; null: there are none. `name`: the setting or option, for messages. `store` has only the folder or the
   * bucket of that object.
   */
  pins: { name: string; store: StoreConfig; key: string } | null;
  publicKeys: readonly PublicKeySource[];
  /** Only parts of snapshots from here on are hashed: a date, a time or an age. Null: all are. */
  since: string | null;
}

/** `name`: the setting or option, for messages. */
export type PublicKeySource = { name: string } /** The first of these files that exists. */ & (
  | { kind: 'file'; paths: readonly string[] }
  | { kind: 'text'; text: string }
);

/** How long rows are kept, milliseconds. A rule that is null keeps nothing. */
export interface RetentionConfig {
  all: number | null;
  daily: number | null;
  weekly: number | null;
  monthly: number | null;
  grace: number;
}

/** At least one of `webhook` and `smn` is not null. */
export interface AlertsConfig {
  /** Both are secrets. */
  webhook: { url: string; secret: string } | null;
  /** `region` and `projectId`: those of the URN. */
  smn: { topicUrn: string; region: string; projectId: string; endpoint: string } | null;
  rules: AlertRules;
}

export interface Config {
  store: StoreConfig;
  scheduleMs: number;
  /** In this order; Parquet always. */
  formats: readonly ('parquet' | 'ndjson')[];
  quota: { requests: number; windowSeconds: number };
  keepPagesMs: number;
  /** `privateKey`: as it is written; not checked yet. Null: manifests are not signed. */
  signing: { privateKey: string } | null;
  verify: VerifyConfig;
  /** Null: nothing is ever pruned. */
  retention: RetentionConfig | null;
  /** Null: no alerts are sent. */
  alerts: AlertsConfig | null;
  accounts: readonly Account[];
  logLevel: LogLevel;
  proxy: ProxyConfig;
  /** What is probably a mistake, but may be right. To be logged once. */
  warnings: readonly ConfigIssue[];
}

/** A flag of the command line that replaces the configuration file. */
export type SourceFlag = '--region' | '--project' | '--endpoint' | '--store';

export interface ConfigOptions {
  /** True in a function: credentials can be `agency`, which is then the default, and a `file:` store must be `mounted`. */
  inFunction?: boolean;
  /**
   * What the command uses. `store`: it only reads the store, so that the settings of the API may lack their
   * variables, and no account needs credentials unless they open the store. Default `service`: everything.
   */
  needs?: 'store' | 'service';
  /** The flags of the command that replace the file, for hints. Default: none. */
  sourceFlags?: readonly SourceFlag[];
  /** True: the command signs, so the variable of the signing key must be set, also if it needs only the store. */
  signs?: boolean;
}
