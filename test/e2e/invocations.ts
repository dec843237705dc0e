// Responsible for invocations of a built function: a new process for each instance, in a folder with only the bundle and its
// configuration, with a context like FunctionGraph's.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type Endpoint, type Output, root } from './processes.ts';

/** The built bundle of a function. */
export function bundleOf(name: string): string {
  return join(root, 'dist', 'functions', name, 'index.js');
}

export interface Invoked<Result = Output> {
  result: Result | null;
  error: { name: string; message: string; code?: string } | null;
  lines: Record<string, unknown>[];
  /** How long the handler ran. */
  durationMs: number;
}
type Outcome<Result> = Omit<Invoked<Result>, 'lines'>;

/** Calls the handler once for each call given, each after its delay, and writes all outcomes. */
const driver = `
const { handler } = require('./index.js');
async function run({ getters, event, leftMs, delayMs, arguments: given }) {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  const startMs = performance.now();
  const context = { getRemainingTimeInMilliSeconds: () => leftMs - (performance.now() - startMs) };
  for (const [name, value] of Object.entries(getters)) context[name] = () => value;
  context.getUserData = (name) => getters.getUserData[name];
  const outcome = await handler(...(given ?? [event, context])).then(
    (result) => ({ result, error: null }),
    ({ name, message, code, stack }) => ({ result: null, error: { name, message, code, stack } }),
  );
  return { ...outcome, durationMs: performance.now() - startMs };
}
Promise.all(JSON.parse(process.argv[1]).map(run)).then((outcomes) => {
  require('node:fs').writeSync(3, JSON.stringify(outcomes));
  // As on the platform, which freezes everything that still runs.
  process.exit(0);
});
`;

export interface Call {
  requestId?: string;
  key?: object;
  userData?: Record<string, string>;
  leftMs?: number;
  /** When the handler is called, after the start of the process. */
  delayMs?: number;
  /** What the handler gets instead of an event and a context. */
  arguments?: readonly unknown[];
}

export async function invoke<Result = Output>(
  folder: string,
  requestId: string,
  options: Omit<Call, 'requestId'>,
): Promise<Invoked<Result>> {
  const { outcomes, lines } = await invokeAll<Result>(folder, [{ ...options, requestId }]);
  return { ...(outcomes[0] as Outcome<Result>), lines };
}

/** Runs all calls in one process, as in one instance of the function. `lines`: of all calls, in order. */
export function invokeAll<Result = Output>(
  folder: string,
  calls: readonly Call[],
): Promise<{ outcomes: Outcome<Result>[]; lines: Invoked['lines'] }> {
  const event = {
    version: 'v2.0',
    time: '2026-11-24T06:00:00+08:00',
    trigger_type: 'TIMER',
    trigger_name: 'every-minute',
    user_event: '',
  };
  const given = JSON.stringify(
    calls.map(({ requestId = '', key = {}, userData = {}, ...call }) => ({
      event,
      getters: { getRequestID: requestId, ...key, getUserData: userData },
      leftMs: 60_000,
      delayMs: 0,
      ...call,
    })),
  );
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', driver, given], {
      cwd: folder,
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const texts = ['', '', '', ''];
    for (const index of [1, 2, 3]) {
      child.stdio[index]?.on('data', (data: Buffer) => {
        texts[index] += String(data);
      });
    }
    child.once('error', reject);
    child.once('close', () => {
      const [, out = '', err = '', outcome = ''] = texts;
      if (outcome === '' || err !== '') return reject(new Error(`${out}\n${err}`));
      const lines = out.split('\n').filter((line) => line !== '');
      const outcomes = JSON.parse(outcome) as Outcome<Result>[];
      resolve({ outcomes, lines: lines.map((line) => JSON.parse(line)) });
    });
  });
}

/** The agency's key, as the context has it. */
export const agencyOf = ({ script: { ak, sk, securityToken } }: Endpoint) => ({
  getSecurityAccessKey: ak,
  getSecuritySecretKey: sk,
  getSecurityToken: securityToken,
});
