// Responsible for the timer's function: exports the targets that are due, as far as the quota and the time allow, then stops.

// This import must be first: the modules below need what it adds to Node 18.
import '../lib/platform/node18.ts';
import { openCollectInvocations } from '../lib/app/collect-invocation.ts';
import { openFunctionInstance } from '../lib/app/function-instance.ts';
import { functionNeeds } from '../lib/app/function-needs.ts';
import type { ResultJson } from '../lib/app/result-json.ts';

const options = { folder: __dirname, processEnv: process.env, ...functionNeeds.collect };
const invoke = openFunctionInstance(options, openCollectInvocations());

/** Ignores the event, because the events of a timer, of a test and of a retry mean the same. */
export function handler(_event: unknown, context: unknown): Promise<ResultJson> {
  return invoke(context);
}
