// Responsible for a store for query engines, sealed by the exporter's own seal: several tables, accounts, regions, days and
// column versions, drifted, empty, pruned and future snapshots, odd names and values. Not responsible for what engines must
// answer: lake-oracle.ts.

import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { snapshotName, type TargetKey, targetId } from '../../lib/core/object-keys.ts';
import type { Dataset } from '../../lib/core/ports.ts';
import { containerClusters } from '../../lib/datasets/container-clusters.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { unlimitedBudget } from '../../lib/quota/budget.ts';
import { prune } from '../../lib/runs/prune.ts';
import type { Sealed } from '../../lib/snapshots/manifest.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { unusualNames } from '../formats/inventory.ts';
import { listCluster } from './lake-clusters.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';
import { createRandom } from './moving-list.ts';
import { copyToFolder } from './seeded-store.ts';
import { createSealPorts, sealStored, storeRun } from './stored-run.ts';
import { createClock, type VirtualClock } from './virtual-clock.ts';

/** A record as the endpoint lists it. A member can be absent. */
export interface ListedRecord {
  [field: string]: string | number | bigint | boolean | null;
}

/** `earlier`: without the columns of `earlierLacks`. `later`: with a column `zone_2027`. */
export type ColumnVersion = 'earlier' | 'now' | 'later';

/** One snapshot with what was listed when it was made. */
export interface ServedSnapshot {
  target: TargetKey & { account: string; dataset: DatasetName };
  timeMs: number;
  verdict: 'complete' | 'drifted';
  version: ColumnVersion;
  records: readonly ListedRecord[];
  /** When the page with these records was read. */
  fetchedAtMs: number;
  isPruned: boolean;
  /** How many other files with the same rows are in the same folder. No manifest names them. */
  strays: number;
  sealed: Sealed;
}

const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 0, 5, 6);
const digits = '00000000000000000000000000000123';
const exponent = '1e500000000000000000000000000000';
const table = 'container_nodes';
export const clustersTable = 'container_clusters';
/** A valid name of a table, and a word that SQL reserves. */
export const reservedTable = 'order';

const datasets = { container_nodes: containerNodes, container_clusters: containerClusters };
export type DatasetName = keyof typeof datasets;

/** Of a table of this store. A name that it does not have is one of container nodes. */
export function datasetOfTable(name: string): Dataset {
  return name === clustersTable ? containerClusters : containerNodes;
}

const nodeTargets = {
  busy: { account: 'prod', table, region: 'cn-south-4', projectId: digits },
  emptied: { account: 'prod', table, region: 'cn-north-4', projectId: exponent },
  evolved: { account: 'staging', table, region: 'cn-south-4', projectId: 'a'.repeat(32) },
  // The same project id in another region: both count.
  twin: { account: 'prod', table, region: 'cn-north-4', projectId: 'a'.repeat(32) },
  empty: { account: 'staging', table, region: 'eu-west-101', projectId: 'b'.repeat(32) },
  drifting: { account: 'staging', table, region: 'cn-east-3', projectId: digits },
  reserved: { account: 'prod', table: reservedTable, region: 'cn-south-4', projectId: digits },
} as const;
const clusterTargets = {
  clusters: { ...nodeTargets.busy, table: clustersTable },
  clustersEmptied: { ...nodeTargets.emptied, table: clustersTable },
  clustersEvolved: { ...nodeTargets.evolved, table: clustersTable },
  clustersEmpty: { ...nodeTargets.empty, table: clustersTable },
} as const;
const targets = {
  ...withDataset(nodeTargets, 'container_nodes'),
  ...withDataset(clusterTargets, 'container_clusters'),
};

function withDataset<T extends Record<string, TargetKey & { account: string }>>(
  ofDataset: T,
  dataset: DatasetName,
) {
  const entries = Object.entries(ofDataset).map(([name, one]) => [name, { ...one, dataset }]);
  return Object.fromEntries(entries) as { [name in keyof T]: ServedSnapshot['target'] };
}

