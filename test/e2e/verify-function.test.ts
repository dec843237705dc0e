// Tests the built function `verify`: what it returns, what it throws, and which keys it needs. Method: as for the function that
// exports, a process for each invocation in a folder with only the bundle, its configuration and the public key.

import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSigningKey } from '../../lib/snapshots/signature.ts';
import { startPlainBucket } from '../support/plain-bucket.ts';
import { bundleOf, type Call, type Invoked, invoke } from './invocations.ts';
import {
  createFolder,
  type Endpoint,
  expectCode,
  findObject,
  keyOf,
  readJson,
  runCli,
  startEndpoint,
} from './processes.ts';

interface Verified {
  status: string;
  manifests: number;
  parts: number;
  pins: { file: string; checked: number; isCreated: boolean; isUpdated: boolean } | null;
  notProven: string;
  errors: unknown[];
}

const { privateKey } = generateKeyPairSync('ed25519');
const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const publicPem = readSigningKey(privatePem)?.publicPem ?? '';

/** What all functions share. The variables of the API and of the signing key exist only where the export runs. */
const configOf = ({ url, script }: Endpoint, store: string, verify: string) => `${store}
quota: { requests: 1000, windowSeconds: 1 }
signing: { privateKey: "\${SIGNING_KEY}" }
verify: ${verify}
accounts:
  - name: prod
    credentials: { ak: "\${PROD_AK}", sk: "\${PROD_SK}" }
    targets: [{ region: ${script.region}, projectId: ${script.projectId}, endpoint: '${url}', iamEndpoint: '${url}', api: hss }]
`;

/** A folder with the function, and a store with `snapshots` snapshots. */
async function deploy(store: string, verify: string, snapshots = 1, env = {}) {
  const endpoint = await startEndpoint({ nodes: 30 });
  const folder = createFolder();
  copyFileSync(bundleOf('verify'), join(folder, 'index.js'));
  writeFileSync(join(folder, 'auditor.pem'), publicPem);
  writeFileSync(join(folder, 'cgs-export.yml'), configOf(endpoint, store, verify));
  const key = keyOf(endpoint);
  const exporting = {
    ...{ PROD_AK: key.HUAWEICLOUD_SDK_AK ?? '', PROD_SK: key.HUAWEICLOUD_SDK_SK ?? '' },
    ...{ SIGNING_KEY: privatePem, ...env },
  };
  const call = (...args: string[]) => runCli(args, { cwd: folder, env: exporting });
  for (let count = 0; count < snapshots; count += 1) expectCode(await call('export', '--json'), 0);
  const verifyOnce = (options: Omit<Call, 'requestId'> = {}): Promise<Invoked<Verified>> =>
    invoke<Verified>(folder, 'one', options);
  return { folder, call, verifyOnce };
}

const mounted = 'store: file:./lake\nmounted: true';

test('returns what `verify --json` prints, without a key of the API or for signing, and keeps the pins up to date', async () => {
  const verify = '{ pins: file:./safe/pins.jsonl, publicKeys: [auditor.pem] }';
  const { folder, call, verifyOnce } = await deploy(mounted, verify, 2);
  const pins = join(folder, 'safe/pins.jsonl');
  const first = await verifyOnce();
  expect(first.error).toBeNull();
  expect(first.result).toMatchObject({
    ...{ status: 'verified', manifests: 2, parts: 4, errors: [] },
    signatures: { valid: 2, keysFrom: 'given' },
    pins: { checked: 0, isCreated: true, isUpdated: true },
  });
  expect(first.lines.at(-1)).toMatchObject({
    ...{ message: 'done', requestId: 'one', status: 'verified', manifests: 2, parts: 4 },
    ...{ faults: 0, durationMs: expect.any(Number) },
  });
  const before = readFileSync(pins, 'utf8');
  expectCode(await call('export', '--json'), 0);
  const second = await verifyOnce();
  const printed = readJson<Verified>(await call('verify', '--json'));
  expect(second.result).toMatchObject({ manifests: 3, pins: { checked: 1, isUpdated: true } });
  expect(second.result).toEqual({
    ...printed,
    notProven: expect.any(String),
    pins: second.result?.pins,
  });
  expect(readFileSync(pins, 'utf8')).not.toBe(before);
});

