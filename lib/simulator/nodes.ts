// Owns made-up container nodes: every documented field, several scripts, gaps where the service leaves gaps. Refuses to page or filter.

import { createHash } from 'node:crypto';
import { createRandom, drawInteger, drawOne, type Random } from './random.ts';

/** `cgs`: the five fields of 2021, `not_register`. `hss`: all fields of today, `not_installed`. */
export type Flavour = 'cgs' | 'hss';

/** A node as the API writes it. Explicit records may be anything; what is no object only takes part unfiltered. */
export type NodeRecord = Record<string, unknown>;

/** How many nodes, spread over the list, carry something that the documents do not know. Default 0 each. */
export interface Oddities {
  /** `agent_status` and `detect_result` with values that no document lists. */
  unknownValues?: number;
  /** A field that no document lists. */
  unknownFields?: number;
  /** Known fields of the wrong type. */
  mistyped?: number;
  /** No usable host_id. */
  rejects?: number;
}

// Several scripts, an emoji and full-width letters: their orders by UTF-16 and by UTF-8 differ.
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
 * The enterprise project's id: "0" for the default one, else a UUID that depends on the name alone.
 * The API lists only the name; null, '' and absent mean the default project.
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

function drawUuid(random: Random): string {
  return formatUuid(drawHex(random, 32));
}

/** Null, '' or no field at all, as the service leaves out what it does not know. */
function setGappy(record: NodeRecord, random: Random, name: string, value: unknown): void {
  const roll = random();
  if (roll < 0.05) record[name] = null;
  else if (roll < 0.1 && typeof value === 'string') record[name] = '';
  else if (roll >= 0.15) record[name] = value;
}

/** One node after another, each with a new host_id; the same `random` gives the same nodes. */
export function createNodeMaker(random: Random, flavour: Flavour): () => NodeRecord {
  let made = 0;
  return () => {
    made += 1;
    const roll = random();
    const agent =
      roll < 0.8
        ? 'online'
        : roll < 0.9
          ? 'offline'
          : flavour === 'cgs'
            ? 'not_register'
            : 'not_installed';
    const record: NodeRecord = {
      host_id: drawUuid(random),
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
  // Most nodes have no public address: there the field is null, '' or missing.
  const publicIp = `203.0.113.${drawInteger(random, 1, 254)}`;
  if (random() < 0.3) record.public_ip = publicIp;
  else setGappy(record, random, 'public_ip', '');
  setGappy(record, random, 'resource_id', drawUuid(random));
  setGappy(record, random, 'group_name', drawOne(random, groups));
  setGappy(record, random, 'enterprise_project_name', drawOne(random, enterpriseProjects));
  record.detect_result = scanned
    ? drawOne(random, ['clean', 'clean', 'risk', 'scanning'])
    : 'undetected';
  record.asset = drawInteger(random, 0, 400);
  record.vulnerability = record.detect_result === 'risk' ? drawInteger(random, 1, 90) : 0;
  // The documented upper bound, now and then.
  record.intrusion = random() < 0.01 ? 2_097_152 : drawInteger(random, 0, 3);
  setGappy(record, random, 'policy_group_id', drawUuid(random));
  setGappy(record, random, 'policy_group_name', '容器版策略组 container_default');
}

/** `seed` chooses which nodes are odd; what they are else is up to `makeNode`. */
export function generateNodes(options: {
  count: number;
  seed: number;
  makeNode: () => NodeRecord;
  flavour: Flavour;
  odd: Oddities;
}): NodeRecord[] {
  const nodes = Array.from({ length: options.count }, options.makeNode);
  const { unknownValues = 0, unknownFields = 0, mistyped = 0, rejects = 0 } = options.odd;
  const spread = createRandom(options.seed);
  // Each node is made odd in one way only, so that the counts can be asserted.
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
  alter(rejects, (node, index) => {
    if (index % 3 === 0) delete node.host_id;
    else node.host_id = index % 3 === 1 ? null : '';
  });
  return nodes;
}
