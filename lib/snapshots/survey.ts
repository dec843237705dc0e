// Responsible for what a store holds besides the bytes of the parts: manifests, chains, pointers, unnamed and foreign objects.
// It only reads. Not responsible for the parts' bytes (verification.ts).

import { CorruptError, StoreError, UnusableObjectError } from '../core/errors.ts';
import {
  damagedScheduleKey,
  dataDirectories,
  headKey,
  headsPrefix,
  isFutureName,
  isPartOf,
  isPointerKey,
  isRunKey,
  latestKey,
  latestPrefix,
  leasePrefix,
  manifestKey,
  manifestsPrefix,
  parseManifestKey,
  parsePartKey,
  quotaPrefix,
  scheduleKey,
  type TargetKey,
  targetId,
  workPrefix,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { isLeaseKey } from '../quota/lease.ts';
import { isLedgerKey } from '../quota/ledger-entry.ts';
import { describeIrregular, type Fault, irregularHint, toFault } from './catalog.ts';
import { checkChain, type TargetChain } from './chain.ts';
import {
  decodeSealed,
  type Part,
  type Previous,
  pointerHint,
  restoreHint,
  type Sealed,
} from './manifest.ts';
import { checkPointers, type StoredPointer } from './pointer-check.ts';
import { openSealsUnderWay, type SealsUnderWay } from './under-way.ts';

/** The newest snapshot of a target that was sealed, as the schedule remembers it. */
export interface LastSealed extends Previous {
  target: TargetKey;
}

export interface Survey {
  chains: readonly TargetChain[];
  /** Each part that a manifest names, by its key, with that manifest's key. */
  named: ReadonlyMap<string, { part: Part; manifestKey: string }>;
  faults: readonly Fault[];
  /** Objects that exist but could not be read, with the reason. */
  unchecked: readonly Fault[];
  /** Objects that no manifest names, outside `_*`. */
  unnamed: readonly string[];
  /** Those of them that are in a data directory. `isIrregular`: a link, a pipe or a device, which other programs may read. */
  unnamedData: readonly { key: string; isIrregular: boolean }[];
  /** Keys that a seal explains that is under way. */
  underWay: readonly string[];
  /** Objects under `_*` that cgs-export did not write. */
  foreign: readonly string[];
}

interface Findings {
  faults: Fault[];
  unchecked: Fault[];
  underWay: string[];
}

/**
 * `tables`: of the configuration, in addition to those that have manifests. `remembered`: read before this is called, so that all
 * of it was sealed before.
 */
export async function readSurvey(
  store: Store,
  tables: readonly string[],
  remembered: readonly LastSealed[],
): Promise<Survey> {
  const findings: Findings = { faults: [], unchecked: [], underWay: [] };
  // This order makes the result right while another process seals: the parts that are listed here are in a seal record or in a
  // manifest that is read later, and the pointers name manifests that are read later.
  const objects = await store.list('');
  const irregular = (await store.listIrregular?.()) ?? [];
  const keys = [...objects.map(({ key }) => key), ...irregular];
  const pointers = await readPointers(store, keys, findings);
  const chains = await readChains(store, irregular, findings);
  for (const chain of chains) checkChain(chain, (fault) => findings.faults.push(fault));
  const named = listParts(chains, findings);
  const lastSealed = remembered.filter(({ snapshot }) => !isFutureName(snapshot, store.nowMs()));
  const underWay = openSealsUnderWay(store, (target) => findRemembered(lastSealed, target));
  await checkTargets(store, { chains, pointers, underWay }, findings);
  checkRemembered(lastSealed, chains, findings);
  const directories = new Set([
    ...tables.flatMap(dataDirectories),
    ...lastSealed.flatMap(({ target }) => dataDirectories(target.table)),
    ...chains.flatMap(({ target }) => dataDirectories(target.table)),
  ]);
  const unnamed: string[] = [];
  const unnamedData: { key: string; isIrregular: boolean }[] = [];
  for (const { key } of objects) {
    if (key.startsWith('_') || named.has(key)) continue;
    const isData = key.includes('/') && directories.has(key.slice(0, key.indexOf('/')));
    if (isData && (await explainPart(key, { chains, pointers, underWay }, findings))) continue;
    unnamed.push(key);
    if (isData) unnamedData.push({ key, isIrregular: false });
  }
  for (const key of irregular) {
    if (key.startsWith('_') || named.has(key)) continue;
    unnamed.push(key);
    const [folder = ''] = key.split('/');
    if (directories.has(folder)) unnamedData.push({ key, isIrregular: true });
  }
  const foreign = keys.filter(isForeign);
  return { chains, named, unnamed, unnamedData, foreign, ...findings };
}

/** Whether an object exists under `_*` that the exporter would not write there. */
function isForeign(key: string): boolean {
  if (!key.startsWith('_')) return false;
  if (key.startsWith(manifestsPrefix)) return !key.endsWith('.json');
  if (key.startsWith(headsPrefix) || key.startsWith(latestPrefix)) return !isPointerKey(key);
  if (key.startsWith(quotaPrefix)) return !isLedgerKey(key);
  if (key.startsWith(leasePrefix)) return !isLeaseKey(key);
  if (key.startsWith(workPrefix)) {
    return key !== scheduleKey && key !== damagedScheduleKey && !isRunKey(key);
  }
  return true;
}

/** Null if the object does not exist, or cannot be read: it is then in `unchecked`, or in `faults` if it is a link or a pipe. */
export async function readOrNote(
  store: Store,
  key: string,
  { faults, unchecked }: Pick<Findings, 'faults' | 'unchecked'>,
): Promise<Uint8Array | null> {
  try {
    return await store.get(key);
  } catch (error) {
    if (error instanceof UnusableObjectError) {
      faults.push({ key, message: describeIrregular(error), hint: irregularHint });
      return null;
    }
    // Other errors of the store are about the store as a whole.
    if (!(error instanceof StoreError) || error.code !== 'STORE_DENIED') throw error;
    unchecked.push({ key, message: error.message, hint: error.hint });
    return null;
  }
}

/** The bytes of each pointer, by its key. */
async function readPointers(
  store: Store,
  keys: readonly string[],
  findings: Findings,
): Promise<Map<string, Uint8Array>> {
  const pointers = new Map<string, Uint8Array>();
  for (const key of keys) {
    const bytes = isPointerKey(key) && (await readOrNote(store, key, findings));
    if (bytes) pointers.set(key, bytes);
  }
  return pointers;
}

async function readChains(
  store: Store,
  irregular: readonly string[],
  findings: Findings,
): Promise<readonly TargetChain[]> {
  const { faults } = findings;
  interface GrowingChain extends TargetChain {
    sealed: Sealed[];
    found: Map<string, string | null>;
  }
  const chains = new Map<string, GrowingChain>();
  const objects = await store.list(manifestsPrefix);
  const special = irregular.filter((key) => parseManifestKey(key) !== null);
  for (const key of [...objects.map((object) => object.key), ...special].sort(compareUtf8)) {
    const place = parseManifestKey(key);
    if (!place) {
      const hint = 'Find out which program wrote it, then delete it: it counts for nothing.';
      if (key.endsWith('.json')) faults.push({ key, message: 'is no manifest of its key', hint });
      continue;
    }
    const { target } = place;
    const empty: GrowingChain = { target, sealed: [], found: new Map() };
    const chain = chains.get(targetId(target)) ?? empty;
    chains.set(targetId(target), chain);
    const bytes = await readOrNote(store, key, findings);
    chain.found.set(key, bytes && sha256(bytes));
    if (!bytes) continue;
    try {
      chain.sealed.push(decodeSealed(key, bytes));
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
      faults.push(toFault(error));
    }
  }
  return [...chains.values()];
}

/** A manifest may name only parts of its own snapshot. Another key could lead out of the store, and is not read. */
function listParts(
  chains: readonly TargetChain[],
  { faults }: Findings,
): Map<string, { part: Part; manifestKey: string }> {
  const named = new Map<string, { part: Part; manifestKey: string }>();
  for (const { target, sealed } of chains) {
    for (const { manifest, manifestKey: key } of sealed) {
      for (const part of manifest.parts) {
        if (isPartOf(target, manifest.snapshot, part)) {
          named.set(part.key, { part, manifestKey: key });
          continue;
        }
        const message = `names ${JSON.stringify(part.key)}, which is no key of a part of this snapshot: the manifest was altered`;
        faults.push({ key, message, hint: restoreHint });
      }
    }
  }
  return named;
}

interface Context {
  chains: readonly TargetChain[];
  pointers: ReadonlyMap<string, Uint8Array>;
  underWay: SealsUnderWay;
}

async function checkTargets(store: Store, context: Context, findings: Findings): Promise<void> {
  const { chains, pointers, underWay } = context;
  const { faults, unchecked } = findings;
  const nowMs = store.nowMs();
  const isNoted = new Set([...faults, ...unchecked].map(({ key }) => key));
  const toPointer = (key: string): StoredPointer => ({ key, bytes: pointers.get(key) ?? null });
  const checked = new Set<string>();
  for (const chain of chains) {
    const { target } = chain;
    const keys = [headKey(target), latestKey(target)] as const;
    for (const key of keys) checked.add(key);
    if (keys.some((key) => isNoted.has(key))) continue;
    const [head, latest] = [toPointer(keys[0]), toPointer(keys[1])];
    const result = checkPointers(chain, { head, latest }, nowMs);
    const { ifUnderWay } = result;
    if (ifUnderWay && (await underWay.partsOf(target, ifUnderWay.snapshot)).length > 0) {
      findings.underWay.push(manifestKey(target, ifUnderWay.snapshot));
      faults.push(...ifUnderWay.faults);
    } else faults.push(...result.faults);
  }
  for (const key of pointers.keys()) {
    if (checked.has(key)) continue;
    faults.push({ key, message: 'names a target that has no manifest', hint: pointerHint(key) });
  }
}

function findRemembered(lastSealed: readonly LastSealed[], target: TargetKey): string | null {
  const found = lastSealed.find((one) => targetId(one.target) === targetId(target));
  return found?.snapshot ?? null;
}

/** The manifests that were sealed last must still exist. Other findings about the same object say as much. */
function checkRemembered(
  lastSealed: readonly LastSealed[],
  chains: readonly TargetChain[],
  { faults }: Findings,
): void {
  const isNoted = new Set(faults.map(({ key }) => key));
  for (const { target, snapshot, manifestSha256 } of lastSealed) {
    const key = manifestKey(target, snapshot);
    const chain = chains.find((one) => targetId(one.target) === targetId(target));
    const hash = chain?.found.get(key);
    if (isNoted.has(key) || hash === null || hash === manifestSha256) continue;
    const what =
      hash === undefined
        ? `is missing: ${scheduleKey} says that it was sealed`
        : `was altered: ${scheduleKey} recorded another hash of it`;
    faults.push({ key, message: what, hint: restoreHint });
  }
}

/** Whether the object needs no manifest that names it: a seal is under way, or its manifest cannot be read. */
async function explainPart(
  key: string,
  { chains, pointers, underWay }: Context,
  findings: Findings,
): Promise<boolean> {
  const part = parsePartKey(key);
  if (!part) return false;
  const { target, snapshot } = part;
  const chain = chains.find((one) => targetId(one.target) === targetId(target));
  if (chain?.found.get(manifestKey(target, snapshot)) === null) {
    const message = 'its manifest cannot be read';
    const [reason] = [...findings.unchecked, ...findings.faults];
    findings.unchecked.push({ key, message, hint: reason?.hint ?? '' });
    return true;
  }
  // Once `_head` names the snapshot or a newer one, its seal is over.
  if (!underWay.isNewerThanHead(target, snapshot, pointers.get(headKey(target)) ?? null))
    return false;
  const lists = await underWay.partsOf(target, snapshot);
  if (!lists.some((parts) => parts.includes(key))) return false;
  findings.underWay.push(key);
  return true;
}
