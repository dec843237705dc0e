// Tests the built command line on exact Node binaries: an old one gets one line and exit code 2, a newer one prints no warning.

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { startPlainBucket } from '../support/plain-bucket.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'versions-'));
const quota = { requests: 1_000, windowSeconds: 1 };

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ nodes: 300, quota });
});
afterAll(async () => {
  await simulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** `name`: of the binary in package.json of this folder. */
function run(
  name: string,
  args: readonly string[],
  cwd: string,
  more: Record<string, string> = {},
): Promise<Ended> {
  const node = join(import.meta.dirname, 'node_modules', name, 'bin/node');
  const { PATH = '' } = process.env;
  const { ak, sk } = simulator;
  const env = { PATH, HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk, ...more };
  return promisify(execFile)(node, [cli, ...args], { cwd, env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: Ended) => ({ code, stdout, stderr }),
  );
}

describe.each([
  ['v10.24.1', 'node-10'],
  ['v12.22.12', 'node-12'],
  ['v16.20.2', 'node-16'],
  ['v18.15.0', 'node-18'],
])('Node %s', (version, name) => {
  const line = `error NODE_VERSION: cgs-export needs Node.js 20 or newer, and this is ${version}. Install a newer version from https://nodejs.org\n`;

  test.each([['--version'], ['--help'], ['export'], []])(
    'is refused with one line: %s',
    async (...args) => {
      expect(await run(name, args, folder)).toEqual({ code: 2, stdout: '', stderr: line });
    },
  );

  test('with --json also prints one object', async () => {
    const { code, stdout, stderr } = await run(name, ['plan', '--json'], folder);
    expect([code, stderr]).toEqual([2, line]);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'failed',
      errors: [{ code: 'NODE_VERSION', message: expect.stringContaining(version) }],
    });
  });
});

describe.each([
  ['v20.15.1', 'node-20'],
  ['v22.23.3', 'node-22'],
  ['v24.21.0', 'node-24'],
  ['v25.9.0', 'node-25'],
])('Node %s', (_version, name) => {
  /** Fails if the exit code differs, or if stderr has anything but log lines. Resolves with stdout. */
  async function call(args: readonly string[], cwd: string, code = 0, env = {}): Promise<string> {
    // The option shows what a later version will warn about.
    const options = { NODE_OPTIONS: '--pending-deprecation' };
    const outcome = await run(name, args, cwd, { ...options, ...env });
    const { stdout, stderr } = outcome;
    expect(outcome.code, `${args.join(' ')}\n${stdout}\n${stderr}`).toBe(code);
    const others = stderr.split('\n').filter((one) => one !== '' && !/^\{"level":/.test(one));
    expect(others, args.join(' ')).toEqual([]);
    return stdout;
  }
  const target = (store: string) => [
    ...['--region', simulator.region, '--project', simulator.projectId],
    ...['--endpoint', simulator.url, '--store', store],
    ...['--quota-requests', '1000', '--quota-window-seconds', '1'],
  ];

  test('prints no warning in any command', async () => {
    const cwd = mkdtempSync(join(folder, 'work-'));
    const store = ['--store', 'file:./lake'];
    expect(await call(['--version'], cwd)).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await call(['--help'], cwd)).toContain('Usage: cgs-export');
    await call(['init'], cwd);
    await call(['schema'], cwd);
    await call(['keygen', '--out', 'keys'], cwd);
    await call(['doctor', ...target('file:./lake')], cwd);
    await call(['plan', '--probe', ...target('file:./lake')], cwd);
    for (let round = 0; round < 2; round += 1) {
      const out = await call(['export', '--json', ...target('file:./lake')], cwd);
      expect(JSON.parse(out)).toMatchObject({ status: 'sealed' });
    }
    const verified = JSON.parse(await call(['verify', '--json', ...store], cwd));
    expect(verified).toMatchObject({ status: 'verified', manifests: 2 });
    for (const command of ['status', 'history', 'nodes', 'diff'])
      await call([command, ...store], cwd);
    await call(['report', '--out', 'report', ...store], cwd);
    for (const engine of ['duckdb', 'spark'])
      await call(['ddl', '--engine', engine, ...store], cwd);
    const snapshot = readdirSync(join(cwd, 'lake/_manifests'), { recursive: true }).map(String);
    const [at = ''] = snapshot.flatMap((path) => /(\d{8}T\d{6}Z)\.json$/.exec(path)?.[1] ?? []);
    await call(['evidence', at, '--out', 'evidence.zip', ...store], cwd);
    expect(readFileSync(join(cwd, 'evidence.zip')).subarray(0, 2).toString()).toBe('PK');
  });

  test('prints no warning with a bucket as the store', async () => {
    const cwd = mkdtempSync(join(folder, 'bucket-'));
    const bucket = await startPlainBucket();
    const bucketFlags = ['--obs-endpoint', bucket.url, '--path-style'];
    const out = await call(['export', '--json', ...target('obs://lake/cgs'), ...bucketFlags], cwd);
    expect(JSON.parse(out)).toMatchObject({ status: 'sealed' });
    await call(['verify', '--store', 'obs://lake/cgs', ...bucketFlags], cwd);
    expect(bucket.keys().some((key) => key.startsWith('cgs/_manifests/'))).toBe(true);
  });

  test('prints no warning behind a proxy', async () => {
    const cwd = mkdtempSync(join(folder, 'proxy-'));
    const proxy = await startConnectProxy();
    const endpoint = ['--endpoint', 'https://hss.example', '--project', simulator.projectId];
    const args = ['doctor', '--region', simulator.region, '--store', 'file:./lake', ...endpoint];
    // The proxy refuses.
    await call(args, cwd, 4, { HTTPS_PROXY: proxy.url });
    expect(proxy.connects).toContain('hss.example:443');
  });
});
