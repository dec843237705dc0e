// Tests that `doctor` names each fault that a user causes, with the fix, and that it spares the key and the quota.
// Method: the built file against a separate endpoint, proxy or store with one fault at a time.

import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  ampleQuota,
  cli,
  createFolder,
  type Ended,
  type Endpoint,
  expectCode,
  flagsFor,
  keyOf,
  readJson,
  readTree,
  runCli,
  startEndpoint,
  startProcess,
} from '../e2e/processes.ts';
import { countMost } from '../support/busiest-window.ts';
import { someCases } from '../support/cases.ts';
import { startPlainBucket } from '../support/plain-bucket.ts';
import { startTlsEndpoint } from '../support/tls-endpoint.ts';

interface Check {
  check: string;
  target: string | null;
  account: string | null;
  status: 'ok' | 'warning' | 'failed' | 'skipped';
  code: string | null;
  message: string;
  hint: string;
}

function checksOf(ended: Ended): Check[] {
  return readJson<{ checks: Check[] }>(ended).checks;
}

/** The only check with that name. */
function find(ended: Ended, name: string): Check {
  const found = checksOf(ended).filter(({ check }) => check === name);
  expect(found, ended.out).toHaveLength(1);
  return found[0] as Check;
}

function failuresOf(ended: Ended): string[] {
  const failed = checksOf(ended).filter(({ status }) => status === 'failed');
  expect(failed.every(({ hint, code }) => hint !== '' && code !== null)).toBe(true);
  return failed.map(({ check }) => check);
}

function diagnose(
  endpoint: Endpoint,
  { cwd = createFolder(), env = {}, more = [] as string[], store = 'file:./lake' } = {},
): Promise<Ended> {
  const args = ['doctor', '--json', ...flagsFor(endpoint, ampleQuota, store), ...more];
  return runCli(args, { cwd, env: { ...keyOf(endpoint), ...env } });
}

const bucketFlags = (url: string) => ['--obs-endpoint', url, '--path-style'];

/** A configuration with one account for each list of targets. */
function configure(
  cwd: string,
  { url, script }: Endpoint,
  accounts: readonly (readonly Record<string, unknown>[])[],
): void {
  const config = {
    store: 'file:./lake',
    quota: ampleQuota,
    accounts: accounts.map((targets, index) => ({
      name: `account-${index}`,
      credentials: { ak: script.ak, sk: script.sk },
      targets: targets.map((target) => ({ region: script.region, endpoint: url, ...target })),
    })),
  };
  writeFileSync(join(cwd, 'cgs-export.yml'), JSON.stringify(config));
}

describe.concurrent('without a fault', () => {
  test('every check is ok, four requests are sent, and no object stays but the ledger', async () => {
    const endpoint = await startEndpoint({
      statistics: { protected_num: 100, unprotected_num: 200 },
    });
    const cwd = createFolder();
    mkdirSync(join(cwd, 'lake'), { mode: 0o700 });
    const ended = await diagnose(endpoint, { cwd });
    expectCode(ended, 0);
    const notOk = checksOf(ended).filter(({ status }) => status !== 'ok');
    expect(notOk).toEqual([expect.objectContaining({ check: 'region', status: 'skipped' })]);
    expect(find(ended, 'permission').message).toContain('has 300 nodes: ');
    expect(find(ended, 'statistics').message).toContain('300 nodes too');
    const queries = (await endpoint.report()).servings.map(({ query }) => query);
    expect(queries.map(({ container_node }) => container_node)).toEqual([
      undefined,
      'true',
      'false',
    ]);
    expect(queries.map(({ limit }) => limit)).toEqual(['10', '10', '10']);
    expect(ended.err).toContain('at most 4 requests');
    const left = [...readTree(join(cwd, 'lake')).keys()];
    expect(left.filter((key) => !key.startsWith('_quota/'))).toEqual([]);
  });

  test('prints one line per check for people, and each hint below its check', async () => {
    const endpoint = await startEndpoint();
    const cwd = createFolder();
    const env = { ...keyOf(endpoint), HUAWEICLOUD_SDK_SK: 'another-secret-key-0123456789' };
    const ended = await runCli(['doctor', ...flagsFor(endpoint)], { cwd, env });
    expectCode(ended, 3);
    const lines = ended.out.split('\n');
    expect(lines.some((line) => /^ok +store-write +file:/.test(line))).toBe(true);
    const failed = lines.findIndex((line) => /^failed +sign-in +default: .*401/.test(line));
    expect(lines[failed + 1]).toMatch(/^ +→ The access key is known, so the secret key is wrong/);
    // What needs a person comes last, above the counts.
    expect(lines.slice(failed).some((line) => /^(ok|skipped) /.test(line))).toBe(false);
    expect(
      lines.some((line) => /^warning +store-folder +the folder .* is created now/.test(line)),
    ).toBe(true);
    expect(ended.out).toMatch(/\n1 failed, \d+ warning/);
    expect(ended.out + ended.err).not.toContain('another-secret-key');
  });

  test('keeps the quota together with an export that runs at the same time', async () => {
    const quota = { requests: 3, windowSeconds: 2 };
    const endpoint = await startEndpoint({ nodes: 1_200 });
    const cwd = createFolder();
    const options = { cwd, env: keyOf(endpoint) };
    const [exported, ...doctors] = await Promise.all([
      runCli(['export', '--json', ...flagsFor(endpoint, quota)], options),
      runCli(['doctor', '--json', ...flagsFor(endpoint, quota)], options),
      runCli(['doctor', '--json', ...flagsFor(endpoint, quota)], options),
    ]);
    expectCode(exported, 0);
    for (const ended of doctors) expectCode(ended, 0);
    const { servings } = await endpoint.report();
    expect(servings.filter(({ limit }) => limit === 10)).toHaveLength(6);
    expect(countMost(servings, 2_000)).toBeLessThanOrEqual(3);
  });
});

