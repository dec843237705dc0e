// Responsible for what a store holds besides the bytes of the parts: chains, pointers, unnamed and foreign objects. It only
// reads. Not responsible for reading manifests (stored-evidence.ts) and the parts' bytes (part-check.ts).

import {
  dataDirectories,
  headKey,
  headsPrefix,
  isFutureName,
  isPartOf,
  isPointerKey,
  isReportKey,
  isWorkKey,
  keysPrefix,
  latestKey,
  latestPrefix,
  leasePrefix,
  manifestKey,
  manifestsPrefix,
  parsePartKey,
  parseSignatureKey,
  parseTombstoneKey,
  quotaPrefix,
  reportsPrefix,
  scheduleKey,
  signaturesPrefix,
  type TargetKey,
  targetId,
  tombstonesPrefix,
  workPrefix,
} from '../core/object-keys.ts';
import type { IrregularEntry, Store, StoredObject } from '../core/ports.ts';
import { isLeaseKey } from '../quota/lease.ts';
import { isLedgerKey } from '../quota/ledger-entry.ts';
import { isPrunable } from '../retention/tombstone.ts';
import {
  checkTombstones,
  openTombstones,
  type TombstoneContext,
} from '../retention/tombstone-check.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { checkChain, type TargetChain } from '../snapshots/chain.ts';
import { type Previous, pointerHint, restoreHint } from '../snapshots/manifest.ts';
import { checkNamedKeys, checkStoredKeys, openKeys } from '../snapshots/manifest-signature.ts';
import { type Notes, readOrNote } from '../snapshots/read-note.ts';
import type { PublicKey } from '../snapshots/signature.ts';
import type { NamedPart } from './part-check.ts';
import { checkPins, type Pin } from './pins.ts';
import { checkPointers, type StoredPointer } from './pointer-check.ts';
import { checkCounts } from './stated-rows.ts';
import { listStore, type StoreList } from './store-list.ts';
import { type OnProgress, readChains, readPointers } from './stored-evidence.ts';
import { checkTrustedKeys } from './trusted-keys.ts';
import { openSealsUnderWay, type SealsUnderWay } from './under-way.ts';

/** The newest snapshot of a target that was sealed, as the schedule remembers it. */
export interface LastSealed extends Previous {
  target: TargetKey;
}

/** The chain of each target that has manifests, by targetId(). */
type Chains = ReadonlyMap<string, TargetChain>;

interface Findings extends Notes {
  /** Keys that a seal explains that is under way. */
  underWay: string[];
}

interface UnnamedData {
  key: string;
  /** Null: an object. Otherwise other programs may read it, but this one does not. */
  irregular: IrregularEntry['kind'] | null;
}

export interface Survey extends Findings {
  chains: Chains;
  /** Keys of the manifests whose rows a tombstone allows to be missing. */
  pruned: ReadonlySet<string>;
  /** To look for tombstones that are written later. */
  tombstones: TombstoneContext;
  /** Each part that a manifest names, by its key. */
  named: ReadonlyMap<string, NamedPart>;
  /** Objects that no manifest names, outside `_*`. */
  unnamed: readonly string[];
  /** Those of them that are in a data directory. */
  unnamedData: readonly UnnamedData[];
  /** Objects under `_*` that cgs-export did not write. */
  foreign: readonly string[];
  /** How many manifests are older than the first one of their target with the signature of a trusted key. */
  covered: number;
}

export interface SurveyOptions {
  /** Of the configuration, in addition to those that have manifests. */
  tables: readonly string[];
  /** Read before the survey, so that all of it was sealed before. */
  lastSealed: readonly LastSealed[];
  /** Read before the survey too. */
  pins: readonly Pin[];
  /** Those that the user trusts. Empty: signatures are checked with the keys of the store. */
  publicKeys: readonly PublicKey[];
}

