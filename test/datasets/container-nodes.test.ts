// Tests that no node is dropped and no value is lost or changed, whatever the API sends.
// Method: examples for each rule of the columns, then arbitrary JSON records compared with a model of the rules.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseExact, RawNumber, stringifyExact } from '../../lib/core/exact-json.ts';
import type { Cell, RowContext } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { datasetOf, datasets } from '../../lib/datasets/index.ts';
import { countCases } from '../support/cases.ts';

const context: RowContext = {
  snapshotAtMs: Date.UTC(2026, 10, 24, 6),
  fetchedAtMs: Date.UTC(2026, 10, 24, 6, 0, 13, 5),
  verdict: 'complete',
  account: 'prod',
  region: 'cn-south-4',
  projectId: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
};

/** The row by column name, of one record's JSON text. */
function normalizeText(json: string): Map<string, Cell> {
  const row = containerNodes.normalize(parseExact(json) as Record<string, unknown>, context);
  expect(row).toHaveLength(containerNodes.columns.length);
  return new Map(containerNodes.columns.map(({ name }, c) => [name, row[c] as Cell]));
}

// The list of all columns is in schema-versions.json.
describe('columns', () => {
  test('are the fields of the API, and eleven of our own', () => {
    const own = ['snapshot_at', 'fetched_at', 'verdict', 'account', 'region', 'project_id'];
    const names = containerNodes.columns.map(({ name }) => name);
    expect(names.filter((name) => !containerNodes.fields.has(name))).toEqual([
      ...own,
      'agent_status_raw',
      ...['first_seen_at', 'agent_status_since', 'protect_status_since', 'extra'],
    ]);
    expect(containerNodes.fields.size).toBe(names.length - 11);
  });

  test('include every column that is counted or has known values', () => {
    const names = containerNodes.columns.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([...containerNodes.countedColumns]));
    expect(names).toEqual(expect.arrayContaining(Object.keys(containerNodes.knownValues)));
    expect(containerNodes.keyColumn).toBe('host_id');
  });
});

