// Tests the FunctionGraph client over http: signatures, retries, errors with code, request id and hint, and no output of the SDK.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AuthError, ConfigError, ProtocolError, TransientError } from '../../lib/core/errors.ts';
import { codeBody, createBody } from '../../lib/deploy/configuration-diff.ts';
import { urnOf } from '../../lib/deploy/deployment.ts';
import { triggerBody } from '../../lib/deploy/steps.ts';
import { connectTo, settingsOf, timerOf, zipAnswering } from '../support/deploy-api.ts';
import { type FunctionGraphDouble, startFunctionGraph } from '../support/function-graph.ts';

let double: FunctionGraphDouble;
beforeEach(async () => {
  double = await startFunctionGraph();
});
afterEach(() => double.stop());

const urn = () => urnOf(double, settingsOf());
const body = async () => createBody(settingsOf(), await zipAnswering('one'));

describe('authentication', () => {
  test('rejects a wrong key and an unknown key, without a retry', async () => {
    const wrong = await connectTo(double, { sk: 'another-secret' });
    await expect(wrong.findFunction(urn())).rejects.toMatchObject({
      code: 'APIGW.0301',
      message: expect.stringMatching(
        /^ShowFunctionConfig: APIGW.0301 verify aksk .*\(request id [\w-]+\)$/,
      ),
      hint: expect.stringContaining('Check the key'),
    });
    await expect(wrong.findFunction(urn())).rejects.toBeInstanceOf(AuthError);
    const unknown = await connectTo(double, { ak: 'NOBODY' });
    await expect(unknown.findFunction(urn())).rejects.toMatchObject({ code: 'APIGW.0301' });
    expect(double.requests).toEqual([]);
  });

  test('a temporary key sends its token', async () => {
    await double.stop();
    double = await startFunctionGraph({ key: { securityToken: 'the-token' } });
    expect(await (await connectTo(double)).findFunction(urn())).toBeNull();
    const without = await connectTo(double, { securityToken: null });
    await expect(without.findFunction(urn())).rejects.toMatchObject({ code: 'APIGW.0301' });
  });
});

describe('rejected settings', () => {
  test.each<[string, object, string, string]>([
    ['an unknown runtime', { runtime: 'Node.js99' }, 'FSS.1005', 'runtime'],
    ['memory between two sizes', { memory_size: 200 }, 'FSS.1007', 'memorySize'],
    ['a time-out over 900 s', { timeout: 901 }, 'FSS.1008', 'timeout'],
    ['a name', { func_name: 'a b' }, 'FSS.1002', 'name'],
    [
      'too large an environment',
      { user_data: JSON.stringify({ A: 'x'.repeat(4_096) }) },
      'FSS.1018',
      'environment',
    ],
    ['an environment that is not an object', { user_data: '[]' }, 'FSS.1009', 'environment'],
    ['code that is not a zip', { func_code: { file: 'bm8gemlw' } }, 'FSS.1011', 'package'],
  ])('%s', async (_what, change, code, setting) => {
    const api = await connectTo(double);
    const failed = api.createFunction({ ...(await body()), ...change });
    await expect(failed).rejects.toBeInstanceOf(ConfigError);
    await expect(failed).rejects.toMatchObject({
      issues: [{ path: setting, message: expect.stringContaining(code) }],
      hint: expect.stringContaining(setting),
    });
  });

  test('rejects a zip above the limit, an unknown field, an invalid schedule and a repeated name', async () => {
    const api = await connectTo(double);
    await api.createFunction(await body());
    const large = Buffer.alloc(50 * 2 ** 20 + 1);
    large.write('PK\u0003\u0004');
    await expect(api.updateCode(urn(), codeBody(large))).rejects.toMatchObject({
      message: expect.stringContaining('FSS.0413'),
    });
    await expect(api.updateConfig(urn(), { memorySize: 1 })).rejects.toMatchObject({
      message: expect.stringContaining('FSS.0400 Invalid parameter. (memorySize)'),
    });
    const [timer] = settingsOf({ events: [timerOf('a')] }).timers;
    if (!timer) throw new Error('no timer');
    const bad = triggerBody({ ...timer, scheduleType: 'Cron', schedule: '* * *' });
    await expect(api.createTrigger(urn(), bad)).rejects.toBeInstanceOf(ProtocolError);
    await api.createTrigger(urn(), triggerBody(timer));
    await expect(api.createTrigger(urn(), triggerBody(timer))).rejects.toMatchObject({
      code: 'FSS.0409',
    });
    await expect(api.limitInstances(urn(), 1_001)).rejects.toMatchObject({ code: 'FSS.0400' });
    await expect(api.updateAsync(urn(), { max_async_retry_attempts: 9 })).rejects.toMatchObject({
      code: 'FSS.0400',
    });
    await expect(api.invoke(`${urn()}x`, {})).rejects.toMatchObject({
      code: 'FSS.1051',
      hint: expect.stringContaining('serverless deploy'),
    });
  });
});

