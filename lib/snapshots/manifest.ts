// Responsible for the bytes of manifests and pointers: encode, decode, validate. Not responsible for reading or writing them.

import * as v from 'valibot';
import { CorruptError } from '../core/errors.ts';
import { parseBounded } from '../core/exact-json.ts';
import {
  headsPrefix,
  manifestKey,
  snapshotTimeMs,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import { sha256 } from '../core/state.ts';
import { refuseNewer } from '../core/stored-version.ts';
import { asRecord } from '../core/value-shape.ts';
import { count, evidenceShape, scopeShape } from '../reading/checkpoint.ts';

const counts = v.record(v.string(), count);
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const isoTime = v.pipe(v.string(), v.isoTimestamp());
const snapshot = v.pipe(
  v.string(),
  v.check((name) => snapshotTimeMs(name) !== null, 'is not a snapshot name'),
);

const previousShape = v.object({ snapshot, manifestSha256: hash });
/** Why a snapshot was not compared with another one. */
const changesNoneShape = v.picklist(['first', 'drifted', 'scope', 'unreadable', 'pruned']);
const changesShape = v.object({ since: snapshot, added: count, removed: count, changed: count });
const partShape = v.object({
  role: v.picklist(['rows', 'rejects', 'changes']),
  format: v.picklist(['parquet', 'ndjson']),
  key: v.string(),
  rows: count,
  bytes: count,
  sha256: hash,
});
/** New members do not increase it. */
export const manifestVersion = 1;
const manifestShape = v.object({
  manifestVersion: v.literal(manifestVersion),
  dataset: v.string(),
  table: v.string(),
  schemaVersion: count,
  snapshot,
  run: v.string(),
  scheduleSeconds: count,
  scope: scopeShape,
  startedAt: isoTime,
  sealedAt: isoTime,
  verdict: v.picklist(['complete', 'drifted']),
  rows: count,
  rejects: count,
  evidence: evidenceShape,
  values: v.record(v.string(), counts),
  unknownValues: v.record(v.string(), counts),
  unknownFields: v.array(v.string()),
  mistyped: counts,
  parts: v.array(partShape),
  /** What changed since the snapshot `since`. Null: it was compared with none, or an older version sealed it. */
  changes: v.optional(v.nullable(changesShape), null),
  changesNone: v.optional(v.nullable(changesNoneShape), null),
  previous: v.nullable(previousShape),
  /** Null: it is not signed. */
  signing: v.optional(
    v.nullable(v.object({ keyId: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)) })),
    null,
  ),
  writer: v.string(),
});
const pointerShape = v.object({
  snapshot,
  manifest: v.string(),
  manifestSha256: hash,
  table: v.string(),
  account: v.string(),
  region: v.string(),
  projectId: v.string(),
  verdict: v.picklist(['complete', 'drifted']),
  parts: v.array(v.string()),
});

export type ChangesNone = v.InferOutput<typeof changesNoneShape>;
export type Previous = v.InferOutput<typeof previousShape>;
export type Part = v.InferOutput<typeof partShape>;
export type Manifest = v.InferOutput<typeof manifestShape>;
/** `_latest` and `_head`. */
export type Pointer = v.InferOutput<typeof pointerShape>;

/** A manifest as it is stored. */
export interface Sealed {
  manifestKey: string;
  manifest: Manifest;
  /** Of the manifest's bytes as stored. */
  manifestSha256: string;
}

/** What chains and pointers need of a manifest: `verify` has those of all snapshots in memory. */
export interface SealedSummary extends Omit<Sealed, 'manifest'> {
  manifest: Pick<
    Manifest,
    | 'dataset'
    | 'table'
    | 'snapshot'
    | 'scheduleSeconds'
    | 'verdict'
    | 'rows'
    | 'rejects'
    | 'changes'
    | 'parts'
    | 'previous'
  > & { scope: Pick<Manifest['scope'], 'account' | 'region' | 'projectId'> };
}

export function summarize({ manifest, manifestKey, manifestSha256 }: Sealed): SealedSummary {
  const { dataset, table, snapshot, scheduleSeconds, verdict } = manifest;
  const { rows, rejects, changes, parts, previous } = manifest;
  const { account, region, projectId } = manifest.scope;
  const scope = { account, region, projectId };
  return {
    manifestKey,
    manifest: {
      ...{ dataset, table, snapshot, scheduleSeconds, verdict },
      ...{ rows, rejects, changes, parts, previous, scope },
    },
    manifestSha256,
  };
}

/** One line, so that programs that read JSON line by line can read it. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest)}\n`);
}

export function decodeManifest(key: string, bytes: Uint8Array): Manifest {
  const version = { member: 'manifestVersion', read: manifestVersion, hint: newerHint };
  const kind = { shape: manifestShape, name: 'manifest', hint: restoreHint, version };
  return decode(kind, key, bytes);
}

/**
 * Throws CorruptError if the bytes are not a manifest, or are the manifest of another key; NewerVersionError if they name a greater
 * `manifestVersion`.
 */