describe('normalize', () => {
  test('reads the example of the 2021 reference, section 3.1.1', () => {
    const cells = normalizeText(
      `{ "host_id" : "caa958ad-a481-4d46-b51e-6861b8864515", "host_name" : "test", "host_status" : "ACTIVE",
         "agent_status" : "not_register", "protect_status" : "opened" }`,
    );
    expect(Object.fromEntries([...cells].filter(([, cell]) => cell !== null))).toEqual({
      snapshot_at: context.snapshotAtMs,
      fetched_at: context.fetchedAtMs,
      verdict: 'complete',
      account: 'prod',
      region: 'cn-south-4',
      project_id: context.projectId,
      host_id: 'caa958ad-a481-4d46-b51e-6861b8864515',
      host_name: 'test',
      host_status: 'ACTIVE',
      agent_status: 'not_installed',
      agent_status_raw: 'not_register',
      protect_status: 'opened',
    });
  });

  test.each([
    ['absent', '{}', null, null],
    ['null', '{"host_name":null}', null, null],
    ['empty', '{"host_name":""}', '', null],
    ['blank', '{"host_name":" "}', ' ', null],
    ['a number', '{"host_name":12345678901234567890}', null, '{"host_name":12345678901234567890}'],
    ['a lone surrogate', '{"host_name":"a\\ud83d"}', null, '{"host_name":"a\\ud83d"}'],
    ['a pair', '{"host_name":"\\ud83d\\ude80"}', '🚀', null],
    [
      'an object',
      '{"host_name":{"b":1.50,"a":[null]}}',
      null,
      '{"host_name":{"b":1.50,"a":[null]}}',
    ],
  ])('reads a string that is %s', (_, json, cell, extra) => {
    const cells = normalizeText(json);
    expect([cells.get('host_name'), cells.get('extra')]).toEqual([cell, extra]);
  });

  test.each([
    ['0', 0],
    ['-0', 0],
    ['5.0', 5],
    ['1e2', 100],
    ['12.50e1', 125],
    ['2097152', 2_097_152],
    ['2147483647', 2_147_483_647],
    ['-2147483648', -2_147_483_648],
    ['0.0e-999', 0],
    ['2147483648', null],
    ['-2147483649', null],
    ['5.5', null],
    ['5.00000000000000000000001', null],
    ['1e-400', null],
    ['1e400', null],
    ['"5"', null],
    ['true', null],
    ['[5]', null],
  ])('reads %s as an int32', (json, cell) => {
    const cells = normalizeText(`{"asset":${json}}`);
    expect(Object.is(cells.get('asset'), cell)).toBe(true);
    expect(cells.get('extra')).toBe(cell === null ? `{"asset":${json}}` : null);
  });

  test.each(
    ['protect_interrupt', 'is_container_node'].flatMap((name) => [
      [name, 'true', true, null],
      [name, 'false', false, null],
      [name, 'null', null, null],
      ...['"true"', '1', '0', '[]'].map((json) => [name, json, null, `{"${name}":${json}}`]),
    ]) as [string, string, Cell, Cell][],
  )('%s: reads %s as a boolean', (name, json, cell, extra) => {
    const cells = normalizeText(`{"${name}":${json}}`);
    expect([cells.get(name), cells.get('extra')]).toEqual([cell, extra]);
  });

  test.each([
    ['"not_register"', 'not_installed', 'not_register'],
    ['"not_installed"', 'not_installed', 'not_installed'],
    ['"install_failed_v9"', 'install_failed_v9', 'install_failed_v9'],
    ['""', '', ''],
    ['null', null, null],
    ['7', null, null],
  ])('reads %s as an agent_status', (json, status, raw) => {
    const cells = normalizeText(`{"agent_status":${json}}`);
    expect([cells.get('agent_status'), cells.get('agent_status_raw')]).toEqual([status, raw]);
  });

  test('puts fields that are named like our own columns into extra', () => {
    const json =
      '{"region":"x","verdict":"drifted","__proto__":{"host_name":"y"},"extra":"{}","constructor":1,"account":null,"snapshot_at":0,"agent_status_raw":"z","project_id":1e3}';
    const cells = normalizeText(json);
    expect(cells.get('extra')).toBe(json);
    expect(cells.get('host_name')).toBeNull();
    expect(cells.get('agent_status_raw')).toBeNull();
    expect(cells.get('snapshot_at')).toBe(context.snapshotAtMs);
    expect(cells.get('verdict')).toBe('complete');
    expect([cells.get('account'), cells.get('region')]).toEqual(['prod', 'cn-south-4']);
  });

  test('keeps mistyped and unknown fields in extra, in the order of the record', () => {
    const cells = normalizeText('{"z":1,"asset":"x","host_id":"h","a":{"k":0.10},"intrusion":2}');
    expect(cells.get('extra')).toBe('{"z":1,"asset":"x","a":{"k":0.10}}');
    expect([cells.get('host_id'), cells.get('intrusion')]).toEqual(['h', 2]);
  });

  test('puts every field of any JSON record into its column or, unchanged, into extra', () => {
    const name = fc.oneof(
      fc.constantFrom(...containerNodes.fields, '__proto__', 'constructor', 'extra', 'region'),
      fc.string({ unit: fc.constantFrom('a', '"', '\ud800', '\u0000', '节', '0') }),
    );
    const value = fc.oneof(
      fc.constantFrom(
        '"online"',
        '"not_register"',
        'true',
        '5',
        '5.0',
        '-0',
        '1e400',
        'null',
        '""',
      ),
      fc.constantFrom('"\\ud800"', '12345678901234567890.10', '[]', '{"__proto__":{"a":1.0}}'),
      fc.json(),
    );
    const record = fc
      .array(fc.tuple(name, value), { maxLength: 12 })
      .map(
        (members) =>
          `{${members.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`,
      );
    fc.assert(
      fc.property(record, (json) => {
        const parsed = parseExact(json) as Record<string, unknown>;
        const cells = normalizeText(json);
        const extraText = cells.get('extra') as string | null;
        const extra = new Map(
          Object.entries(extraText === null ? {} : (parseExact(extraText) as object)),
        );
        for (const [key, field] of Object.entries(parsed)) {
          const inExtra = extra.has(key);
          if (inExtra) expect(stringifyExact(extra.get(key))).toBe(stringifyExact(field));
          if (!containerNodes.fields.has(key)) {
            expect(inExtra).toBe(true);
            continue;
          }
          const cell = cells.get(key === 'agent_status' ? 'agent_status_raw' : key);
          const scalar = field instanceof RawNumber ? Number(field.text) + 0 : field;
          // Either in the column or in extra.
          expect(inExtra ? cell : null).toBeNull();
          if (!inExtra) expect(cell).toEqual(scalar);
        }
        expect([...extra.keys()].filter((key) => !Object.hasOwn(parsed, key))).toEqual([]);
        for (const { name: column } of containerNodes.columns.slice(6, -1)) {
          const source = column === 'agent_status_raw' ? 'agent_status' : column;
          if (!Object.hasOwn(parsed, source)) expect(cells.get(column)).toBeNull();
        }
      }),
      { numRuns: countCases(2_000) },
    );
  });

  test('reads more distinct values than it shares', () => {
    for (let i = 0; i < 10_000; i++) {
      const cells = normalizeText(`{"group_name":"group-${i}","x":${i}}`);
      expect([cells.get('group_name'), cells.get('extra')]).toEqual([`group-${i}`, `{"x":${i}}`]);
    }
    expect(normalizeText('{"group_name":"group-1"}').get('group_name')).toBe('group-1');
  });
});

