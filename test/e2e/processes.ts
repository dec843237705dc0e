// Responsible for running the built CLI and the independent endpoint as processes, for reading output and for reading
// stores. Uses no code of lib/, because that code is under test.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { defaults, type Report, type Script } from '../support/plain-endpoint.ts';

export const root = join(import.meta.dirname, '..', '..');
export const cli = join(root, 'dist', 'cli.js');

const cleanups: (() => void)[] = [];
beforeAll(() => {
  if (!existsSync(cli)) throw new Error('dist/cli.js is missing: run `npm run build` first');
});
afterAll(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

export function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cgs-e2e-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

export interface Started {
  child: ChildProcess;
  ended: Promise<Ended>;
  texts: { out: string; err: string };
}

export interface CallOptions extends Pick<SpawnOptions, 'cwd' | 'uid' | 'gid'> {
  env?: Record<string, string>;
}

/** Of this process's environment, the new process gets only PATH. */
export function startProcess(
  command: string,
  args: readonly string[],
  { env = {}, ...options }: CallOptions,
): Started {
  const { PATH = '' } = process.env;
  const child = spawn(command, args, {
    ...options,
    env: { PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  cleanups.push(() => void child.kill('SIGKILL'));
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.err += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...texts }));
  });
  return { child, ended, texts };
}

export function startCli(args: readonly string[], options: CallOptions): Started {
  return startProcess(process.execPath, [cli, ...args], options);
}

export function runCli(args: readonly string[], options: CallOptions): Promise<Ended> {
  return startCli(args, options).ended;
}

export interface Output {
  status: string;
  snapshots: {
    account: string;
    table: string;
    region: string;
    projectId: string;
    snapshot: string;
    rows: number;
    verdict: string;
    manifest: string;
    manifestSha256: string;
  }[];
  requests: number;
  errors: { code: string; message: string; hint: string }[];
}

/** Checks that stdout is one line with one JSON object, and returns the object. */
export function readJson<T = Output>({ out, err }: Ended): T {
  const lines = out.split('\n');
  expect(lines, `stdout: ${out}\nstderr: ${err}`).toHaveLength(2);
  expect(lines[1]).toBe('');
  const value: unknown = JSON.parse(lines[0] ?? '');
  expect(typeof value === 'object' && value !== null && !Array.isArray(value)).toBe(true);
  return value as T;
}

/** The only error, which both stdout and stderr must show. */
export function readError(ended: Ended): Output['errors'][number] {
  const { errors } = readJson(ended);
  expect(errors).toHaveLength(1);
  const [error] = errors as [Output['errors'][number]];
  expect(ended.err).toContain(JSON.stringify(error.message).slice(1, -1));
  expect(error.hint).not.toBe('');
  return error;
}

/** On failure, shows the output. */
export function expectCode(ended: Ended, code: number): void {
  expect(ended.code, `stdout: ${ended.out}\nstderr: ${ended.err}`).toBe(code);
}

/** Asks a process less often than a folder, because each question takes CPU time of both. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 60_000;
  for (let answer = isTrue(); !(await answer); answer = isTrue()) {
    if (performance.now() > endMs) throw new Error(`timed out waiting for ${what}`);
    await delay(answer instanceof Promise ? 20 : 5);
  }
}

export interface Endpoint {
  url: string;
  script: Script;
  report(): Promise<Report>;
  change(change: Partial<Script>): Promise<void>;
  /** Makes every issued token invalid. */
  endTokens(): Promise<void>;
}

export async function startEndpoint(given: Partial<Script> = {}): Promise<Endpoint> {
  const script = { ...defaults, ...given };
  // Compiled by test/support/temporary-folder.ts.
  const file = join(tmpdir(), 'plain-endpoint.mjs');
  const child = spawn(process.execPath, [file, JSON.stringify(script)], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  cleanups.push(() => void child.kill('SIGKILL'));
  const { url } = await new Promise<{ url: string }>((resolve, reject) => {
    child.stdout.once('data', (data: Buffer) => resolve(JSON.parse(String(data))));
    child.once('close', (code) => reject(new Error(`the endpoint exited with ${code}`)));
  });
  async function control(body: object): Promise<Report> {
    const response = await fetch(`${url}/_control`, { method: 'POST', body: JSON.stringify(body) });
    return (await response.json()) as Report;
  }
  return {
    url,
    script,
    report: () => control({}),
    async change(change) {
      await control({ change });
    },
    async endTokens() {
      await control({ endTokens: true });
    },
  };
}

export interface Quota {
  requests: number;
  windowSeconds: number;
}

/** So large that an export never waits for the quota. */
export const ampleQuota: Quota = { requests: 1_000, windowSeconds: 1 };

export function keyOf({ script: { ak, sk, securityToken } }: Endpoint): Record<string, string> {
  const token = securityToken === null ? {} : { HUAWEICLOUD_SDK_SECURITY_TOKEN: securityToken };
  return { HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk, ...token };
}

export function flagsFor(
  { url, script }: Endpoint,
  quota: Quota = ampleQuota,
  store = 'file:./lake',
): string[] {
  return [
    ...['--region', script.region, '--project', script.projectId],
    ...['--endpoint', url, '--store', store],
    ...['--quota-requests', String(quota.requests)],
    ...['--quota-window-seconds', String(quota.windowSeconds)],
  ];
}

export function exportTo(endpoint: Endpoint, cwd: string, more: string[] = []): Promise<Ended> {
  return runCli(['export', '--json', ...flagsFor(endpoint), ...more], {
    cwd,
    env: keyOf(endpoint),
  });
}

/** Every file below a folder, by its path relative to it. */
export function readTree(folder: string): Map<string, Buffer> {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]));
}

export function findObject(folder: string, pattern: RegExp): string {
  const found = [...readTree(folder).keys()].find((path) => pattern.test(path));
  if (found === undefined) throw new Error(`no object like ${pattern} in ${folder}`);
  return found;
}
