// Responsible for the error that a function throws for what it found in the store. Pure.

import { ExportError } from '../core/errors.ts';
import type { ErrorJson } from './result-json.ts';

/** Findings in the message. It is sent to people, and topics limit its length. */
const namedMax = 10;

/** Null: there are no errors. `head`: what was found where. `advice`: follows the hint of the first error. */
export function describeFindings(
  errors: readonly ErrorJson[],
  head: string,
  advice: string,
): ExportError | null {
  const [first] = errors;
  if (!first) return null;
  const left = errors.length - namedMax;
  const message = [
    head,
    ...errors.slice(0, namedMax).map((error) => `- ${error.message}`),
    ...(left > 0 ? [`and ${left} more`] : []),
  ].join('\n');
  return new ExportError(first.code, message, `${first.hint} ${advice}`);
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
