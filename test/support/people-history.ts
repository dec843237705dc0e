// Responsible for a seeded history with everything that the commands for people must show: nodes that come back, are renamed or lose
// their protection, a drifted snapshot, missed slots, another scope, an empty list, and names that could harm a terminal or a sheet.

import type { TargetKey } from '../../lib/core/object-keys.ts';
import { type SeededNode, type SeededSnapshot, seedStore } from './seeded-store.ts';

export const dayMs = 86_400_000;
export const projects = ['a'.repeat(32), 'b'.repeat(32)] as const;

export function targetOf(projectId: string): TargetKey {
  return { table: 'container_nodes', region: 'cn-south-4', projectId };
}

const opened = { protect_status: 'opened', agent_status: 'online', host_status: 'ACTIVE' };
const closed = { ...opened, protect_status: 'closed' };
const away = { ...opened, agent_status: 'offline' };

/** Of the first target, by day. Null: no snapshot. */
const days: (Record<string, SeededNode> | null)[] = [
  {
    h1: { host_name: 'web-1', ...opened },
    h2: { host_name: '=cmd()', ...closed },
    h3: { host_name: '节点-三', ...opened, private_ip: '10.0.0.3' },
  },
  {
    h1: { host_name: 'web-1', ...closed },
    h3: { host_name: '节点-三', ...opened, private_ip: '10.0.0.3' },
    h4: { host_name: 'evil\u001b[2J\u202eabc', host_status: 'ACTIVE' },
  },
  null,
  null,
  // h1 has another name, h2 is back, and h5 has the name that h1 had.
  {
    h1: { host_name: 'web-9', ...closed },
    h2: { host_name: '=cmd()', ...opened },
    h3: { host_name: '节点-三', ...away, private_ip: '10.0.0.3' },
    h4: { host_name: 'evil\u001b[2J\u202eabc', host_status: 'ACTIVE' },
    h5: { host_name: 'web-1', ...opened },
  },
  // Sealed with another scope: it does not continue the one before.
  {
    h1: { host_name: 'web-9', ...opened },
    h3: { host_name: '节点-三', ...away, private_ip: '10.0.0.3' },
    h5: { host_name: 'web-1', ...opened },
  },
  {
    h1: { host_name: 'web-9', ...closed },
    h3: { host_name: '节点-三', ...away, private_ip: '10.0.0.3' },
    h5: { host_name: 'web-1', ...opened },
    h6: { host_name: '', protect_status: 'closed' },
  },
];

/** The last midnight in UTC, at which the newest snapshot is named. */
function lastMidnightMs(): number {
  return Math.floor(Date.now() / dayMs) * dayMs;
}

let seeded: ReturnType<typeof seed> | null = null;

/** Daily snapshots of two targets. The newest of the first one is drifted; the second one becomes empty. Sealed once a process. */
export function seedPeople(): ReturnType<typeof seed> {
  seeded ??= seed();
  return seeded;
}

async function seed() {
  const endMs = lastMidnightMs();
  const timeOf = (day: number) => endMs - (days.length - day) * dayMs;
  const snapshots: SeededSnapshot[] = [
    ...days.flatMap((nodes, day): SeededSnapshot[] => {
      if (nodes === null) return [];
      const scope = day >= 5 ? { scope: { enterpriseProjectId: 'other' } } : {};
      return [{ target: targetOf(projects[0]), timeMs: timeOf(day), nodes, ...scope }];
    }),
    {
      ...{ target: targetOf(projects[0]), timeMs: endMs, verdict: 'drifted' },
      ...{ nodes: { h7: opened }, scope: { enterpriseProjectId: 'other' } },
    },
    {
      target: targetOf(projects[1]),
      timeMs: timeOf(5),
      nodes: { k1: { host_name: 'k', ...away } },
    },
    { target: targetOf(projects[1]), timeMs: timeOf(6), nodes: {} },
  ];
  return { ...(await seedStore(snapshots, dayMs)), timeOf, endMs };
}
