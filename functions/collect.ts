// The timer's function: goes on with what is due, as far as the quota and the time left allow, and stops. Wiring only.

// First: what comes after it loads packages that need it.
import '../lib/platform/node18.ts';
import { join } from 'node:path';
import { mergeAlerts, openAlerts } from '../lib/alerts/function-alerts.ts';
import { type Connection, connect } from '../lib/app/connect.ts';
import { type DescribedResult, describeFailure, describeResult } from '../lib/app/result.ts';
import { openTally } from '../lib/app/tally.ts';
import { loadConfig } from '../lib/config/load.ts';
import { ExportError } from '../lib/core/errors.ts';
import type { Log, LogLevel } from '../lib/core/ports.ts';
import { systemClock } from '../lib/platform/clock.ts';
import {
  type FunctionContext,
  readAgencyKey,
  readEnvironment,
  readTimeLeftMs,
} from '../lib/platform/function-context.ts';
import { createLog } from '../lib/platform/log.ts';
import { saveMemory } from '../lib/platform/memory.ts';
import { createScrubber } from '../lib/platform/scrubber.ts';

saveMemory();
/** Kept of an invocation's time for its last line, milliseconds. */
const endMarginMs = 500;
const scrubber = createScrubber();
/** Of the invocation under way: an instance has one at a time, and what is connected lives longer. */
let context: FunctionContext = {};
let log: Log = () => {};
let connection: Connection | null = null;
let level: LogLevel = 'info';
const alerts = openAlerts(systemClock);

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
  async function connectOnce(): Promise<Connection> {
    if (connection) return connection;
    const file = env.CGS_EXPORT_CONFIG || join(__dirname, 'cgs-export.yml');
    const config = await loadConfig({ file, env, cwd: __dirname, agencyPossible: true });
    level = config.logLevel;
    log = createLog({ ...options, level });
    const agencyKey = () => readAgencyKey(context);
    connection = connect(config, { log: (...line) => log(...line), scrubber, agencyKey });
    return connection;
  }
  const startedAtMs = Date.now();
  async function collectOnce(): Promise<{ described: DescribedResult; faults: ExportError[] }> {
    try {
      const { collect } = await connectOnce();
      const result = await collect('timer', {
        signal: new AbortController().signal,
        progress: tally.progress,
        timeLeftMs: () => readTimeLeftMs(invocation) - endMarginMs,
      });
      tally.note(result);
      return {
        described: describeResult(result, scrubber),
        faults: alerts.listDue(result, startedAtMs),
      };
    } catch (error) {
      // Of the configuration: it is the same a minute later, and told already.
      if (!(error instanceof ExportError)) throw error;
      const described = describeFailure(error, scrubber);
      return { described, faults: alerts.isDue(error) ? [error] : [] };
    }
  }
  try {
    const { described, faults } = await collectOnce();
    outcome = described;
    const alarm = mergeAlerts(faults);
    if (alarm) throw alarm;
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
