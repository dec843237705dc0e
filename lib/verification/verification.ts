// Responsible for checking that a store still holds what its manifests say, and for what that proves. It only reads. What is in
// the store besides the bytes of the parts: survey.ts. The bytes and rows of the parts: part-check.ts.

import {
  isFutureName,
  manifestKey,
  parsePartKey,
  snapshotTimeMs,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { readPruned } from '../retention/tombstone-check.ts';
import { type Fault, irregularHint } from '../snapshots/catalog.ts';
import type { TargetChain } from '../snapshots/chain.ts';
import { findGaps, type Gap } from '../snapshots/gaps.ts';
import { newerHint, type SealedSummary } from '../snapshots/manifest.ts';
import type { PublicKey } from '../snapshots/signature.ts';
import { checkParts, type NamedPart } from './part-check.ts';
import { listNewest, type Pin } from './pins.ts';
import type { RowCheck } from './stated-rows.ts';
import type { OnProgress } from './stored-evidence.ts';
import { type LastSealed, readSurvey, type Survey } from './survey.ts';

export interface VerifyOptions {
  /** Tables of the configuration: their data directories are checked even if they have no manifest. */
  tables?: readonly string[];
  /** True: an object in a data directory that no manifest names is not a fault. */
  allowsUnnamed?: boolean;
  /** What the schedule remembers, read before: the manifests must exist, also if there is a seal record of them. */
  lastSealed?: readonly LastSealed[];
  /** Read before. Null: the user gave none. */
  pins?: readonly Pin[] | null;
  /** Those that the user trusts. Empty: signatures are checked with the keys that the store has itself. */
  publicKeys?: readonly PublicKey[];
  /** Parts of older snapshots are not hashed, only listed; `Infinity`: no part is hashed. Milliseconds; null: all are hashed. */
  hashSinceMs?: number | null;
  /** True: no further part is hashed. The newest ones are hashed first. */
  isTimeUp?: () => boolean;
  /** Reads the rows of the parts that are hashed, to compare them with their manifests. Absent: no rows are read. */
  rowCheck?: RowCheck | null;
}

type Missed = Gap & { account: string; table: string; region: string; projectId: string };

export interface Verification {
  manifests: number;
  /** Of the parts that were read. */
  parts: number;
  bytes: number;
  verdicts: { complete: number; drifted: number };
  /** Snapshots with a tombstone that allows their rows to be missing. */
  pruned: number;
  /** Parts that are missing because they were pruned. */
  prunedParts: number;
  /** Slots without a snapshot. */
  gaps: Missed[];
  /** Everything that does not match. */
  faults: Fault[];
  /** Objects that exist but could not be read. */
  unchecked: Fault[];
  /** Keys outside `_*` that no manifest names. In a data directory they are faults too, unless they are allowed. */
  unnamed: string[];
  /** Keys that a seal explains that is under way: not proven. */
  underWay: string[];
  /** Keys under `_*` that cgs-export did not write. */
  foreign: string[];
  /** Keys of manifests that are named more than a day after the store's time. */
  future: string[];
  /** The newest snapshot of each target. To pin the history, keep these hashes outside the store. */
  newest: { account: string; manifest: string; manifestSha256: string }[];
  signatures: SignatureCount;
  /** How many pins were checked, and how many targets have none. Null: the user gave no pins. */
  pinned: { targets: number; without: number } | null;
  /**
   * Parts that were not hashed: those of snapshots that the user left out, and those for which the time did not suffice. `since`:
   * all parts of the snapshots from this time on were hashed; null: of no snapshot.
   */
  notHashed: { parts: number; since: string | null };
  /** Keys of the parts for which the time did not suffice, the newest first. */
  notReached: string[];
  /** Hashed parts with rows: how many were compared with their manifests row by row, and how many could not be. */
  rowParts: { compared: number; notCompared: number };
}

export interface SignatureCount {
  /** Manifests with a valid signature. */
  valid: number;
  /** Manifests that do not say that they are signed. */
  unsigned: number;
  /** `given`: the user trusts them. `store`: from `_keys/`, where who can change the store can replace them. */
  keysFrom: 'given' | 'store';
  /** The keys of the valid signatures. */
  keyIds: string[];
  /** Manifests before the first one that a trusted key signed. Only the chain proves them. */
  covered: number;
}

/** As verifyWithChains, but only its verification. */
export async function verifyStore(
  store: Store,
  onProgress: OnProgress,
  options: VerifyOptions = {},
): Promise<Verification> {
  return (await verifyWithChains(store, onProgress, options)).verification;
}

/**
 * Memory: a few hundred bytes for each object of the store, and a few chunks of parts. Throws the error of a store that cannot be
 * read at all.
 */
export async function verifyWithChains(
  store: Store,
  onProgress: OnProgress,
  options: VerifyOptions = {},
): Promise<{ verification: Verification } & Pick<Survey, 'chains' | 'unnamedData'>> {
  const { tables = [], allowsUnnamed = false, lastSealed = [], pins = null } = options;
  const { publicKeys = [], hashSinceMs = null, isTimeUp, rowCheck = null } = options;
  const surveyOptions = { tables, lastSealed, pins: pins ?? [], publicKeys };
  let survey = await readSurvey(store, surveyOptions, onProgress);
  // Another process may have sealed meanwhile. Only what is still wrong is a fault.
  const isSuspicious = survey.faults.length > 0 || survey.unnamedData.length > 0;
  if (isSuspicious) survey = await readSurvey(store, surveyOptions, onProgress);
  const named = [...survey.named.values()];
  const all = named.filter(({ isGone }) => !isGone);
  const hashed = all.filter((part) => isHashed(part, hashSinceMs));
  const findTombstone = (sealed: SealedSummary) => readPruned(survey.tombstones, sealed);
  const checking = { onProgress, findTombstone, isTimeUp };
  const parts = await checkParts({ store, rowCheck }, hashed, checking);
  const unnamedFaults = allowsUnnamed ? [] : listUnnamedFaults(survey);
  const chains = [...survey.chains.values()];
  const sealed = chains.flatMap((chain) => [...chain.sealed.values()]);
  const nowMs = store.nowMs();
  const count = (verdict: string) =>
    sealed.filter(({ manifest }) => manifest.verdict === verdict).length;
  const verification: Verification = {
    manifests: sealed.length,
    parts: parts.read,
    bytes: parts.bytes,
    verdicts: { complete: count('complete'), drifted: count('drifted') },
    pruned: new Set([...survey.pruned, ...parts.prunedMeanwhile]).size,
    prunedParts: named.length - all.length + parts.gone,
    gaps: chains.flatMap((chain) => listMissed([...chain.sealed.values()], nowMs)),
    faults: [...survey.faults, ...parts.faults, ...unnamedFaults],
    unchecked: [...survey.unchecked, ...parts.unchecked],
    unnamed: [...survey.unnamed],
    underWay: [...survey.underWay],
    foreign: [...survey.foreign],
    future: sealed
      .filter(({ manifest }) => isFutureName(manifest.snapshot, nowMs))
      .map(({ manifestKey }) => manifestKey),
    newest: listNewest(survey.chains, nowMs).map((pin) => {
      const { account, manifestSha256 } = pin;
      return { account, manifest: manifestKey(pin, pin.snapshot), manifestSha256 };
    }),
    signatures: countSignatures(survey, publicKeys),
    pinned: pins && {
      targets: pins.length,
      without: [...survey.chains.keys()].filter((id) => !pins.some((pin) => targetId(pin) === id))
        .length,
    },
    notHashed: {
      parts: all.length - hashed.length + parts.notReached.length,
      since: findHashedSince(hashed, parts.notReached, hashSinceMs),
    },
    notReached: parts.notReached.map(({ part }) => part.key),
    rowParts: parts.rows,
  };
  return { verification, chains: survey.chains, unnamedData: survey.unnamedData };
}

/** A part that the list did not show with its size is read in any case. */
function isHashed({ sealed, isListed }: NamedPart, hashSinceMs: number | null): boolean {
  const { snapshot } = sealed.manifest;
  return hashSinceMs === null || !isListed || (snapshotTimeMs(snapshot) ?? 0) >= hashSinceMs;
}

/** From when on all parts were hashed, ISO 8601 UTC. Null: every part was, or of no snapshot all were. */
function findHashedSince(
  hashed: readonly NamedPart[],
  notReached: readonly NamedPart[],
  hashSinceMs: number | null,
): string | null {
  const toText = (ms: number) => (Number.isFinite(ms) ? new Date(ms).toISOString() : null);
  const timeOf = ({ sealed }: NamedPart) => snapshotTimeMs(sealed.manifest.snapshot) ?? 0;
  if (notReached.length === 0) return hashSinceMs === null ? null : toText(hashSinceMs);
  const newestLeftMs = notReached.reduce((max, part) => Math.max(max, timeOf(part)), 0);
  const laterMs = hashed.map(timeOf).filter((ms) => ms > newestLeftMs);
  return toText(laterMs.reduce((min, ms) => Math.min(min, ms), Number.POSITIVE_INFINITY));
}

function countSignatures(
  { chains, covered }: Survey,
  publicKeys: readonly PublicKey[],
): SignatureCount {
  const all: readonly TargetChain[] = [...chains.values()];
  const signatures = all.flatMap((chain) => [...chain.signatures.values()]);
  const valid = signatures.filter(({ isValid }) => isValid === true);
  const manifests = all.reduce((sum, { sealed }) => sum + sealed.size, 0);
  return {
    valid: valid.length,
    unsigned: manifests - signatures.length,
    keysFrom: publicKeys.length > 0 ? 'given' : 'store',
    keyIds: [...new Set(valid.map(({ keyId }) => keyId))].sort(),
    covered,
  };
}

function listUnnamedFaults({ unnamedData, chains }: Survey): Fault[] {
  return unnamedData.map((unnamed) => describeUnnamed(unnamed, chains));
}

function describeUnnamed(
  { key, irregular }: Survey['unnamedData'][number],
  chains: Survey['chains'],
): Fault {
  if (irregular === 'name') {
    const message =
      'is in a data directory, and its name is not UTF-8: no object of cgs-export has such a name, but other programs may read it';
    return { key, message, hint: misnamedHint };
  }
  if (irregular === 'special') {
    const message =
      'is a link, a pipe or a device in a data directory: cgs-export does not read it, but other programs may';
    return { key, message, hint: irregularHint };
  }
  const part = parsePartKey(key);
  if (part) {
    const { snapshot } = part;
    if (chains.get(targetId(part.target))?.newer.has(snapshot)) {
      const message = `is a part of snapshot ${snapshot} by its name, but was not checked: a newer version of cgs-export wrote the manifest`;
      return { key, message, hint: newerHint };
    }
    const manifest = manifestKey(part.target, snapshot);
    return {
      key,
      message: `is a part of snapshot ${snapshot} by its name, but is not in any readable manifest`,
      hint: `If ${manifest} is lost or damaged, leave this object where it is and restore the manifest from an earlier version or a backup: both then match again. If the manifest is intact, or the snapshot was never sealed, find out which program wrote this object, then move it away. --allow-unnamed makes this a warning.`,
    };
  }
  return {
    key,
    message: 'is in a data directory, but is not in any manifest',
    hint: 'Programs that read the whole directory read this object too. Find out which program wrote it, then move it away. cgs-export deletes only what its own seal records name. --allow-unnamed makes this a warning.',
  };
}

const misnamedHint =
  'The bytes of the name are shown as \\xff. Find out which program wrote it, then move it away. --allow-unnamed makes this a warning.';

function listMissed(sealed: readonly SealedSummary[], nowMs: number): Missed[] {
  const present = sealed.filter(({ manifest }) => !isFutureName(manifest.snapshot, nowMs));
  const manifests = present.map(({ manifest }) => manifest);
  const [first] = manifests;
  if (!first) return [];
  const { table } = first;
  const { account, region, projectId } = (manifests.at(-1) ?? first).scope;
  return findGaps(manifests, nowMs).map((gap) => ({ account, table, region, projectId, ...gap }));
}
