// Responsible for the options that select targets or define one target, and for the configuration that they lead to.

import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Config, ConfigFlags, ConfigOptions } from '../config/model.ts';
import { suggest } from '../config/suggest.ts';
import { ConfigError } from '../core/errors.ts';
import type { CommandRuntime } from './command-runtime.ts';
import { type CommonOptions, collectValues } from './options.ts';

/** The parser gives text. `account` and `table` are repeatable, and `formats` is separated by commas. */
export interface TargetOptions
  extends Omit<ConfigFlags, 'account' | 'table' | 'formats' | 'logLevel'>,
    CommonOptions {
  account?: string[];
  table?: string[];
  formats?: string;
}

/** Options that select targets of the configuration file, or that define one target without a file. */
export function addTargetOptions(command: Command): void {
  command
    .optionsGroup('Which targets of the configuration file (default: all):')
    .option(
      '--account <name>',
      'only this account; repeatable (without a file: name of the account)',
      collectValues,
    )
    .option(
      '--table <name>',
      'only this table; repeatable (without a file: name of the table)',
      collectValues,
    )
    .optionsGroup(
      'One target without a configuration file.\nWith --region, --project, --endpoint or --store, no file is read:',
    )
    .option('--region <region>', 'region of the service, for example cn-south-4')
    .option('--project <id>', 'project id (default: the project that IAM has for the region)')
    .option('--endpoint <url>', 'endpoint of the service (default: that of the region)')
    .option('--store <url>', 'where to store: file:./export or obs://bucket/prefix')
    .option('--iam-endpoint <url>', 'endpoint of IAM (default: that of the region)')
    .option('--api <name>', 'cgs or hss (default: by the endpoint)')
    .option(
      '--enterprise-project <id>',
      'enterprise project, for hss only (default: all_granted_eps)',
    )
    .option('--formats <list>', 'file formats, separated by commas (default: parquet,ndjson)')
    .option('--quota-requests <n>', 'requests per quota window (default: 5)')
    .option('--quota-window-seconds <s>', 'length of the quota window (default: 60)')
    .option('--obs-endpoint <url>', 'endpoint of an obs:// store (default: that of the region)')
    .option('--path-style', 'path-style addresses, for an S3-compatible store that is not OBS');
}

/** True if options define the target or the store, so that no configuration file is read. */
export function isByFlags(options: TargetOptions): boolean {
  const { region, project, endpoint, store } = options;
  return [region, project, endpoint, store].some((value) => value !== undefined);
}

/** Throws ConfigError if the options define a target and an option is repeated that can name only one. */
export function toConfigFlags(options: TargetOptions): ConfigFlags {
  const { account = [], table = [], formats, ...flags } = options;
  // With a configuration file, --account and --table select targets; without one, they name the only target.
  if (!isByFlags(options)) return { ...flags, formats: splitList(formats) };
  const repeated = [
    ...(account.length > 1 ? ['--account'] : []),
    ...(table.length > 1 ? ['--table'] : []),
  ];
  if (repeated.length > 0) {
    throw new ConfigError(
      repeated.map((path) => ({
        path,
        message: 'is given twice, but options can define only one target',
        hint: 'To export several targets, write them into a configuration file.',
      })),
    );
  }
  return { ...flags, formats: splitList(formats), account: account[0], table: table[0] };
}

function splitList(list: string | undefined): string[] | undefined {
  return list?.split(',').map((item) => item.trim());
}

/** The configuration from the file or from the options. Throws ConfigError; also if the options select no target. */
export async function readConfig(
  options: TargetOptions,
  { env, cwd }: CommandRuntime,
  needs: ConfigOptions['needs'] = 'service',
): Promise<Config> {
  const config = await loadConfig({
    needs,
    file: options.config,
    env,
    cwd,
    flags: toConfigFlags(options),
  });
  if (!isByFlags(options)) checkPick(config, options);
  return config;
}

/** The targets to select, for `connect`. Empty if options define the only target. */
export function pickOf(options: TargetOptions): { accounts?: string[]; tables?: string[] } {
  const { account, table } = options;
  if (isByFlags(options)) return {};
  return { ...(account ? { accounts: account } : {}), ...(table ? { tables: table } : {}) };
}

function checkPick({ accounts }: Config, { account = [], table = [] }: TargetOptions): void {
  const targets = accounts.flatMap((one) => one.targets);
  const accountNames = accounts.map(({ name }) => name);
  const tableNames = [...new Set(targets.map((target) => target.table))];
  const issues = [
    ...findUnknown('--account', 'account', account, accountNames),
    ...findUnknown('--table', 'table', table, tableNames),
  ];
  if (issues.length > 0) throw new ConfigError(issues);
  const isPicked = (target: (typeof targets)[number]) =>
    (account.length === 0 || account.includes(target.account)) &&
    (table.length === 0 || table.includes(target.table));
  if (targets.some(isPicked)) return;
  const pairs = [...new Set(targets.map((target) => `${target.account} ${target.table}`))];
  throw new ConfigError([
    {
      path: '--table',
      message: 'no target has both this account and this table',
      hint: `Choose an account and one of its tables: ${pairs.join(', ')}.`,
    },
  ]);
}

function findUnknown(path: string, what: string, asked: string[], known: string[]) {
  return asked
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = suggest(name, known);
      return {
        path,
        message: `the configuration has no ${what} "${name}"${near === null ? '' : `; did you mean "${near}"?`}`,
        hint: `Choose one of: ${known.join(', ')}.`,
      };
    });
}