interface Plan {
  target: keyof typeof targets;
  /** From startMs, hours. */
  hour: number;
  /** How many there are. Some of them are not listed: listNodes(). */
  nodes: number;
  verdict?: 'complete' | 'drifted';
  version?: ColumnVersion;
}

/** In the order in which they are sealed. About 5,000 rows. */
const smallPlan: readonly Plan[] = [
  { target: 'busy', hour: -48, nodes: 300 },
  { target: 'busy', hour: 0, nodes: 900 },
  { target: 'emptied', hour: 0, nodes: 250 },
  { target: 'evolved', hour: 0, nodes: 200, version: 'earlier' },
  { target: 'twin', hour: 0, nodes: 30 },
  { target: 'empty', hour: 0, nodes: 0 },
  { target: 'drifting', hour: 0, nodes: 40, verdict: 'drifted' },
  { target: 'busy', hour: 6, nodes: 910 },
  { target: 'evolved', hour: 6, nodes: 210 },
  { target: 'busy', hour: 24, nodes: 900 },
  { target: 'emptied', hour: 24, nodes: 260 },
  { target: 'evolved', hour: 24, nodes: 220, version: 'later' },
  { target: 'reserved', hour: 24, nodes: 60 },
  { target: 'emptied', hour: 48, nodes: 0 },
  { target: 'busy', hour: 48, nodes: 850, verdict: 'drifted' },
  { target: 'drifting', hour: 48, nodes: 45, verdict: 'drifted' },
];

/** Here `nodes` are clusters. */
const clusterPlan: readonly Plan[] = [
  { target: 'clusters', hour: -48, nodes: 20 },
  { target: 'clusters', hour: 0, nodes: 60 },
  { target: 'clustersEmptied', hour: 0, nodes: 15 },
  { target: 'clustersEvolved', hour: 0, nodes: 25, version: 'earlier' },
  { target: 'clustersEmpty', hour: 0, nodes: 0 },
  { target: 'clusters', hour: 6, nodes: 62 },
  { target: 'clustersEvolved', hour: 6, nodes: 26 },
  { target: 'clusters', hour: 24, nodes: 61 },
  { target: 'clustersEvolved', hour: 24, nodes: 27, version: 'later' },
  { target: 'clustersEmptied', hour: 48, nodes: 0 },
  { target: 'clusters', hour: 48, nodes: 50, verdict: 'drifted' },
];

/** The time in the name of a snapshot of a host whose clock was wrong. */
const futureMs = Date.UTC(2099, 11, 31);

export interface LakeWorld {
  snapshots: readonly ServedSnapshot[];
  /** Their names. */
  tables: readonly string[];
  /** Writes the store into a folder, with files that no manifest names and a manifest in a wrong place. */
  writeTo(folder: string): void;
}

export async function createLakeWorld(signing: SigningKey | null = null): Promise<LakeWorld> {
  const plans = [...smallPlan, ...clusterPlan]
    .sort((a, b) => a.hour - b.hour)
    .map((plan) => ({ ...plan, timeMs: startMs + plan.hour * 3_600_000 }));
  const future = { hour: 0, nodes: 30, timeMs: futureMs };
  return sealAll(
    [...plans, { ...future, target: 'evolved' }, { ...future, target: 'clustersEvolved' }],
    signing,
  );
}

/** Snapshots of `nodes` nodes each, for measurements: three of each of four targets. `progress`: called after each of them. */
export function createLargeLakeWorld(
  nodes: number,
  progress: (done: number, all: number) => void = () => {},
): Promise<LakeWorld> {
  const names = ['busy', 'emptied', 'evolved', 'drifting'] as const;
  const plans = [0, 6, 24].flatMap((hour) =>
    names.map((target) => ({ target, hour, nodes, timeMs: startMs + hour * 3_600_000 })),
  );
  return sealAll(plans, null, progress);
}

