// Owns the running of a deployed zip: unpacked, a process an invocation, on a Node of one's choice, in so much memory. Refuses to judge it.

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
  /** MB. */
  memorySize: number;
  timeoutMs: number;
  agency: { ak: string; sk: string; securityToken: string } | null;
  userData: Readonly<Record<string, string>>;
}

export interface RunOutcome {
  ok: boolean;
  /** What the handler returned. */
  result: unknown;
  error: { name: string; code?: string; message: string } | null;
  /** What it printed. */
  log: string;
  durationMs: number;
  /** To require it, milliseconds. */
  loadedMs: number;
  /** Resident, pages of Node's own file included. */
  peakBytes: number;
  /** True: the kernel kept the memory limit. False: the peak was looked at afterwards. */
  limited: boolean;
  node: string;
}

export interface UnpackedFunction {
  folder: string;
  run(options: RunOptions): Promise<RunOutcome>;
  remove(): Promise<void>;
}

/** Assumed: of the memory a function has, what V8 may fill; the rest is Node itself and buffers. */
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
    // What runs ends first, as at the service.
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
    // The shell goes into the group and becomes Node: not a byte of Node is outside it.
    const enter = limit ? `echo $$ > '${limit.procs}' && exec "$@"` : 'exec "$@"';
    const child = spawn(
      '/bin/sh',
      ['-c', enter, 'sh', ...command],
      // Nothing of ours but where programs lie: whatever the function needs, it was deployed with.
      { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH }, cwd: folder },
    );
    let log = '';
    let told = '';
    const listen = (index: number, take: (text: string) => void) =>
      child.stdio[index]?.on('data', (data: Buffer) => take(String(data)));
    listen(1, (text) => {
      log += text;
    });
    listen(2, (text) => {
      log += text;
    });
    listen(3, (text) => {
      told += text;
    });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      limit?.remove();
      if (told === '') {
        const message = timedOut
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
      const outcome = JSON.parse(told) as Omit<RunOutcome, 'log'>;
      // Where the kernel keeps the limit, pages of Node's own file, which it can drop, do not count.
      const isOver = limit === null && outcome.peakBytes > memorySize * mb;
      const peak = Math.ceil(outcome.peakBytes / mb);
      resolve({
        ...outcome,
        limited: limit !== null,
        result: outcome.result ?? null,
        // The platform would have killed it.
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
