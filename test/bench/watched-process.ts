// Responsible for running the built CLI, or another program, in a process of its own, and for measuring it from outside:
// memory, CPU time, bytes written and temporary files. Linux only: reads /proc.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const cli = join(import.meta.dirname, '../../dist/cli.js');
const sampleMs = 50;
/** USER_HZ: the unit of CPU times in /proc, the same on every Linux that Node.js supports. */
const ticksPerSecond = 100;

export interface Sample {
  /** Of all threads, since the start. */
  cpuMs: number;
  /** The most resident memory so far. */
  peakBytes: number;
  /** By all write calls so far, also to sockets. */
  writtenBytes: number;
}

export interface Finished extends Sample {
  output: string;
  /** The most that the process had in its temporary folder at one time, deleted files that are still open included. */
  temporaryBytes: number;
}

/** Null: the process has ended. */
function readSample(pid: number): Sample | null {
  try {
    const [, afterName = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
    const [user, system] = afterName.split(' ').slice(11, 13).map(Number) as [number, number];
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    const written = /wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
    if (peak === undefined || written === undefined) return null;
    const cpuMs = ((user + system) / ticksPerSecond) * 1_000;
    return { cpuMs, peakBytes: Number(peak) * 1_024, writtenBytes: Number(written) };
  } catch {
    return null;
  }
}

/** The sizes of all files in a folder. Files that go away at the same time are left out. */
export function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of listOrNone(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += sizeOf(path);
    else bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

function listOrNone(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Files of `folder` that are deleted but still open in the process. */
function sizeOfDeleted(pid: number, folder: string): number {
  let bytes = 0;
  for (const { name } of listOrNone(`/proc/${pid}/fd`)) {
    const path = `/proc/${pid}/fd/${name}`;
    try {
      const target = readlinkSync(path);
      if (target.startsWith(folder) && target.endsWith(' (deleted)')) bytes += statSync(path).size;
    } catch {
      // Closed in the meantime.
    }
  }
  return bytes;
}

export interface Ended extends Finished {
  /** The end of what it wrote to stderr. */
  errors: string;
  /** Null: it was killed. */
  code: number | null;
}

/**
 * Runs one command of the built CLI to its end. `temporary`: a folder for its temporary files, made and removed here.
 * `observe` gets every sample. Throws Error with the output if the exit code is not 0.
 */
export async function runWatched(
  args: readonly string[],
  options: WatchOptions & { program?: string },
): Promise<Finished> {
  const { program = cli, ...rest } = options;
  const ended = await watchProcess([process.execPath, program, ...args], rest);
  const { code, output, errors } = ended;
  if (code !== 0) throw new Error(`${args[0]} exited with ${code}: ${output}\n${errors}`);
  return ended;
}

interface WatchOptions {
  temporary: string;
  env?: Record<string, string>;
  observe?: (sample: Sample, kill: () => void) => void | Promise<void>;
}

/** Runs any command to its end, whatever its exit code is. `kill` of `observe` is kill -9. */
export async function watchProcess(
  [command = '', ...args]: readonly string[],
  { temporary, env = {}, observe }: WatchOptions,
): Promise<Ended> {
  mkdirSync(temporary, { recursive: true });
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, TMPDIR: temporary, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    output += String(data);
  });
  child.stderr.on('data', (data) => {
    errors = (errors + String(data)).slice(-10_000);
  });
  let code: number | null | undefined;
  const ended = new Promise<void>((resolve) =>
    child.once('close', (exitCode) => {
      code = exitCode;
      resolve();
    }),
  );
  const pid = child.pid as number;
  let last: Sample = { cpuMs: 0, peakBytes: 0, writtenBytes: 0 };
  let temporaryBytes = 0;
  try {
    while (code === undefined) {
      const sample = readSample(pid);
      if (sample) {
        last = sample;
        temporaryBytes = Math.max(
          temporaryBytes,
          sizeOf(temporary) + sizeOfDeleted(pid, temporary),
        );
        await observe?.(sample, () => void child.kill('SIGKILL'));
      }
      await Promise.race([ended, sleep(sampleMs)]);
    }
  } finally {
    child.kill();
    rmSync(temporary, { recursive: true, force: true });
  }
  return { ...last, output, errors, code: code ?? null, temporaryBytes };
}

export interface Endpoint {
  url: string;
  ak: string;
  sk: string;
  projectId: string;
  stop(): void;
}

/** Starts the built simulator without a quota, in a process of its own. */
export async function startEndpoint(nodes: number): Promise<Endpoint> {
  const args = [cli, 'simulate', '--json', '--nodes', String(nodes), '--no-quota'];
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const address = await new Promise<Omit<Endpoint, 'stop'>>((resolve, reject) => {
    child.stdout?.once('data', (data) => resolve(JSON.parse(String(data))));
    child.once('close', () => reject(new Error('the simulator did not start')));
  });
  return { ...address, stop: () => void child.kill() };
}
