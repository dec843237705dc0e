// Owns the command line: which commands there are, what a call means, what becomes of its failure. Refuses to know process.

import { Command, CommanderError } from 'commander';
import { describeFailure } from '../app/result.ts';
import { exitCodes, policyOf } from '../core/error-policy.ts';
import type { Scrubber } from '../core/ports.ts';
import { VERSION } from '../core/version.ts';
import { createScrubber } from '../platform/scrubber.ts';
import { addDemo, runDemo } from './demo.ts';
import { addExport, runExport } from './export.ts';
import { addInit, runInit } from './init.ts';
import type { CommonOptions } from './options.ts';
import { type Outcome, printOutcome } from './outcome.ts';
import { addPlan, runPlan } from './plan.ts';
import { addSchema, runSchema } from './schema.ts';
import { openSession, type Session, type World } from './session.ts';
import { addSimulate, runSimulate } from './simulate.ts';
import { addStatus, runStatus } from './status.ts';
import { addTick, runTick } from './tick.ts';
import { addVerify, runVerify } from './verify.ts';

/** Runs one call and resolves with its exit code. `args`: what stands after the program's name. Never throws. */
export async function runProgram(args: readonly string[], world: World): Promise<number> {
  const scrubber = createScrubber();
  // Before anything is read: a key must not get out through a message about something else.
  for (const name of ['AK', 'SK', 'SECURITY_TOKEN']) {
    scrubber.add(world.env[`HUAWEICLOUD_SDK_${name}`] ?? '');
  }
  const call: Call = { world, scrubber, json: args.includes('--json'), exitCode: null };
  try {
    await createProgram(call).parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return endUsage(call, error, args);
    return fail(call, args[0], error);
  }
  return call.exitCode ?? exitCodes.complete;
}

/** The last resort, for what no command caught: an error of ours, told as every failure is. */
export function reportCrash(args: readonly string[], world: World, error: unknown): number {
  const call: Call = {
    world,
    scrubber: createScrubber(),
    json: args.includes('--json'),
    exitCode: null,
  };
  return fail(call, args[0], error);
}

interface Call {
  world: World;
  scrubber: Scrubber;
  json: boolean;
  exitCode: number | null;
}

function createProgram(call: Call): Command {
  const { world } = call;
  const program = new Command('cgs-export');
  program
    .description(
      "Exact, resumable, tamper-evident snapshots of all container nodes of Huawei Cloud's container security service (CGS/HSS), as Parquet and NDJSON.",
    )
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      // With --json stdout tells; without, commander's own words and suggestions are good.
      writeErr: (text) => {
        if (!call.json) world.stderr.write(call.scrubber.scrub(text));
      },
      getOutHelpWidth: () => (world.stdout.isTerminal ? world.stdout.columns() : 100),
      getErrHelpWidth: () => (world.stderr.isTerminal ? world.stderr.columns() : 100),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', "\nEach command's --help has its options, exit codes and examples.");
  const act = <O extends CommonOptions>(
    command: Command,
    run: (options: O, session: Session) => Promise<Outcome>,
  ) => command.action((options: O) => runCommand(call, command.name(), options, run));
  act(addExport(program), runExport);
  act(addTick(program), runTick);
  act(addPlan(program), runPlan);
  act(addStatus(program), runStatus);
  act(addVerify(program), runVerify);
  act(addSimulate(program), runSimulate);
  act(addDemo(program), runDemo);
  act(addInit(program), runInit);
  act(addSchema(program), runSchema);
  return program;
}

async function runCommand<O extends CommonOptions>(
  call: Call,
  name: string,
  options: O,
  run: (options: O, session: Session) => Promise<Outcome>,
): Promise<void> {
  const { json = false, logLevel } = options;
  call.json = json;
  const session = openSession(call.world, call.scrubber, { json, logLevel });
  try {
    const outcome = await run(options, session);
    printOutcome(session, outcome);
    call.exitCode = outcome.exitCode;
  } catch (error) {
    call.exitCode = failIn(session, name, error);
  } finally {
    session.close();
  }
}

/** --help and --version end here too. */
function endUsage(call: Call, error: CommanderError, args: readonly string[]): number {
  if (error.exitCode === 0) return exitCodes.complete;
  if (call.json) {
    const message = error.message.replace(/^error: /, '').split('\n')[0] ?? '';
    const hint = `See \`${call.world.program} ${commandOf(args)}--help\`.`;
    const errors = [{ code: 'USAGE', message: call.scrubber.scrub(message), hint }];
    printJson(call.world, { ...describeFailure(error, call.scrubber), errors }, args[0]);
  }
  return exitCodes.usage;
}

function commandOf(args: readonly string[]): string {
  const [first = ''] = args;
  return /^[a-z]+$/.test(first) ? `${first} ` : '';
}

/** Before there was a session: its level may be what is wrong. */
function fail(call: Call, name: string | undefined, error: unknown): number {
  const session = openSession(
    { ...call.world, env: { ...call.world.env, CGS_EXPORT_LOG_LEVEL: 'info' } },
    call.scrubber,
    { json: call.json },
  );
  try {
    return failIn(session, name, error);
  } finally {
    session.close();
  }
}

function failIn(session: Session, name: string | undefined, error: unknown): number {
  const described = describeFailure(error, session.scrubber);
  if (session.json) printJson(session.world, described, name);
  const exitCode = policyOf(error).exitCode;
  printOutcome(session, { exitCode, json: null, text: '', errors: described.errors });
  // The stack is all there is to go by, but noise to whoever cannot read it.
  session.log('debug', 'failed', { error });
  return exitCode;
}

/** `export` and `tick` have the same members whatever became of them. */
function printJson(
  world: World,
  described: ReturnType<typeof describeFailure>,
  name: string | undefined,
): void {
  const { status, errors } = described;
  const whole = name === 'export' || name === 'tick' || name === 'demo';
  world.stdout.write(`${JSON.stringify(whole ? described : { status, errors })}\n`);
}
