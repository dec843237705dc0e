// Responsible for the command line: the list of commands, how a call ends, and how its outcome is printed.
// Not responsible for the process: main.ts passes it in.

import { Command, CommanderError } from 'commander';
import { type ResultJson, toFailureJson } from '../app/result-json.ts';
import { exitCodes, policyOf } from '../core/error-policy.ts';
import { ConfigError } from '../core/errors.ts';
import type { Scrubber } from '../core/ports.ts';
import { VERSION } from '../core/version.ts';
import { createScrubber } from '../platform/scrubber.ts';
import { alertsCommand } from './alerts.ts';
import { type CommandDefinition, createCommand, type Outcome } from './command.ts';
import { ddlCommand } from './ddl.ts';
import { demoCommand } from './demo.ts';
import { diffCommand } from './diff.ts';
import { doctorCommand } from './doctor.ts';
import { evidenceCommand } from './evidence.ts';
import { exportCommand } from './export.ts';
import { escapeLines } from './format.ts';
import { historyCommand } from './history.ts';
import { initCommand } from './init.ts';
import { keygenCommand } from './keygen.ts';
import { nodeCommand } from './node.ts';
import { nodesCommand } from './nodes.ts';
import type { CommonOptions } from './options.ts';
import { planCommand } from './plan.ts';
import { pruneCommand } from './prune.ts';
import { reportCommand } from './report.ts';
import { schemaCommand } from './schema.ts';
import { type CommandRuntime, openSession, type Session } from './session.ts';
import { simulateCommand } from './simulate.ts';
import { statusCommand } from './status.ts';
import { tickCommand } from './tick.ts';
import { verifyCommand } from './verify.ts';

/** Every command, in the order of the help. */
export const commands: readonly CommandDefinition[] = [
  exportCommand,
  tickCommand,
  planCommand,
  statusCommand,
  historyCommand,
  nodesCommand,
  nodeCommand,
  diffCommand,
  ddlCommand,
  reportCommand,
  verifyCommand,
  evidenceCommand,
  pruneCommand,
  doctorCommand,
  alertsCommand,
  simulateCommand,
  demoCommand,
  initCommand,
  schemaCommand,
  keygenCommand,
];

/** Runs one call and resolves with its exit code. `args`: the arguments after the program's name. Never throws. */
export async function runProgram(
  args: readonly string[],
  runtime: CommandRuntime,
): Promise<number> {
  const call = startCall(args, runtime);
  try {
    await createProgram(call).parseAsync([...args], { from: 'user' });
  } catch (error) {
    return error instanceof CommanderError ? endUsage(call, error) : fail(call, error);
  }
  return call.exitCode;
}

/** For an error that no command caught. Prints it like any other failure and returns the exit code. */
export function reportCrash(
  args: readonly string[],
  runtime: CommandRuntime,
  error: unknown,
): number {
  return fail(startCall(args, runtime), error);
}

interface Call {
  runtime: CommandRuntime;
  scrubber: Scrubber;
  /** Null: the arguments do not start with the name of a command. */
  command: CommandDefinition | null;
  /** Guessed from the arguments until the parser has read them. */
  options: CommonOptions;
  exitCode: number;
}

function startCall(args: readonly string[], runtime: CommandRuntime): Call {
  const scrubber = createScrubber();
  // Before anything is read: an error message about something else must not show a key either.
  for (const name of ['AK', 'SK', 'SECURITY_TOKEN'].map((end) => `HUAWEICLOUD_SDK_${end}`)) {
    scrubber.add(runtime.env[name] ?? '');
  }
  scrubber.add(runtime.env.CGS_SIGNING_KEY ?? '');
  return {
    runtime,
    scrubber,
    command: commands.find(({ name }) => name === args[0]) ?? null,
    options: { json: args.includes('--json') },
    exitCode: exitCodes.complete,
  };
}

function createProgram(call: Call): Command {
  const { runtime } = call;
  const program = new Command('cgs-export')
    .description(
      "Exports complete snapshots of all container nodes from Huawei Cloud's container security service (CGS/HSS) as Parquet and NDJSON. An interrupted export can be resumed, and `verify` detects changes to stored snapshots.",
    )
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => runtime.stdout.write(text),
      // With --json, the error is printed as JSON on stdout instead.
      writeErr: (text) => {
        if (!call.options.json) runtime.stderr.write(escapeLines(call.scrubber.scrub(text)));
      },
      getOutHelpWidth: () => (runtime.stdout.isTerminal ? runtime.stdout.columns() : 100),
      getErrHelpWidth: () => (runtime.stderr.isTerminal ? runtime.stderr.columns() : 100),
    })
    .addHelpText(
      'after',
      `\nRun a command with --help to see its options, exit codes and examples.${runtime.docs === null ? '' : `\nDocumentation: ${runtime.docs}`}`,
    );
  for (const definition of commands) {
    const command = createCommand(definition)
      .copyInheritedSettings(program)
      .action((...values: unknown[]) => {
        // The arguments (undefined: not given), then the options, then the command.
        const options = values.at(-2) as CommonOptions;
        const args = values.slice(0, -2).filter((value) => typeof value === 'string');
        return runCommand(call, definition, options, args);
      });
    program.addCommand(command);
  }
  return program;
}

