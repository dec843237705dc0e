// Responsible for the function that writes a report about the last 30 days into the store by timer, and throws if something is wrong.

// This import must be first: the modules below need what it adds to Node 18.
import '../lib/platform/node18.ts';
import { openFunctionInstance } from '../lib/app/function-instance.ts';
import { functionNeeds } from '../lib/app/function-needs.ts';
import { openReportInvocation } from '../lib/app/report-invocation.ts';

const options = { folder: __dirname, processEnv: process.env, ...functionNeeds.report };
const invoke = openFunctionInstance(options, openReportInvocation);

/** Ignores the event. Returns where the report is, and what was found. */
export function handler(_event: unknown, context: unknown): Promise<object> {
  return invoke(context);
}
