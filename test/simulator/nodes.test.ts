// Tests the generated nodes: fields, values, scripts and oddities.

import { expect, test } from 'vitest';
import {
  createNodeMaker,
  enterpriseProjectIdOf,
  type Flavour,
  type Oddities,
} from '../../lib/simulator/nodes.ts';

function generate(count: number, flavour: Flavour, odd: Oddities = {}) {
  const makeNode = createNodeMaker({ seed: 1, flavour, nodes: count, odd });
  return Array.from({ length: count }, (_, ordinal) => makeNode(ordinal));
}

const documented = [
  'host_id host_name host_status agent_status protect_status agent_id protect_interrupt',
  'protect_degradation degradation_reason container_tags private_ip public_ip resource_id',
  'group_name enterprise_project_name detect_result asset vulnerability intrusion',
  'policy_group_id policy_group_name is_container_node version',
]
  .join(' ')
  .split(' ');

test('hss: nodes have the documented fields only, with null, missing and empty values', () => {
  const nodes = generate(500, 'hss');
  expect(generate(500, 'hss')).toEqual(nodes);
  expect(new Set(nodes.flatMap(Object.keys))).toEqual(new Set(documented));
  expect(new Set(nodes.map((node) => node.host_id)).size).toBe(500);
  const values = nodes.flatMap(Object.values);
  expect(values).toContain(null);
  expect(values).toContain('');
  expect(nodes.some((node) => Object.keys(node).length < documented.length)).toBe(true);
  const statuses = new Set(nodes.map((node) => node.agent_status));
  expect(statuses).toEqual(new Set(['online', 'offline', 'not_installed']));
  const names = nodes.map((node) => String(node.host_name));
  for (const part of ['🐳', 'ｗｅｂ', '节点', 'узел', '"']) {
    expect(names.some((name) => name.includes(part))).toBe(true);
  }
  // The names can only test sorting if their orders by UTF-16 and by UTF-8 differ.
  const byUtf8 = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect([...names].sort()).not.toEqual(byUtf8);
});

test('cgs: nodes have the five fields of 2021', () => {
  const nodes = generate(200, 'cgs');
  for (const node of nodes) expect(Object.keys(node)).toEqual(documented.slice(0, 5));
  expect(nodes.map((node) => node.agent_status)).toContain('not_register');
  expect(nodes.map((node) => node.agent_status)).not.toContain('not_installed');
});

test('the fields that both flavours have are equal: the other fields of hss draw from their own sequences', () => {
  const shared = ['host_id', 'host_name', 'host_status', 'protect_status'];
  const pick = (flavour: Flavour) =>
    generate(200, flavour).map((node) => shared.map((name) => node[name]));
  expect(pick('hss')).toEqual(pick('cgs'));
});

test('a node depends on its number only, not on the nodes that were made before it', () => {
  const odd = { unknownValues: 20, unknownFields: 20, mistyped: 20 };
  const nodes = generate(300, 'hss', odd);
  const makeNode = createNodeMaker({ seed: 1, flavour: 'hss', nodes: 300, odd });
  for (const ordinal of [299, 0, 150, 150, 7]) expect(makeNode(ordinal)).toEqual(nodes[ordinal]);
  expect(makeNode(1_000_000).host_name).toMatch(/-1000001$/);
});

test('another seed gives other nodes', () => {
  const makeNode = createNodeMaker({ seed: 2, flavour: 'hss', nodes: 100, odd: {} });
  const ids = new Set(generate(100, 'hss').map((node) => node.host_id));
  for (let ordinal = 0; ordinal < 100; ordinal += 1) {
    expect(ids).not.toContain(makeNode(ordinal).host_id);
  }
});

test('a field takes only its own random numbers, so that the next node has others', () => {
  // Equal values of neighbours in a field of many values would show that a field takes more numbers than it has.
  const nodes = generate(2_000, 'hss');
  const fields = ['host_id', 'agent_id', 'resource_id', 'policy_group_id'];
  for (const field of fields) {
    const parts = nodes.flatMap((node) => {
      const value = node[field];
      return typeof value === 'string' && value !== '' ? [value.slice(0, 8), value.slice(-8)] : [];
    });
    expect(parts.length - new Set(parts).size).toBeLessThan(5);
  }
});

test('generates the requested number of oddities, each on a different node', () => {
  const odd = { unknownValues: 2, unknownFields: 3, mistyped: 4 };
  const nodes = generate(50, 'hss', odd);
  const count = (isOdd: (node: Record<string, unknown>) => boolean) => nodes.filter(isOdd).length;
  expect(count((node) => node.agent_status === 'install_failed_v9')).toBe(2);
  expect(count((node) => 'new_field_2027' in node)).toBe(3);
  expect(count((node) => typeof node.asset === 'string')).toBe(4);
  expect(generate(3, 'hss', odd)).toHaveLength(3);
});

test('the id of an enterprise project depends on its name, and the default project has id 0', () => {
  for (const name of [undefined, null, '', 'default'])
    expect(enterpriseProjectIdOf(name)).toBe('0');
  expect(enterpriseProjectIdOf('生产')).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(enterpriseProjectIdOf('生产')).not.toBe(enterpriseProjectIdOf('staging'));
});