describe.concurrent('the configuration', () => {
  test('every fault is a check, and what is valid is checked nevertheless', async () => {
    const endpoint = await startEndpoint();
    const { projectId } = endpoint.script;
    const cwd = createFolder();
    configure(cwd, endpoint, [[{ projectId }, { projectId: 'p2', colour: 'red' }]]);
    const text = JSON.stringify({
      schedule: '7h',
      ...JSON.parse(String(readTree(cwd).get('cgs-export.yml'))),
    });
    writeFileSync(join(cwd, 'cgs-export.yml'), text);
    const ended = await runCli(['doctor', '--json'], { cwd });
    expectCode(ended, 2);
    expect(failuresOf(ended)).toEqual(['configuration', 'configuration']);
    const messages = checksOf(ended).map(({ message }) => message);
    expect(
      messages.filter((message) => /^schedule: |targets\.1\.colour: /.test(message)),
    ).toHaveLength(2);
    expect(find(ended, 'permission')).toMatchObject({
      status: 'ok',
      target: `container_nodes/rgn=cn-south-4/prj=${projectId}`,
      account: 'account-0',
    });
  });

  test('stops with exit code 2 if nothing can be connected', async () => {
    const ended = await runCli(['doctor', '--json'], { cwd: createFolder() });
    expectCode(ended, 2);
    expect(failuresOf(ended)).toEqual(['configuration']);
    expect(find(ended, 'doctor').status).toBe('skipped');
  });

  test('an endpoint of another region is a fault', async () => {
    const endpoint = 'https://hss.cn-south-4.myhuaweicloud.com';
    const flags = ['--region', 'cn-north-4', '--endpoint', endpoint, '--store', 'file:./lake'];
    const env = { HUAWEICLOUD_SDK_AK: 'AK', HUAWEICLOUD_SDK_SK: 'SK' };
    const ended = await runCli(['doctor', '--json', ...flags], { cwd: createFolder(), env });
    expectCode(ended, 2);
    const faults = checksOf(ended).filter(({ code }) => code === 'CONFIG');
    expect(faults).toHaveLength(1);
    expect(faults[0]?.message).toMatch(/endpoint: .*region/);
  });

  test('passes on what is probably a mistake', async () => {
    const flags = ['--region', 'cn-north-4', '--project', 'abc', '--store', 'file:./lake'];
    const env = { HUAWEICLOUD_SDK_AK: 'AK', HUAWEICLOUD_SDK_SK: 'SK' };
    // A proxy that is down, so that no request leaves this host.
    const more = { ...env, HTTPS_PROXY: 'http://127.0.0.1:9' };
    const ended = await runCli(['doctor', '--json', ...flags], { cwd: createFolder(), env: more });
    const found = checksOf(ended).filter(({ check }) => check === 'configuration');
    expect(found).toMatchObject([{ status: 'warning' }, { status: 'ok' }]);
    expect(found[0]?.message).toContain('--project');
    expect(found[0]?.hint).not.toBe('');
    expect(find(ended, 'region').message).toContain('serves the region cn-north-4');
  });

  test('warns if only the default enterprise project is listed', async () => {
    const endpoint = await startEndpoint();
    const ended = await diagnose(endpoint, { more: ['--enterprise-project', '0'] });
    expectCode(ended, 0);
    expect(find(ended, 'enterprise-project')).toMatchObject({
      status: 'warning',
      hint: expect.stringContaining('all_granted_eps'),
    });
  });
});