async function sealAll(
  plans: readonly (Plan & { timeMs: number })[],
  signing: SigningKey | null,
  progress: (done: number, all: number) => void = () => {},
): Promise<LakeWorld> {
  const clock = createClock(startMs - 3 * dayMs);
  const store = createMemoryStore({ nowMs: clock.nowMs });
  const snapshots: ServedSnapshot[] = [];
  for (const plan of plans) {
    if (plan.timeMs !== futureMs) clock.advance(plan.timeMs - clock.nowMs());
    snapshots.push(await sealPlanned(store, clock, plan, signing));
    progress(snapshots.length, plans.length);
  }
  if (plans.some(({ hour }) => hour < 0)) await pruneOldest(store, clock, signing);
  for (const target of prunedTargets) {
    const newest = snapshots.findLast((one) => one.target === target && one.verdict === 'complete');
    if (newest) newest.strays = 1;
  }
  for (const one of snapshots) one.isPruned = one.timeMs < startMs;
  return {
    snapshots,
    tables: [...new Set(snapshots.map((one) => one.target.table))],
    writeTo(folder) {
      copyToFolder(store, folder);
      for (const one of snapshots) if (one.strays > 0) addStrays(folder, one);
    },
  };
}

async function sealPlanned(
  store: MemoryStore,
  clock: VirtualClock,
  plan: Plan & { timeMs: number },
  signing: SigningKey | null,
): Promise<ServedSnapshot> {
  const { timeMs, verdict = 'complete', version = 'now' } = plan;
  const target = targets[plan.target];
  const records = listRecords(plan);
  const fetchedAtMs = timeMs + 1_234;
  const dataset = datasetOf(target.dataset, version);
  const run = await storeRun(store, {
    ...{ target, verdict, snapshot: snapshotName(timeMs), startedAtMs: timeMs + 456 },
    scope: { account: target.account },
    dataset,
    pages: listPages(records, fetchedAtMs),
  });
  const ports = createSealPorts(store, clock, { signing, dataset });
  const sealed = await clock.run(sealStored(ports, run));
  return {
    target,
    timeMs,
    verdict,
    version,
    records,
    fetchedAtMs,
    isPruned: false,
    strays: 0,
    sealed,
  };
}

const pageRecords = 10_000;

/** Each page but the first one starts with the last record of the page before. */
function* listPages(records: readonly ListedRecord[], fetchedAtMs: number) {
  for (let at = 0; at === 0 || at < records.length; at += pageRecords) {
    const page = records.slice(Math.max(0, at - 1), at + pageRecords);
    yield { records: page.map(toJson), fetchedAtMs };
  }
}

/** A bigint is a number with all its digits. */
function toJson(record: ListedRecord): string {
  const members = Object.entries(record).map(([name, value]) => {
    return `${JSON.stringify(name)}:${typeof value === 'bigint' ? value : JSON.stringify(value)}`;
  });
  return `{${members.join(',')}}`;
}

export const earlierLacks: Readonly<Record<DatasetName, readonly string[]>> = {
  container_nodes: ['is_container_node', 'version'],
  container_clusters: ['version', 'sec_comp_num'],
};
const schemaVersions = { earlier: 1, now: 2, later: 3 };

/** The dataset as an earlier or a later build has it. */
function datasetOf(name: DatasetName, version: ColumnVersion): Dataset {
  const today = datasets[name];
  const dataset = { ...today, schemaVersion: schemaVersions[version] };
  if (version === 'now') return dataset;
  if (version === 'later') {
    return {
      ...dataset,
      columns: [...today.columns, { name: 'zone_2027', type: 'string' }],
      normalize: (record, context) => [...today.normalize(record, context), 'zone'],
    };
  }
  const isKept = (column: string) => !earlierLacks[name].includes(column);
  const kept = today.columns.map((column) => isKept(column.name));
  return {
    ...dataset,
    columns: today.columns.filter((_column, index) => kept[index]),
    normalize: (record, context) =>
      today.normalize(record, context).filter((_cell, index) => kept[index]),
    countedColumns: today.countedColumns.filter(isKept),
    knownValues: Object.fromEntries(
      Object.entries(today.knownValues).filter(([column]) => isKept(column)),
    ),
  };
}

