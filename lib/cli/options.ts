// Responsible for the options that several commands have, and for reading option values that are numbers.
// Not responsible for the configuration that they lead to: connection.ts.

import { type Command, Option } from 'commander';
import type { ConfigFlags } from '../config/flags.ts';
import { configFault } from '../core/errors.ts';

export interface CommonOptions {
  config?: string;
  json?: boolean;
  logLevel?: string;
  logFormat?: LogFormat;
}

/** How log lines on stderr look. */
export type LogFormat = 'json' | 'pretty';

type VerifyFlag = 'pins' | 'publicKey' | 'since';

/** The parser gives text. `account` and `table` are repeatable; `datasets` and `formats` are separated by commas. */
export interface TargetOptions
  extends Omit<ConfigFlags, 'account' | 'table' | 'datasets' | 'formats' | 'logLevel' | VerifyFlag>,
    CommonOptions {
  account?: string[];
  table?: string[];
  datasets?: string;
  formats?: string;
}

/** Options that select targets of the configuration file. */
export type PickOptions = Pick<TargetOptions, 'account' | 'table'>;

/** Options of a command that only reads the store. */
export type StoreOptions = CommonOptions &
  Pick<ConfigFlags, VerifyFlag> &
  Pick<TargetOptions, 'store' | 'region' | 'obsEndpoint' | 'obsRegion' | 'pathStyle'>;

const defaultConfigHelp =
  'configuration file (default: $CGS_EXPORT_CONFIG, or ./cgs-export.yml if that is not set)';
const logLevelHelp =
  'the least severe log lines to print on stderr (default: $CGS_EXPORT_LOG_LEVEL, or info)';
const logFormatHelp =
  'format of the log lines on stderr; json hides the progress bar (default: pretty on a terminal, json elsewhere)';
const withoutFileHeading =
  'One target without a configuration file, named by --account and --table.\nWith --region, --project, --endpoint or --store, no file is read:';

export function addCommonOptions(command: Command, configHelp = defaultConfigHelp): void {
  command
    .optionsGroup('Options:')
    .option('--config <file>', configHelp)
    .option('--json', 'print one JSON object on stdout, also if the command fails')
    .addOption(choice('--log-level <level>', logLevelHelp, ['error', 'warn', 'info', 'debug']))
    .addOption(choice('--log-format <format>', logFormatHelp, ['json', 'pretty']));
}

export function addPickOptions(command: Command): void {
  command
    .optionsGroup('Which targets (default: all):')
    .option('--account <name>', 'only this account; repeatable', collectValues)
    .option('--table <name>', 'only this table; repeatable', collectValues);
}

/** Options that select stored targets. */
export function addStoredPickOptions(command: Command): void {
  addPickOptions(command);
  command
    .option('--region <region>', 'only this region; repeatable', collectValues)
    .option('--project <id>', 'only this project; repeatable', collectValues);
}

/** Options that select targets of the configuration file, or that define one target without a file. */
export function addTargetOptions(command: Command): void {
  addPickOptions(command);
  command
    .optionsGroup(withoutFileHeading)
    .option('--region <region>', 'region of the service, for example cn-south-4')
    .option('--project <id>', 'project id (default: the project that IAM has for the region)')
    .option('--endpoint <url>', 'endpoint of the service (default: that of the region)')
    .option('--store <url>', 'where to store: file:./export or obs://bucket/prefix')
    .option('--iam-endpoint <url>', 'endpoint of IAM (default: that of the region)')
    .option('--api <name>', 'cgs or hss (default: by the endpoint)')
    .option('--enterprise-project <id>', 'only for hss (default: all_granted_eps)')
    .option(
      '--datasets <list>',
      'what to export, separated by commas (default: container_nodes); container_clusters only for hss',
    )
    .option('--formats <list>', 'file formats, separated by commas (default: parquet,ndjson)')
    .option('--quota-requests <n>', 'requests per quota window (default: 5)')
    .option('--quota-window-seconds <s>', 'length of the quota window (default: 60)');
  addBucketOptions(command);
}

/** For a command that only reads the store. */
export function addStoreOptions(command: Command): void {
  command
    .optionsGroup('A store without a configuration file. With --store, no file is read:')
    .option('--store <url>', 'file:./export or obs://bucket/prefix')
    .option('--region <region>', 'region of an obs:// store (default: cn-south-4)');
  addBucketOptions(command);
}

export function addBucketOptions(command: Command): void {
  command
    .option('--obs-endpoint <url>', 'endpoint of an obs:// store (default: that of the region)')
    .option('--obs-region <region>', 'region in signatures, for a store that wants its own')
    .option('--path-style', 'path-style addresses, for an S3-compatible store that is not OBS');
}

/** An option with a fixed set of values. */
export function choice(flags: string, help: string, values: readonly string[]): Option {
  return new Option(flags, help).choices(values);
}

/** Throws ConfigError unless `text` is a number that is at least `min`. */
export function readNumber(path: string, text: string, min: number): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= min) return value;
  const message = `"${text}" is not a number of at least ${min}`;
  throw configFault(path, message, `Write a number, for example ${path} 5.`);
}

/** Collects the values of a repeatable option. */
export function collectValues(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}
