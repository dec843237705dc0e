// Responsible for the function that verifies the whole store by timer, and throws if something is wrong.

// This import must be first: the modules below need what it adds to Node 18.
import '../lib/platform/node18.ts';
import { openFunctionInstance } from '../lib/app/function-instance.ts';
import { functionNeeds } from '../lib/app/function-needs.ts';
import { openVerifyInvocation } from '../lib/app/verify-invocation.ts';

const options = { folder: __dirname, processEnv: process.env, ...functionNeeds.verify };
const invoke = openFunctionInstance(options, openVerifyInvocation);

/** Ignores the event. Returns what `cgs-export verify --json` prints. */
export function handler(_event: unknown, context: unknown): Promise<object> {
  return invoke(context);
}