export async function readSurvey(
  store: Store,
  { tables, lastSealed: remembered, pins, publicKeys }: SurveyOptions,
  onProgress: OnProgress,
): Promise<Survey> {
  const findings: Findings = { faults: [], unchecked: [], underWay: [] };
  // This order makes the result right while another process seals: the parts that are listed here are in a seal record or in a
  // manifest that is read later, and the pointers name manifests that are read later.
  const list = await listStore(store);
  const { objects, keys } = list;
  const pointers = await readPointers(store, keys, findings);
  await checkStoredKeys(store, keys, findings);
  const source = { store, findKey: openKeys(store, publicKeys) };
  const chains = await readChains(source, list, findings, onProgress);
  const report = (fault: Fault) => void findings.faults.push(fault);
  for (const chain of chains.values()) {
    checkChain(chain, report);
    for (const sealed of chain.sealed.values()) findings.faults.push(...checkCounts(sealed));
  }
  const signatures = [...chains.values()].flatMap((chain) => [...chain.signatures.values()]);
  checkNamedKeys(list, signatures, findings);
  const trusted = new Set(publicKeys.map(({ keyId }) => keyId));
  const tombstones = openTombstones({ ...source, trusted, chains });
  const pruned = await checkTombstones(tombstones, keys, findings);
  const named = listParts({ chains, pruned, keys: new Set(keys) }, objects, findings);
  const lastSealed = remembered.filter(({ snapshot }) => !isFutureName(snapshot, store.nowMs()));
  const underWay = openSealsUnderWay(store, (target) => findRemembered(lastSealed, target));
  const context: Context = { store, list, chains, pointers, underWay, findings };
  await checkTargets(context);
  checkRemembered(lastSealed, context);
  await checkSignatureKeys(keys, context);
  findings.faults.push(...checkPins(pins, chains, store.nowMs()));
  const covered = countCovered(trusted, context);
  const directories = new Set([
    ...tables.flatMap(dataDirectories),
    ...lastSealed.flatMap(({ target }) => dataDirectories(target.table)),
    ...[...chains.values()].flatMap(({ target }) => dataDirectories(target.table)),
  ]);
  const unnamed = await listUnnamed(named, directories, context);
  const misnamed = list.irregular.filter(({ key, kind }) => kind === 'name' && key.startsWith('_'));
  const foreign = [...keys.filter(isForeign), ...misnamed.map(({ key }) => key)];
  const { underWay: sealing, unchecked } = findings;
  return {
    ...{ chains, pruned, tombstones, named, ...unnamed, foreign, covered, underWay: sealing },
    faults: findings.faults.filter(({ key }) => !list.isTargetHidden(key)),
    unchecked: [...list.listRefused(), ...unchecked],
  };
}

/** What is outside `_*` and is not a part that a manifest names. */
async function listUnnamed(
  named: ReadonlyMap<string, NamedPart>,
  directories: ReadonlySet<string>,
  context: Context,
): Promise<Pick<Survey, 'unnamed' | 'unnamedData'>> {
  const { objects, irregular } = context.list;
  const isNamed = (key: string) => key.startsWith('_') || named.has(key);
  const isData = (key: string) =>
    key.includes('/') && directories.has(key.slice(0, key.indexOf('/')));
  const unnamed: string[] = [];
  const unnamedData: UnnamedData[] = [];
  for (const { key } of objects.filter((object) => !isNamed(object.key))) {
    if (isData(key) && (await explainPart(key, context))) continue;
    unnamed.push(key);
    if (isData(key)) unnamedData.push({ key, irregular: null });
  }
  for (const { key, kind } of irregular) {
    if (kind === 'special' ? isNamed(key) : key.startsWith('_')) continue;
    unnamed.push(key);
    if (isData(key) || directories.has(key)) unnamedData.push({ key, irregular: kind });
  }
  return { unnamed, unnamedData };
}

