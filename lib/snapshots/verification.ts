// Responsible for checking that a store still holds what its manifests say, and for what that proves. It only reads. What is in
// the store besides the bytes of the parts: survey.ts. The bytes of the parts: part-check.ts.

import { isFutureName, manifestKey, parsePartKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { type Fault, irregularHint } from './catalog.ts';
import { findChainEnd } from './chain.ts';
import { findGaps, type Gap } from './gaps.ts';
import type { SealedSummary } from './manifest.ts';
import { checkParts } from './part-check.ts';
import type { OnProgress } from './stored-evidence.ts';
import { type LastSealed, readSurvey, type Survey } from './survey.ts';

export interface VerifyOptions {
  /** Tables of the configuration: their data directories are checked even if they have no manifest. */
  tables?: readonly string[];
  /** True: an object in a data directory that no manifest names is no fault. */
  allowsUnnamed?: boolean;
  /** What the schedule remembers, read before: the manifests must exist, and a seal record of them excuses nothing. */
  lastSealed?: readonly LastSealed[];
}

type Missed = Gap & { account: string; table: string; region: string; projectId: string };

export interface Verification {
  manifests: number;
  /** Of the parts that were read. */
  parts: number;
  bytes: number;
  verdicts: { complete: number; drifted: number };
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
}

/**
 * Memory: a few hundred bytes for each object of the store, and a few chunks of parts. Throws the error of a store that cannot be
 * read at all.
 */
export async function verifyStore(
  store: Store,
  onProgress: OnProgress,
  { tables = [], allowsUnnamed = false, lastSealed = [] }: VerifyOptions = {},
): Promise<Verification> {
  const options = { tables, lastSealed };
  let survey = await readSurvey(store, options, onProgress);
  // Another process may have sealed meanwhile. Only what is still wrong is a fault.
  const isSuspicious = survey.faults.length > 0 || survey.unnamedData.length > 0;
  if (isSuspicious) survey = await readSurvey(store, options, onProgress);
  const parts = await checkParts(store, [...survey.named.values()], onProgress);
  const unnamedFaults = allowsUnnamed ? [] : survey.unnamedData.map(describeUnnamed);
  const chains = [...survey.chains.values()];
  const sealed = chains.flatMap((chain) => [...chain.sealed.values()]);
  const nowMs = store.nowMs();
  const count = (verdict: string) =>
    sealed.filter(({ manifest }) => manifest.verdict === verdict).length;
  return {
    manifests: sealed.length,
    parts: parts.read,
    bytes: parts.bytes,
    verdicts: { complete: count('complete'), drifted: count('drifted') },
    gaps: chains.flatMap((chain) => listMissed([...chain.sealed.values()], nowMs)),
    faults: [...survey.faults, ...parts.faults, ...unnamedFaults],
    unchecked: [...survey.unchecked, ...parts.unchecked],
    unnamed: [...survey.unnamed],
    underWay: [...survey.underWay],
    foreign: [...survey.foreign],
    future: sealed
      .filter(({ manifest }) => isFutureName(manifest.snapshot, nowMs))
      .map(({ manifestKey }) => manifestKey),
    newest: chains
      .map((chain) => findChainEnd(chain, nowMs))
      .filter((end) => end !== null)
      .map(({ manifest, manifestKey, manifestSha256 }) => {
        return { account: manifest.scope.account, manifest: manifestKey, manifestSha256 };
      }),
  };
}

function describeUnnamed({ key, isIrregular }: Survey['unnamedData'][number]): Fault {
  if (isIrregular) {
    const message =
      'is a link, a pipe or a device in a data directory: cgs-export does not read it, but other programs may';
    return { key, message, hint: irregularHint };
  }
  const part = parsePartKey(key);
  if (part) {
    const { snapshot } = part;
    const manifest = manifestKey(part.target, snapshot);
    return {
      key,
      message: `is a part of snapshot ${snapshot} by its name, but no readable manifest names it`,
      hint: `If ${manifest} is lost or damaged, leave this object where it is and restore the manifest from an earlier version or a backup: both then match again. If the manifest is intact, or the snapshot was never sealed, find out which program wrote this object, then move it away. --allow-unnamed makes this a warning.`,
    };
  }
  return {
    key,
    message: 'is in a data directory, but no manifest names it',
    hint: 'Programs that read the whole directory read this object too. Find out which program wrote it, then move it away. cgs-export deletes only what its own seal records name. --allow-unnamed makes this a warning.',
  };
}

function listMissed(sealed: readonly SealedSummary[], nowMs: number): Missed[] {
  const present = sealed.filter(({ manifest }) => !isFutureName(manifest.snapshot, nowMs));
  const manifests = present.map(({ manifest }) => manifest);
  const [first] = manifests;
  if (!first) return [];
  const { table } = first;
  const { account, region, projectId } = (manifests.at(-1) ?? first).scope;
  return findGaps(manifests, nowMs).map((gap) => ({ account, table, region, projectId, ...gap }));
}
