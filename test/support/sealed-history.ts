// Responsible for stores with a long history of sealed snapshots, made directly: sealing ten thousand of them would take minutes.

import {
  headKey,
  latestKey,
  manifestKey,
  type PartKind,
  partKey,
  publicKeyKey,
  signatureKey,
  snapshotName,
  type TargetKey,
} from '../../lib/core/object-keys.ts';
import { sha256 } from '../../lib/core/state.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import {
  encodeManifest,
  encodePointer,
  type Manifest,
  type Part,
  pointerTo,
  type Sealed,
} from '../../lib/snapshots/manifest.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { scopeOf, someTarget } from './stored-run.ts';

export interface HistoryOptions {
  target?: TargetKey;
  count: number;
  /** The time of the newest snapshot. */
  newestMs: number;
  scheduleMs?: number;
  /** `age`: 0 for the newest snapshot. */
  verdictOf?: (age: number) => Manifest['verdict'];
  /** Of each snapshot and its parts. Default: 4,321. */
  rows?: number;
  /** The bytes of the parts in Parquet and NDJSON. Must differ between snapshots. Default: a line of text each. */
  bytesOf?: (age: number) => { parquet: Uint8Array; ndjson: Uint8Array };
  /** The key that signs the manifest; null, the default: it is not signed. */
  signerOf?: (age: number) => SigningKey | null;
  /** Parts besides the rows: one line of text each. */
  moreKinds?: readonly PartKind[];
  /** Default: container_nodes. The rows of another one are not compared with the manifest, so that its parts can be any text. */
  dataset?: string;
}

export interface HistoryObject {
  key: string;
  bytes: Uint8Array;
}

const rowsDefault = 4_321;
const counts = { online: 4_000, offline: 300, not_installed: 21 };
const formats = ['parquet', 'ndjson'] as const;

/** The parts, the key and the signature, and the manifest of each snapshot, oldest first, then `_latest` and `_head`. */
export function* listHistory(options: HistoryOptions): Generator<HistoryObject> {
  const { target = someTarget, count, rows = rowsDefault } = options;
  let newest: Sealed | null = null;
  let complete: Sealed | null = null;
  for (let age = count - 1; age >= 0; age -= 1) {
    const parts: Part[] = [];
    const { snapshot, bytes } = describeSnapshot(options, age);
    const kinds = [
      ...formats.map((format) => ({ role: 'rows', format, bytes: bytes[format] }) as const),
      ...(options.moreKinds ?? []).map((kind) => {
        return { ...kind, bytes: Buffer.from(`${kind.role} of ${snapshot}\n`) };
      }),
    ];
    for (const { bytes: content, ...kind } of kinds) {
      const hash = sha256(content);
      const key = partKey(target, kind, snapshot, hash);
      parts.push({ ...kind, key, rows, bytes: content.length, sha256: hash });
      yield { key, bytes: content };
    }
    const manifest = describeManifest(options, { age, snapshot, parts, before: newest });
    const key = manifestKey(target, snapshot);
    const encoded = encodeManifest(manifest);
    newest = { manifestKey: key, manifest, manifestSha256: sha256(encoded) };
    if (manifest.verdict === 'complete') complete = newest;
    const signer = options.signerOf?.(age);
    if (signer) {
      yield { key: publicKeyKey(signer.keyId), bytes: Buffer.from(signer.publicPem) };
      yield { key: signatureKey(target, snapshot), bytes: signer.sign(encoded) };
    }
    yield { key, bytes: encoded };
  }
  if (complete) yield { key: latestKey(target), bytes: encodePointer(pointerTo(complete)) };
  if (newest) yield { key: headKey(target), bytes: encodePointer(pointerTo(newest)) };
}

function describeSnapshot(options: HistoryOptions, age: number) {
  const { newestMs, scheduleMs = 24 * 3_600_000, bytesOf } = options;
  const snapshot = snapshotName(newestMs - age * scheduleMs);
  const text = (format: string) => Buffer.from(`${format} of ${snapshot}\n`);
  const bytes = bytesOf?.(age) ?? { parquet: text('parquet'), ndjson: text('ndjson') };
  return { snapshot, bytes };
}

function describeManifest(
  {
    target = someTarget,
    scheduleMs = 24 * 3_600_000,
    verdictOf = () => 'complete',
    rows = rowsDefault,
    signerOf = () => null,
    moreKinds = [],
    dataset = containerNodes.name,
  }: HistoryOptions,
  context: { age: number; snapshot: string; parts: Part[]; before: Sealed | null },
): Manifest {
  const { age, snapshot, parts, before } = context;
  const { table } = target;
  const signer = signerOf(age);
  const hasChanges = moreKinds.some(({ role }) => role === 'changes');
  const previous = before && {
    snapshot: before.manifest.snapshot,
    manifestSha256: before.manifestSha256,
  };
  return {
    manifestVersion: 1,
    dataset,
    table,
    schemaVersion: containerNodes.schemaVersion,
    snapshot,
    run: '0123456789ab',
    scheduleSeconds: scheduleMs / 1_000,
    scope: scopeOf(target),
    startedAt: '2026-11-24T06:00:00.000Z',
    sealedAt: '2026-11-24T06:05:00.000Z',
    verdict: verdictOf(age),
    rows,
    rejects: moreKinds.some(({ role }) => role === 'rejects') ? rows : 0,
    evidence: {
      ...{ pages: 22, requests: 23, retries: 0, throttled: 0, realigned: 0, repeats: 0 },
      ...{ passes: 1, totalNumFirst: rows, totalNumLast: rows, missing: 0 },
    },
    values: { agent_status: counts, protect_status: counts, host_status: counts },
    unknownValues: {},
    unknownFields: [],
    mistyped: {},
    parts,
    changes: hasChanges
      ? { since: before?.manifest.snapshot ?? snapshot, added: rows, removed: 0, changed: 0 }
      : null,
    changesNone: hasChanges ? null : 'scope',
    previous,
    signing: signer && { keyId: signer.keyId },
    writer: 'cgs-export/test',
  };
}
