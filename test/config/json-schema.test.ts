// Tests the JSON Schema against a real validator: what the program accepts is valid, and typical mistakes are not.

import { Ajv, type SchemaObject } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { descriptions } from '../../lib/config/descriptions.ts';
import { exampleConfig } from '../../lib/config/example.ts';
import { createJsonSchema } from '../../lib/config/json-schema.ts';

const schema = createJsonSchema();
const validate = new Ajv({ strict: true, allErrors: true }).compile(schema as SchemaObject);

function errorsOf(text: string): string[] {
  validate(parse(text));
  return (validate.errors ?? []).map(({ instancePath }) => instancePath);
}

const target = (rest: string) =>
  `{ store: 'file:x', accounts: [{ name: a, targets: [{ region: x, ${rest} }] }] }`;
const whole = (rest: string) =>
  `{ store: 'file:x', accounts: [{ name: a, targets: [{ region: x }] }], ${rest} }`;

test('accepts the example configuration', () => {
  expect(errorsOf(exampleConfig)).toEqual([]);
});

test('accepts variables in every value', () => {
  expect(
    errorsOf(`
store: "\${STORE}"
mounted: "\${MOUNTED}"
schedule: "\${EVERY}"
formats: ["\${FORMAT}", ndjson]
quota: { requests: "\${RATE}", windowSeconds: "\${WINDOW}.5" }
keepPagesDays: "\${DAYS}"
obs: { endpoint: "\${URL}", pathStyle: "\${STYLE}", credentials: "\${WHO}", kmsKeyId: "\${KEY}" }
accounts:
  - name: "\${NAME}"
    credentials: { iamUser: "\${U}", iamPassword: "\${P}", iamDomain: "\${D}" }
    targets:
      - region: "cn-\${REGION}"
        projectId: "\${ID}"
        endpoint: "\${URL}"
        iamEndpoint: "\${URL}"
        enterpriseProjectId: "\${ID}"
        api: "\${API}"
        table: "\${TABLE}_nodes"
        filters:
          hostName: "\${A}"
          agentStatus: "\${B}"
          protectStatus: "\${C}"
          containerTags: "\${D}"
          version: "\${E}"
          containerNode: "\${F}"
`),
  ).toEqual([]);
});

describe('accepts', () => {
  test.each([
    whole(
      'schedule: 90s, keepPagesDays: 0.5, quota: { requests: "2.5" }, obs: { pathStyle: "true" }',
    ),
    whole('quota: {}'),
    whole('mounted: true'),
    target('table: t, filters: { version: hss.version.null, containerNode: false }'),
    target('endpoint: HTTP://LocalHost:8080, table: web_nodes'),
    '{ store: "obs://lake/a/b/", accounts: [{ name: 生产, credentials: agency, targets: [{ region: x }] }] }',
    '{ store: "file:///节点 1%20", accounts: [{ name: a, credentials: { ak: x, sk: y, securityToken: "" }, targets: [{ region: x }] }] }',
  ])('%s', (text) => {
    expect(errorsOf(text)).toEqual([]);
  });
});

describe('rejects', () => {
  test.each([
    ['{}', ''],
    ['{ store: s3://x, accounts: [] }', '/store'],
    ['{ store: "obs://B", accounts: [] }', '/accounts'],
    [whole('scheduel: 6h'), ''],
    [whole('schedule: 6 hours'), '/schedule'],
    [whole('formats: [ndjson]'), '/formats'],
    [whole('formats: [csv, parquet]'), '/formats/0'],
    [whole('quota: { requests: 0 }'), '/quota/requests'],
    [whole('quota: []'), '/quota'],
    [whole('keepPagesDays: 7d'), '/keepPagesDays'],
    [whole('keepPagesDays: 4000'), '/keepPagesDays'],
    [whole('formats: [parquet, parquet]'), '/formats'],
    [whole('mounted: yes-it-is'), '/mounted'],
    [target('filters: { version: enterprise }'), '/accounts/0/targets/0/filters/version'],
    [target('filters: { containerNode: maybe }'), '/accounts/0/targets/0/filters/containerNode'],
    [target('project_id: a'), '/accounts/0/targets/0'],
    [target('table: web_changes'), '/accounts/0/targets/0/table'],
    [target('table: Web'), '/accounts/0/targets/0/table'],
    [target('api: v5'), '/accounts/0/targets/0/api'],
    [target('endpoint: example.com'), '/accounts/0/targets/0/endpoint'],
    [target(`filters: { hostName: ${'h'.repeat(129)} }`), '/accounts/0/targets/0/filters/hostName'],
  ])('%s at "%s"', (text, path) => {
    expect(errorsOf(text)).toContain(path);
  });
});

test('describes every setting, with its default', () => {
  expect(schema).toMatchObject({
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'cgs-export.yml',
    additionalProperties: false,
    properties: { schedule: { default: '24h' }, keepPagesDays: { default: 7 } },
  });
  const text = JSON.stringify(schema);
  expect(text).not.toMatch(/"(hint|defaultText|isApiOnly)"/);
  for (const about of Object.values(descriptions).flatMap((section) => Object.values(section))) {
    expect(text).toContain(JSON.stringify(about.text).slice(1, -1));
  }
});
