// Responsible for the definition of a command: its name, its options, its help text and the function that runs it.

import { Command } from 'commander';
import type { ErrorJson } from '../app/result-json.ts';
import type { ExitCode } from '../core/error-policy.ts';
import { exitCodeHelp } from './exit-code.ts';
import { addCommonOptions, type CommonOptions } from './options.ts';
import type { Session } from './session.ts';

/** One command. To add a command, write one file that exports a definition, and list it in program.ts. */
export interface CommandDefinition<O extends CommonOptions = CommonOptions> {
  name: string;
  /** One line, without a full stop, for the list of commands. */
  summary: string;
  /** The first paragraph of the command's own help. */
  description: string;
  /** Its arguments, which are optional, each with its help. */
  arguments?: readonly (readonly [name: string, help: string])[];
  /** Adds the options that only this command has. */
  addOptions?(command: Command): unknown;
  /** Adds the options that name targets or a store. Absent: the command connects to neither. */
  addTargetOptions?(command: Command): unknown;
  /** Why it lacks options that one would expect, and what to use instead, by `--name`. */
  lacks?: Readonly<Record<string, string>>;
  /** The help of --config, if it differs from that of the other commands. */
  configHelp?: string;
  /** What the command writes, and where. */
  writes: string;
  codes: readonly ExitCode[];
  /** Shell commands that a user can copy. */
  examples: readonly string[];
  /** The last paragraph of the help. */
  note?: string;
  /** True: with --json, a failure prints the same fields as a successful export. */
  printsResult?: boolean;
  /** `args`: the given ones. Throws what it cannot handle; program.ts prints the error and chooses the exit code. */
  run(options: O, session: Session, args: readonly string[]): Promise<Outcome>;
}

export interface Outcome {
  exitCode: ExitCode;
  /** For --json. Its errors are printed on stderr too. Null: the command printed its own JSON and has no errors. */
  json: { errors: readonly ErrorJson[]; [field: string]: unknown } | null;
  /** For people, ends with a line feed. Empty: nothing is printed. */
  text: string;
}

const connectionVariables = [
  ['HUAWEICLOUD_SDK_AK', 'access key, used where the configuration has no credentials'],
  ['HUAWEICLOUD_SDK_SK', 'secret key'],
  ['HUAWEICLOUD_SDK_SECURITY_TOKEN', 'security token of a temporary key'],
  ['CGS_EXPORT_CONFIG', 'path of the configuration file'],
  ['HTTPS_PROXY', 'proxy for https; NO_PROXY and NODE_EXTRA_CA_CERTS are used too'],
] as const;
const outputVariables = [
  ['CGS_EXPORT_LOG_LEVEL', 'log level'],
  ['NO_PROGRESS', 'set to 1 to hide the progress bar'],
  ['NO_COLOR', 'set to 1 for output without colours'],
] as const;

/** The parser's view of a definition: options and help, without an action. */
export function createCommand(definition: CommandDefinition): Command {
  const command = new Command(definition.name)
    .summary(definition.summary)
    .description(definition.description);
  for (const [name, help] of definition.arguments ?? []) command.argument(name, help);
  definition.addOptions?.(command);
  addCommonOptions(command, definition.configHelp);
  definition.addTargetOptions?.(command);
  return command.addHelpText('after', describeHelp(definition));
}

function describeHelp(definition: CommandDefinition): string {
  const { addTargetOptions, writes, codes, examples, note } = definition;
  const codeLines = codes.map((code) => [String(code), exitCodeHelp[code]] as const);
  const variables = [...(addTargetOptions ? connectionVariables : []), ...outputVariables];
  return [
    `\nWrites:\n  ${writes}`,
    `Exit codes:\n${alignPairs(codeLines)}`,
    `Environment:\n${alignPairs(variables)}`,
    `Examples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`,
    ...(note === undefined ? [] : [note]),
  ].join('\n\n');
}

function alignPairs(pairs: readonly (readonly [name: string, text: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n');
}
