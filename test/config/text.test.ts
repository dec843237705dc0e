// Tests the way from text to values: YAML, JSON and variables.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countCases } from '../support/cases.ts';
import { failureOf, faultsOf, key, load, minimal, targetOf } from './loading.ts';

describe('syntax', () => {
  test('reads JSON, indented with tabs and with a byte order mark', async () => {
    const value = {
      store: 'file:x',
      accounts: [{ name: 'a', targets: [{ region: 'x', projectId: '123' }] }],
    };
    const config = await load(`\uFEFF${JSON.stringify(value, null, '\t')}`);
    expect(targetOf(config).projectId).toBe('123');
  });

  test.each([
    ['', 'cgs-export.yml is empty'],
    ['# only a comment\n', 'cgs-export.yml is empty'],
    ['- store: x\n', 'cgs-export.yml must contain settings by name, not a list'],
    ['store\n', 'cgs-export.yml must contain settings by name, not a single value'],
    ['store: file:a\nstore: file:b\n', 'cgs-export.yml:2:1: this key is a duplicate'],
    ['{"store": "file:a",\n "store": "file:b"}', 'cgs-export.yml:2:2: this key is a duplicate'],
    ['accounts:\n\t- name: a\n', 'cgs-export.yml:2:1: this line is indented with a tab'],
    ['store: file:a\n---\nstore: file:b\n', 'cgs-export.yml:2:1: a second document starts here'],
    ['store: @a\n', 'cgs-export.yml:1:8: a value starts with a reserved character'],
    ['store: !x a\n', 'cgs-export.yml:1:8: a value starts with !'],
    [
      'store: *a\n',
      'cgs-export.yml refers to an anchor (*name) that does not exist, contains itself or is used too often',
    ],
    [
      'quota: &q { requests: *q }\n',
      'cgs-export.yml refers to an anchor (*name) that does not exist, contains itself or is used too often',
    ],
    ['? [a]\n: 1\n', 'cgs-export.yml:1:3: a key is not a name'],
    ['quota: { requests: ${A}, x: }}\n', 'cgs-export.yml:1:30: this is not valid YAML'],
  ])('%j: %s', async (text, message) => {
    const [fault = ''] = await faultsOf(text);
    expect(fault).toContain(`: ${message}`);
  });

  test('reports every duplicate key, but only the first syntax error', async () => {
    expect(await faultsOf('a: 1\na: 2\nb: 1\nb: 2\n')).toEqual([
      ': cgs-export.yml:2:1: this key is a duplicate',
      ': cgs-export.yml:4:1: this key is a duplicate',
    ]);
    expect(await faultsOf('a: {b: {]}, c: {]}\n')).toHaveLength(1);
  });

  test('shows no text in a syntax error, because it may be a secret', async () => {
    for (const text of ['sk: "hunter2" hunter2\n', 'sk: *hunter2\n', 'sk: {hunter2: }}\n']) {
      const error = await failureOf(() => load(text));
      expect(`${error.message}${error.hint}`).not.toContain('hunter2');
    }
  });
});

describe('variables', () => {
  test('are replaced anywhere in a value: plain, quoted, in braces and within text', async () => {
    const env = { ...key, A: 'a', B_2: 'lake', REGION: 'cn-north-4', TEN: '10', YES: 'true' };
    const config = await load(
      `store: obs://\${B_2}/x-\${A}-\${A}
quota: { requests: \${TEN}, windowSeconds: "\${TEN}.5" }
obs: {pathStyle: \${YES}}
accounts: [{name: 'n\${A}', targets: [{region: \${REGION}}]}]`,
      env,
    );
    expect(config).toMatchObject({
      store: { bucket: 'lake', prefix: 'x-a-a', pathStyle: true },
      quota: { requests: 10, windowSeconds: 10.5 },
      accounts: [{ name: 'na', targets: [{ region: 'cn-north-4' }] }],
    });
  });

  test('cannot break the syntax, and are not replaced twice', async () => {
    const text = `${minimal}quota: {}\n`.replace(
      'targets',
      'credentials: { iamUser: u, iamPassword: ${P}, iamDomain: d }, targets',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: 'binary', minLength: 1 }),
          fc.constantFrom(
            '}',
            '"',
            "'",
            '#',
            '\n  - x: y',
            '${P}',
            '$&',
            '$1',
            '\uE000\uE000P\uE001',
          ),
        ),
        async (password) => {
          const config = await load(text, { P: password });
          expect(config.accounts[0]?.credentials).toMatchObject({ iamPassword: password });
        },
      ),
      { numRuns: countCases(60) },
    );
  });

  test('reports all missing ones at once, with the other faults, and checks their values no further', async () => {
    const text = `
store: \${STORE}
schedule: 7h
accounts:
  - name: a
    credentials: { ak: \${AK}, sk: \${SK}-\${SK_END} }
    targets: [{ region: \${REGION}, enterpriseProjectId: x }]`;
    expect(await faultsOf(text, {})).toEqual([
      'store: the environment variable STORE is not set',
      'accounts.0.credentials.ak: the environment variable AK is not set',
      'accounts.0.credentials.sk: the environment variable SK is not set',
      'accounts.0.credentials.sk: the environment variable SK_END is not set',
      'accounts.0.targets.0.region: the environment variable REGION is not set',
      'schedule: neither divides 24h nor is whole days',
    ]);
  });

  test('accepts an empty security token as a missing one, and rejects other empty values', async () => {
    const text = (value: string) => minimal.replace('targets', `credentials: ${value}, targets`);
    const env = { AK: 'a', SK: 's', EMPTY: '' };
    const config = await load(text('{ ak: ${AK}, sk: ${SK}, securityToken: ${EMPTY} }'), env);
    expect(config.accounts[0]?.credentials).toMatchObject({ kind: 'key', securityToken: null });
    expect(await faultsOf(text('{ ak: ${EMPTY}, sk: ${SK} }'), env)).toEqual([
      'accounts.0.credentials.ak: is empty',
    ]);
  });

  test('rejects a malformed one, but not a lone $', async () => {
    expect(await faultsOf(minimal.replace('name: a', 'name: "a${b-c}"'))).toEqual([
      'accounts.0.name: contains a ${ that does not start a variable',
    ]);
    expect((await load(minimal.replace('name: a', 'name: a$b'))).accounts[0]?.name).toBe('a$b');
  });
});
