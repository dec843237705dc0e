// Responsible for the options that every command has, and for option values that are numbers.

import { type Command, Option } from 'commander';
import { ConfigError } from '../core/errors.ts';

export interface CommonOptions {
  config?: string;
  json?: boolean;
  logLevel?: string;
  logFormat?: LogFormat;
}

/** How log lines on stderr look. */
export type LogFormat = 'json' | 'pretty';

const defaultConfigHelp =
  'configuration file (default: $CGS_EXPORT_CONFIG, or ./cgs-export.yml if that is not set)';

export function addCommonOptions(command: Command, configHelp = defaultConfigHelp): void {
  command
    .optionsGroup('Options:')
    .option('--config <file>', configHelp)
    .option('--json', 'print one JSON object on stdout, also if the command fails')
    .addOption(
      new Option(
        '--log-level <level>',
        'the least severe log lines to print on stderr (default: $CGS_EXPORT_LOG_LEVEL, or info)',
      ).choices(['error', 'warn', 'info', 'debug']),
    )
    .addOption(
      new Option(
        '--log-format <format>',
        'format of the log lines on stderr; json hides the progress bar (default: pretty on a terminal, json elsewhere)',
      ).choices(['json', 'pretty'] satisfies LogFormat[]),
    );
}

/** Throws ConfigError unless `text` is a number that is at least `min`. */
export function readNumber(path: string, text: string, min: number): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= min) return value;
  throw new ConfigError([
    {
      path,
      message: `"${text}" is not a number of at least ${min}`,
      hint: `Write a number, for example ${path} 5.`,
    },
  ]);
}

/** Collects the values of a repeatable option. */
export function collectValues(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}
