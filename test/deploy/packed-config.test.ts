// Tests that the configuration in a zip is checked for what its function uses, and for nothing else.

import { expect, test } from 'vitest';
import type { CommandContext } from '../../lib/deploy/command-context.ts';
import { writeZip } from '../../lib/deploy/function-zip.ts';
import { checkPackedConfig } from '../../lib/deploy/packed-config.ts';
import { readSettings } from '../../lib/deploy/settings.ts';
import { createKeyPair } from '../support/signing-keys.ts';

const context = { root: '/checkout', zipPath: (key: string) => `/checkout/${key}.zip` };
const { privatePem } = createKeyPair();

const config = (obs: string) => `store: obs://lake/cgs
obs: ${obs}
signing: { privateKey: "\${SIGNING_KEY}" }
verify: { pins: obs://safe/pins.jsonl, obs: { credentials: { ak: A, sk: "\${PINS_SK}" } } }
accounts:
  - { name: a, credentials: { ak: A, sk: "\${PROD_SK}" }, targets: [{ region: cn-south-4 }] }
`;
const ownKey = '{ credentials: { ak: A, sk: "${OBS_SK}" } }';

async function check(key: string, text: string, secrets: Record<string, string>, agencyName = '') {
  const names = Object.keys(secrets);
  const [settings] = readSettings({}, { [key]: { secrets: names, agencyName } });
  const zip = await writeZip([{ path: 'cgs-export.yml', bytes: Buffer.from(text) }]);
  if (!settings) throw new Error('no settings');
  await checkPackedConfig(context as CommandContext, settings, secrets, zip);
}

test('each function needs only its own variables', async () => {
  const of = { OBS_SK: 'x'.repeat(20), PINS_SK: 'x'.repeat(20) };
  await check('verify', config(ownKey), of);
  await check('report', config(ownKey), of);
  const ofCollect = { OBS_SK: of.OBS_SK, PROD_SK: of.OBS_SK, SIGNING_KEY: privatePem };
  await check('collect', config(ownKey), ofCollect);
  await check('prune', config(ownKey), { OBS_SK: of.OBS_SK, SIGNING_KEY: privatePem });
  await expect(check('prune', config(ownKey), of)).rejects.toThrow(
    /^signing\.privateKey: the environment variable SIGNING_KEY is not set$/,
  );
  await expect(check('verify', config(ownKey), { OBS_SK: of.OBS_SK })).rejects.toThrow(
    /^verify\.obs\.credentials\.sk: the environment variable PINS_SK is not set$/,
  );
  await expect(check('collect', config(ownKey), of)).rejects.toThrow(
    /privateKey: the environment variable SIGNING_KEY is not set\n.*PROD_SK is not set$/s,
  );
});

test('verify needs the key of the first account if the bucket has none of its own', async () => {
  const failed = check('verify', config('{ pathStyle: true }'), { PINS_SK: 'x'.repeat(20) });
  await expect(failed).rejects.toMatchObject({
    message: expect.stringContaining('PROD_SK is not set'),
    hint: expect.stringMatching(/^Add its name to secrets \(or environment\) of functions\.verify/),
  });
});

test('a missing agency is a fault only if the function uses it', async () => {
  const text = `store: obs://lake/cgs
obs: { credentials: { ak: A, sk: "\${OBS_SK}" } }
accounts: [{ name: a, credentials: agency, targets: [{ region: cn-south-4 }] }]
`;
  const secrets = { OBS_SK: 'x'.repeat(20) };
  await check('verify', text, secrets);
  await check('collect', text, secrets, 'cgs-export');
  await expect(check('collect', text, secrets)).rejects.toThrow(
    'functions.collect.agencyName: is missing',
  );
  const pins = `${text}verify: { pins: obs://safe/pins, obs: { credentials: agency } }\n`;
  await expect(check('verify', pins, secrets)).rejects.toThrow('agencyName: is missing');
});

test('a missing configuration is a fault that names the zip', async () => {
  const [settings] = readSettings({}, { collect: {} });
  const zip = await writeZip([{ path: 'index.js', bytes: Buffer.from('') }]);
  if (!settings) throw new Error('no settings');
  await expect(
    checkPackedConfig(context as CommandContext, settings, {}, zip),
  ).rejects.toMatchObject({
    message: 'package: cgs-export.yml is not in collect.zip',
    hint: expect.stringContaining('cgs-export init'),
  });
});
