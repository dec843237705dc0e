// Responsible for the snapshot that a new one is compared with, its base: which one it is, and its rows.

import { CorruptError } from '../core/errors.ts';
import { stringifyCanonical } from '../core/exact-json.ts';
import {
  isFutureName,
  isPartOf,
  manifestKey,
  parseManifestKey,
  parsePartKey,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Dataset, Decoder, Scratch, Store } from '../core/ports.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import { findProven } from '../retention/proven-chain.ts';
import { checkFit, readTombstone } from '../retention/tombstone.ts';
import { openTombstoneKeys, requireSigned } from '../retention/tombstone-signature.ts';
import {
  type Fault,
  listSnapshots,
  readManifest,
  readManifestOrFault,
  type Sealed,
  searchedMax,
  toFault,
} from '../snapshots/catalog.ts';
import {
  type ChangesNone,
  type Manifest,
  type Part,
  type Previous,
  restoreHint,
} from '../snapshots/manifest.ts';
import { openPartRows, type PartRows } from '../snapshots/part-rows.ts';
import { readPublicKey, type SigningKey } from '../snapshots/signature.ts';
import type { ChainEnd } from './chain-end.ts';

/** The snapshot that is compared with, or why there is none. */
export type Base = Previous | ChangesNone;

export interface BasePorts {
  store: Store;
  scratch: Scratch;
  dataset: Dataset;
  /** Of the Parquet parts. */
  decoder: Decoder;
  /** Awaited before each manifest. */
  keepAlive: () => Promise<void>;
}

/** The newest complete snapshot, if it is of the same list. Reads no rows. */
export async function chooseBase(
  ports: Omit<BasePorts, 'scratch' | 'decoder'>,
  target: TargetKey,
  checkpoint: Checkpoint,
  end: ChainEnd,
): Promise<Base> {
  const { dataset } = ports;
  if (checkpoint.verdict !== 'complete') return 'drifted';
  const newest = await findNewestComplete(ports, target, end);
  if (!newest) return 'first';
  const { manifest, manifestSha256 } = newest;
  const { snapshot } = manifest;
  if (listOf(manifest) !== listOf({ dataset: dataset.name, scope: checkpoint.scope }))
    return 'scope';
  return { snapshot, manifestSha256 };
}

/**
 * Null: there is none. If the newest `searchedMax` snapshots are drifted, `_latest` says which one it is; without it, it counts as
 * if there was none.
 */
async function findNewestComplete(
  { store, keepAlive }: Pick<BasePorts, 'store' | 'keepAlive'>,
  target: TargetKey,
  { taken, latest, newestComplete }: ChainEnd,
): Promise<Sealed | null> {
  const isPast = (name: string) => !isFutureName(name, store.nowMs());
  if (newestComplete && isPast(newestComplete.manifest.snapshot)) return newestComplete;
  // Already searched, if it is null.
  const searched = newestComplete === null ? [] : taken.filter(isPast).slice(-searchedMax);
  if (latest && isPast(latest.snapshot)) searched.unshift(latest.snapshot);
  for (const name of searched.reverse()) {
    await keepAlive();
    // A damaged manifest is a fault of the evidence: readChainEnd() and `verify` report it.
    const { sealed } = await readManifestOrFault(store, target, name);
    if (sealed?.manifest.verdict === 'complete') return sealed;
  }
  return null;
}

/** Equal for two snapshots of the same list. The account is a label, and the endpoint is an address: another one can have the same list. */
function listOf({ dataset, scope }: Pick<Manifest, 'dataset' | 'scope'>): string {
  const { region, projectId, api, enterpriseProjectId, filters } = scope;
  return stringifyCanonical({ dataset, region, projectId, api, enterpriseProjectId, filters });
}

/**
 * Whether retention has deleted the rows of a base: they are gone, and a tombstone that counts says so. A tombstone of rows that
 * still exist explains nothing. `signingKey`: the tombstone must be signed; null: it need not. `fault`: why a tombstone does not
 * count.
 */
export async function findPruning(
  store: Store,
  target: TargetKey,
  base: Previous,
  signingKey: SigningKey | null,
): Promise<{ isPruned: boolean; fault: Fault | null }> {
  try {
    const part = await findRows(store, target, base);
    const isStored = (await store.list(part.key)).some(({ key }) => key === part.key);
    const stored = isStored ? null : await readTombstone(store, target, base.snapshot);
    const sealed = stored && (await readManifest(store, target, base.snapshot));
    if (!sealed) return { isPruned: false, fault: null };
    checkFit(target, stored.tombstone, sealed);
    const publicKey = signingKey && readPublicKey(signingKey.publicPem);
    if (publicKey) {
      const names = (await listSnapshots(store, target)).filter((name) => name >= base.snapshot);
      const proven = await findProven(store, target, names, publicKey);
      await requireSigned(openTombstoneKeys(store, target, publicKey, proven), stored);
    }
    return { isPruned: true, fault: null };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return { isPruned: false, fault: toFault(error) };
  }
}

/**
 * The rows of the base. Throws CorruptError of the base, as isOfBase() tells, if its manifest or its Parquet part is missing, was
 * altered or cannot be decoded; StoreError; ScratchError.
 */
export async function openBase(
  { store, scratch, dataset, decoder }: BasePorts,
  target: TargetKey,
  base: Previous,
): Promise<PartRows> {
  const { columns, keyColumn } = dataset;
  const part = await findRows(store, target, base);
  const open = () => openPartRows(part, { store, scratch, decoder, columns, keyColumn });
  return open().catch((error: unknown) => {
    // A large object can be damaged on the way.
    if (error instanceof CorruptError) return open();
    throw error;
  });
}

/** The Parquet part with the rows of the base, as its manifest names it. Throws CorruptError. */
async function findRows(store: Store, target: TargetKey, base: Previous): Promise<Part> {
  const key = manifestKey(target, base.snapshot);
  const sealed = await readManifest(store, target, base.snapshot);
  if (sealed?.manifestSha256 !== base.manifestSha256) {
    const message = sealed ? 'has other bytes than when this seal began' : 'is missing';
    throw new CorruptError(key, message, restoreHint);
  }
  const part = sealed.manifest.parts.find(
    ({ role, format }) => role === 'rows' && format === 'parquet',
  );
  if (part && isPartOf(target, base.snapshot, part)) return part;
  throw new CorruptError(key, 'names no Parquet part with its rows', restoreHint);
}

/** Whether the error says that an object of the base is not as it was sealed. */
export function isOfBase(error: unknown, base: Previous): error is CorruptError {
  if (!(error instanceof CorruptError)) return false;
  const { key } = error;
  const snapshot = (parseManifestKey(key) ?? parsePartKey(key))?.snapshot;
  return snapshot === base.snapshot;
}
