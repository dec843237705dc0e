// Responsible for a store with 60 days of daily snapshots of three targets, and for the truth about them: nodes join and leave, agents
// fail, protection is lost and regained, one day drifted, three slots were missed, a month was pruned.

import { snapshotName, type TargetKey } from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { unlimitedBudget } from '../../lib/quota/budget.ts';
import { prune } from '../../lib/runs/prune.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';
import { createSealPorts, nodeText, sealStored, storeRun } from './stored-run.ts';
import { createClock, type VirtualClock } from './virtual-clock.ts';

const dayMs = 86_400_000;
const nodesOfTarget = [48, 30, 16] as const;

/** Of the day's snapshot. `missing`: its slot passed without one. */
export type DayVerdict = 'complete' | 'drifted' | 'missing';

export interface TrueNode {
  hostId: string;
  hostName: string;
  agentStatus: string | null;
  protectStatus: string | null;
  isContainerNode: boolean | null;
}

export interface SixtyDays {
  store: MemoryStore;
  clock: VirtualClock;
  targets: readonly (TargetKey & { account: string })[];
  /** Of day 1 to 60. */
  dayName(day: number): string;
  verdictOf(target: number, day: number): DayVerdict;
  /** The nodes that the service listed on that day, whether a snapshot was made or not. */
  nodesOf(target: number, day: number): TrueNode[];
}

const targets = [
  { account: 'prod', table: 'container_nodes', region: 'cn-south-4', projectId: '0f1e2d3c4b5a' },
  { account: 'prod', table: 'container_nodes', region: 'cn-north-4', projectId: '1a2b3c4d5e6f' },
  { account: 'staging', table: 'container_nodes', region: 'cn-south-4', projectId: '9f8e7d6c5b4a' },
] as const;

/** `lastDayMs`: the time of the last snapshot; a slot of a day begins then. The first 30 days are pruned by `all: 30d`. */
export async function createSixtyDays(
  lastDayMs: number,
  signing: SigningKey | null = null,
): Promise<SixtyDays> {
  const startMs = lastDayMs - 59 * dayMs;
  const clock = createClock(startMs);
  const store = createMemoryStore({ nowMs: clock.nowMs });
  const timeOf = (day: number) => startMs + (day - 1) * dayMs;
  for (let day = 1; day <= 60; day += 1) {
    clock.advance(timeOf(day) - clock.nowMs());
    for (const [t, target] of targets.entries()) {
      const verdict = verdictOf(t, day);
      if (verdict === 'missing') continue;
      const records = nodesOf(t, day).map(toRecord);
      const run = await storeRun(store, {
        target,
        snapshot: snapshotName(timeOf(day)),
        verdict,
        scope: { account: target.account },
        startedAtMs: timeOf(day),
        // A list that moved too fast: the last nodes were not read.
        pages: [{ records: verdict === 'drifted' ? records.slice(0, -3) : records }],
      });
      await clock.run(sealStored(createSealPorts(store, clock, { signing }), run));
    }
  }
  clock.advance(timeOf(60) + 3_600_000 - clock.nowMs());
  await pruneFirstMonth(store, clock, signing);
  const dayName = (day: number) => snapshotName(timeOf(day));
  return { store, clock, targets, dayName, verdictOf, nodesOf };
}

/** The first target drifted on day 22, the second has no snapshot of the days 33 to 35. */
function verdictOf(target: number, day: number): DayVerdict {
  if (target === 0 && day === 22) return 'drifted';
  return target === 1 && day >= 33 && day <= 35 ? 'missing' : 'complete';
}

function nodesOf(target: number, day: number): TrueNode[] {
  const all = Array.from({ length: nodesOfTarget[target] ?? 0 }, (_, index) => index);
  return all.flatMap((index) => (isListed(index, day) ? [describeNode(target, index, day)] : []));
}

/** A fifth joins one after the other, a tenth leaves, and one node of these comes back after a week. */
function isListed(index: number, day: number): boolean {
  if (index % 5 === 3) return day >= 2 + (index % 50);
  if (index % 10 !== 7) return true;
  const left = 12 + index;
  return day < left || (index === 7 && day >= left + 7);
}

function describeNode(target: number, index: number, day: number): TrueNode {
  const name = ['web', 'batch', 'lab'][target];
  const isUpgraded = index % 16 === 5 && day >= 25;
  return {
    hostId: `${target}${String(index).padStart(3, '0')}-4c1d-9e2f`,
    hostName: `${name}-${String(index).padStart(2, '0')}${isUpgraded ? '-v2' : ''}`,
    agentStatus: agentStatusOf(index, day),
    protectStatus: protectStatusOf(index, day),
    isContainerNode: isContainerNodeOf(index, day),
  };
}

function agentStatusOf(index: number, day: number): string {
  const failsOn = 8 + ((index * 7) % 45);
  if (index % 6 === 1 && day >= failsOn && day < failsOn + 3 + (index % 4)) return 'offline';
  return index % 11 === 10 && day < 20 ? 'not_installed' : 'online';
}

/** A ninth is unprotected at first, a seventh loses its protection for some days, and some have no status at all. */
function protectStatusOf(index: number, day: number): string | null {
  if (index % 12 === 11) return null;
  if (index % 9 === 4) return day < 30 + (index % 5) * 9 ? 'closed' : 'opened';
  const losesOn = 15 + ((index * 5) % 40);
  return index % 7 === 2 && day >= losesOn && day < losesOn + 8 ? 'closed' : 'opened';
}

/** Some hosts leave their cluster on day 28, and of some the service does not state it until day 27. */
function isContainerNodeOf(index: number, day: number): boolean | null {
  if (index % 8 === 4) return day < 28;
  return index % 15 === 11 && day < 27 ? null : true;
}

function toRecord({ hostId, hostName, ...node }: TrueNode): string {
  return nodeText(hostId, {
    host_name: hostName,
    host_status: 'ACTIVE',
    agent_status: node.agentStatus,
    protect_status: node.protectStatus,
    is_container_node: node.isContainerNode,
  });
}

async function pruneFirstMonth(
  store: Store,
  clock: VirtualClock,
  signingKey: SigningKey | null,
): Promise<void> {
  const retention = { all: 30 * dayMs, daily: null, weekly: null, monthly: null, grace: 0 };
  const ports = {
    ...{ store, clock, log: () => {}, random: Math.random, progress: () => {} },
    host: { identity: 'process', name: 'host', boot: null, isGone: () => false },
    budget: unlimitedBudget(new AbortController().signal),
    targets: targets.map((target) => ({ ...target, projectQuestion: '' })),
    ...{ retention, signingKey },
  };
  const { errors } = await clock.run(prune(ports, { isDryRun: false, pick: (all) => all }));
  if (errors.length > 0) throw errors[0];
}
