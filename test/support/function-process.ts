// Responsible for running a deployed zip: unpacks it and starts one process per invocation, with a given Node and memory.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackArchive } from './archive-reader.ts';
import { openMemoryLimit } from './memory-limit.ts';

export interface RunOptions {
  event: object;
  handler: string;
  requestId: string;
  functionName: string;
  /** In MB. */
  memorySize: number;
  timeoutMs: number;
  agency: { ak: string; sk: string; securityToken: string } | null;
  userData: Readonly<Record<string, string>>;
}

/** What every timer invocation of the collect function has in common. */
export const timerInvocation = {
  event: { version: 'v2.0', trigger_type: 'TIMER', trigger_name: 'every-minute' },
  handler: 'index.handler',
  functionName: 'cgs-export-collect',
  timeoutMs: 60_000,
} satisfies Partial<RunOptions>;

export interface RunOutcome {
  ok: boolean;
  /** The return value of the handler. */
  result: unknown;
  error: { name: string; code?: string; message: string } | null;
  /** stdout and stderr. */
  log: string;
  durationMs: number;
  /** How long require() of the function took. */
  loadedMs: number;
  /** Peak resident memory, including the pages of Node's executable. */
  peakBytes: number;
  /** True: the kernel enforced the memory limit. False: the peak was compared with the limit afterwards. */
  limited: boolean;
  node: string;
}

export interface UnpackedFunction {
  folder: string;
  run(options: RunOptions): Promise<RunOutcome>;
  remove(): Promise<void>;
}

/** Assumed: the share of a function's memory for the V8 heap. The rest is for Node itself and buffers. */
const heapShare = 0.5;
const mb = 2 ** 20;

export async function unpackFunction(
  archive: Buffer,
  nodePath: string = process.execPath,
): Promise<UnpackedFunction> {
  const folder = await mkdtemp(join(tmpdir(), 'function-'));
  await unpackArchive(archive, folder);
  const running = new Set<Promise<RunOutcome>>();
  return {
    folder,
    async run(options) {
      const invocation = runOnce(folder, nodePath, options);
      running.add(invocation);
      return invocation.finally(() => running.delete(invocation));
    },
    // Running invocations end first, as in the service.
    async remove() {
      await Promise.allSettled(running);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function runOnce(folder: string, nodePath: string, options: RunOptions): Promise<RunOutcome> {
  const { event, handler, memorySize, timeoutMs, agency, ...rest } = options;
  const context = {
    ...rest,
    memorySize,
    timeoutMs,
    ak: agency?.ak ?? '',
    sk: agency?.sk ?? '',
    securityToken: agency?.securityToken ?? '',
  };
  return new Promise((resolve, reject) => {
    const limit = openMemoryLimit(memorySize * mb);
    const command = [
      nodePath,
      `--max-old-space-size=${Math.floor(memorySize * heapShare)}`,
      join(import.meta.dirname, 'function-process.cjs'),
      folder,
      handler,
    ];
    // The shell joins the control group and then becomes Node, so that all memory of Node counts.
    const enter = limit ? `echo $$ > '${limit.procs}' && exec "$@"` : 'exec "$@"';
    const child = spawn(
      '/bin/sh',
      ['-c', enter, 'sh', ...command],
      // Only PATH: everything else that the function needs must be in the deployment.
      { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH }, cwd: folder },
    );
    let log = '';
    let written = '';
    for (const index of [1, 2]) {
      child.stdio[index]?.on('data', (data: Buffer) => {
        log += String(data);
      });
    }
    child.stdio[3]?.on('data', (data: Buffer) => {
      written += String(data);
    });
    let isTimedOut = false;
    const timer = setTimeout(() => {
      isTimedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      limit?.remove();
      if (written === '') {
        const message = isTimedOut
          ? `timed out after ${timeoutMs} ms`
          : `ended with ${code ?? signal}`;
        const error = { name: 'Killed', message };
        const none = {
          durationMs: timeoutMs,
          loadedMs: 0,
          peakBytes: 0,
          node: '',
          limited: limit !== null,
        };
        return resolve({ ok: false, result: null, error, log, ...none });
      }
      const outcome = JSON.parse(written) as Omit<RunOutcome, 'log'>;
      // If the kernel enforces the limit, it can drop the pages of Node's executable, so they do not count.
      const isOver = limit === null && outcome.peakBytes > memorySize * mb;
      const peak = Math.ceil(outcome.peakBytes / mb);
      resolve({
        ...outcome,
        limited: limit !== null,
        result: outcome.result ?? null,
        // The platform would have killed the function.
        ok: outcome.ok && !isOver,
        error: isOver
          ? { name: 'Killed', message: `used ${peak} MB of ${memorySize} MB` }
          : (outcome.error ?? null),
        log,
      });
    });
    child.stdin?.end(JSON.stringify({ event, context }));
  });
}
