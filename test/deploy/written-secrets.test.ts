// Owns the proof that a secret written out is found wherever it may stand, and a variable never is.

import { expect, test } from 'vitest';
import { findWrittenSecrets } from '../../lib/deploy/written-secrets.ts';

const pathsOf = (text: string) =>
  findWrittenSecrets(text, 'cgs-export.yml').map(({ path }) => path);

test('written out: named by its path, and its value not told', () => {
  const text = `
store: obs://lake
obs: { credentials: { ak: A, sk: hunter2 } }
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
    'accounts.0.credentials.sk',
    'accounts.0.credentials.securityToken',
    'accounts.1.credentials.iamPassword',
  ]);
  expect(JSON.stringify(findWrittenSecrets(text, 'x'))).not.toContain('hunter2');
});

test.each([
  ['in a comment', 'store: file:/x\n# credentials: { ak: A, sk: hunter2-hunter2 }', 2],
  ['in a comment, as a shell has it', 'store: file:/x\n# HUAWEICLOUD_SDK_SK=hunter2-hunter2', 2],
  ['under a misspelt name', 'accounts:\n  - credential: { ak: A, sk: "hunter2-hunter2" }', 2],
  ['under another misspelt name', 'accounts:\n  - { secretKey: ABCDEFGHIJKLMNOP }', 2],
  ['in the wrong case', 'accounts:\n  - { securitytoken: hunter2-hunter2 }', 2],
  ['in JSON under a misspelt name', '{\n"account": [{ "sk": "hunter2-hunter2" }] }', 2],
  ['in an address', "obs: { endpoint: 'https://u:hunter22@obs.example' }", 1],
])('one %s', (_what, text, line) => {
  expect(pathsOf(text)).toEqual([`cgs-export.yml:${line}`]);
});

test.each(['accounts: [', '- a', 'x: {\n'])('what cannot be read is told: %s', (text) => {
  expect(pathsOf(text)).toEqual(['']);
});

test('the key of an endpoint on this host opens the IAM that is not', () => {
  const text =
    "accounts: [{ credentials: { ak: A, sk: hunter2 }, targets: [{ endpoint: 'http://127.0.0.1:80', iamEndpoint: 'https://iam.example' }] }]";
  expect(pathsOf(text)).toEqual(['accounts.0.credentials.sk']);
});

test.each([
  [
    'beside a variable',
    "accounts: [{ credentials: { ak: A, sk: 'hunter2${EMPTY}' }, targets: [{ region: r }] }]",
  ],
  [
    "that may be the bucket's",
    "store: ${STORE}\naccounts: [{ credentials: { ak: A, sk: hunter2 }, targets: [{ endpoint: 'http://127.0.0.1:80' }] }]",
  ],
  [
    "that is also the bucket's",
    "store: obs://lake\naccounts: [{ credentials: { ak: A, sk: hunter2 }, targets: [{ endpoint: 'http://127.0.0.1:80' }] }]",
  ],
])('one %s', (_what, text) => {
  expect(pathsOf(text)).toEqual(['accounts.0.credentials.sk']);
});

test.each([
  ['variables', 'accounts: [{ credentials: { ak: ${AK}, sk: ${SK} }, targets: [{ region: r }] }]'],
  ['the agency', 'accounts: [{ credentials: agency, targets: [{ region: r }] }]'],
  [
    'a key that opens nothing but an endpoint on this host',
    "accounts: [{ credentials: { ak: A, sk: B }, targets: [{ endpoint: 'http://127.0.0.1:80' }] }]\nobs: { endpoint: 'http://localhost:7480', credentials: { ak: a, sk: b } }",
  ],
  [
    'words',
    'store: file:/x\n# sk: required when\n# iamPassword: whatever\n# sk: your-secret-access-key\n# http://user:password@proxy',
  ],
  [
    'a key of endpoints on this host beside a bucket with a key of its own',
    "store: obs://lake\nobs: { credentials: { ak: a, sk: '${SK}' } }\naccounts: [{ credentials: { ak: A, sk: B }, targets: [{ endpoint: 'http://127.0.0.1:80' }] }]",
  ],
  [
    'two variables',
    "accounts: [{ credentials: { ak: A, sk: '${A}${B}' }, targets: [{ region: r }] }]",
  ],
  [
    'a comment that speaks of keys',
    'store: file:/x\n# sk: the key, securityToken: ${TOKEN}\n# see https://example/a:b@c',
  ],
  ['odd shapes', 'accounts: 5\nobs: [1]'],
])('nothing is found in %s', (_what, text) => {
  expect(pathsOf(text)).toEqual([]);
});