export function decodeSealed(key: string, bytes: Uint8Array): Sealed {
  const manifest = decodeManifest(key, bytes);
  const target = targetOf(manifest);
  if (manifestKey(target, manifest.snapshot) !== key) {
    const message = `is the manifest of ${targetId(target)} ${manifest.snapshot}: it was moved or copied here`;
    throw new CorruptError(key, message, misplacedHint);
  }
  return { manifestKey: key, manifest, manifestSha256: sha256(bytes) };
}

function targetOf({ table, scope }: Manifest): TargetKey {
  return { table, region: scope.region, projectId: scope.projectId };
}

/** The pointer that names a sealed snapshot. */
export function pointerTo(sealed: SealedSummary): Pointer {
  const { manifestKey: manifest, manifestSha256 } = sealed;
  const { snapshot, table, scope, verdict, parts } = sealed.manifest;
  const { account, region, projectId } = scope;
  const keys = parts.map(({ key }) => key);
  return {
    ...{ snapshot, manifest, manifestSha256, table, account, region, projectId },
    ...{ verdict, parts: keys },
  };
}

export function encodePointer(pointer: Pointer): Uint8Array {
  return Buffer.from(`${JSON.stringify(pointer)}\n`);
}

/** Throws CorruptError if the bytes are not a pointer to a manifest of this target. */
export function decodePointer(target: TargetKey, key: string, bytes: Uint8Array): Pointer {
  const hint = pointerHint(key);
  const kind = { shape: pointerShape, name: 'pointer to a manifest', hint, version: null };
  const pointer = decode(kind, key, bytes);
  if (pointer.manifest === manifestKey(target, pointer.snapshot)) return pointer;
  const message = `names no manifest of ${targetId(target)}: it was moved, copied or altered`;
  throw new CorruptError(key, message, hint);
}

/** Null: decodePointer throws CorruptError. */
export function decodePointerOrNull(
  target: TargetKey,
  key: string,
  bytes: Uint8Array,
): Pointer | null {
  try {
    return decodePointer(target, key, bytes);
  } catch (error) {
    if (error instanceof CorruptError) return null;
    throw error;
  }
}

/** The end of some hints. `verify` itself leaves it out. */
export const verifyAdvice = ' `cgs-export verify` lists all affected objects.';
/** For a manifest or a part that differs from the bytes that were written. */
export const restoreHint = `Nothing was overwritten. Restore the object from an earlier version in the bucket or from a backup.${verifyAdvice}`;
/** For what a greater version keeps this program from checking. Another program can write that version too. */
export const newerHint =
  'Update cgs-export: this version can neither check it nor continue its chain. Only if no newer version has written to this store, the manifest was altered: then restore it from an earlier version in the bucket or from a backup.';
/** For a manifest under a key that is not its own. */
const misplacedHint = `cgs-export ignores it. Find out which program wrote it, then delete it.${verifyAdvice}`;
/** For a pointer that cannot be read, is missing or names the wrong manifest. */
export function pointerHint(key: string): string {
  return key.startsWith(headsPrefix) ? headHint : latestHint;
}
const headHint =
  'Restore the object from an earlier version in the bucket or from a backup, if there is one: _head is the best evidence for the newest snapshot. Otherwise the next export writes it again. Then run `cgs-export verify`.';
const latestHint =
  'No snapshot is affected: _latest only names the newest complete one for readers. The next complete snapshot writes it again; to repair it now, run `cgs-export export`. Then run `cgs-export verify`.';

interface Kind<S> {
  shape: S;
  name: string;
  hint: string;
  /** The member that names the version of the shape; null: it has none. */
  version: { member: string; read: number; hint: string } | null;
}

/** Throws CorruptError that names `key`. Unknown members, which a later version may add, are ignored. */
function decode<S extends v.GenericSchema>(
  { shape, name, hint, version }: Kind<S>,
  key: string,
  bytes: Uint8Array,
): v.InferOutput<S> {
  let parsed: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // Encoding ends with a line feed. JSON.parse alone would not notice that this last byte is missing.
    if (!text.endsWith('\n')) throw new SyntaxError('no line feed at the end');
    parsed = parseBounded(text);
  } catch (cause) {
    throw new CorruptError(key, `does not parse as a ${name}: it was truncated or altered`, hint, {
      cause,
    });
  }
  // First: a later version may have another shape.
  if (version) refuseNewer(key, { ...version, found: asRecord(parsed)[version.member] });
  const result = v.safeParse(shape, parsed);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? '(root)';
  throw new CorruptError(key, `is not a valid ${name}: ${path} ${issue.message}`, hint);
}