describe('keys and rejects', () => {
  test.each([
    ['"h"', 'record is a string, not an object'],
    ['7', 'record is a number, not an object'],
    ['1.5', 'record is a number, not an object'],
    ['null', 'record is null, not an object'],
    ['[{"host_id":"h"}]', 'record is an array, not an object'],
    ['{}', 'host_id is missing'],
    ['{"__proto__":{"host_id":"h"}}', 'host_id is missing'],
    ['{"host_id":null}', 'host_id is null, not a string'],
    ['{"host_id":7}', 'host_id is a number, not a string'],
    ['{"host_id":7.0}', 'host_id is a number, not a string'],
    ['{"host_id":{}}', 'host_id is an object, not a string'],
    ['{"host_id":""}', 'host_id is empty'],
    ['{"host_id":" \\t\\u3000"}', 'host_id is blank'],
    ['{"host_id":"a\\udc00"}', 'host_id is not well-formed Unicode (lone surrogate)'],
  ])('%s has no key and a reason for it', (json, reason) => {
    const record = parseExact(json);
    expect(containerNodes.keyOf(record)).toBeNull();
    expect(containerNodes.rejectReason(record)).toBe(reason);
  });

  test.each(['h', ' h ', '0', '节点', '🚀', '\u0000'])(
    '%j is a key and stays unchanged',
    (hostId) => {
      expect(containerNodes.keyOf({ host_id: hostId })).toBe(hostId);
    },
  );

  test('any value has a key or a reason, and never throws', () => {
    fc.assert(
      fc.property(fc.anything(), (record) => {
        const key = containerNodes.keyOf(record);
        if (key === null) expect(containerNodes.rejectReason(record)).not.toContain('usable');
        else expect((record as { host_id: string }).host_id).toBe(key);
      }),
    );
  });
});

describe('the request', () => {
  test('escapes the project in the path', () => {
    expect(containerNodes.path('0f1e')).toBe('/v5/0f1e/container/nodes');
    expect(containerNodes.path('a/b?c')).toBe('/v5/a%2Fb%3Fc/container/nodes');
  });

  test('has no parameter without a filter', () => {
    expect(containerNodes.query({ api: 'cgs', enterpriseProjectId: null, filters: {} })).toEqual(
      {},
    );
  });

  test('has the enterprise project for hss only', () => {
    const scope = { enterpriseProjectId: 'all_granted_eps', filters: {} };
    expect(containerNodes.query({ api: 'hss', ...scope })).toEqual({
      enterprise_project_id: 'all_granted_eps',
    });
    expect(containerNodes.query({ api: 'cgs', ...scope })).toEqual({});
    expect(containerNodes.query({ api: 'hss', enterpriseProjectId: null, filters: {} })).toEqual(
      {},
    );
  });

  test('has every filter by its name in the API', () => {
    const filters = {
      hostName: 'web 节点&',
      agentStatus: 'offline',
      protectStatus: 'closed',
      containerTags: 'cce',
      version: 'hss.version.null',
      containerNode: false,
    };
    expect(containerNodes.query({ api: 'hss', enterpriseProjectId: '0', filters })).toEqual({
      host_name: 'web 节点&',
      agent_status: 'offline',
      protect_status: 'closed',
      container_tags: 'cce',
      version: 'hss.version.null',
      container_node: 'false',
      enterprise_project_id: '0',
    });
  });

  test('is the default dataset, and every dataset has its own name', () => {
    expect(datasets[0]).toBe(containerNodes);
    expect(new Set(datasets.map(({ name }) => name)).size).toBe(datasets.length);
    for (const one of datasets) expect(datasetOf(one.name)).toBe(one);
    expect(() => datasetOf('pods')).toThrow('there is no dataset pods');
  });
});
