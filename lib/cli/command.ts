// Responsible for the definition of a command: its name, its options, its help text and the function that runs it.

import { Command } from 'commander';
import type { ExitCode } from '../core/error-policy.ts';
import { exitCodeHelp } from './exit-code.ts';
import { addCommonOptions, type CommonOptions } from './options.ts';
import type { Outcome } from './outcome.ts';
import type { Session } from './session.ts';
import { addTargetOptions } from './target-options.ts';

/** One command. To add a command, write one file that exports a definition, and list it in program.ts. */
export interface CommandDefinition<O extends CommonOptions = CommonOptions> {
  name: string;
  /** One line, without a full stop, for the list of commands. */
  summary: string;
  /** The first paragraph of the command's own help. */
  description: string;
  /** Adds the options that only this command has. */
  addOptions?(command: Command): unknown;
  /** True: the command also has the options that select targets or define one target. */
  hasTargets?: boolean;
  /** The help of --config, if it differs from that of the other commands. */
  configHelp?: string;
  help: CommandHelp;
  /** True: with --json, a failure prints the same fields as a successful export. */
  printsResult?: boolean;
  /** Throws what it cannot handle; program.ts prints the error and chooses the exit code. */
  run(options: O, session: Session): Promise<Outcome>;
}

interface CommandHelp {
  /** What the command writes, and where. */
  writes: string;
  codes: readonly ExitCode[];
  variables: readonly string[];
  /** Shell commands that a user can copy. */
  examples: readonly string[];
  /** A last paragraph. */
  note?: string;
}

const variableHelp: Readonly<Record<string, string>> = {
  HUAWEICLOUD_SDK_AK: 'access key, used where the configuration has no credentials',
  HUAWEICLOUD_SDK_SK: 'secret key',
  HUAWEICLOUD_SDK_SECURITY_TOKEN: 'security token of a temporary key',
  CGS_EXPORT_CONFIG: 'path of the configuration file',
  CGS_EXPORT_LOG_LEVEL: 'log level',
  HTTPS_PROXY: 'proxy; HTTP_PROXY, NO_PROXY and NODE_EXTRA_CA_CERTS are used too',
  NO_PROGRESS: 'set to 1 to hide the progress bar',
  NO_COLOR: 'set to 1 for output without colours',
};
export const allVariables: readonly string[] = Object.keys(variableHelp);
export const outputVariables: readonly string[] = [
  'CGS_EXPORT_LOG_LEVEL',
  'NO_PROGRESS',
  'NO_COLOR',
];

/** The parser's view of a definition: options and help, without an action. */
export function createCommand(definition: CommandDefinition): Command {
  const { name, summary, description, addOptions, hasTargets, configHelp, help } = definition;
  const command = new Command(name).summary(summary).description(description);
  addOptions?.(command);
  addCommonOptions(command, configHelp);
  if (hasTargets) addTargetOptions(command);
  return command.addHelpText('after', describeHelp(help));
}

function describeHelp({ writes, codes, variables, examples, note }: CommandHelp): string {
  const codeLines = codes.map((code) => [String(code), exitCodeHelp[code]] as const);
  const variableLines = variables.map((name) => [name, variableHelp[name] ?? ''] as const);
  return [
    `\nWrites:\n  ${writes}`,
    `Exit codes:\n${alignPairs(codeLines)}`,
    `Environment:\n${alignPairs(variableLines)}`,
    `Examples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`,
    ...(note === undefined ? [] : [note]),
  ].join('\n\n');
}

function alignPairs(pairs: readonly (readonly [name: string, text: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n');
}
