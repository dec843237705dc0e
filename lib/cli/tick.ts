// Owns `tick`: what one timer invocation does, from a command line. Refuses to wait for the quota.

import type { Command } from 'commander';
import { connect } from '../app/connect.ts';
import { describeResult } from '../app/result.ts';
import { exitCodeOfResult } from './exit-code.ts';
import { describeSnapshots, formatPlural } from './format.ts';
import {
  addCommonOptions,
  addHelp,
  addTargetOptions,
  allVariables,
  pickOf,
  readConfig,
  readNumber,
  type TargetOptions,
} from './options.ts';
import type { Outcome } from './outcome.ts';
import type { Session } from './session.ts';

interface TickOptions extends TargetOptions {
  timeLimit: string;
}

export function addTick(program: Command): Command {
  const command = program
    .command('tick')
    .summary('what one timer invocation does')
    .description(
      'Does what one invocation of a timer does: goes on with what is due as far as the quota and the time allow, then stops. For cron, and to see what the function would do.',
    )
    .option('--time-limit <seconds>', 'stop in time to end within this', '900');
  addTargetOptions(addCommonOptions(command));
  return addHelp(command, {
    writes: 'the store, as `export` does',
    codes: [0, 1, 2, 3, 4, 5],
    variables: allVariables,
    examples: ['cgs-export tick', '* * * * * cd /srv/audit && cgs-export tick --time-limit 50'],
  }).addHelpText(
    'after',
    '\nHere 0 also means paused, drifted or nothing to do: the next tick goes on. 4 is a signal only.',
  );
}

export async function runTick(options: TickOptions, session: Session): Promise<Outcome> {
  const { world, log, scrubber, signal } = session;
  const limitMs = readNumber('--time-limit', options.timeLimit, 1) * 1_000;
  const endMs = world.monotonicMs() + limitMs;
  const config = await readConfig(options, world);
  const connection = connect(config, { log, scrubber, pick: pickOf(options) });
  const result = await connection.collect('timer', {
    signal,
    progress: () => {},
    timeLeftMs: () => endMs - world.monotonicMs(),
  });
  const described = describeResult(result, scrubber);
  const summary = `${result.status}, ${formatPlural(result.requests, 'request')}\n`;
  return {
    exitCode: exitCodeOfResult(result, 'timer'),
    json: described,
    text: describeSnapshots(result.snapshots, connection.store.url) + summary,
    errors: described.errors,
  };
}
