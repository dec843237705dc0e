// Tests the warnings about variables of a function that nothing reads, and that what is read causes none.

import { expect, test } from 'vitest';
import { readConfig } from '../../lib/config/load.ts';
import { readSettings } from '../../lib/deploy/settings.ts';
import { describeUnusedVariables } from '../../lib/deploy/unused-variables.ts';

const accountOf = (credentials: string) =>
  `accounts: [{ name: a, ${credentials}targets: [{ region: cn-south-4, projectId: p }] }]\n`;
const withoutKey = `store: obs://lake/cgs\n${accountOf('')}`;
const withKey = `store: obs://lake/cgs\n# not read: \${IN_COMMENT}\n${accountOf('credentials: { ak: "${PROD_AK}", sk: "${PROD_SK}" }, ')}`;

type Section = { environment?: Record<string, string>; secrets?: string[] };

function describe(text: string, functions: Record<string, Section>, shared: Section = {}) {
  return describeUnusedVariables(text, 'cgs-export.yml', readSettings(shared, functions));
}

test('a variable that no setting reads is named, with the variables that the configuration reads', () => {
  const secrets = ['HUAWEI_SK', 'HUAWEICLOUD_SDK_AK'];
  expect(describe(withoutKey, { collect: { secrets }, prune: {} })).toEqual([
    `serverless.yml gives HUAWEI_SK to collect, but no setting in cgs-export.yml reads it
cgs-export.yml reads HUAWEICLOUD_SDK_SK, which serverless.yml does not set: rename HUAWEI_SK if you meant that. Otherwise write \${HUAWEI_SK} into the setting that needs its value, or remove it from serverless.yml.`,
  ]);
});

test('a name that is nearly right gets the right one, and one warning is for all functions', () => {
  const [warning, ...others] = describe(
    withKey,
    { collect: {}, verify: {} },
    {
      secrets: ['PROD_AK', 'PRD_SK'],
    },
  );
  expect(others).toEqual([]);
  expect(warning).toMatch(
    /^serverless\.yml gives PRD_SK to collect, verify, but .*\nDid you mean PROD_SK\? /,
  );
  const level = { CGS_EXPORT_LOGLEVEL: 'debug' };
  expect(describe(withoutKey, { collect: { environment: level } })[0]).toContain(
    'Did you mean CGS_EXPORT_LOG_LEVEL?',
  );
});

test('a variable in a comment is not read, and a fix is named if nothing else is missing', () => {
  const secrets = ['PROD_AK', 'PROD_SK', 'IN_COMMENT'];
  expect(describe(withKey, { collect: { secrets } })).toEqual([
    `serverless.yml gives IN_COMMENT to collect, but no setting in cgs-export.yml reads it
Either write \${IN_COMMENT} into the setting that needs its value, or remove it from serverless.yml.`,
  ]);
});

test('a variable that cgs-export reads by itself causes no warning', () => {
  const read = new Set<string>();
  const env = new Proxy<Record<string, string>>(
    {},
    { get: (_target, name) => void read.add(String(name)) },
  );
  readConfig(withoutKey, '/lake/cgs-export.yml', {
    ...{ env, inFunction: true, needs: 'service' as const, signs: true },
  });
  expect([...read]).toEqual(expect.arrayContaining(['HUAWEICLOUD_SDK_SK', 'no_proxy']));
  expect(describe(withoutKey, { collect: { secrets: [...read, 'CGS_EXPORT_CONFIG'] } })).toEqual(
    [],
  );
});

test.each([
  ...['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'UV_THREADPOOL_SIZE', 'SSL_CERT_FILE', 'TZ', 'LANG'],
  ...['LC_ALL', 'LD_LIBRARY_PATH', 'RUNTIME_LOG_DIR', 'AWS_MAX_ATTEMPTS', 'DEBUG', 'FORCE_COLOR'],
])('%s is of the platform and causes no warning', (name) => {
  expect(describe(withKey, { collect: { environment: { [name]: '1' } } })).toEqual([]);
});

test.each(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'TZ_NAME'])(
  '%s is not read',
  (name) => {
    expect(describe(withKey, { collect: { secrets: [name] } })).toHaveLength(1);
  },
);
