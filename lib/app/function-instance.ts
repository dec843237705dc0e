// Responsible for what every function shares: its log, its configuration, its connection, and the start and end of an invocation.

import { AsyncLocalStorage } from 'node:async_hooks';
import { join } from 'node:path';
import { loadConfig } from '../config/load.ts';
import type { ExportError } from '../core/errors.ts';
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
import { type Connection, connect } from './connect.ts';
import type { FunctionNeeds } from './function-needs.ts';
import { openMetrics } from './invocation-metrics.ts';

/** Time that is kept at the end of an invocation for its last log line. */
const endMarginMs = 500;

/** What an invocation works with. */
export interface InvocationTools {
  /** Throws ConfigError. The connection is kept for later invocations; a failed attempt is not. */
  connect(): Promise<Connection>;
  /** Until the work must have ended. */
  timeLeftMs(): number;
  /** Of the function; not defined: not known. */
  memoryMb: number | undefined;
  log: Log;
  scrubber: Scrubber;
}

export interface Outcome<Json extends object> {
  /** What the handler returns. */
  json: Json;
  /** What it throws instead, because a person must act. Null: nothing. */
  alert: ExportError | null;
  /** What the log line `done` has of the result. */
  done: object;
}

/** What a function does in one invocation. */
export interface Invocation<Json extends object> {
  run(tools: InvocationTools): Promise<Outcome<Json>>;
  /** More of the log line `done`, also after an error. */
  listFigures?(): object;
}

export interface InstanceOptions extends FunctionNeeds {
  /** Where cgs-export.yml is, unless CGS_EXPORT_CONFIG names another file. */
  folder: string;
  /** Variables that the platform does not encrypt. */
  processEnv: Environment;
}

/**
 * One instance of a function. The platform keeps it between invocations, so the configuration is loaded once. Assumed:
 * invocations can overlap in it.
 * Returns a function that takes the context as the handler got it, does the work of one invocation and logs one `done` line.
 * It resolves with the result, and throws only what a person must act on, so that the failure destination receives it.
 */
export function openFunctionInstance<Json extends object>(
  { folder, processEnv, needs, signs }: InstanceOptions,
  openInvocation: () => Invocation<Json>,
): (context: unknown) => Promise<Json> {
  saveMemory();
  allowSlowConnections();
  const scrubber = createScrubber();
  /** What the handler got as its context, in the invocation that the running code belongs to. */
  const contexts: Contexts = new AsyncLocalStorage();
  let currentLog = openLog('info', scrubber, contexts);
  const log: Log = (...line) => currentLog(...line);
  let connecting: Promise<Connection> | null = null;

  async function open(context: FunctionContext): Promise<Connection> {
    const env = readEnvironment(context, processEnv);
    const file = env.CGS_EXPORT_CONFIG || join(folder, 'cgs-export.yml');
    const options = { needs, signs, inFunction: true };
    const config = await loadConfig({ file, env, cwd: folder, ...options });
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

  return (given) => {
    const fault = findContextFault(given);
    const context = fault === null ? (given as FunctionContext) : null;
    const tools: InvocationTools = {
      connect: async () => {
        if (context === null) throw fault;
        return connectOnce(context);
      },
      timeLeftMs: () => (context?.getRemainingTimeInMilliSeconds() ?? 0) - endMarginMs,
      memoryMb: context?.getMemorySize?.(),
      log,
      scrubber,
    };
    return contexts.run(given, () => runInvocation(openInvocation(), tools));
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

async function runInvocation<Json extends object>(
  invocation: Invocation<Json>,
  tools: InvocationTools,
): Promise<Json> {
  const { log, scrubber, memoryMb } = tools;
  const metrics = openMetrics(systemClock, memoryMb ?? null);
  let done: object = { status: 'failed' };
  try {
    const outcome = await invocation.run(tools);
    done = outcome.done;
    if (outcome.alert) throw outcome.alert;
    return outcome.json;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    log('error', error.message, { error });
    // The platform prints what is thrown, so it must not hold a secret.
    error.message = scrubber.scrub(error.message);
    if (error.stack) error.stack = scrubber.scrub(error.stack);
    throw error;
  } finally {
    const peakBytes = process.resourceUsage().maxRSS * 1_024;
    const figures = invocation.listFigures?.() ?? {};
    log('info', 'done', { ...done, ...figures, ...metrics.summarize(peakBytes) });
  }
}
