// Tests the OBS store beyond the contract of every store, with a real server: unknown outcomes,
// expiring keys, refusals, KMS, TLS and the clock.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ObsStore } from '../../lib/store/obs.ts';
import type { AccessKey } from '../../lib/store/obs-access-key.ts';
import { copyChunks } from '../store/chunks.ts';
import { moveLargeObject } from '../store/large-object.ts';
import { makeLocalFile } from '../store/local-files.ts';
import { type FaultyProxy, type ProxyFault, startFaultyProxy } from '../support/faulty-proxy.ts';
import { allow, assumeRole, createBucket, openStore, rgw } from '../support/rgw.ts';
import { readObject, signedFetch } from '../support/signed-fetch.ts';
import { storeErrorOf } from '../support/store-errors.ts';
import { runCli, simulate } from './exporting.ts';

const utf8 = (text: string) => Buffer.from(text);
const acknowledged = { durability: 'acknowledged' } as const;

// The store loads the SDK within the time limit of its first request. Some limits here are too
// short for that.
beforeAll(() => import('@aws-sdk/client-s3').then(() => {}));
const sleep = (delayMs: number) => new Promise((resolve) => setTimeout(resolve, delayMs));

describe('an unknown outcome', () => {
  /** `faults`: of the first requests, in order. Later requests have no fault. */
  async function openThroughProxy(
    faults: readonly (ProxyFault | null)[],
    options: Parameters<typeof openStore>[1] = {},
  ): Promise<{ store: ObsStore; proxy: FaultyProxy; bucket: string }> {
    const bucket = await createBucket();
    const proxy = await startFaultyProxy({
      target: rgw.url,
      decide: (_request, index) => faults[index] ?? null,
    });
    onTestFinished(() => proxy.stop());
    const store = openStore(bucket, { endpoint: proxy.url, backoffMs: 10, ...options });
    onTestFinished(() => store.close());
    return { store, proxy, bucket };
  }
  const methods = ({ requests }: FaultyProxy) => requests.map(({ method }) => method).join(' ');

  test.each([
    // The write had its effect: a HEAD finds the object, and the write is not repeated.
    ['a lost answer', { kind: 'lose' }, 'PUT HEAD'],
    ['a 500 after the effect', { kind: 'failAfter' }, 'PUT HEAD'],
    // The write had no effect: a HEAD does not find the object, and the write is repeated.
    ['a cut connection', { kind: 'cut' }, 'PUT HEAD PUT'],
    ['a 500', { kind: 'fail' }, 'PUT HEAD PUT'],
    ['a 503 SlowDown', { kind: 'slowDown' }, 'PUT HEAD PUT'],
    ['an answer that is too late', { kind: 'delay', delayMs: 3_000 }, 'PUT HEAD PUT'],
  ] as const)('after %s: %s', async (_name, fault, expected) => {
    const { store, proxy, bucket } = await openThroughProxy([fault], {
      timeouts: { requestMs: 2_000 },
    });
    await store.put('_runs/a', utf8('first'), acknowledged);
    expect(methods(proxy)).toBe(expected);
    expect(String(await readObject(rgw.key, rgw.url, bucket, 'lake/_runs/a'))).toBe('first');
    // The same for a file, which is sent from its start again.
    const again = await openThroughProxy([fault], { timeouts: { requestMs: 2_000 } });
    const content = Buffer.alloc(300_000, 'of a file');
    await again.store.putFile('_runs/b', await makeLocalFile(content), acknowledged);
    expect(methods(again.proxy)).toBe(expected);
    const stored = await readObject(rgw.key, rgw.url, again.bucket, 'lake/_runs/b');
    expect(Buffer.compare(stored as Uint8Array, content)).toBe(0);
  });

  test('does not mistake an older object of the same size for the effect of a put', async () => {
    const { store, proxy } = await openThroughProxy([null, { kind: 'cut' }]);
    await store.put('_runs/a', utf8('older'), acknowledged);
    await store.put('_runs/a', utf8('newer'), acknowledged);
    expect(methods(proxy)).toBe('PUT PUT HEAD PUT');
    expect(String(await store.get('_runs/a'))).toBe('newer');
  });

  test('a put costs one request, or two if it must be confirmed; a delete costs one', async () => {
    const { store, proxy } = await openThroughProxy([]);
    await store.put('_quota/1-a-1', utf8('x'), { ...acknowledged, isWrittenOnce: true });
    await store.put('_lease/holder', utf8('x'), acknowledged);
    await store.put('_runs/schedule.json', utf8('x'), acknowledged);
    await store.put('_latest/t/a.json', utf8('x'), { durability: 'checksummed' });
    expect(methods(proxy)).toBe('PUT PUT PUT PUT');
    await store.put('container_nodes/a.parquet', utf8('x'));
    await store.put('_manifests/t/a.json', utf8('x'), { durability: 'confirmed' });
    await store.delete('_runs/schedule.json');
    expect(methods(proxy)).toBe('PUT PUT PUT PUT PUT HEAD PUT HEAD DELETE');
  });

  test('reads, lists and deletes are retried too', async () => {
    const { store } = await openThroughProxy([
      null,
      { kind: 'lose' },
      { kind: 'fail' },
      null,
      { kind: 'slowDown' },
      null,
      { kind: 'lose' },
      { kind: 'cut' },
    ]);
    await store.put('_runs/a', utf8('x'), acknowledged);
    expect(String(await store.get('_runs/a'))).toBe('x');
    expect(await store.list('_runs/')).toHaveLength(1);
    await store.delete('_runs/a');
    expect(await store.list('_runs/')).toEqual([]);
  });

  test('a chunk whose answer is lost is requested again, alone', async () => {
    const faults: ProxyFault[] = [];
    const { store, proxy } = await openThroughProxy(faults);
    const content = Buffer.alloc(5_000_000, 'a large object, ');
    await store.put('a', content, acknowledged);
    faults[2] = { kind: 'lose' };
    faults[3] = { kind: 'fail' };
    faults[5] = { kind: 'slowDown' };
    const read = await copyChunks((await store.read('a')) as AsyncIterable<Uint8Array>);
    expect(Buffer.compare(read, content)).toBe(0);
    expect(methods(proxy)).toBe('PUT GET GET GET GET GET GET');
  });

  test('the number of tries is limited, and an operation after a failed one gets fewer', async () => {
    const faults = Array.from({ length: 100 }, (): ProxyFault => ({ kind: 'cut' }));
    const { store, proxy } = await openThroughProxy(faults);
    const error = await storeErrorOf(store.get('a'));
    expect(error.code).toBe('STORE_FAILED');
    expect(error.hint).toMatch(/start (?:it )?again/);
    expect(proxy.requests).toHaveLength(7);
    await storeErrorOf(store.list(''));
    expect(proxy.requests).toHaveLength(9);
  });
});

