// Responsible for the function that deletes by timer the rows that retention no longer keeps.

// This import must be first: the modules below need what it adds to Node 18.
import '../lib/platform/node18.ts';
import { openFunctionInstance } from '../lib/app/function-instance.ts';
import { functionNeeds } from '../lib/app/function-needs.ts';
import { openPruneInvocation } from '../lib/app/prune-invocation.ts';

const options = { folder: __dirname, processEnv: process.env, ...functionNeeds.prune };
const invoke = openFunctionInstance(options, openPruneInvocation);

/** Ignores the event. Returns what `cgs-export prune --json` prints; `idle` without the setting `retention`. */
export function handler(_event: unknown, context: unknown): Promise<object> {
  return invoke(context);
}