describe('temporary faults', () => {
  test('repeats a read, but not a creation', async () => {
    const sleeps: number[] = [];
    const api = await connectTo(double, {}, sleeps);
    let failures = 2;
    double.fail = () => {
      failures -= 1;
      return failures >= 0 ? { status: 502, code: 'FSS.0502', message: 'Bad gateway' } : null;
    };
    expect(await api.findFunction(urn())).toBeNull();
    expect(sleeps).toEqual([1_000, 2_000]);
    failures = 1;
    await expect(api.createFunction(await body())).rejects.toBeInstanceOf(TransientError);
    expect(sleeps.length).toBe(2);
  });

  test('gives up after three tries; an HTML response gives its status as the code', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad gateway</html>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const api = await connectTo({ ...double, url });
    await expect(api.findFunction(urn())).rejects.toMatchObject({ code: 'HTTP_502' });
    expect(asked.length).toBe(3);
    await new Promise((resolve) => server.close(resolve));
    await expect(api.findFunction(urn())).rejects.toMatchObject({
      code: 'NETWORK',
      hint: expect.stringContaining('endpoint'),
    });
  });

  test('rejects a 200 response of another server to logs and invoke', async () => {
    const server = createServer((_request, response) => response.end('{"hello":1}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const api = await connectTo({ ...double, url });
    const asked = [api.listInvocations(urn()), api.findLog(urn()), api.invoke(urn(), {})];
    for (const outcome of await Promise.allSettled(asked)) {
      expect(outcome).toMatchObject({ reason: { code: 'UNEXPECTED_ANSWER' } });
    }
    await new Promise((resolve) => server.close(resolve));
  });

  test('rejects a 200 response of another server to a list of triggers', async () => {
    const server = createServer((_request, response) => response.end('{"hello":1}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const api = await connectTo({ ...double, url });
    await expect(api.listTriggers(urn())).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
    await new Promise((resolve) => server.close(resolve));
  });
});

test('a failed call prints nothing and writes no file', async () => {
  const home = mkdtempSync(join(tmpdir(), 'home-'));
  const script = `
import { openFunctionGraph } from ${JSON.stringify(new URL('../../lib/deploy/function-graph.ts', import.meta.url).href)};
const api = await openFunctionGraph({ endpoint: 'http://127.0.0.1:9', projectId: 'p', ak: 'AKAKAKAK', sk: 'SKSKSKSK', securityToken: 'TOKTOKTOK', proxyUrl: null, sleep: async () => {} });
await api.findFunction('urn:a').then(() => process.exit(9), () => {});`;
  const env = { PATH: process.env.PATH, HOME: home };
  const tsx = import.meta.resolve('tsx');
  const args = ['--import', tsx, '--input-type=module', '-e', script];
  const printed = execFileSync(process.execPath, args, { env, cwd: home, stdio: 'pipe' });
  expect(String(printed)).toBe('');
  expect(readdirSync(home)).toEqual([]);
  rmSync(home, { recursive: true });
});