describe('expiring access keys', () => {
  test('an expired key is replaced if the provider has a new one, and refused otherwise', async () => {
    const bucket = await createBucket();
    const refusals: (AccessKey | null)[] = [];
    let current = await assumeRole(5);
    const first = current;
    const store = openStore(bucket, {
      async credentials(refused) {
        if (refused !== null) {
          refusals.push(refused);
          if (refused.securityToken === current.securityToken) current = await assumeRole(30);
        }
        return current;
      },
    });
    onTestFinished(() => store.close());
    await store.put('a', utf8('with the first key'));
    await sleep(Math.max(0, first.endsAtMs - Date.now()) + 1_200);
    // The first key has expired by the store's own clock.
    const stale = openStore(bucket, { credentials: async () => first });
    onTestFinished(() => stale.close());
    expect(await storeErrorOf(stale.put('a', utf8('x')))).toMatchObject({ code: 'STORE_DENIED' });
    await store.put('a', utf8('with the second key'));
    expect(refusals[0]).toEqual(first);
    expect(String(await store.get('a'))).toBe('with the second key');
  });

  test("keys of a function's agency, valid for 5 s, are renewed during a run of many invocations", async () => {
    const bucket = await createBucket();
    const simulator = await simulate({ nodes: 5_000 });
    const folder = mkdtempSync(join(tmpdir(), 'cgs-rgw-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const config = join(folder, 'cgs-export.yml');
    const target = `region: ${simulator.region}, projectId: ${simulator.projectId}, endpoint: "${simulator.url}"`;
    writeFileSync(
      config,
      `store: obs://${bucket}/lake
quota: { requests: 4, windowSeconds: 1 }
obs: { endpoint: "${rgw.url}", pathStyle: true, credentials: agency }
accounts: [{ name: a, credentials: { ak: "${simulator.ak}", sk: "${simulator.sk}" }, targets: [{ ${target} }] }]`,
    );
    const built = join(import.meta.dirname, '../../dist/functions/collect/index.js');
    const { handler } = createRequire(import.meta.url)(built);
    let key = await assumeRole(5);
    const tokens = new Set<string>();
    const renewing = setInterval(async () => {
      key = await assumeRole(5);
    }, 3_000);
    onTestFinished(() => clearInterval(renewing));
    const startMs = Date.now();
    const context = {
      getRequestID: () => 'test',
      getRemainingTimeInMilliSeconds: () => 900_000,
      getSecurityAccessKey: () => key.ak,
      getSecuritySecretKey: () => key.sk,
      getSecurityToken: () => {
        tokens.add(key.securityToken);
        return key.securityToken;
      },
      getUserData: (name: string) => (name === 'CGS_EXPORT_CONFIG' ? config : undefined),
    };
    const statuses: string[] = [];
    while (statuses.at(-1) !== 'sealed') {
      const { status } = await handler({}, context);
      statuses.push(status);
      if (statuses.length > 60) throw new Error(statuses.join(' '));
      await sleep(200);
    }
    // The run took longer than the lifetime of one key, so it used several.
    expect(Date.now() - startMs).toBeGreaterThan(5_000);
    expect(tokens.size).toBeGreaterThan(1);
    expect(new Set(statuses)).toEqual(new Set(['paused', 'sealed']));
  });
});

describe('the error of a refusal has a hint and no secret', () => {
  test.each([
    ['a wrong secret', { ...rgw.key, sk: 'not-that-secret' }, 'SignatureDoesNotMatch'],
    ['an unknown key', { ak: 'no-such-key', sk: 'not-that-secret' }, 'InvalidAccessKeyId'],
  ])('%s is reported after one request', async (_name, key, code) => {
    const bucket = await createBucket();
    const proxy = await startFaultyProxy({ target: rgw.url });
    onTestFinished(() => proxy.stop());
    const store = openStore(bucket, { endpoint: proxy.url, credentials: async () => key });
    onTestFinished(() => store.close());
    const error = await storeErrorOf(store.get('a'));
    expect(error.code).toBe('STORE_DENIED');
    expect(error.message).toContain(code);
    expect(error.hint).toContain('obs.credentials');
    expect(JSON.stringify([error.message, error.hint, error.cause])).not.toContain(key.sk);
    // Repeated refusals would lock the key.
    expect(proxy.requests).toHaveLength(1);
  });

  test('a large file is refused as a small object is, before the store has all of it', async () => {
    const bucket = await createBucket();
    const file = await makeLocalFile(Buffer.alloc(40_000_000));
    const wrong = { ...rgw.key, sk: 'not-that-secret' };
    const store = openStore(bucket, { credentials: async () => wrong });
    onTestFinished(() => store.close());
    const error = await storeErrorOf(store.putFile('a', file));
    expect(error.code).toBe('STORE_DENIED');
    expect(error.message).toContain('SignatureDoesNotMatch');
    const owner = openStore(bucket);
    onTestFinished(() => owner.close());
    expect(await owner.list('')).toEqual([]);
    await owner.putFile('a', file);
    expect(await owner.list('')).toMatchObject([{ key: 'a', bytes: 40_000_000 }]);
  });

  test('a bucket that does not exist is named', async () => {
    const store = openStore('test-no-such-bucket');
    onTestFinished(() => store.close());
    for (const act of [
      () => store.get('a'),
      () => store.list(''),
      () => store.put('a', utf8('x')),
    ]) {
      const error = await storeErrorOf(act());
      expect(error.code).toBe('STORE_DENIED');
      expect(error.message).toContain('no bucket test-no-such-bucket');
    }
  });

  test('a missing permission is named', async () => {
    const bucket = await createBucket();
    const store = openStore(bucket, { credentials: async () => rgw.limitedKey });
    onTestFinished(() => store.close());
    const hintOf = async (promise: Promise<unknown>) => {
      const { code, hint } = await storeErrorOf(promise);
      expect(code).toBe('STORE_DENIED');
      return hint;
    };
    expect(await hintOf(store.list(''))).toContain('obs:bucket:ListBucket');
    expect(await hintOf(store.get('a'))).toContain('obs:object:GetObject');
    await allow(bucket, ['s3:ListBucket', 's3:GetObject']);
    expect(await store.list('')).toEqual([]);
    expect(await store.get('a')).toBeNull();
    expect(await hintOf(store.put('a', utf8('x')))).toContain('obs:object:PutObject');
    expect(await hintOf(store.delete('a'))).toContain('obs:object:DeleteObject');
    // The permissions that the exporter needs.
    const needed = ['ListBucket', 'GetObject', 'PutObject', 'DeleteObject'];
    await allow(
      bucket,
      needed.map((action) => `s3:${action}`),
    );
    await store.put('container_nodes/a', utf8('x'));
    await store.delete('container_nodes/a');
  });
});

test('every object is encrypted with the KMS key, and a refused KMS key is named', async () => {
  const bucket = await createBucket();
  const store = openStore(bucket, { kmsKeyId: 'testkey-1' });
  onTestFinished(() => store.close());
  for (const durability of ['confirmed', 'checksummed', 'acknowledged'] as const) {
    const key = `container_nodes/${durability}.parquet`;
    await store.put(key, utf8(key), { durability });
    expect(String(await store.get(key))).toBe(key);
    const path = `/${bucket}/lake/${key}`;
    const { headers } = await signedFetch(rgw.key, { method: 'HEAD', origin: rgw.url, path });
    expect(headers.get('x-amz-server-side-encryption')).toBe('aws:kms');
    expect(headers.get('x-amz-server-side-encryption-aws-kms-key-id')).toBe('testkey-1');
    await store.putFile(`${key}-file`, await makeLocalFile(utf8(key)), { durability });
    const chunks = await store.read(`${key}-file`);
    expect(String(await copyChunks(chunks as AsyncIterable<Uint8Array>))).toBe(key);
  }
  const other = openStore(bucket, { kmsKeyId: 'no-such-key' });
  onTestFinished(() => other.close());
  const error = await storeErrorOf(other.put('_runs/b', utf8('x'), acknowledged));
  expect(error.code).toBe('STORE_DENIED');
  expect(error.hint).toContain('obs.kmsKeyId');
});

test('the owner of the bucket can read what another account writes, if obs.acl says so', async () => {
  const bucket = await createBucket();
  const needed = ['ListBucket', 'GetObject', 'PutObject', 'DeleteObject'];
  await allow(
    bucket,
    needed.map((action) => `s3:${action}`),
  );
  const statusFor = async (acl: string | null) => {
    const store = openStore(bucket, { acl, credentials: async () => rgw.limitedKey });
    onTestFinished(() => store.close());
    const key = `container_nodes/${acl}.parquet`;
    await store.put(key, utf8('x'));
    const path = `/${bucket}/lake/${key}`;
    return (await signedFetch(rgw.key, { method: 'GET', origin: rgw.url, path })).status;
  };
  expect(await statusFor(null)).toBe(403);
  expect(await statusFor('bucket-owner-full-control')).toBe(200);
});

test('200 MB pass through a process without filling its memory', async () => {
  const bytes = 200 * 2 ** 20;
  const module = new URL('../support/rgw.ts', import.meta.url).href;
  const opening = `const { createBucket, openStore } = await import(${JSON.stringify(module)});
    const store = openStore(await createBucket());`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', moveLargeObject(opening, bytes)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { read, growthBytes } = JSON.parse(stdout);
  expect(read).toBe(bytes);
  expect(growthBytes).toBeLessThan(80 * 2 ** 20);
});

test("the store's clock is never read ahead, and hardly behind after objects that are written once", async () => {
  const store = openStore(await createBucket());
  onTestFinished(() => store.close());
  await store.get('a');
  expect(store.nowMs()).toBeLessThanOrEqual(Date.now() + 1);
  expect(store.nowMs()).toBeGreaterThan(Date.now() - 1_100);
  for (let round = 0; round < 3; round += 1) {
    await store.put(`_quota/${round}`, utf8('x'), { ...acknowledged, isWrittenOnce: true });
    await store.list('_quota/');
  }
  // Store and test have the same clock here, so the difference is only the duration of an answer.
  expect(store.nowMs()).toBeLessThanOrEqual(Date.now() + 1);
  expect(store.nowMs()).toBeGreaterThan(Date.now() - 50);
});

test('a folder that a console created is not listed as an object', async () => {
  const bucket = await createBucket();
  const store = openStore(bucket);
  onTestFinished(() => store.close());
  for (const folder of ['lake/', 'lake/container_nodes/']) {
    await signedFetch(rgw.key, { method: 'PUT', origin: rgw.url, path: `/${bucket}/${folder}` });
  }
  await store.put('container_nodes/a', utf8('x'));
  expect((await store.list('')).map(({ key }) => key)).toEqual(['container_nodes/a']);
});

/** A CONNECT proxy that connects every host name to this host, as DNS would for the name with the bucket. */
async function startTunnel(): Promise<{ url: string; connects: string[] }> {
  const connects: string[] = [];
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on('connect', (request, client: Socket) => {
    connects.push(request.url ?? '');
    const upstream = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connects };
}

describe('TLS through a proxy, to a host name that starts with the bucket name', () => {
  test('trusts a CA in NODE_EXTRA_CA_CERTS', async () => {
    const bucket = await createBucket();
    const simulator = await simulate({ nodes: 300 });
    const tunnel = await startTunnel();
    const { code, result } = await runCli('export', {
      simulator,
      bucket,
      storeUrl: rgw.tlsUrl,
      pathStyle: false,
      env: { HTTPS_PROXY: tunnel.url, NODE_EXTRA_CA_CERTS: rgw.caFile },
    });
    expect({ code, errors: result.errors }).toEqual({ code: 0, errors: [] });
    const { host } = new URL(rgw.tlsUrl);
    expect(new Set(tunnel.connects)).toEqual(new Set([`${bucket}.${host}`]));
    const manifest = result.snapshots[0]?.manifest ?? '';
    expect(await readObject(rgw.key, rgw.url, bucket, `lake/${manifest}`)).not.toBeNull();
  });

  test.each([
    ['the wrong CA', () => ({ NODE_EXTRA_CA_CERTS: rgw.otherCaFile })],
    [
      'no CA, although NODE_TLS_REJECT_UNAUTHORIZED=0 turns verification off',
      () => ({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    ],
  ])('with %s, the export fails with exit code 3 and a hint', async (_name, env) => {
    const simulator = await simulate({ nodes: 300 });
    const tunnel = await startTunnel();
    const { code, result, logs } = await runCli('export', {
      simulator,
      bucket: await createBucket(),
      storeUrl: rgw.tlsUrl,
      pathStyle: false,
      env: { HTTPS_PROXY: tunnel.url, ...env() },
    });
    expect(code).toBe(3);
    expect(result.errors).toMatchObject([
      { code: 'CERTIFICATE_REFUSED', hint: expect.stringContaining('NODE_EXTRA_CA_CERTS') },
    ]);
    expect(logs).not.toContain(simulator.sk);
    expect(simulator.stats().nodeRequests).toBe(0);
  });
});

test('the store ignores settings for the AWS SDK in the environment and in the home folder', async () => {
  const home = mkdtempSync(join(tmpdir(), 'cgs-rgw-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, '.aws'));
  for (const name of ['config', 'credentials']) {
    const text =
      '[default]\nregion = nowhere\nendpoint_url = http://127.0.0.1:1\nuse_fips_endpoint = true\n' +
      'aws_access_key_id = other\naws_secret_access_key = other\nrequest_checksum_calculation = when_supported\n';
    writeFileSync(join(home, '.aws', name), text);
  }
  const simulator = await simulate({ nodes: 300 });
  const { code, result, logs } = await runCli('export', {
    simulator,
    bucket: await createBucket(),
    env: {
      HOME: home,
      AWS_PROFILE: 'default',
      AWS_SDK_LOAD_CONFIG: '1',
      AWS_REGION: 'nowhere',
      AWS_ACCESS_KEY_ID: 'other',
      AWS_SECRET_ACCESS_KEY: 'other',
      AWS_SESSION_TOKEN: 'other',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1',
      AWS_USE_FIPS_ENDPOINT: 'true',
      AWS_USE_DUALSTACK_ENDPOINT: 'true',
      AWS_S3_USE_ARN_REGION: 'true',
      AWS_REQUEST_CHECKSUM_CALCULATION: 'WHEN_SUPPORTED',
      AWS_MAX_ATTEMPTS: '1',
    },
  });
  expect({ code, errors: result.errors }).toEqual({ code: 0, errors: [] });
  // The SDK writes nothing to stderr: every line there is a log line.
  for (const line of logs.trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
});
