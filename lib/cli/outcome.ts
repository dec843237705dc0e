// Owns what a command gives back, and how it reaches stdout and stderr. Refuses to know any command.

import type { DescribedError } from '../app/result.ts';
import type { ExitCode } from '../core/error-policy.ts';
import type { Session } from './session.ts';

export interface Outcome {
  exitCode: ExitCode;
  /** For --json; null: the command has printed its own. */
  json: object | null;
  /** For people, its last line feed included; empty: nothing. */
  text: string;
  errors: readonly DescribedError[];
}

export function printOutcome(session: Session, outcome: Outcome): void {
  const { world, json, scrubber } = session;
  printErrors(session, outcome.errors);
  if (json && outcome.json) {
    world.stdout.write(`${scrubber.scrub(JSON.stringify(outcome.json))}\n`);
  } else if (!json && outcome.text !== '') {
    world.stdout.write(scrubber.scrub(outcome.text));
  }
}

function printErrors(session: Session, errors: readonly DescribedError[]): void {
  const { world, log, printError } = session;
  for (const { code, message, hint } of errors) {
    if (!world.stderr.isTerminal) {
      log('error', message, { code, hint });
      continue;
    }
    const indented = hint.split('\n').join('\n  ');
    printError(`error ${code}: ${message}\n  ${indented}\n`);
  }
}