test('throws the object with one flipped byte, and leaves the pins as they are', async () => {
  const { folder, verifyOnce } = await deploy(mounted, '{ pins: file:./safe/pins.jsonl }');
  const part = findObject(join(folder, 'lake'), /parquet$/);
  const bytes = readFileSync(join(folder, 'lake', part));
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(join(folder, 'lake', part), bytes);
  const { error, lines } = await verifyOnce();
  expect(error).toMatchObject({ name: 'ExportError', code: 'CORRUPT' });
  expect(error?.message).toContain(
    `1 fault, 0 objects that could not be read (1 manifest and 2 parts were read)\n- ${part}: was altered`,
  );
  expect(error?.message).toContain('Run `cgs-export verify`');
  expect(existsSync(join(folder, 'safe/pins.jsonl'))).toBe(false);
  expect(lines.at(-1)).toMatchObject({ message: 'done', status: 'failed', faults: 1 });
});

test('reads a bucket with its key, and writes the pins to another bucket with the key for that one', async () => {
  const lake = await startPlainBucket({ ak: 'AKLAKE' });
  const safe = await startPlainBucket({ ak: 'AKSAFE' });
  const bucket = ({ url }: { url: string }, ak: string, sk: string) =>
    `{ endpoint: "${url}", pathStyle: true, credentials: { ak: ${ak}, sk: "\${${sk}}" } }`;
  const { verifyOnce } = await deploy(
    `store: obs://lake/cgs\nobs: ${bucket(lake, 'AKLAKE', 'LAKE_SK')}`,
    `{ pins: obs://lake/pins/prod.jsonl, obs: ${bucket(safe, 'AKSAFE', 'SAFE_SK')} }`,
    1,
    { LAKE_SK: 'lake-secret', SAFE_SK: 'safe-secret' },
  );
  const written = lake.requests.length;
  const userData = { LAKE_SK: 'lake-secret', SAFE_SK: 'safe-secret' };
  const { result, error, lines } = await verifyOnce({ userData });
  expect(error).toBeNull();
  expect(result).toMatchObject({
    status: 'verified',
    parts: 2,
    pins: { file: 'obs://lake/pins/prod.jsonl', isCreated: true },
  });
  expect(safe.keys()).toEqual(['pins/prod.jsonl']);
  const ofFunction = lake.requests.slice(written).map((request) => request.split(' ')[0]);
  expect([...new Set(ofFunction)]).toEqual(['GET']);
  expect(JSON.stringify(lines)).not.toMatch(/lake-secret|safe-secret/);
  const again = await verifyOnce({ userData });
  expect(again.result).toMatchObject({ pins: { checked: 1, isCreated: false, isUpdated: false } });
});

test('throws what a person must act on: no time, no snapshot, pins in a file that would be lost', async () => {
  const { folder, verifyOnce } = await deploy(mounted, '{ pins: file:./safe/pins.jsonl }');
  const hurried = await verifyOnce({ leftMs: 5_400 });
  expect(hurried.error).toMatchObject({ name: 'StoppedError', code: 'TIME_TOO_SHORT' });
  expect(hurried.error?.message).toMatch(/0 of 1 manifests were read[\s\S]*serverless\.yml/);

  const file = join(folder, 'cgs-export.yml');
  const config = readFileSync(file, 'utf8');
  writeFileSync(file, config.replace('mounted: true', ''));
  const unmounted = await verifyOnce();
  expect(unmounted.error).toMatchObject({ name: 'ConfigError', code: 'CONFIG' });
  expect(unmounted.error?.message).toContain('verify.pins: is a file, which a function loses');
  expect(unmounted.error?.message).toContain('store: is a folder, which a function loses');

  writeFileSync(file, config.replace('file:./lake', 'file:./other'));
  const empty = await verifyOnce();
  expect(empty.error).toMatchObject({ name: 'ConfigError', code: 'CONFIG' });
  expect(empty.error?.message).toMatch(/store: there is no snapshot in file:.*other/);
  expect(existsSync(join(folder, 'safe'))).toBe(false);
});
