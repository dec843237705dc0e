// Responsible for generated container nodes: every documented field, several scripts, missing values. A node follows from
// the seed and its number, so that none must be kept. Not responsible for the order of the list: node-list.ts.

import { createHash } from 'node:crypto';
import { createRandom, createSequence, drawInteger, drawOne, type Random } from './random.ts';

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
/** The edition of a node without protection. */
const noEdition = 'hss.version.null';
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

export function formatUuid(hex: string): string {
  const at = (from: number, to: number) => hex.slice(from, to);
  return `${at(0, 8)}-${at(8, 12)}-4${at(13, 16)}-a${at(17, 20)}-${at(20, 32)}`;
}

/** Holds the bytes of one number while it is written: faster than toString(16) of a large number. */
const hexBytes = Buffer.alloc(32);

/** `digits`: a multiple of 8, at most 64. */
export function drawHex(random: Random, digits: number): string {
  const length = digits / 2;
  for (let at = 0; at < length; at += 4) hexBytes.writeUInt32BE(random() * 2 ** 32, at);
  return hexBytes.toString('hex', 0, length);
}

/** Sometimes null, '' or a missing field instead of the value, as in the service. */
export function setGappy(record: NodeRecord, random: Random, name: string, value: unknown): void {
  const roll = random();
  if (roll < 0.05) record[name] = null;
  else if (roll < 0.1 && typeof value === 'string') record[name] = '';
  else if (roll >= 0.15) record[name] = value;
}

/** Each field, and the most random numbers that it takes from its own sequence for one node. */
const drawsPerNode = {
  ...{ host_id: 4, host_name: 1, host_status: 1, agent_status: 1, protect_status: 1, agent_id: 9 },
  ...{ protect_interrupt: 1, protect_degradation: 1, degradation_reason: 1, container_tags: 1 },
  ...{ private_ip: 2, public_ip: 2, resource_id: 5, group_name: 2, enterprise_project_name: 2 },
  ...{ detect_result: 2, asset: 1, vulnerability: 1, intrusion: 2, policy_group_id: 5 },
  ...{ policy_group_name: 1, is_container_node: 2, version: 2 },
};
type Field = keyof typeof drawsPerNode;
type RandomOf = (field: Field) => Random;

/**
 * One sequence per field, so that a new field does not change the values of the others. `seek` sets every sequence to the
 * numbers of one node.
 */
function createFieldRandoms(seed: number): { randomOf: RandomOf; seek(ordinal: number): void } {
  const start = createRandom(seed)();
  const sequences = Object.entries(drawsPerNode).map(([field, draws]) => {
    const hash = createHash('sha256').update(`${start} ${field}`).digest();
    return { field, draws, ...createSequence(hash.readUInt32BE()) };
  });
  const randoms = Object.fromEntries(sequences.map(({ field, next }) => [field, next]));
  return {
    randomOf: (field) => randoms[field] as Random,
    seek(ordinal) {
      for (const { draws, seek } of sequences) seek(ordinal * draws);
    },
  };
}

/** Node number `ordinal`, counted from 0: always the same, in a new object. Every node has another host_id. */
export type NodeMaker = (ordinal: number) => NodeRecord;

export interface NodePlan {
  seed: number;
  flavour: Flavour;
  /** The oddities are among the first `nodes` nodes. */
  nodes: number;
  odd: Oddities;
}

export function createNodeMaker(plan: NodePlan): NodeMaker {
  const { seed, flavour } = plan;
  const agentMissing = flavour === 'cgs' ? 'not_register' : 'not_installed';
  const { randomOf, seek } = createFieldRandoms(seed);
  const hostStatuses = ['ACTIVE', 'ACTIVE', 'ACTIVE', 'SHUTOFF', 'BUILDING', 'ERROR'];
  const oddities = planOddities(plan);
  return (ordinal) => {
    seek(ordinal);
    const roll = randomOf('agent_status')();
    const agent = roll < 0.8 ? 'online' : roll < 0.9 ? 'offline' : agentMissing;
    const isProtected = randomOf('protect_status')() < 0.8;
    const name = drawOne(randomOf('host_name'), nameStems);
    const record: NodeRecord = {
      host_id: formatUuid(drawHex(randomOf('host_id'), 32)),
      host_name: `${name}-${String(ordinal + 1).padStart(4, '0')}`,
      host_status: drawOne(randomOf('host_status'), hostStatuses),
      agent_status: agent,
      protect_status: agent === 'online' && isProtected ? 'opened' : 'closed',
    };
    if (flavour === 'hss') addHssFields(record, randomOf);
    oddities.get(ordinal)?.(record);
    return record;
  };
}

