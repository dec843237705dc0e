// Responsible for the timer's function: exports what is due, as far as the quota and the time allow, then stops.

// This import must be first: the modules below need what it adds to Node 18.
import '../lib/platform/node18.ts';
import { openFunctionInstance } from '../lib/app/function-instance.ts';
import type { ResultJson } from '../lib/app/result-json.ts';

const invoke = openFunctionInstance(__dirname, process.env);

/** Ignores the event, because the events of a timer, of a test and of a retry mean the same. */
export function handler(_event: unknown, context: unknown): Promise<ResultJson> {
  return invoke(context, ({ collect }, options) => collect('timer', options));
}
