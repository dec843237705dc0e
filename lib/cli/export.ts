// Owns `export`: a snapshot of every target now. Refuses to know how one is made.

import type { Command } from 'commander';
import { connect } from '../app/connect.ts';
import { describeResult } from '../app/result.ts';
import { exitCodeOfResult } from './exit-code.ts';
import { describeSnapshots } from './format.ts';
import {
  addCommonOptions,
  addHelp,
  addTargetOptions,
  allVariables,
  pickOf,
  readConfig,
  type TargetOptions,
} from './options.ts';
import type { Outcome } from './outcome.ts';
import { createTracker } from './progress.ts';
import type { Session } from './session.ts';

export function addExport(program: Command): Command {
  const command = program
    .command('export')
    .summary('a snapshot of every target now')
    .description(
      'Reads every target now: goes on with an open run, otherwise starts a new one. Waits for the quota and for another exporter of the same store. Stopped by ctrl-C or killed, the same command goes on after the last stored page.',
    );
  addTargetOptions(addCommonOptions(command));
  return addHelp(command, {
    writes:
      'the store: <table>/…parquet, <table>_ndjson/…ndjson.gz, _manifests/, _head/, _latest/, and working state in _runs/, _quota/, _lease/',
    codes: [0, 1, 2, 3, 4, 5, 6],
    variables: allVariables,
    examples: [
      'cgs-export export',
      'cgs-export export --account prod --table container_nodes',
      'cgs-export export --region cn-south-4 --store file:./export',
      "cgs-export export --json | jq -r '.snapshots[].manifest'",
    ],
  });
}

export async function runExport(options: TargetOptions, session: Session): Promise<Outcome> {
  const { world, log, scrubber, signal } = session;
  const config = await readConfig(options, world);
  const connection = connect(config, { log, scrubber, pick: pickOf(options) });
  const tracker = createTracker(connection.quota, connection.targets[0]?.dataset.limit ?? 200);
  const stopFollowing = session.follow(tracker.stateAt);
  try {
    const result = await connection.collect('command', {
      signal,
      progress: (event) => tracker.observe(event, world.monotonicMs()),
    });
    const described = describeResult(result, scrubber);
    return {
      exitCode: exitCodeOfResult(result, 'command'),
      json: described,
      text: describeSnapshots(result.snapshots, connection.store.url),
      errors: described.errors,
    };
  } finally {
    stopFollowing();
  }
}