/** Whether an object exists under `_*` that the exporter would not write there. */
function isForeign(key: string): boolean {
  if (!key.startsWith('_')) return false;
  if (key.startsWith(manifestsPrefix)) return !key.endsWith('.json');
  if (key.startsWith(headsPrefix) || key.startsWith(latestPrefix)) return !isPointerKey(key);
  if (key.startsWith(quotaPrefix)) return !isLedgerKey(key);
  if (key.startsWith(leasePrefix)) return !isLeaseKey(key);
  if (key.startsWith(tombstonesPrefix)) return parseTombstoneKey(key) === null;
  if (key.startsWith(workPrefix)) return !isWorkKey(key);
  if (key.startsWith(reportsPrefix)) return !isReportKey(key);
  if (key.startsWith(signaturesPrefix)) return parseSignatureKey(key) === null;
  // checkStoredKeys() reports a *.pem that is not a public key.
  if (key.startsWith(keysPrefix)) return !key.endsWith('.pem');
  return true;
}

/** A manifest may name only parts of its own snapshot. Another key could lead out of the store, and is not read. */
function listParts(
  { chains, pruned, keys }: Pick<Survey, 'chains' | 'pruned'> & { keys: ReadonlySet<string> },
  objects: readonly StoredObject[],
  { faults }: Findings,
): Map<string, NamedPart> {
  const named = new Map<string, NamedPart>();
  for (const { target, sealed: all } of chains.values()) {
    for (const sealed of all.values()) {
      const { manifest, manifestKey: key } = sealed;
      for (const part of manifest.parts) {
        if (isPartOf(target, manifest.snapshot, part)) {
          const isGone = pruned.has(key) && isPrunable(part) && !keys.has(part.key);
          named.set(part.key, { part, sealed, isListed: false, isGone });
          continue;
        }
        const message = `names ${JSON.stringify(part.key)}, which is not a key of a part of this snapshot: the manifest was altered`;
        faults.push({ key, message, hint: restoreHint });
      }
    }
  }
  for (const { key, bytes } of objects) {
    const found = named.get(key);
    if (found?.part.bytes === bytes) found.isListed = true;
  }
  return named;
}

interface Context {
  store: Store;
  list: StoreList;
  chains: Chains;
  pointers: ReadonlyMap<string, Uint8Array>;
  underWay: SealsUnderWay;
  findings: Findings;
}

async function checkTargets(context: Context): Promise<void> {
  const { store, list, chains, pointers, findings } = context;
  const { faults, unchecked } = findings;
  const nowMs = store.nowMs();
  const isNoted = new Set([...faults, ...unchecked].map(({ key }) => key));
  const toPointer = (key: string): StoredPointer => ({ key, bytes: pointers.get(key) ?? null });
  const checked = new Set<string>();
  for (const chain of chains.values()) {
    const { target } = chain;
    const keys = [headKey(target), latestKey(target)] as const;
    for (const key of keys) checked.add(key);
    if (keys.some((key) => isNoted.has(key) || list.isHidden(key))) continue;
    const [head, latest] = [toPointer(keys[0]), toPointer(keys[1])];
    const result = checkPointers(chain, { head, latest }, nowMs);
    const { ifUnderWay } = result;
    const lists = ifUnderWay && (await findSeals(keys[0], target, ifUnderWay.snapshot, context));
    if (ifUnderWay && lists === null) continue;
    if (ifUnderWay && lists && lists.length > 0) {
      findings.underWay.push(manifestKey(target, ifUnderWay.snapshot));
      faults.push(...ifUnderWay.faults);
    } else faults.push(...result.faults);
  }
  for (const key of pointers.keys()) {
    if (checked.has(key)) continue;
    faults.push({ key, message: 'names a target that has no manifest', hint: pointerHint(key) });
  }
}

/**
 * The part keys in each record of a seal of this snapshot that is under way. Null: the records may not be read, which is noted for
 * the object `key`.
 */
async function findSeals(
  key: string,
  target: TargetKey,
  snapshot: string,
  { underWay, findings }: Context,
): Promise<(readonly string[])[] | null> {
  const { value, unchecked } = await readOrNote(key, () => underWay.partsOf(target, snapshot));
  if (!unchecked) return value ?? [];
  const message = `may belong to a seal that is under way: ${unchecked.message}`;
  findings.unchecked.push({ ...unchecked, message });
  return null;
}