function addHssFields(record: NodeRecord, randomOf: RandomOf): void {
  const draw = (field: Field) => randomOf(field)();
  const integer = (field: Field, min: number, max: number) =>
    drawInteger(randomOf(field), min, max);
  const oneOf = (field: Field, values: readonly string[]) => drawOne(randomOf(field), values);
  const hex = (field: Field, digits: number) => drawHex(randomOf(field), digits);
  const set = (field: Field, value: unknown) => setGappy(record, randomOf(field), field, value);
  const isDegraded = draw('protect_degradation') < 0.05;
  set('agent_id', hex('agent_id', 64));
  record.protect_interrupt = draw('protect_interrupt') < 0.03;
  record.protect_degradation = isDegraded;
  set('degradation_reason', isDegraded ? '内存不足 (out of memory)' : '');
  record.container_tags = oneOf('container_tags', ['cce', 'cce', 'self', 'other']);
  record.private_ip = `192.168.${integer('private_ip', 0, 255)}.${integer('private_ip', 1, 254)}`;
  // Most nodes have no public address: the field is null, '' or missing.
  if (draw('public_ip') < 0.3) record.public_ip = `203.0.113.${integer('public_ip', 1, 254)}`;
  else set('public_ip', '');
  set('resource_id', formatUuid(hex('resource_id', 32)));
  set('group_name', oneOf('group_name', groups));
  set('enterprise_project_name', oneOf('enterprise_project_name', enterpriseProjects));
  const isScanned = draw('detect_result') < 0.7;
  record.detect_result = isScanned
    ? oneOf('detect_result', ['clean', 'clean', 'risk', 'scanning'])
    : 'undetected';
  record.asset = integer('asset', 0, 400);
  record.vulnerability = record.detect_result === 'risk' ? integer('vulnerability', 1, 90) : 0;
  // Sometimes the documented upper bound.
  record.intrusion = draw('intrusion') < 0.01 ? 2_097_152 : integer('intrusion', 0, 3);
  set('policy_group_id', formatUuid(hex('policy_group_id', 32)));
  set('policy_group_name', '容器版策略组 container_default');
  set('is_container_node', draw('is_container_node') < 0.9);
  const editions = ['hss.version.container.enterprise', 'hss.version.enterprise'];
  set('version', record.protect_status === 'opened' ? oneOf('version', editions) : noEdition);
}

/** The change of each node that gets an oddity, by its number. Each gets one, so that tests can assert the counts. */
function planOddities({ seed, flavour, nodes, odd }: NodePlan) {
  const { unknownValues = 0, unknownFields = 0, mistyped = 0 } = odd;
  const random = createRandom(seed);
  const changes = new Map<number, (node: NodeRecord) => void>();
  const alter = (count: number, change: (node: NodeRecord, index: number) => void) => {
    for (let index = 0; index < count && changes.size < nodes; index += 1) {
      let ordinal = drawInteger(random, 0, nodes - 1 - changes.size);
      // The drawn number counts only the nodes that have no oddity yet.
      for (const taken of [...changes.keys()].sort((a, b) => a - b)) {
        if (taken <= ordinal) ordinal += 1;
      }
      changes.set(ordinal, (node) => change(node, index));
    }
  };
  alter(unknownValues, (node) => {
    node.agent_status = 'install_failed_v9';
    if (flavour === 'hss') node.detect_result = '隔离中';
  });
  alter(unknownFields, (node, index) => {
    node.new_field_2027 = index % 2 ? { nested: [1, null, '新'] } : '未知字段';
  });
  alter(mistyped, (node) => {
    node.host_name = { text: 'an object where a string should be' };
    node.asset = '17';
  });
  return changes;
}
