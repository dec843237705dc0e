// Tests signatures as an operator and an auditor meet them: keys from `keygen`, exports by the built program, checks by openssl
// alone, a new key, a key that cannot be used, and that the private key is in no output and no object.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { someCases } from '../support/cases.ts';
import {
  createFolder,
  type Ended,
  type Endpoint,
  expectCode,
  keyOf,
  readJson,
  readTree,
  runCli,
  startEndpoint,
} from './processes.ts';

const settings =
  'quota: { requests: 1000, windowSeconds: 1 }\nsigning: { privateKey: ${CGS_SIGNING_KEY} }';

function configure({ url, script }: Endpoint): string {
  const cwd = createFolder();
  const target = `{ region: ${script.region}, projectId: ${script.projectId}, endpoint: "${url}" }`;
  const text = `store: file:./lake\n${settings}\naccounts: [{ name: prod, targets: [${target}] }]\n`;
  writeFileSync(join(cwd, 'cgs-export.yml'), text);
  return cwd;
}

/** Calls openssl, which must be on this machine. */
function openssl(args: readonly string[]): { status: number | null; out: string } {
  const { error, status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (error) throw error;
  return { status, out: `${stdout}${stderr}` };
}

/** Whether openssl accepts the bytes of `file` with the signature and the public key in these files. */
function isAccepted(file: string, signature: string, publicKey: string): boolean {
  const how = ['pkeyutl', '-verify', '-rawin', '-pubin', '-inkey', publicKey];
  const { status, out } = openssl([...how, '-in', file, '-sigfile', signature]);
  expect(out).toMatch(status === 0 ? /Verified Successfully/ : /Verification Failure|Signature/);
  return status === 0;
}

interface Keys {
  keyId: string;
  privateKeyFile: string;
  publicKeyFile: string;
}

test('openssl accepts each manifest, also after a change of the key, and the key is shown nowhere', async () => {
  const endpoint = await startEndpoint({ nodes: 250 });
  const cwd = configure(endpoint);
  const outputs: Ended[] = [];
  async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
    const ended = await runCli(args, { cwd, env: { ...keyOf(endpoint), ...env } });
    outputs.push(ended);
    return ended;
  }
  const pairs: Keys[] = [];
  const secretLines: string[] = [];
  for (const [name, lineBreak] of [
    ['one', '\n'],
    ['two', '\\n'],
  ] as const) {
    const made = await run([
      'keygen',
      '--out',
      join('..', `${cwd.split('/').pop()}-keys`, name),
      '--json',
    ]);
    expectCode(made, 0);
    const keys = readJson<Keys>(made as Ended);
    pairs.push(keys);
    const privateKey = readFileSync(keys.privateKeyFile, 'utf8');
    secretLines.push(privateKey.split('\n')[1] ?? '');
    const env = {
      CGS_SIGNING_KEY: privateKey.replaceAll('\n', lineBreak),
      CGS_EXPORT_LOG_LEVEL: 'debug',
    };
    for (const _round of [1, 2]) expectCode(await run(['export', '--json'], env), 0);
    const doctor = await run(['doctor', '--json'], env);
    const { checks } = readJson<{ checks: { check: string; status: string; message: string }[] }>(
      doctor,
    );
    expect(checks.find(({ check }) => check === 'signing-key')).toMatchObject({
      status: 'ok',
      message: `manifests are signed with ${keys.keyId}; _keys/${keys.keyId}.pem is in the store`,
    });
  }
  // Commands that only read need no signing key.
  expectCode(await run(['verify', '--json']), 0);
  expectCode(await run(['status', '--json']), 0);

  const lake = join(cwd, 'lake');
  const tree = readTree(lake);
  const manifests = [...tree.keys()].filter((key) => key.startsWith('_manifests/')).sort();
  expect(manifests).toHaveLength(4);
  const [one, two] = pairs;
  for (const [index, key] of manifests.entries()) {
    const own = index < 2 ? one : two;
    const other = index < 2 ? two : one;
    const bytes = tree.get(key) ?? Buffer.alloc(0);
    expect(JSON.parse(String(bytes)).signing).toEqual({ keyId: own?.keyId });
    const signatureKey = key.replace('_manifests/', '_signatures/').replace('.json', '.sig');
    expect(tree.get(signatureKey)).toHaveLength(64);
    const files = [join(lake, key), join(lake, signatureKey)] as const;
    expect(isAccepted(...files, own?.publicKeyFile ?? '')).toBe(true);
    expect(isAccepted(...files, other?.publicKeyFile ?? '')).toBe(false);
    const altered = join(createFolder(), 'altered.json');
    writeFileSync(altered, String(bytes).replace('"rows":250', '"rows":251'));
    expect(isAccepted(altered, files[1], own?.publicKeyFile ?? '')).toBe(false);
  }
  const publicKeys = [...tree.keys()].filter((key) => key.startsWith('_keys/'));
  expect(publicKeys.sort()).toEqual(pairs.map(({ keyId }) => `_keys/${keyId}.pem`).sort());
  for (const { keyId, publicKeyFile } of pairs) {
    expect(tree.get(`_keys/${keyId}.pem`)).toEqual(readFileSync(publicKeyFile));
    const der = join(createFolder(), 'key.der');
    expect(
      openssl(['pkey', '-pubin', '-in', publicKeyFile, '-outform', 'DER', '-out', der]).status,
    ).toBe(0);
    expect(createHash('sha256').update(readFileSync(der)).digest('hex').slice(0, 16)).toBe(keyId);
  }

  for (const line of secretLines) {
    expect(line).toHaveLength(64);
    const forms = [line, Buffer.from(line, 'base64').subarray(16).toString('hex')];
    for (const form of forms) {
      for (const { out, err } of outputs) expect(out + err).not.toContain(form);
      for (const [key, bytes] of tree) expect(bytes.includes(form), key).toBe(false);
    }
    const seed = Buffer.from(line, 'base64').subarray(16);
    for (const [key, bytes] of tree) expect(bytes.includes(seed), key).toBe(false);
  }
});

