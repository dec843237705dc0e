// Responsible for what every function shares: its log, its configuration, its alerts, and the start and end of an invocation.

import { AsyncLocalStorage } from 'node:async_hooks';
import { join } from 'node:path';
import { type Alerts, mergeAlerts, openAlerts } from '../alerts/function-alerts.ts';
import { loadConfig } from '../config/load.ts';
import { ExportError } from '../core/errors.ts';
import type { Environment, Log, LogLevel, Scrubber } from '../core/ports.ts';
import { systemClock } from '../platform/clock.ts';
import { allowSlowConnections } from '../platform/connections.ts';
import {
  type FunctionContext,
  findContextFault,
  readAgencyKey,
  readEnvironment,
  readRequestId,
} from '../platform/function-context.ts';
import { createLog } from '../platform/log.ts';
import { saveMemory } from '../platform/memory.ts';
import { createScrubber } from '../platform/scrubber.ts';
import type { CollectResult } from '../runs/invocation.ts';
import { type CollectOptions, type Connection, connect } from './connect.ts';
import { type InvocationMetrics, openMetrics } from './invocation-metrics.ts';
import { type ResultJson, toFailureJson, toResultJson } from './result-json.ts';

/** Time that is kept at the end of an invocation for its last log line. */
const endMarginMs = 500;

/** `options` bound the work by the time that the invocation has left. */
type Work = (connection: Connection, options: CollectOptions) => Promise<CollectResult>;

/**
 * One instance of a function. The platform keeps it between invocations, so the configuration is loaded once. Assumed:
 * invocations can overlap in it. `folder`: where cgs-export.yml is, unless CGS_EXPORT_CONFIG names another file.
 * `processEnv`: variables that the platform does not encrypt.
 * Returns a function that takes the context as the handler got it, runs the work of one invocation and logs one `done` line.
 * It resolves with the result as JSON, and throws only what a person must act on, so that the failure destination receives
 * it.
 */
export function openFunctionInstance(folder: string, processEnv: Environment) {
  saveMemory();
  allowSlowConnections();
  const scrubber = createScrubber();
  const alerts = openAlerts(systemClock);
  /** What the handler got as its context, in the invocation that the running code belongs to. */
  const contexts: Contexts = new AsyncLocalStorage();
  let currentLog = openLog('info', scrubber, contexts);
  const log: Log = (...line) => currentLog(...line);
  let connecting: Promise<Connection> | null = null;

  async function open(context: FunctionContext): Promise<Connection> {
    const env = readEnvironment(context, processEnv);
    const file = env.CGS_EXPORT_CONFIG || join(folder, 'cgs-export.yml');
    const config = await loadConfig({ file, env, cwd: folder, inFunction: true });
    currentLog = openLog(config.logLevel, scrubber, contexts);
    const agencyKey = () => readAgencyKey((contexts.getStore() as FunctionContext) ?? context);
    return connect(config, { log, scrubber, agencyKey });
  }

  /** A failed attempt is not kept: the next invocation tries again. */
  function connectOnce(context: FunctionContext): Promise<Connection> {
    connecting ??= open(context).catch((error: unknown) => {
      connecting = null;
      throw error;
    });
    return connecting;
  }

  return (given: unknown, work: Work): Promise<ResultJson> => {
    const fault = findContextFault(given);
    const context = fault === null ? (given as FunctionContext) : null;
    const metrics = openMetrics(systemClock, context?.getMemorySize?.() ?? null);
    const run = async () => {
      if (context === null) throw fault;
      return work(await connectOnce(context), {
        signal: new AbortController().signal,
        progress: metrics.progress,
        timeLeftMs: () => context.getRemainingTimeInMilliSeconds() - endMarginMs,
        memoryMb: context.getMemorySize?.(),
      });
    };
    return contexts.run(given, () => runInvocation(run, { log, scrubber, alerts, metrics }));
  };
}

type Contexts = AsyncLocalStorage<unknown>;

/** Each line has the request id of the invocation that writes it. */
function openLog(level: LogLevel, scrubber: Scrubber, contexts: Contexts): Log {
  return createLog({
    level,
    write: (line) => void process.stdout.write(line),
    pretty: false,
    colour: false,
    scrubber,
    base: () => ({ requestId: readRequestId(contexts.getStore()) }),
    nowMs: Date.now,
  });
}

interface InvocationTools {
  log: Log;
  scrubber: Scrubber;
  alerts: Alerts;
  metrics: InvocationMetrics;
}

async function runInvocation(
  run: () => Promise<CollectResult>,
  tools: InvocationTools,
): Promise<ResultJson> {
  const { log, scrubber, metrics } = tools;
  let done: object = { status: 'failed' };
  try {
    const { json, dueErrors } = await settle(run, tools);
    done = json;
    const alert = mergeAlerts(dueErrors);
    if (alert) throw alert;
    return json;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    log('error', error.message, { error });
    // The platform prints what is thrown, so it must not hold a secret.
    error.message = scrubber.scrub(error.message);
    if (error.stack) error.stack = scrubber.scrub(error.stack);
    throw error;
  } finally {
    const peakBytes = process.resourceUsage().maxRSS * 1_024;
    log('info', 'done', { ...done, ...metrics.summarize(peakBytes) });
  }
}

/** `dueErrors`: the errors to alert about now, the worst first. Throws only errors that are bugs. */
async function settle(
  run: () => Promise<CollectResult>,
  { scrubber, alerts, metrics }: InvocationTools,
): Promise<{ json: ResultJson; dueErrors: ExportError[] }> {
  const startedAtMs = Date.now();
  try {
    const result = await run();
    metrics.addResult(result);
    return { json: toResultJson(result, scrubber), dueErrors: alerts.listDue(result, startedAtMs) };
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    // A wrong configuration fails every invocation alike, so it is not thrown each time.
    return { json: toFailureJson(error, scrubber), dueErrors: alerts.isDue(error) ? [error] : [] };
  }
}
