// The timer's function: goes on with what is due, as far as the quota and the time left allow, and stops. Wiring only.

// First: what comes after it loads packages that need it.
import '../lib/runtime/node18.ts';
import { join } from 'node:path';
import { findActionable } from '../lib/runtime/alert.ts';
import { systemClock } from '../lib/runtime/clock.ts';
import { loadConfig } from '../lib/runtime/config.ts';
import { type Connection, connect } from '../lib/runtime/connect.ts';
import {
  type FunctionContext,
  readAgencyKey,
  readEnvironment,
  timeLeftOf,
} from '../lib/runtime/context.ts';
import { saveMemory } from '../lib/runtime/heap.ts';
import { createLog, createScrubber } from '../lib/runtime/log.ts';
import { type DescribedResult, describeResult } from '../lib/runtime/result.ts';
import { openTally } from '../lib/runtime/tally.ts';
import type { Log, LogLevel } from '../lib/snapshot/ports.ts';

saveMemory();
const scrubber = createScrubber();
/** Of the invocation under way: an instance has one at a time, and what is connected lives longer. */
let context: FunctionContext = {};
let log: Log = () => {};
let connection: Connection | null = null;
let level: LogLevel = 'info';

/**
 * Returns what was done; throws only what a person must act on, so that the failure destination hears of it.
 * The event is not looked at: a timer's, a test's and a retry's mean the same.
 */
export async function handler(
  _event: unknown,
  invocation: FunctionContext,
): Promise<DescribedResult> {
  context = invocation;
  const env = readEnvironment(context, process.env);
  const base = { requestId: context.getRequestID?.() ?? null };
  const write = (line: string) => void process.stdout.write(line);
  const options = { write, pretty: false, colour: false, scrubber, base, nowMs: Date.now };
  log = createLog({ ...options, level });
  const tally = openTally(systemClock, context.getMemorySize?.() ?? null);
  let outcome: object = { status: 'failed' };
  try {
    const file = env.CGS_EXPORT_CONFIG || join(__dirname, 'cgs-export.yml');
    if (!connection) {
      const config = await loadConfig({ file, env, cwd: __dirname, agencyPossible: true });
      level = config.logLevel;
      log = createLog({ ...options, level });
      const agencyKey = () => readAgencyKey(context);
      connection = connect(config, { log: (...line) => log(...line), scrubber, agencyKey });
    }
    const result = await connection.collect('timer', {
      signal: new AbortController().signal,
      progress: tally.progress,
      timeLeftMs: timeLeftOf(context),
    });
    const described = describeResult(result, scrubber);
    tally.note(result);
    outcome = { ...described };
    const actionable = findActionable(result);
    if (actionable) throw actionable;
    return described;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    log('error', error.message, { error });
    // The platform prints what is thrown.
    error.message = scrubber.scrub(error.message);
    if (error.stack) error.stack = scrubber.scrub(error.stack);
    throw error;
  } finally {
    log('info', 'done', { ...outcome, ...tally.summarize(process.resourceUsage().maxRSS * 1_024) });
  }
}
