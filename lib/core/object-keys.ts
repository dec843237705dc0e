// Responsible for every object key: how it is built and parsed. Not responsible for the content of the objects.

/** Identifies a target in the store. Snapshots with the same target key are one series. */
export interface TargetKey {
  table: string;
  region: string;
  projectId: string;
}

/** What a part holds, and how it is encoded. */
export interface PartKind {
  role: 'rows' | 'rejects' | 'changes';
  format: 'parquet' | 'ndjson';
}

/**
 * The name of a snapshot is a time to the second, UTC: `20261124T060000Z`. For a timer it is the start of the schedule slot;
 * for a manual export, the start of the run.
 */
export function snapshotName(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** Milliseconds since the epoch, or null if `name` is not the name of a snapshot. */
export function snapshotTimeMs(name: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(name);
  if (!match) return null;
  const [, year, month, day, hour, minute, second] = match;
  const timeMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  // Date.parse takes 24:00 and days such as 30 February for the next day.
  return new Date(timeMs).getUTCDate() === Number(day) ? timeMs : null;
}

const futureAfterMs = 24 * 3_600_000;

/**
 * True for a name so far after the store's time that a clock must have been wrong, or that the exporter did not write it. Such
 * a snapshot is never the newest one.
 */
export function isFutureName(name: string, nowMs: number): boolean {
  return isFutureTime(snapshotTimeMs(name) ?? 0, nowMs);
}

/** As isFutureName(), for the time in a name. */
export function isFutureTime(timeMs: number, nowMs: number): boolean {
  return timeMs > nowMs + futureAfterMs;
}

/** Not the column names `region` and `project_id`: pandas and ClickHouse fail if a partition has the name of a column. */
function partitionOf(target: TargetKey): string {
  return `rgn=${target.region}/prj=${target.projectId}`;
}

/** A target as one text, for maps, keys and messages. */
export function targetId(target: TargetKey): string {
  return `${target.table}/${partitionOf(target)}`;
}

/** Null if `id` is not what targetId() returns. */
export function parseTargetId(id: string): TargetKey | null {
  const match = /^([^/]+)\/rgn=([^/]+)\/prj=([^/]+)$/.exec(id);
  if (!match) return null;
  const [, table = '', region = '', projectId = ''] = match;
  return { table, region, projectId };
}

/** Each kind of part has its own directory beside the table, because readers expect one format in a directory. */
const partDirectories: readonly (PartKind & { suffix: string; extension: string })[] = [
  { role: 'rows', format: 'parquet', suffix: '', extension: 'parquet' },
  { role: 'rows', format: 'ndjson', suffix: '_ndjson', extension: 'ndjson.gz' },
  { role: 'rejects', format: 'ndjson', suffix: '_rejects', extension: 'ndjson.gz' },
  { role: 'changes', format: 'parquet', suffix: '_changes', extension: 'parquet' },
];

function findPartDirectory({ role, format }: PartKind) {
  return partDirectories.find((one) => one.role === role && one.format === format);
}

/** The names of the directories that hold the parts of a table. */
export function dataDirectories(table: string): string[] {
  return partDirectories.map(({ suffix }) => `${table}${suffix}`);
}

/** `sha256`: of the part's bytes, so that parts with different content have different keys. */
export function partKey(
  target: TargetKey,
  kind: PartKind,
  snapshot: string,
  sha256: string,
): string {
  const found = findPartDirectory(kind);
  if (!found) throw new Error(`no directory for ${kind.role} in ${kind.format}`);
  const date = `${snapshot.slice(0, 4)}-${snapshot.slice(4, 6)}-${snapshot.slice(6, 8)}`;
  const directory = `${target.table}${found.suffix}/dt=${date}/${partitionOf(target)}`;
  return `${directory}/${snapshot}-${sha256.slice(0, 12)}.${found.extension}`;
}

/** True if `part` has the key of a part of this snapshot, which its own kind and hash determine. */
export function isPartOf(
  target: TargetKey,
  snapshot: string,
  part: PartKind & { key: string; sha256: string },
): boolean {
  const isKind = findPartDirectory(part) !== undefined;
  return isKind && part.key === partKey(target, part, snapshot, part.sha256);
}

/** Null if the key is not the key of a part. */
export function parsePartKey(
  key: string,
): { target: TargetKey; kind: PartKind; snapshot: string } | null {
  const match =
    /^([a-z][a-z0-9_]*)\/dt=\d{4}-\d\d-\d\d\/rgn=([^/]+)\/prj=([^/]+)\/(\d{8}T\d{6}Z)-[0-9a-f]{12}\.(parquet|ndjson\.gz)$/.exec(
      key,
    );
  if (!match) return null;
  const [, directory = '', region = '', projectId = '', snapshot = '', extension = ''] = match;
  const found = partDirectories.findLast(
    (one) => one.extension === extension && directory.endsWith(one.suffix),
  );
  if (!found) return null;
  const table = directory.slice(0, directory.length - found.suffix.length);
  return { target: { table, region, projectId }, kind: found, snapshot };
}

export const manifestsPrefix = '_manifests/';

export function manifestPrefix(target: TargetKey): string {
  return `${manifestsPrefix}${targetId(target)}/`;
}

export function manifestKey(target: TargetKey, snapshot: string): string {
  return `${manifestPrefix(target)}${snapshot}.json`;
}

/** Null if the key is not the key of a manifest. */
export function parseManifestKey(key: string): { target: TargetKey; snapshot: string } | null {
  const match = /^_manifests\/([^/]+)\/rgn=([^/]+)\/prj=([^/]+)\/(\d{8}T\d{6}Z)\.json$/.exec(key);
  if (!match) return null;
  const [, table = '', region = '', projectId = '', snapshot = ''] = match;
  return { target: { table, region, projectId }, snapshot };
}

export const signaturesPrefix = '_signatures/';
export const keysPrefix = '_keys/';

/** The detached signature of a manifest. */
export function signatureKey(target: TargetKey, snapshot: string): string {
  return `${signaturesPrefix}${targetId(target)}/${snapshot}.sig`;
}

/** Null if the key is not the key of a signature of a manifest. */
export function parseSignatureKey(key: string): { target: TargetKey; snapshot: string } | null {
  const [, id = '', snapshot = ''] = /^_signatures\/(.+)\/(\d{8}T\d{6}Z)\.sig$/.exec(key) ?? [];
  const target = parseTargetId(id);
  return target && { target, snapshot };
}

/** A public key, by its key id. */
export function publicKeyKey(keyId: string): string {
  return `${keysPrefix}${keyId}.pem`;
}

/** The key id; null if the key is not the key of a public key. */
export function parsePublicKeyKey(key: string): string | null {
  return /^_keys\/([0-9a-f]{16})\.pem$/.exec(key)?.[1] ?? null;
}

export const tombstonesPrefix = '_pruned/';

/** What retention has deleted, or will delete, of a snapshot. */
export function tombstoneKey(target: TargetKey, snapshot: string): string {
  return `${tombstonesPrefix}${targetId(target)}/${snapshot}.json`;
}

/** The detached signature of a tombstone. */
export function tombstoneSignatureKey(target: TargetKey, snapshot: string): string {
  return `${tombstonesPrefix}${targetId(target)}/${snapshot}.sig`;
}

/** Null if the key is not the key of a tombstone or of its signature. */
export function parseTombstoneKey(
  key: string,
): { target: TargetKey; snapshot: string; isSignature: boolean } | null {
  const found = /^_pruned\/(.+)\/(\d{8}T\d{6}Z)\.(json|sig)$/.exec(key) ?? [];
  const [, id = '', snapshot = '', extension] = found;
  const target = parseTargetId(id);
  return target && { target, snapshot, isSignature: extension === 'sig' };
}

export const reportsPrefix = '_reports/';

/** A file of the report that was made on `date`, such as `2026-11-24`. */
export function reportKey(date: string, name: string): string {
  return `${reportsPrefix}${date}/${name}`;
}

/** True for the key of a file of a report. */
export function isReportKey(key: string): boolean {
  return /^_reports\/\d{4}-\d\d-\d\d\/[a-z]+\.(?:html|csv|json)$/.test(key);
}

export const latestPrefix = '_latest/';
export const headsPrefix = '_head/';

/** The pointer to the target's newest complete snapshot. */
export function latestKey(target: TargetKey): string {
  return `${latestPrefix}${targetId(target)}.json`;
}

/** The pointer to the target's newest snapshot of any verdict. */
export function headKey(target: TargetKey): string {
  return `${headsPrefix}${targetId(target)}.json`;
}

/** The target of a pointer; null if the key is not the key of a pointer. */
export function parsePointerKey(key: string): TargetKey | null {
  const match = /^_(?:head|latest)\/(.+)\.json$/.exec(key);
  return match ? parseTargetId(match[1] ?? '') : null;
}

export function isPointerKey(key: string): boolean {
  return parsePointerKey(key) !== null;
}

export const workPrefix = '_runs/';
export const scheduleKey = '_runs/schedule.json';
/** What the rules of alerts have seen, and the alerts that are not delivered yet. */
export const alertsKey = '_runs/alerts.json';
/** Has that state while a folder is in its place, which a file cannot replace. */
export const spareAlertsKey = '_runs/alerts-spare.json';
/** What `plan --probe` has learned. */
export const probedSizesKey = '_runs/probed-sizes.json';
/** The newest damaged schedule that was set aside. */
export const damagedScheduleKey = '_runs/schedule-damaged.json';

/** The working state of all runs of a target. */
export function runsPrefix(target: TargetKey): string {
  return `_runs/${targetId(target)}/`;
}

export function runPrefix(target: TargetKey, snapshot: string, run: string): string {
  return `${runsPrefix(target)}${snapshot}-${run}/`;
}

/** All seal records of a target: one LIST shows which runs are sealing. */
export function sealingPrefix(target: TargetKey): string {
  return `${runsPrefix(target)}sealing/`;
}

/** The run that a key under `_runs/` belongs to; null if it belongs to none. */
export function parseRunKey(
  target: TargetKey,
  key: string,
): { snapshot: string; run: string } | null {
  const rest = key.slice(runsPrefix(target).length);
  const match = /^(?:sealing\/)?(\d{8}T\d{6}Z)-([0-9a-f]{12})(?:\/|\.json$)/.exec(rest);
  return match ? { snapshot: match[1] ?? '', run: match[2] ?? '' } : null;
}

/** True for the key of an object that belongs to a run. */
export function isRunKey(key: string): boolean {
  return /^_runs\/[^/]+\/rgn=[^/]+\/prj=[^/]+\/(?:sealing\/)?\d{8}T\d{6}Z-[0-9a-f]{12}(?:\/|\.json$)/.test(
    key,
  );
}

/** True for the key of an object under `_runs/` that the exporter writes. */
export function isWorkKey(key: string): boolean {
  const isShared = [
    ...[scheduleKey, damagedScheduleKey, alertsKey, spareAlertsKey, probedSizesKey],
  ].includes(key);
  const isOfDoctor = /^_runs\/_doctor\/[0-9a-f]{12}(?:-lease)?$/.test(key);
  return isShared || isOfDoctor || isRunKey(key);
}

export function checkpointKey(prefix: string): string {
  return `${prefix}checkpoint.json`;
}

/** Where a damaged object of a run is kept. */
export function damagedRunKey(prefix: string, name: 'checkpoint' | 'seal-record'): string {
  return `${prefix}damaged-${name}.json`;
}

export function sealRecordKey(target: TargetKey, snapshot: string, run: string): string {
  return `${sealingPrefix(target)}${snapshot}-${run}.json`;
}

/** `name`: with the hash of the object, so two processes that write the same run do not overwrite each other. */
export function segmentKey(prefix: string, name: string): string {
  return `${prefix}pages/${name}`;
}

/** What `doctor` writes and deletes again. No table can have this name. */
export const doctorPrefix = '_runs/_doctor/';
export const quotaPrefix = '_quota/';
export const leasePrefix = '_lease/';

const mebibyte = 2 ** 20;

/** The most bytes that the object of a key can have, by its kind, so that a reader never fills its memory. */
export function objectBytesMax(key: string): number {
  const [folder = ''] = key.split('/');
  // A few hundred bytes each. A pruned snapshot and its parts are a few kilobytes.
  if (
    ['_quota', '_lease', '_head', '_latest', '_signatures', '_keys', '_pruned'].includes(folder)
  ) {
    return mebibyte;
  }
  // A few kilobytes. The names in it have at most 200,000 characters (lib/sealing/statistics.ts), which JSON can write twice, escaped.
  if (folder === '_manifests') return 4 * mebibyte;
  // Some hundred bytes a target.
  if (key === scheduleKey) return 16 * mebibyte;
  // Checkpoints, seal records and segments hold up to ten pages of 0.5 MiB together, or one page of 8 MiB.
  if (folder === '_runs') return 64 * mebibyte;
  // Parts: 2,000,200 nodes are about 150 MB. Node.js cannot read larger files at once.
  return 2 ** 31 - 1;
}
