// Responsible for generated container nodes: every documented field, several scripts, missing values. Not responsible for paging.

import { createHash } from 'node:crypto';
import { createRandom, drawInteger, drawOne, type Random } from './random.ts';

/** `cgs`: the five fields of 2021, with `not_register`. `hss`: all current fields, with `not_installed`. */
export type Flavour = 'cgs' | 'hss';

/** A node as the API writes it. */
export type NodeRecord = Record<string, unknown>;

/** How many nodes, spread over the list, deviate from the documents. Default 0 each. */
export interface Oddities {
  /** `agent_status` and `detect_result` have undocumented values. */
  unknownValues?: number;
  /** There is an undocumented field. */
  unknownFields?: number;
  /** Known fields have the wrong type. */
  mistyped?: number;
}

// Several scripts, an emoji and full-width letters: sorting by UTF-16 and by UTF-8 gives different orders.
const nameStems: readonly string[] = [
  'web',
  'cce-worker',
  'db-主节点',
  '容器节点',
  '🐳-docker',
  'ｗｅｂ－全角',
  'узел',
  'ノード',
  'عقدة',
  'naïve-café',
  '노드',
  'Node "quoted" \\ slash',
];
const enterpriseProjects: readonly string[] = ['default', '生产', 'audit-🔒', 'staging'];
const groups: readonly string[] = ['core', '前端组', 'Ｇｒｏｕｐ', '🚀 launch'];

/**
 * The enterprise project's id: "0" for the default project, otherwise a UUID derived from the name, because a node
 * has only the name. A name that is null, empty or missing means the default project.
 */
export function enterpriseProjectIdOf(name: unknown): string {
  if (typeof name !== 'string' || name === '' || name === 'default') return '0';
  return formatUuid(createHash('sha256').update(name).digest('hex'));
}

function formatUuid(hex: string): string {
  const at = (from: number, to: number) => hex.slice(from, to);
  return `${at(0, 8)}-${at(8, 12)}-4${at(13, 16)}-a${at(17, 20)}-${at(20, 32)}`;
}

function drawHex(random: Random, digits: number): string {
  let hex = '';
  while (hex.length < digits) hex += drawInteger(random, 0, 15).toString(16);
  return hex;
}

/** Sometimes null, '' or a missing field instead of the value, as in the service. */
function setGappy(record: NodeRecord, random: Random, name: string, value: unknown): void {
  const roll = random();
  if (roll < 0.05) record[name] = null;
  else if (roll < 0.1 && typeof value === 'string') record[name] = '';
  else if (roll >= 0.15) record[name] = value;
}

/** Each call makes a node with a new host_id. The same `random` gives the same nodes. */
export function createNodeMaker(random: Random, flavour: Flavour): () => NodeRecord {
  const agentMissing = flavour === 'cgs' ? 'not_register' : 'not_installed';
  let made = 0;
  return () => {
    made += 1;
    const roll = random();
    const agent = roll < 0.8 ? 'online' : roll < 0.9 ? 'offline' : agentMissing;
    const record: NodeRecord = {
      host_id: formatUuid(drawHex(random, 32)),
      host_name: `${drawOne(random, nameStems)}-${String(made).padStart(4, '0')}`,
      host_status: drawOne(random, ['ACTIVE', 'ACTIVE', 'ACTIVE', 'SHUTOFF', 'BUILDING', 'ERROR']),
      agent_status: agent,
      protect_status: agent === 'online' && random() < 0.8 ? 'opened' : 'closed',
    };
    if (flavour === 'hss') addHssFields(record, random);
    return record;
  };
}

function addHssFields(record: NodeRecord, random: Random): void {
  const degraded = random() < 0.05;
  const scanned = random() < 0.7;
  setGappy(record, random, 'agent_id', drawHex(random, 64));
  record.protect_interrupt = random() < 0.03;
  record.protect_degradation = degraded;
  setGappy(record, random, 'degradation_reason', degraded ? '内存不足 (out of memory)' : '');
  record.container_tags = drawOne(random, ['cce', 'cce', 'self', 'other']);
  record.private_ip = `192.168.${drawInteger(random, 0, 255)}.${drawInteger(random, 1, 254)}`;
  // Most nodes have no public address: the field is null, '' or missing.
  const publicIp = `203.0.113.${drawInteger(random, 1, 254)}`;
  if (random() < 0.3) record.public_ip = publicIp;
  else setGappy(record, random, 'public_ip', '');
  setGappy(record, random, 'resource_id', formatUuid(drawHex(random, 32)));
  setGappy(record, random, 'group_name', drawOne(random, groups));
  setGappy(record, random, 'enterprise_project_name', drawOne(random, enterpriseProjects));
  record.detect_result = scanned
    ? drawOne(random, ['clean', 'clean', 'risk', 'scanning'])
    : 'undetected';
  record.asset = drawInteger(random, 0, 400);
  record.vulnerability = record.detect_result === 'risk' ? drawInteger(random, 1, 90) : 0;
  // Sometimes the documented upper bound.
  record.intrusion = random() < 0.01 ? 2_097_152 : drawInteger(random, 0, 3);
  setGappy(record, random, 'policy_group_id', formatUuid(drawHex(random, 32)));
  setGappy(record, random, 'policy_group_name', '容器版策略组 container_default');
}

/** `seed` chooses the nodes that get an oddity. */
export function generateNodes(
  options: { nodes: number; seed: number; flavour: Flavour; odd: Oddities },
  makeNode: () => NodeRecord,
): NodeRecord[] {
  const nodes = Array.from({ length: options.nodes }, makeNode);
  const { unknownValues = 0, unknownFields = 0, mistyped = 0 } = options.odd;
  const spread = createRandom(options.seed);
  // Each node gets at most one oddity, so that tests can assert the counts.
  const untouched = [...nodes];
  const alter = (count: number, change: (node: NodeRecord, index: number) => void) => {
    for (let index = 0; index < count && untouched.length > 0; index += 1) {
      const [node] = untouched.splice(drawInteger(spread, 0, untouched.length - 1), 1);
      change(node as NodeRecord, index);
    }
  };
  alter(unknownValues, (node) => {
    node.agent_status = 'install_failed_v9';
    if (options.flavour === 'hss') node.detect_result = '隔离中';
  });
  alter(unknownFields, (node, index) => {
    node.new_field_2027 = index % 2 ? { nested: [1, null, '新'] } : '未知字段';
  });
  alter(mistyped, (node) => {
    node.host_name = { text: 'an object where a string should be' };
    node.asset = '17';
  });
  return nodes;
}
