// Tests that a secret is found anywhere in the configuration, and that a variable is not reported.

import { expect, test } from 'vitest';
import { ConfigError, type ConfigIssue } from '../../lib/core/errors.ts';
import { checkWrittenSecrets } from '../../lib/deploy/written-secrets.ts';

function issuesOf(text: string): readonly ConfigIssue[] {
  try {
    checkWrittenSecrets(text, 'cgs-export.yml');
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
}
const pathsOf = (text: string) => issuesOf(text).map(({ path }) => path);

test('reports the path of each secret and not its value', () => {
  const text = `
store: obs://lake
obs: { credentials: { ak: A, sk: hunter2 } }
verify: { pins: obs://pins/a, obs: { credentials: { ak: A, sk: hunter2 } } }
accounts:
  - name: a
    credentials: { ak: AK, sk: hunter2, securityToken: hunter2 }
    targets: [{ region: cn-south-4 }]
  - name: b
    credentials: { iamUser: u, iamPassword: hunter2, iamDomain: d }
    targets: [{ region: cn-south-4, endpoint: 'http://127.0.0.1:1' }, { region: cn-north-4 }]
`;
  expect(pathsOf(text)).toEqual([
    'obs.credentials.sk',
    'verify.obs.credentials.sk',
    'accounts.0.credentials.sk',
    'accounts.0.credentials.securityToken',
    'accounts.1.credentials.iamPassword',
  ]);
  expect(JSON.stringify(issuesOf(text))).not.toContain('hunter2');
});

test.each([
  ['in a comment', 'store: file:/x\n# credentials: { ak: A, sk: hunter2-hunter2 }', 2],
  ['in a comment, as a shell variable', 'store: file:/x\n# HUAWEICLOUD_SDK_SK=hunter2-hunter2', 2],
  ['under a misspelt name', 'accounts:\n  - credential: { ak: A, sk: "hunter2-hunter2" }', 2],
  ['under another misspelt name', 'accounts:\n  - { secretKey: ABCDEFGHIJKLMNOP }', 2],
  ['in the wrong case', 'accounts:\n  - { securitytoken: hunter2-hunter2 }', 2],
  ['in JSON under a misspelt name', '{\n"account": [{ "sk": "hunter2-hunter2" }] }', 2],
  ['in an address', "obs: { endpoint: 'https://u:hunter22@obs.example' }", 1],
])('finds a secret %s', (_what, text, line) => {
  expect(pathsOf(text)).toEqual([`cgs-export.yml:${line}`]);
});

const pem = `-----BEGIN PRIVATE ${'KEY'}-----\nMC4CAQAwBQYDK2VwBCIEI${'A'.repeat(43)}\n-----END PRIVATE ${'KEY'}-----`;

test.each([
  ['as one text', `signing: { privateKey: ${JSON.stringify(pem)} }`],
  ['in several lines', `signing:\n  privateKey: |\n    ${pem.replaceAll('\n', '\n    ')}`],
  ['that is not a key', 'signing: { privateKey: hunter2 }'],
  ['beside a variable', 'signing: { privateKey: "hunter2${EMPTY}" }'],
])('finds a signing key %s, and does not show it', (_what, text) => {
  expect(pathsOf(text)).toEqual(['signing.privateKey']);
  expect(JSON.stringify(issuesOf(text))).not.toMatch(/MC4C|hunter2/);
});

test('finds a private key under another name and in a comment', () => {
  const lines = `# ${pem.replaceAll('\n', '\n# ')}`;
  expect(pathsOf(`store: file:/x\n${lines}`)).toEqual(['cgs-export.yml:2', 'cgs-export.yml:3']);
  expect(pathsOf(`sign: { key: ${JSON.stringify(pem)} }`)).toEqual(['cgs-export.yml:1']);
});

test('accepts a variable for the signing key', () => {
  expect(pathsOf('signing: { privateKey: ${CGS_SIGNING_KEY} }')).toEqual([]);
});

test.each(['accounts: [', '- a', 'x: {\n'])('reports a text that does not parse: %s', (text) => {
  expect(pathsOf(text)).toEqual(['']);
});

test.each([
  [
    'beside a variable',
    "accounts: [{ credentials: { ak: A, sk: 'hunter2${EMPTY}' }, targets: [{ region: r }] }]",
  ],
  [
    'for an endpoint on this host',
    "accounts: [{ credentials: { ak: A, sk: hunter2 }, targets: [{ endpoint: 'http://127.0.0.1:80' }] }]",
  ],
])('finds a secret %s', (_what, text) => {
  expect(pathsOf(text)).toEqual(['accounts.0.credentials.sk']);
});

test.each([
  ['variables', 'accounts: [{ credentials: { ak: ${AK}, sk: ${SK} }, targets: [{ region: r }] }]'],
  ['the agency', 'accounts: [{ credentials: agency, targets: [{ region: r }] }]'],
  [
    'ordinary words',
    'store: file:/x\n# sk: required when\n# iamPassword: whatever\n# sk: your-secret-access-key\n# http://user:password@proxy',
  ],
  [
    'two variables',
    "accounts: [{ credentials: { ak: A, sk: '${A}${B}' }, targets: [{ region: r }] }]",
  ],
  [
    'a comment about keys',
    'store: file:/x\n# sk: the key, securityToken: ${TOKEN}\n# see https://example/a:b@c',
  ],
  ['values of the wrong type', 'accounts: 5\nobs: [1]'],
])('finds nothing in %s', (_what, text) => {
  expect(pathsOf(text)).toEqual([]);
});

test('the whole address of a webhook and its secret must be variables', () => {
  const text = (url: string, secret: string) =>
    `alerts: { webhook: { url: "${url}", secret: "${secret}" } }`;
  expect(pathsOf(text('${HOOK_URL}', '${HOOK_SECRET}'))).toEqual([]);
  const issues = issuesOf(text('https://hooks.example.com/${TOKEN}', 'hunter2'));
  expect(issues.map(({ path }) => path)).toEqual(['alerts.webhook.url', 'alerts.webhook.secret']);
  expect(JSON.stringify(issues)).not.toMatch(/hunter2|hooks\.example/);
  expect(pathsOf('store: file:/x\n# secret: "hunter2-hunter2"')).toEqual(['cgs-export.yml:2']);
});