/** A signature needs its manifest, and that manifest must say that it is signed, unless a seal is under way. */
async function checkSignatureKeys(keys: readonly string[], context: Context): Promise<void> {
  const { chains, pointers, underWay, findings } = context;
  for (const key of keys) {
    const signed = parseSignatureKey(key);
    if (!signed) continue;
    const { target, snapshot } = signed;
    const chain = chains.get(targetId(target));
    const named = manifestKey(target, snapshot);
    if (chain?.found.has(named)) {
      // A manifest that cannot be read is listed already.
      if (chain.signatures.has(snapshot) || !chain.sealed.has(snapshot)) continue;
      const message = `is there, but ${named} does not say that it is signed: the manifest was replaced, or another program wrote the signature`;
      findings.faults.push({ key, message, hint: restoreHint });
      continue;
    }
    const isNewer = underWay.isNewerThanHead(
      target,
      snapshot,
      pointers.get(headKey(target)) ?? null,
    );
    const lists = isNewer ? await findSeals(key, target, snapshot, context) : [];
    if (lists === null) continue;
    if (lists.length > 0) {
      findings.underWay.push(key);
      continue;
    }
    const message = `is a signature, but its manifest ${named} is missing`;
    findings.faults.push({ key, message, hint: orphanHint });
  }
}

const orphanHint =
  'Restore the manifest from an earlier version or a backup. If a seal was interrupted more than 24 hours ago, run `cgs-export export`: it continues. If the snapshot was never sealed, delete the signature.';

/** Checks every chain against the trusted keys, if there are any. */
function countCovered(trusted: ReadonlySet<string>, { store, chains, findings }: Context): number {
  if (trusted.size === 0) return 0;
  const report = (fault: Fault) => void findings.faults.push(fault);
  const counts = [...chains.values()].map((chain) =>
    checkTrustedKeys(chain, trusted, store.nowMs(), report),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

function findRemembered(lastSealed: readonly LastSealed[], target: TargetKey): string | null {
  const found = lastSealed.find((one) => targetId(one.target) === targetId(target));
  return found?.snapshot ?? null;
}

/** The manifests that were sealed last must still exist. Other findings about the same object say as much. */
function checkRemembered(
  lastSealed: readonly LastSealed[],
  { chains, findings: { faults } }: Context,
): void {
  const isNoted = new Set(faults.map(({ key }) => key));
  for (const { target, snapshot, manifestSha256 } of lastSealed) {
    const key = manifestKey(target, snapshot);
    const hash = chains.get(targetId(target))?.found.get(key);
    if (isNoted.has(key) || hash === null || hash === manifestSha256) continue;
    const what =
      hash === undefined
        ? `is missing: ${scheduleKey} says that it was sealed`
        : `was altered: ${scheduleKey} recorded another hash of it`;
    faults.push({ key, message: what, hint: restoreHint });
  }
}

/** Whether the object needs no manifest that names it: a seal is under way, or its manifest cannot be read. */
async function explainPart(key: string, context: Context): Promise<boolean> {
  const { list, chains, pointers, underWay, findings } = context;
  const part = parsePartKey(key);
  if (!part) return false;
  const { target, snapshot } = part;
  const found = chains.get(targetId(target))?.found;
  if (list.isTargetHidden(key) || found?.get(manifestKey(target, snapshot)) === null) {
    const message = 'its manifest cannot be read';
    const reason = [...list.listRefused(), ...findings.unchecked, ...findings.faults][0];
    findings.unchecked.push({ key, message, hint: reason?.hint ?? '' });
    return true;
  }
  // Once `_head` names the snapshot or a newer one, its seal is over.
  if (!underWay.isNewerThanHead(target, snapshot, pointers.get(headKey(target)) ?? null))
    return false;
  const lists = await findSeals(key, target, snapshot, context);
  if (lists === null) return true;
  if (!lists.some((parts) => parts.includes(key))) return false;
  findings.underWay.push(key);
  return true;
}
