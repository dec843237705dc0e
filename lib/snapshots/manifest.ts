// Responsible for the bytes of manifests and pointers: encode, decode, validate. Not responsible for reading or writing them.

import * as v from 'valibot';
import { CorruptError } from '../core/errors.ts';
import { snapshotTimeMs } from '../core/object-keys.ts';
import { count, evidenceShape, scopeShape } from '../reading/checkpoint.ts';

const counts = v.record(v.string(), count);
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const isoTime = v.pipe(v.string(), v.isoTimestamp());
const snapshot = v.pipe(
  v.string(),
  v.check((name) => snapshotTimeMs(name) !== null, 'is not a snapshot name'),
);

const previousShape = v.object({ snapshot, manifestSha256: hash });
const partShape = v.object({
  role: v.picklist(['rows', 'rejects']),
  format: v.picklist(['parquet', 'ndjson']),
  key: v.string(),
  rows: count,
  bytes: count,
  sha256: hash,
});
const manifestShape = v.object({
  manifestVersion: v.literal(1),
  dataset: v.string(),
  table: v.string(),
  schemaVersion: count,
  snapshot,
  run: v.string(),
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
  previous: v.nullable(previousShape),
  writer: v.string(),
});
const pointerShape = v.object({ snapshot, manifest: v.string(), manifestSha256: hash });

export type Previous = v.InferOutput<typeof previousShape>;
export type Part = v.InferOutput<typeof partShape>;
export type Manifest = v.InferOutput<typeof manifestShape>;
/** `_latest` and `_head`. */
export type Pointer = v.InferOutput<typeof pointerShape>;

export function encodeManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}

export function decodeManifest(key: string, bytes: Uint8Array): Manifest {
  const kind = { shape: manifestShape, name: 'manifest', hint: restoreHint };
  return decode(kind, key, bytes);
}

export function encodePointer(pointer: Pointer): Uint8Array {
  return Buffer.from(`${JSON.stringify(pointer)}\n`);
}

export function decodePointer(key: string, bytes: Uint8Array): Pointer {
  const kind = { shape: pointerShape, name: 'pointer to a manifest', hint: pointerHint };
  return decode(kind, key, bytes);
}

/** For a manifest that differs from the bytes that were written. */
export const restoreHint =
  'Nothing was overwritten. Restore the object from an earlier version in the bucket or from a backup. `cgs-export verify` lists all affected objects.';
const pointerHint =
  'Nothing was overwritten. No snapshot depends on this object. Delete it and export again: the next run writes it from the newest manifest.';

/** Throws CorruptError that names `key`. Unknown members, which a later version may add, are ignored. */
function decode<S extends v.GenericSchema>(
  { shape, name, hint }: { shape: S; name: string; hint: string },
  key: string,
  bytes: Uint8Array,
): v.InferOutput<S> {
  let parsed: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // Encoding ends with a line feed. JSON.parse alone would not notice that this last byte is missing.
    if (!text.endsWith('\n')) throw new SyntaxError('no line feed at the end');
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new CorruptError(key, `does not parse as a ${name}: it was truncated or altered`, hint, {
      cause,
    });
  }
  const result = v.safeParse(shape, parsed);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? '(root)';
  throw new CorruptError(key, `is not a valid ${name}: ${path} ${issue.message}`, hint);
}