async function runCommand(
  call: Call,
  command: CommandDefinition,
  options: CommonOptions,
  args: readonly string[],
): Promise<void> {
  call.options = options;
  requireValues(options);
  const session = openSession(call.runtime, call.scrubber, options);
  try {
    const outcome = await command.run(options, session, args);
    printOutcome(session, outcome);
    call.exitCode = outcome.exitCode;
  } catch (error) {
    call.exitCode = failIn(session, call, error);
  } finally {
    session.close();
  }
}

/** Throws ConfigError for options with an empty value, as from a variable of the shell that is not set. */
function requireValues(options: CommonOptions): void {
  const isEmpty = (value: unknown) => value === '' || (Array.isArray(value) && value.includes(''));
  const names = Object.entries(options).filter(([, value]) => isEmpty(value));
  const hint = 'Give it a value, or leave it out. A variable of the shell may not be set.';
  const issues = names.map(([name]) => {
    const path = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return { path, message: 'is empty', hint };
  });
  if (issues.length > 0) throw new ConfigError(issues);
}

/** --help and --version end here too, with exit code 0. */
function endUsage(call: Call, error: CommanderError): number {
  const { runtime, scrubber, command } = call;
  if (error.exitCode === 0) return exitCodes.complete;
  const unknown = /^error: unknown option '(--[a-z-]+)/.exec(error.message)?.[1];
  const about = command && unknown ? describeLack(command, unknown) : null;
  if (!call.options.json && about !== null) runtime.stderr.write(`  ${about}\n`);
  if (call.options.json) {
    const message = error.message.replace(/^error: /, '').split('\n')[0] ?? '';
    const name = command === null ? '' : `${command.name} `;
    const help = `See \`${runtime.program} ${name}--help\`.`;
    const hint = about === null ? help : `${about} ${help}`;
    const errors = [{ code: 'USAGE', message: scrubber.scrub(message), hint }];
    const json = toPrintedFailure(call, { ...toFailureJson(error, scrubber), errors });
    runtime.stdout.write(`${JSON.stringify(json)}\n`);
  }
  return exitCodes.usage;
}

const namedMax = 5;

/** What to say about an option that other commands have. Null: none has it. */
function describeLack({ name, lacks }: CommandDefinition, option: string): string | null {
  const reason = lacks?.[option];
  if (reason !== undefined) return reason;
  const others = commands
    .filter((one) => createCommand(one).options.some(({ long }) => long === option))
    .map((one) => one.name);
  if (others.length === 0) return null;
  const more = others.length - namedMax;
  const list = `${others.slice(0, namedMax).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return `\`${name}\` does not have ${option}. Commands that have it: ${list}.`;
}

/** For an error without a session. Uses the log level `info`, because the error may be a wrong log level. */
function fail(call: Call, error: unknown): number {
  const { runtime, scrubber, options } = call;
  const session = openSession(runtime, scrubber, { ...options, logLevel: 'info' });
  try {
    return failIn(session, call, error);
  } finally {
    session.close();
  }
}

function failIn(session: Session, call: Call, error: unknown): number {
  const json = toPrintedFailure(call, toFailureJson(error, session.scrubber));
  printOutcome(session, { json, text: '' });
  session.log('debug', 'the command failed; its stack trace follows', { error });
  return policyOf(error).exitCode;
}

/** The fields that the command prints. */
function toPrintedFailure({ command }: Call, failure: ResultJson) {
  const { status, errors } = failure;
  return command?.printsResult ? failure : { status, errors };
}

/**
 * Prints errors on stderr, unless a log line has shown them already, and the result on stdout, without secrets. Control
 * characters are escaped: names come from the configuration, the store and the service.
 */
export function printOutcome(session: Session, { json, text }: Omit<Outcome, 'exitCode'>): void {
  const { runtime, scrubber, log, logFormat, printError } = session;
  for (const error of json?.errors ?? []) {
    if (session.isLogged(error)) continue;
    const { code, message, hint } = error;
    if (logFormat === 'json') log('error', message, { code, hint });
    else printError(escapeLines(`error ${code}: ${message}\n  ${hint.replaceAll('\n', '\n  ')}\n`));
  }
  if (!session.json && text !== '') runtime.stdout.write(escapeLines(scrubber.scrub(text)));
  if (session.json && json) runtime.stdout.write(`${scrubber.scrub(JSON.stringify(json))}\n`);
}