describe('the connection', () => {
  const api = 'https://hss.example.invalid';
  const env = {
    HUAWEICLOUD_SDK_AK: 'AKOFNOACCOUNT0000001',
    HUAWEICLOUD_SDK_SK: 'sk-of-no-account-01',
  };
  const diagnoseAt = (endpoint: string, more: Record<string, string>) => {
    const target = ['--region', 'cn-north-4', '--project', 'p', '--endpoint', endpoint];
    const args = ['doctor', '--json', ...target, '--store', 'file:./lake'];
    return runCli(args, { cwd: createFolder(), env: { ...env, ...more } });
  };

  test('a host name that does not resolve', async () => {
    const ended = await diagnoseAt(api, {});
    expectCode(ended, 3);
    expect(failuresOf(ended)).toEqual(['connection']);
    expect(find(ended, 'connection').message).toMatch(
      /hss\.example\.invalid.*(ENOTFOUND|EAI_AGAIN)/,
    );
    expect(find(ended, 'permission').message).toContain('cannot be reached');
    expect(find(ended, 'store-write').status).toBe('ok');
  });

  test('a proxy that is down', async () => {
    const ended = await diagnoseAt(api, { HTTPS_PROXY: 'http://me:hidden-word@127.0.0.1:9' });
    expect(ended.code).not.toBe(0);
    expect(find(ended, 'proxy').message).toContain('through the proxy 127.0.0.1:9');
    expect(find(ended, 'connection')).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(/no connection to the proxy 127\.0\.0\.1:9: .*ECONNREFUSED/),
    });
    expect(ended.out + ended.err).not.toContain('hidden-word');
  });

  test('a proxy that refuses the login', async () => {
    const proxy = createServer().on('connect', (_request, socket: Socket) =>
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    );
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const { port } = proxy.address() as AddressInfo;
    const ended = await diagnoseAt(api, { HTTPS_PROXY: `http://me:hidden-word@127.0.0.1:${port}` });
    expect(ended.code).not.toBe(0);
    expect(find(ended, 'connection')).toMatchObject({
      status: 'failed',
      hint: expect.stringContaining('HTTPS_PROXY'),
    });
    expect(ended.out + ended.err).not.toContain('hidden-word');
  });

  test('NO_PROXY that keeps a host away from the proxy', async () => {
    const more = { HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '.example.invalid' };
    const ended = await diagnoseAt(api, more);
    expect(find(ended, 'proxy').message).toMatch(/directly.*NO_PROXY/);
    expect(find(ended, 'connection').message).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  test('a certificate that is not trusted, until NODE_EXTRA_CA_CERTS names it', async () => {
    const { url, certificate } = await startTlsEndpoint();
    const ended = await diagnoseAt(url, {});
    expect(ended.code).not.toBe(0);
    expect(find(ended, 'connection')).toMatchObject({
      status: 'failed',
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    const file = join(createFolder(), 'ca.pem');
    writeFileSync(file, certificate);
    const trusted = await diagnoseAt(url, { NODE_EXTRA_CA_CERTS: file });
    expect(find(trusted, 'connection').status).toBe('ok');
  });
});

describe.concurrent('the clock', () => {
  test.each(
    someCases([
      ['20 minutes', 20, 3, 'failed', 0],
      ['3 minutes', 3, 0, 'warning', 3],
    ]),
  )('%s away from the service', async (_name, minutes, code, status, requests) => {
    const endpoint = await startEndpoint({ clockOffsetMs: minutes * 60_000 });
    const ended = await diagnose(endpoint);
    expectCode(ended, code);
    expect(find(ended, 'clock')).toMatchObject({
      status,
      message: expect.stringContaining(`${minutes} min behind`),
      hint: expect.stringContaining('NTP'),
    });
    // The service would refuse the key, so it is not tried.
    expect((await endpoint.report()).servings).toHaveLength(requests);
  });
});

describe.concurrent('keys and permissions', () => {
  test('a wrong secret is tried once, although two targets and two accounts have it', async () => {
    const endpoint = await startEndpoint();
    const { projectId } = endpoint.script;
    const cwd = createFolder();
    configure(cwd, endpoint, [
      [{ projectId }, { projectId, table: 'again' }],
      [{ projectId, table: 'other' }],
    ]);
    await endpoint.change({ sk: 'a-secret-key-of-somebody-else-01' });
    const ended = await runCli(['doctor', '--json'], { cwd });
    expectCode(ended, 3);
    expect(failuresOf(ended)).toEqual(['sign-in', 'sign-in']);
    expect((await endpoint.report()).servings).toHaveLength(1);
    expect(ended.out + ended.err).not.toContain(endpoint.script.sk);
  });

  test('a corrected secret does not end the hold of the key, and doctor says what does', async () => {
    const endpoint = await startEndpoint();
    const cwd = createFolder();
    const env = keyOf(endpoint);
    const wrong = { ...env, HUAWEICLOUD_SDK_SK: 'another-secret-key-0123456789' };
    const tick = ['tick', ...flagsFor(endpoint)];
    expectCode(await runCli(tick, { cwd, env: wrong }), 3);
    const ended = await runCli(['doctor', '--json', ...flagsFor(endpoint)], { cwd, env });
    expectCode(ended, 0);
    expect(find(ended, 'sign-in').status).toBe('ok');
    expect(find(ended, 'hold')).toMatchObject({
      status: 'warning',
      message: expect.stringMatching(
        /timers do not try the key again until 20\S+Z, because of REFUSED/,
      ),
      hint: expect.stringContaining('`cgs-export export` tries at once'),
    });
    expect((await runCli(tick, { cwd, env })).out).toContain('`cgs-export export` tries at once');
    expectCode(await runCli(['export', ...flagsFor(endpoint)], { cwd, env }), 0);
    const after = await runCli(['doctor', '--json', ...flagsFor(endpoint)], { cwd, env });
    expect(find(after, 'hold').status).toBe('ok');
  });

  test('a wrong secret is not used for the service after IAM refused it', async () => {
    const endpoint = await startEndpoint();
    const cwd = createFolder();
    configure(cwd, endpoint, [[{}, { table: 'again' }]]);
    await endpoint.change({ sk: 'a-secret-key-of-somebody-else-01' });
    const ended = await runCli(['doctor', '--json'], { cwd });
    expectCode(ended, 3);
    expect(failuresOf(ended)).toEqual(['sign-in']);
    const { servings, iam } = await endpoint.report();
    expect(servings).toHaveLength(0);
    expect(iam).toHaveLength(1);
  });

  test('a missing permission on one of two targets', async () => {
    const denied = 'b'.repeat(32);
    const endpoint = await startEndpoint({ deniedProjects: [denied] });
    const cwd = createFolder();
    configure(cwd, endpoint, [[{ projectId: denied }, { projectId: endpoint.script.projectId }]]);
    const ended = await runCli(['doctor', '--json'], { cwd });
    expectCode(ended, 3);
    const found = checksOf(ended).filter(({ check }) => check === 'permission');
    expect(found).toMatchObject([
      {
        status: 'failed',
        code: 'NOT_PERMITTED',
        hint: expect.stringContaining('hss:containers:list'),
      },
      { status: 'ok' },
    ]);
    expect(found[0]?.target).toContain(denied);
    expect(find(ended, 'sign-in').status).toBe('ok');
  });
});

describe.concurrent('what the list contains', () => {
  test('warns if container nodes are left out without container_node', async () => {
    const endpoint = await startEndpoint({ containerNodes: 40 });
    const ended = await diagnose(endpoint);
    expectCode(ended, 0);
    expect(find(ended, 'container-node')).toMatchObject({
      status: 'warning',
      message: expect.stringContaining(
        '260 nodes without container_node, 40 with true, 260 with false',
      ),
      hint: expect.stringContaining('containerNode: true'),
    });
  });

  test("notes a difference to the service's own count", async () => {
    const endpoint = await startEndpoint({
      statistics: { protected_num: 100, unprotected_num: 203 },
    });
    const ended = await diagnose(endpoint);
    expectCode(ended, 0);
    expect(find(ended, 'statistics')).toMatchObject({
      status: 'ok',
      message: expect.stringMatching(/^note: .*303 nodes.*300/),
    });
  });
});

describe('the store', () => {
  // Root may write everywhere. So doctor runs as the user `nobody`, from a copy that this user can read.
  test('a folder that is not writable', async () => {
    const endpoint = await startEndpoint();
    const cwd = createFolder();
    copyFileSync(cli, join(cwd, 'cli.cjs'));
    mkdirSync(join(cwd, 'lake'));
    chmodSync(join(cwd, 'lake'), 0o555);
    chmodSync(cwd, 0o755);
    const isRoot = process.getuid?.() === 0;
    const args = [join(cwd, 'cli.cjs'), 'doctor', '--json', ...flagsFor(endpoint)];
    const ended = await startProcess(process.execPath, args, {
      cwd,
      env: keyOf(endpoint),
      ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}),
    }).ended;
    expectCode(ended, 3);
    expect(failuresOf(ended)).toEqual(['store-write']);
    expect(find(ended, 'permission').message).toContain('the store must work first');
    expect((await endpoint.report()).servings).toHaveLength(0);
  });

  test('a file in place of the folder', async () => {
    const endpoint = await startEndpoint();
    const cwd = createFolder();
    writeFileSync(join(cwd, 'lake'), 'a file');
    const ended = await diagnose(endpoint, { cwd });
    expect(ended.code).toBe(3);
    expect(failuresOf(ended)).toEqual(['store-write']);
    expect(find(ended, 'store-write').message).toContain(join(cwd, 'lake'));
  });

  test('a folder that other users may write', async () => {
    const endpoint = await startEndpoint();
    const cwd = createFolder();
    mkdirSync(join(cwd, 'lake'));
    chmodSync(join(cwd, 'lake'), 0o777);
    const ended = await diagnose(endpoint, { cwd });
    expectCode(ended, 0);
    expect(find(ended, 'store-mode')).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('lake (0777)'),
      hint: expect.stringContaining('chmod'),
    });
  });

  test('a good bucket', async () => {
    const endpoint = await startEndpoint();
    const bucket = await startPlainBucket();
    const more = bucketFlags(bucket.url);
    const ended = await diagnose(endpoint, { store: 'obs://lake/cgs', more });
    expectCode(ended, 0);
    expect(failuresOf(ended)).toEqual([]);
    expect(bucket.keys().filter((key) => !key.startsWith('cgs/_quota/'))).toEqual([]);
  });

  test.each(
    someCases([
      ['a bucket that cannot delete', { denied: ['DELETE'] }, ['store-delete'], /DeleteObject/],
      ['a bucket that cannot be written', { denied: ['PUT'] }, ['store-write'], /PutObject/],
      [
        'a bucket that cannot be read',
        // A list is a GET too.
        { denied: ['GET', 'HEAD'] },
        ['store-read', 'store-list'],
        /GetObject/,
      ],
      ['a bucket whose reads are old', { stale: true }, ['store-overwrite'], /store|object/],
      ['a bucket of another region', { wrongRegion: true }, ['store-write'], /obs\./],
      ['a key that the store refuses', { wrongKey: true }, ['store-write'], /obs\.credentials/],
    ]),
  )('%s', async (_name, faults, failures, hint) => {
    const endpoint = await startEndpoint();
    const bucket = await startPlainBucket(faults);
    const more = bucketFlags(bucket.url);
    const ended = await diagnose(endpoint, { store: 'obs://lake/cgs', more });
    expect([3, 4]).toContain(ended.code);
    expect(failuresOf(ended)).toEqual(failures);
    expect(find(ended, failures[0] ?? '').hint).toMatch(hint);
    if ('wrongKey' in faults) {
      // The key is the account's too: it is not refused a second time.
      expect(bucket.requests).toHaveLength(1);
      expect((await endpoint.report()).servings).toHaveLength(0);
    }
  });

  test('a bucket whose clock is 10 minutes ahead', async () => {
    const endpoint = await startEndpoint();
    const bucket = await startPlainBucket({ clockOffsetMs: 600_000 });
    const more = bucketFlags(bucket.url);
    const ended = await diagnose(endpoint, { store: 'obs://lake/cgs', more });
    expectCode(ended, 0);
    expect(find(ended, 'store-clock')).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('10 min behind'),
    });
  });
});
