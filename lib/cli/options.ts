// Owns the options that commands share, and what their help says alike. Refuses to act on any.

import { type Command, Option } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Config, ConfigFlags, ConfigOptions } from '../config/model.ts';
import { suggest } from '../config/suggest.ts';
import type { ExitCode } from '../core/error-policy.ts';
import { ConfigError } from '../core/errors.ts';
import { exitCodeHelp } from './exit-code.ts';
import type { World } from './session.ts';

export interface CommonOptions {
  config?: string;
  json?: boolean;
  logLevel?: string;
}

export interface TargetOptions extends CommonOptions {
  region?: string;
  project?: string;
  endpoint?: string;
  store?: string;
  iamEndpoint?: string;
  api?: string;
  enterpriseProject?: string;
  formats?: string;
  quotaRequests?: string;
  quotaWindowSeconds?: string;
  obsEndpoint?: string;
  pathStyle?: boolean;
  account?: string[];
  table?: string[];
}

/** `config`: what --config does here. */
export function addCommonOptions(
  command: Command,
  config = 'configuration file (default: $CGS_EXPORT_CONFIG, else ./cgs-export.yml)',
): Command {
  return command
    .option('--config <file>', config)
    .option('--json', 'print exactly one JSON object on stdout, failures too')
    .addOption(
      new Option(
        '--log-level <level>',
        'what goes to stderr (default: $CGS_EXPORT_LOG_LEVEL, else info)',
      ).choices(['error', 'warn', 'info', 'debug']),
    );
}

const collectNames = (name: string, names: string[] | undefined) => [...(names ?? []), name];

/** One target without a file, or a choice among those of the file. */
export function addTargetOptions(command: Command): Command {
  return command
    .optionsGroup('Which targets:')
    .option(
      '--account <name>',
      'only this account of the configuration, repeatable; without one: its name in the rows',
      collectNames,
    )
    .option(
      '--table <name>',
      'only this table of the configuration, repeatable; without one: its name',
      collectNames,
    )
    .optionsGroup('One target without a configuration file (any of the first four: none is read):')
    .option('--region <region>', 'such as cn-south-4')
    .option('--project <id>', 'project id (default: asked of IAM)')
    .option('--endpoint <url>', 'of the service (default: by region)')
    .option('--store <url>', 'file:./export or obs://bucket/prefix')
    .option('--iam-endpoint <url>', 'default: by region')
    .option('--api <name>', 'cgs or hss (default: by endpoint)')
    .option('--enterprise-project <id>', 'hss only (default: all_granted_eps)')
    .option('--formats <list>', 'parquet,ndjson')
    .option('--quota-requests <n>', 'requests a window (default: 5)')
    .option('--quota-window-seconds <s>', 'length of the window (default: 60)')
    .option('--obs-endpoint <url>', 'for obs:// (default: by region)')
    .option('--path-style', 'for S3-compatible stores other than OBS');
}

/** Whether a target or a store is given by flags, so that no file is read. */
export function isByFlags(options: TargetOptions): boolean {
  const { region, project, endpoint, store } = options;
  return [region, project, endpoint, store].some((value) => value !== undefined);
}

export function toConfigFlags(options: TargetOptions): ConfigFlags {
  const { account = [], table = [], formats, config: _config, json: _json, ...flags } = options;
  // Beside a file these choose; alone they name the one target.
  if (!isByFlags(options)) return { ...flags, formats: splitList(formats) };
  const repeated = [
    ...(account.length > 1 ? ['--account'] : []),
    ...(table.length > 1 ? ['--table'] : []),
  ];
  if (repeated.length > 0) {
    throw new ConfigError(
      repeated.map((path) => ({
        path,
        message: 'stands twice, but flags give one target only',
        hint: 'Write several targets into a configuration file.',
      })),
    );
  }
  return { ...flags, formats: splitList(formats), account: account[0], table: table[0] };
}

function splitList(list: string | undefined): string[] | undefined {
  return list?.split(',').map((item) => item.trim());
}

/** The configuration that applies. Throws ConfigError, also for a choice that matches nothing. */
export async function readConfig(
  options: TargetOptions,
  { env, cwd }: World,
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

/** For `connect`: nothing is chosen where flags name the one target. */
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
      message: 'no target has both the account and the table asked for',
      hint: `Accounts and their tables: ${pairs.join(', ')}.`,
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
        hint: `Known: ${known.join(', ')}.`,
      };
    });
}

/** Throws ConfigError unless `text` is a number from `min` on. */
export function readNumber(path: string, text: string, min: number): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= min) return value;
  throw new ConfigError([
    {
      path,
      message: `"${text}" is no number from ${min} on`,
      hint: `Write a number, as in ${path} 5.`,
    },
  ]);
}

const environmentHelp: Readonly<Record<string, string>> = {
  HUAWEICLOUD_SDK_AK: 'access key, where the configuration names no credentials',
  HUAWEICLOUD_SDK_SK: 'secret key',
  HUAWEICLOUD_SDK_SECURITY_TOKEN: 'security token of a temporary key',
  CGS_EXPORT_CONFIG: 'configuration file',
  CGS_EXPORT_LOG_LEVEL: 'log level',
  HTTPS_PROXY: 'also HTTP_PROXY, NO_PROXY, NODE_EXTRA_CA_CERTS',
  NO_PROGRESS: 'no progress line on a terminal',
  NO_COLOR: 'no colours',
};
export const allVariables = Object.keys(environmentHelp);
export const outputVariables = ['CGS_EXPORT_LOG_LEVEL', 'NO_PROGRESS', 'NO_COLOR'];

/** What every command's help ends with. */
export function addHelp(
  command: Command,
  help: {
    writes: string;
    examples: readonly string[];
    codes: readonly ExitCode[];
    variables: readonly string[];
  },
): Command {
  const list = (rows: readonly (readonly [string, string])[]) => {
    const width = Math.max(...rows.map(([name]) => name.length));
    return rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n');
  };
  const codes = help.codes.map((code) => [String(code), exitCodeHelp[code]] as const);
  const variables = help.variables.map((name) => [name, environmentHelp[name] ?? ''] as const);
  return command.addHelpText(
    'after',
    [
      `\nWrites:\n  ${help.writes}`,
      `Exit codes:\n${list(codes)}`,
      `Environment:\n${list(variables)}`,
      `Examples:\n${help.examples.map((example) => `  $ ${example}`).join('\n')}`,
    ].join('\n\n'),
  );
}