describe('a key that cannot be used', () => {
  const { out: rsa } = openssl(['genpkey', '-algorithm', 'RSA', '-quiet']);
  const body = 'MC4CAQAwBQYDK2VwBCIEITruncatedTruncatedTruncated';
  test.each(
    someCases([
      ['a text that is not a key', 'not-a-key-but-still-secret'],
      ['an RSA key', rsa],
      ['a truncated key', body],
    ]),
  )('stops before the first request: %s', async (_what, text) => {
    expect(text.length).toBeGreaterThan(20);
    const endpoint = await startEndpoint({ nodes: 50 });
    const cwd = configure(endpoint);
    const env = { ...keyOf(endpoint), CGS_SIGNING_KEY: text, CGS_EXPORT_LOG_LEVEL: 'debug' };
    const secret = text.split('\n').find((line) => line !== '' && !line.startsWith('-')) ?? '';
    for (const command of ['export', 'tick']) {
      const ended = await runCli([command, '--json'], { cwd, env });
      expectCode(ended, 2);
      const { errors } = readJson(ended);
      expect(errors).toMatchObject([
        { code: 'CONFIG', message: expect.stringMatching(/^signing\.privateKey: /) },
      ]);
      expect(ended.out + ended.err).not.toContain(secret);
    }
    expect(await endpoint.report()).toMatchObject({ servings: [], iam: [] });
    expect(readTree(cwd).size).toBe(1);
    const doctor = await runCli(['doctor', '--json'], { cwd, env });
    expectCode(doctor, 2);
    const { checks } = readJson<{ checks: { check: string; status: string }[] }>(doctor);
    const failed = checks.filter(({ status }) => status === 'failed');
    expect(failed).toMatchObject([{ check: 'signing-key' }]);
    expect(doctor.out + doctor.err).not.toContain(secret);
  });

  test('a variable that is not set is a fault of the commands that sign only', async () => {
    const endpoint = await startEndpoint({ nodes: 50 });
    const cwd = configure(endpoint);
    const options = { cwd, env: keyOf(endpoint) };
    const exported = await runCli(['export', '--json'], options);
    expectCode(exported, 2);
    const message = 'signing.privateKey: the environment variable CGS_SIGNING_KEY is not set';
    expect(readJson(exported).errors).toMatchObject([{ message }]);
    expect(await endpoint.report()).toMatchObject({ servings: [], iam: [] });
  });
});
