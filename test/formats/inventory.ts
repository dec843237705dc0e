// Responsible for artificial inventories for the encoders' tests and the benchmark. Seeded, so that
// failures are repeatable.

import type { Row } from '../../lib/core/ports.ts';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { createRandom } from '../support/moving-list.ts';

/** Names that often cause errors: characters of 2, 3 and 4 bytes, full width, control characters, quotes. */
export const unusualNames = [
  '',
  ' ',
  'test',
  '节点-生产-01',
  `${'服务器'.repeat(42)}末尾`,
  'ｗｅｂ－０１',
  '\uffee-halfwidth',
  '\ue000-private-use',
  '🚀-rocket',
  '😀'.repeat(64),
  '𠮷野家',
  'e\u0301 combining',
  '\u200fRTL שלום',
  'tab\tnewline\nreturn\r',
  '\u0001\u001f\u007f\u0085\u2028\u2029',
  'nul\u0000inside',
  '\ufeffbom',
  'quote " apostrophe \' backslash \\ slash /',
  'a,b;c|d{e}[f]$g%h&i<j>',
  'null',
  'NULL',
  'true',
  '0',
  '-0',
  '1e5',
  '2026-11-24T06:00:00Z',
  'x'.repeat(128),
];

const snapshotAtMs = Date.UTC(2026, 10, 24, 6);
export const projectId = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';

function pick<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

function hex(random: () => number, length: number): string {
  let text = '';
  while (text.length < length) {
    text += Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  }
  return text.slice(0, length);
}

/** Rows as the encoders get them: normalized, sorted by host_id, from pages of about 200. */
export function createRows(count: number, seed = 1): Row[] {
  const records = [...createRecords(count, seed)];
  const rows = records.map((record, i) =>
    containerNodes.normalize(JSON.parse(JSON.stringify(record)), {
      snapshotAtMs,
      fetchedAtMs: snapshotAtMs + Math.floor(i / 199) * 12_345 + 7,
      verdict: 'complete',
      account: 'prod',
      region: 'cn-south-4',
      projectId,
    }),
  );
  const indexOf = (name: string) => containerNodes.columns.findIndex((one) => one.name === name);
  const dates = ['first_seen_at', 'agent_status_since', 'protect_status_since'].map(indexOf);
  for (const [i, row] of rows.entries()) {
    // As the comparison of the seal sets them; null: not known.
    for (const date of dates) {
      row[date] = (i + date) % 7 === 0 ? null : snapshotAtMs - ((i * date) % 90) * 86_400_000;
    }
  }
  const key = indexOf(containerNodes.keyColumn);
  return rows.sort((a, b) => compareUtf8(a[key] as string, b[key] as string));
}

/** Records as the API returns them. */
function* createRecords(count: number, seed = 1): Generator<Record<string, unknown>> {
  const random = createRandom(seed);
  for (let i = 0; i < count; i++) yield createRecord(random, i);
}

function createRecord(random: () => number, i: number): Record<string, unknown> {
  const isOnline = random() < 0.9;
  const group = pick(random, ['', '生产集群', 'web', 'batch', 'gpu-训练']);
  const record: Record<string, unknown> = {
    host_id: `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-a${hex(random, 3)}-${hex(random, 12)}`,
    host_name:
      random() < 0.02
        ? pick(random, unusualNames)
        : `cce-${pick(random, ['web', 'db', 'gpu'])}-${i}`,
    host_status: isOnline ? 'ACTIVE' : pick(random, ['SHUTOFF', 'BUILDING', 'ERROR']),
    agent_status: isOnline ? 'online' : pick(random, ['offline', 'not_register', 'not_installed']),
    protect_status: random() < 0.8 ? 'opened' : 'closed',
    agent_id: isOnline ? hex(random, 64) : '',
    protect_interrupt: random() < 0.01,
    protect_degradation: random() < 0.01,
    degradation_reason: random() < 0.01 ? 'memory limit reached' : null,
    container_tags: pick(random, ['cce', 'cce', 'self', 'other']),
    private_ip: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    public_ip: random() < 0.1 ? `203.0.113.${i % 256}` : '',
    resource_id: random() < 0.8 ? `${hex(random, 8)}-${hex(random, 12)}` : null,
    group_name: group,
    enterprise_project_name: pick(random, ['default', '财务', 'research']),
    detect_result: pick(random, ['undetected', 'clean', 'clean', 'risk', 'scanning']),
    asset: Math.floor(random() ** 3 * 400),
    vulnerability: Math.floor(random() ** 4 * 900),
    intrusion: random() < 0.97 ? 0 : Math.floor(random() * 20),
    policy_group_id: `pg-${group.length}`,
    policy_group_name: `policy ${group}`,
    is_container_node: pick(random, [true, true, false, null]),
    version: pick(random, ['hss.version.container.enterprise', 'hss.version.null']),
  };
  if (random() < 0.05) record.cluster_name = pick(random, ['cluster-a', '集群-b']);
  // Records of the API of 2021 have five fields.
  if (random() < 0.05) {
    for (const name of Object.keys(record).slice(5)) delete record[name];
  }
  return record;
}