/** Some are not listed at each time, so that they come, go and return. */
function listRecords({ target, nodes, timeMs }: Plan & { timeMs: number }): ListedRecord[] {
  const turn = timeMs === futureMs ? 0 : (timeMs - startMs) / 3_600_000;
  const places = Array.from({ length: nodes }, (_, index) => index);
  return places
    .filter((place) => turn <= 0 || place % 40 !== (turn / 6) % 40)
    .map((place) =>
      targets[target].dataset === 'container_clusters'
        ? listCluster(idOf(place), place, turn)
        : listNode(target, place, turn),
    );
}

const extremes = [2 ** 31 - 1, -(2 ** 31), 0, -1];

/** Ids of digits, of digits and e, and others. */
function idOf(place: number): string {
  const number = String(place).padStart(32, '0');
  return place % 3 === 0 ? number : place % 3 === 1 ? `1e${number.slice(2)}` : `node-🚀-${place}`;
}

function listNode(target: string, place: number, turn: number): ListedRecord {
  const random = createRandom(place + target.length * 1_000_003);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const changes = turn > 0 && place % 13 === 5;
  const node: ListedRecord = {
    host_id: idOf(place),
    host_name: place < unusualNames.length ? (unusualNames[place] as string) : `web-${place}`,
    host_status: pick(['ACTIVE', 'SHUTOFF']),
    agent_status: pick(['online', 'offline', 'not_register', 'not_installed', 'from_2027']),
    protect_status: changes
      ? pick(['opened', 'closed', null, ''])
      : pick(['opened', 'closed', null]),
    asset:
      place % 50 < extremes.length ? (extremes[place % 50] as number) : Math.floor(random() * 99),
    vulnerability: pick([null, 0, 7]),
    protect_interrupt: pick([true, false, null]),
    degradation_reason: pick(['', null, 'kernel']),
    private_ip: `10.0.${place >> 8}.${place & 255}`,
    is_container_node: pick([true, false, null]),
    version: pick(['hss.version.premium', null]),
  };
  if (changes && place % 2 === 1) node.host_status = 'ERROR';
  // Absent and null are the same.
  if (place % 11 === 0) delete node.degradation_reason;
  if (place % 17 === 0) node.host_name = null;
  return node;
}

/** They have snapshots that are older than startMs. */
const prunedTargets = [targets.busy, targets.clusters];

/** Deletes the rows of what is older than startMs. */
async function pruneOldest(
  store: MemoryStore,
  clock: VirtualClock,
  signingKey: SigningKey | null,
): Promise<void> {
  const all = clock.nowMs() - startMs + 3_600_000;
  const ports = {
    ...{ store, clock, log: () => {}, random: Math.random, progress: () => {} },
    host: { identity: 'process', name: 'host', boot: null, isGone: () => false },
    budget: unlimitedBudget(new AbortController().signal),
    targets: prunedTargets.map((target) => ({ ...target, projectQuestion: '' })),
    retention: { all, daily: null, weekly: null, monthly: null, grace: 0 },
    signingKey,
  };
  const pick = (found: readonly TargetKey[]) =>
    found.filter((one) => prunedTargets.some((target) => targetId(one) === targetId(target)));
  const { errors } = await clock.run(prune(ports, { isDryRun: false, pick }));
  if (errors.length > 0) throw errors[0];
}

/** A copy of the rows under another name, as an abandoned run leaves it, and the manifest under another region. */
function addStrays(folder: string, { sealed, target }: ServedSnapshot): void {
  const rows = sealed.manifest.parts.find((part) => part.key.endsWith('.parquet'));
  const key = rows?.key ?? '';
  copyFileSync(join(folder, key), join(folder, key.replace(/-[0-9a-f]{12}\./, '-000000000000.')));
  const misplaced = sealed.manifestKey.replace(`rgn=${target.region}`, 'rgn=cn-nowhere-1');
  mkdirSync(dirname(join(folder, misplaced)), { recursive: true });
  copyFileSync(join(folder, sealed.manifestKey), join(folder, misplaced));
}
