// Measures `report` with the built CLI over a store with a long history, without and with the verification: CPU, peak memory,
// temporary files, bytes of parts that were read, and the size of report.json.
// Run: npm run bench:report -- [--snapshots 90] [--targets 6] [--nodes 10000] [--changed 0.02] [--no-verify]
// `changed`: the share of the nodes whose agent goes offline or comes back in each snapshot. Each target has one break: its scope
// changes in the middle. Rows are stored as Parquet only.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  headKey,
  latestKey,
  manifestKey,
  type PartKind,
  partKey,
  snapshotName,
  type TargetKey,
} from '../../lib/core/object-keys.ts';
import type { Cell, Column, Row } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { changeColumns, openDescription } from '../../lib/snapshots/changes.ts';
import {
  encodeManifest,
  encodePointer,
  type Manifest,
  type Part,
  pointerTo,
  type Sealed,
} from '../../lib/snapshots/manifest.ts';
import { encodeRows } from '../formats/encoding.ts';
import { createRows } from '../formats/inventory.ts';
import { scopeOf } from '../support/stored-run.ts';
import { runWatched, sizeOf } from './watched-process.ts';

const { values } = parseArgs({
  options: {
    snapshots: { type: 'string', default: '90' },
    targets: { type: 'string', default: '6' },
    nodes: { type: 'string', default: '10000' },
    changed: { type: 'string', default: '0.02' },
    'no-verify': { type: 'boolean', default: false },
  },
});
const snapshots = Number(values.snapshots);
const targets = Number(values.targets);
const nodes = Number(values.nodes);
const step = Math.max(1, Math.round(1 / Number(values.changed)));
const dayMs = 86_400_000;
const newestMs = Math.floor(Date.now() / dayMs) * dayMs;
const columns = containerNodes.columns;
const indexOf = (name: string, of: readonly Column[] = columns) =>
  of.findIndex((column) => column.name === name);
const changed = changeColumns(containerNodes);

