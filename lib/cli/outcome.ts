// Responsible for what a command returns, and for printing it on stdout and stderr.

import type { ErrorJson } from '../app/result-json.ts';
import type { ExitCode } from '../core/error-policy.ts';
import type { Session } from './session.ts';

export interface Outcome {
  exitCode: ExitCode;
  /** For --json. Null: the command printed its own JSON. */
  json: object | null;
  /** For people, ends with a line feed. Empty: nothing is printed. */
  text: string;
  errors: readonly ErrorJson[];
}

export function printOutcome(session: Session, outcome: Outcome): void {
  const { runtime, json, scrubber } = session;
  printErrors(session, outcome.errors);
  if (json && outcome.json) {
    runtime.stdout.write(`${scrubber.scrub(JSON.stringify(outcome.json))}\n`);
  } else if (!json && outcome.text !== '') {
    runtime.stdout.write(scrubber.scrub(outcome.text));
  }
}

function printErrors(session: Session, errors: readonly ErrorJson[]): void {
  const { log, logFormat, printError } = session;
  for (const { code, message, hint } of errors) {
    if (logFormat === 'json') {
      log('error', message, { code, hint });
      continue;
    }
    const indented = hint.split('\n').join('\n  ');
    printError(`error ${code}: ${message}\n  ${indented}\n`);
  }
}
