// Responsible for the command `export`: exports a snapshot of every target now.

import type { Connection } from '../app/connect.ts';
import { toResultJson } from '../app/result-json.ts';
import type { CollectResult } from '../runs/invocation.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { connectTargets, warnOfNewFolder, withProgress } from './connection.ts';
import { exitCodeOfResult } from './exit-code.ts';
import { describeSnapshots } from './format.ts';
import { addTargetOptions, type TargetOptions } from './options.ts';
import type { Session } from './session.ts';

export const exportCommand: CommandDefinition<TargetOptions> = {
  name: 'export',
  summary: 'export a snapshot of every target now',
  description:
    'Exports a snapshot of every target now. If a target has an open run, that run is resumed; otherwise a new run starts. Waits for the quota, and for any other exporter that uses the same store. If the command is stopped or killed, run it again: it continues after the last stored page.',
  addTargetOptions,
  writes:
    'the store: data in <table>/ and <table>_ndjson/, manifests in _manifests/,\n  pointers in _head/ and _latest/, working state in _runs/, _quota/ and _lease/',
  codes: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    'cgs-export export',
    'cgs-export export --account prod --table container_nodes',
    'cgs-export export --region cn-south-4 --store file:./export',
    "cgs-export export --json | jq -r '.snapshots[].manifest'",
  ],
  printsResult: true,
  run: runExport,
};

async function runExport(options: TargetOptions, session: Session): Promise<Outcome> {
  const connection = await connectTargets(options, session);
  await warnOfNewFolder(connection, session);
  const result = await exportTargets(connection, session);
  return {
    exitCode: exitCodeOfResult(result, 'command'),
    json: toResultJson(result, session.scrubber),
    text: describeSnapshots(result.snapshots, connection.store.url),
  };
}

/** Exports every target of the connection and shows the progress. */
export function exportTargets(connection: Connection, session: Session): Promise<CollectResult> {
  const { signal } = session;
  return withProgress(connection, session, (progress) =>
    connection.collect('command', { signal, progress }),
  );
}