const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-report-'));
try {
  for (let target = 0; target < targets; target += 1) await writeTarget(target);
  const store = join(folder, 'store');
  console.log(
    `${targets} targets, ${snapshots} snapshots of ${nodes} nodes, 1 of ${step} nodes changed in each: store of ${toMb(sizeOf(store))}`,
  );
  await measure('without verify', ['--no-verify']);
  if (!values['no-verify']) await measure('with verify', []);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(name: string, more: readonly string[]): Promise<void> {
  const out = join(folder, 'out');
  const since = `${snapshots + 1}d`;
  const args = ['report', '--json', '--store', `file:${join(folder, 'store')}`, '--out', out];
  const done = await runWatched([...args, '--since', since, ...more], {
    temporary: join(folder, 'temporary'),
  });
  const { bytesRead, files } = JSON.parse(done.output);
  const sizes = files.map(
    (file: { name: string; bytes: number }) => `${file.name} ${toMb(file.bytes)}`,
  );
  console.log(
    `${name}: ${(done.cpuMs / 1_000).toFixed(1)} s CPU, peak ${toMb(done.peakBytes)}, temporary files ${toMb(done.temporaryBytes)}, parts read for the figures ${toMb(bytesRead)}; ${sizes.join(', ')}`,
  );
}

function toMb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

async function writeTarget(index: number): Promise<void> {
  const target: TargetKey = {
    table: 'container_nodes',
    region: 'cn-south-4',
    projectId: `p${index}`,
  };
  const base = createRows(nodes, index + 1);
  let before: { rows: Row[]; sealed: Sealed } | null = null;
  for (let age = snapshots - 1; age >= 0; age -= 1) {
    const atMs = newestMs - age * dayMs;
    const isBreak = age === Math.floor(snapshots / 2);
    const rows = makeRows(base, target, { atMs, round: age });
    before = { rows, sealed: await seal(target, { atMs, rows, before, isBreak }) };
  }
  if (!before) return;
  for (const key of [headKey(target), latestKey(target)]) {
    write(key, encodePointer(pointerTo(before.sealed)));
  }
}

/** In each round other nodes are offline. */
function makeRows(
  base: readonly Row[],
  target: TargetKey,
  { atMs, round }: { atMs: number; round: number },
): Row[] {
  const [time, agent] = [indexOf('snapshot_at'), indexOf('agent_status')];
  const place = { account: 'prod', region: target.region, project_id: target.projectId };
  return base.map((row, i) => {
    const copy: Cell[] = [...row];
    copy[time] = atMs;
    for (const [name, value] of Object.entries(place)) copy[indexOf(name)] = value;
    copy[indexOf('verdict')] = 'complete';
    const isOffline = Math.floor((i + round) / step) % 2 === 0;
    copy[agent] = isOffline ? 'offline' : 'online';
    return copy;
  });
}

interface Snapshot {
  atMs: number;
  rows: Row[];
  before: { rows: Row[]; sealed: Sealed } | null;
  isBreak: boolean;
}

async function seal(target: TargetKey, given: Snapshot): Promise<Sealed> {
  const { atMs, rows, before, isBreak } = given;
  const snapshot = snapshotName(atMs);
  const since = before?.sealed.manifest.snapshot ?? null;
  const changes = before && !isBreak ? listChanged(target, given, before.rows) : [];
  const parts: Part[] = [];
  const add = async (kind: PartKind, of: readonly Row[], wanted: readonly Column[]) => {
    const metadata = { dataset: 'container_nodes', snapshot };
    const bytes = await encodeRows(parquetEncoder, of, { columns: wanted, metadata });
    const key = partKey(target, kind, snapshot, sha256(bytes));
    write(key, bytes);
    parts.push({ ...kind, key, rows: of.length, bytes: bytes.length, sha256: sha256(bytes) });
  };
  await add({ role: 'rows', format: 'parquet' }, rows, columns);
  if (changes.length > 0) await add({ role: 'changes', format: 'parquet' }, changes, changed);
  const manifest = describe(target, { ...given, snapshot, parts });
  manifest.changes =
    since !== null && !isBreak ? { since, added: 0, removed: 0, changed: changes.length } : null;
  const key = manifestKey(target, snapshot);
  const bytes = encodeManifest(manifest);
  write(key, bytes);
  return { manifestKey: key, manifest, manifestSha256: sha256(bytes) };
}

function listChanged(target: TargetKey, { atMs, rows }: Snapshot, before: readonly Row[]): Row[] {
  const { region, projectId } = target;
  const times = { snapshotAtMs: atMs, previousSnapshotAtMs: atMs - dayMs };
  const context = { ...times, account: 'prod', region, projectId };
  const describeChange = openDescription(containerNodes, columns, columns, context);
  const pairs = rows.map((after, i) => describeChange({ before: before[i] as Row, after }));
  return pairs.filter((change) => change !== null);
}

function describe(
  target: TargetKey,
  { rows, before, snapshot, parts, atMs }: Snapshot & { snapshot: string; parts: Part[] },
): Manifest {
  const countOf = (name: string) => {
    const counts: Record<string, number> = {};
    for (const row of rows) {
      const value = row[indexOf(name)];
      if (value !== null) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
    }
    return counts;
  };
  const values = Object.fromEntries(
    containerNodes.countedColumns.map((one) => [one, countOf(one)]),
  );
  return {
    ...{
      manifestVersion: 1,
      dataset: 'container_nodes',
      table: 'container_nodes',
      schemaVersion: 1,
    },
    ...{ snapshot, run: '0123456789ab', scheduleSeconds: dayMs / 1_000, scope: scopeOf(target) },
    startedAt: new Date(atMs).toISOString(),
    sealedAt: new Date(atMs).toISOString(),
    ...{ verdict: 'complete', rows: rows.length, rejects: 0 },
    evidence: {
      ...{ pages: 50, requests: 51, retries: 0, throttled: 0, realigned: 0, repeats: 0 },
      ...{ passes: 1, totalNumFirst: rows.length, totalNumLast: rows.length, missing: 0 },
    },
    ...{ values, unknownValues: {}, unknownFields: [], mistyped: {}, parts },
    ...{ changes: null, changesNone: null },
    previous: before && {
      snapshot: before.sealed.manifest.snapshot,
      manifestSha256: before.sealed.manifestSha256,
    },
    ...{ signing: null, writer: 'cgs-export/bench' },
  };
}

function write(key: string, bytes: Uint8Array): void {
  const path = join(folder, 'store', key);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}
