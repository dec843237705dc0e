// Responsible for tombstones, which say what retention deletes of a snapshot: encode, decode, compare with the manifest, read and
// write. Not responsible for deleting (pruning.ts).

import * as v from 'valibot';
import { CorruptError } from '../core/errors.ts';
import { parseBounded } from '../core/exact-json.ts';
import {
  snapshotTimeMs,
  type TargetKey,
  tombstoneKey,
  tombstoneSignatureKey,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { readEvidence } from '../snapshots/catalog.ts';
import type { Part, Sealed } from '../snapshots/manifest.ts';
import { publishKey } from '../snapshots/published-key.ts';
import type { SigningKey } from '../snapshots/signature.ts';

const tombstoneShape = v.object({
  table: v.string(),
  region: v.string(),
  projectId: v.string(),
  snapshot: v.pipe(
    v.string(),
    v.check((name) => snapshotTimeMs(name) !== null, 'is not a snapshot name'),
  ),
  manifestSha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** Keys of the parts that are deleted. */
  parts: v.array(v.string()),
  prunedAt: v.pipe(v.string(), v.isoTimestamp()),
  /** The rules that did not keep it, as in the configuration. */
  rule: v.string(),
  signing: v.nullable(v.object({ keyId: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)) })),
});

export type Tombstone = v.InferOutput<typeof tombstoneShape>;

/** With its bytes, which its signature is over. */
export interface StoredTombstone {
  tombstone: Tombstone;
  bytes: Uint8Array;
}

/** What a tombstone must agree with. */
type Pruned = Pick<Sealed, 'manifestSha256'> & {
  manifest: { snapshot: string; parts: readonly Part[] };
};

/** Rows and rejects. Changes are never pruned. */
export function isPrunable({ role }: Pick<Part, 'role'>): boolean {
  return role !== 'changes';
}

/** One line, so that programs that read JSON line by line can read it. */
export function encodeTombstone(tombstone: Tombstone): Uint8Array {
  return Buffer.from(`${JSON.stringify(tombstone)}\n`);
}

/** Throws CorruptError if the bytes are not a tombstone of this snapshot. */
export function decodeTombstone(target: TargetKey, snapshot: string, bytes: Uint8Array): Tombstone {
  const key = tombstoneKey(target, snapshot);
  let parsed: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.endsWith('\n')) throw new SyntaxError('no line feed at the end');
    parsed = parseBounded(text);
  } catch (cause) {
    const message = 'does not parse as a tombstone: it was truncated or altered';
    throw new CorruptError(key, message, tombstoneHint, { cause });
  }
  const result = v.safeParse(tombstoneShape, parsed);
  if (!result.success) {
    const [issue] = result.issues;
    const message = `is not a valid tombstone: ${v.getDotPath(issue) ?? '(root)'} ${issue.message}`;
    throw new CorruptError(key, message, tombstoneHint);
  }
  const { table, region, projectId, snapshot: name } = result.output;
  if (tombstoneKey({ table, region, projectId }, name) === key) return result.output;
  throw new CorruptError(key, 'is the tombstone of another snapshot', tombstoneHint);
}

/** Throws CorruptError unless the tombstone has the manifest's hash and names exactly its rows and rejects. */
export function checkFit(target: TargetKey, tombstone: Tombstone, sealed: Pruned): void {
  const { manifest, manifestSha256 } = sealed;
  const key = tombstoneKey(target, manifest.snapshot);
  if (tombstone.manifestSha256 !== manifestSha256) {
    const message = 'does not fit its manifest: it has another hash of it';
    throw new CorruptError(key, message, tombstoneHint);
  }
  const expected = manifest.parts.filter(isPrunable).map((part) => part.key);
  const named = new Set(tombstone.parts);
  const isSame =
    tombstone.parts.length === expected.length && expected.every((part) => named.has(part));
  if (isSame) return;
  const message = 'does not fit its manifest: it names other parts than its rows and rejects';
  throw new CorruptError(key, message, tombstoneHint);
}

/** Null if there is none. Throws CorruptError if the object is not a tombstone of the snapshot. */
export async function readTombstone(
  store: Store,
  target: TargetKey,
  snapshot: string,
): Promise<StoredTombstone | null> {
  const bytes = await readEvidence(store, tombstoneKey(target, snapshot));
  return bytes && { tombstone: decodeTombstone(target, snapshot, bytes), bytes };
}

/** The public key and the signature first: the tombstone is what counts. `signingKey` null: it is not signed. */
export async function writeTombstone(
  store: Store,
  target: TargetKey,
  content: Pick<Tombstone, 'snapshot' | 'manifestSha256' | 'parts' | 'prunedAt' | 'rule'>,
  signingKey: SigningKey | null,
): Promise<void> {
  const { table, region, projectId } = target;
  const { snapshot, manifestSha256, parts, prunedAt, rule } = content;
  const signing = signingKey && { keyId: signingKey.keyId };
  const bytes = encodeTombstone({
    ...{ table, region, projectId, snapshot, manifestSha256, parts, prunedAt, rule, signing },
  });
  if (signingKey) {
    // The next export reports it if another object has the name of the public key.
    await publishKey(store, signingKey);
    await store.put(tombstoneSignatureKey(target, snapshot), signingKey.sign(bytes));
  }
  await store.put(tombstoneKey(target, snapshot), bytes);
}

const tombstoneHint =
  'So no part of this snapshot may be missing, and prune deletes nothing of it. Restore the tombstone from an earlier version in the bucket or from a backup. If all parts of the snapshot still exist, you can delete the tombstone instead. Then run `cgs-export verify`.';
