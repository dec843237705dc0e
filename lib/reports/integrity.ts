// Responsible for what a report says about the integrity of the store: the findings of the verification and of reading the snapshots.
// Pure.

import type { Fault } from '../snapshots/catalog.ts';
import { describeProof, listStatements } from '../verification/proof.ts';
import type { Verification } from '../verification/verification.ts';
import { faultsShownMax, type IntegrityFigures } from './figures.ts';

export interface Findings {
  faults: Fault[];
  unchecked: Fault[];
}

const notVerified: Omit<IntegrityFigures, 'status' | 'faults' | 'unchecked'> = {
  ...{ proven: null, notProven: null, statements: { proven: [], notProven: [] } },
  ...{ manifests: 0, parts: 0, bytes: 0 },
  notHashed: { parts: 0, since: null },
  notReached: [],
  signatures: { valid: 0, unsigned: 0, keysFrom: 'store', keyIds: [] },
  ...{ pinned: null, pruned: 0 },
};

/** `verification` null: the user left it out. `reading`: what was found while the snapshots of the period were read. */
export function mergeFindings(verification: Verification | null, reading: Findings): Findings {
  return {
    faults: mergeFaults(verification?.faults ?? [], reading.faults),
    unchecked: mergeFaults(verification?.unchecked ?? [], reading.unchecked),
  };
}

/** `findings`: as mergeFindings() returns them. */
export function describeIntegrity(
  verification: Verification | null,
  { faults, unchecked }: Findings,
): IntegrityFigures {
  const isWhole = faults.length === 0 && unchecked.length === 0;
  const whole = verification ? 'verified' : 'notVerified';
  return {
    status: isWhole ? whole : 'failed',
    ...(verification ? describeVerified({ ...verification, faults, unchecked }) : notVerified),
    faults: { total: faults.length, shown: faults.slice(0, faultsShownMax) },
    unchecked: { total: unchecked.length, shown: unchecked.slice(0, faultsShownMax) },
  };
}

function describeVerified(verification: Verification): typeof notVerified {
  const { manifests, parts, bytes, notHashed, notReached, pinned, pruned } = verification;
  const { valid, unsigned, keysFrom, keyIds } = verification.signatures;
  const { stored, anchored, notProven } = listStatements(verification);
  return {
    ...describeProof(verification),
    statements: { proven: [...stored, ...anchored], notProven },
    ...{ manifests, parts, bytes, notHashed, notReached },
    signatures: { valid, unsigned, keysFrom, keyIds },
    ...{ pinned, pruned },
  };
}

/** Each object once: both may have read it. */
function mergeFaults(verified: readonly Fault[], read: readonly Fault[]): Fault[] {
  const keys = new Set(verified.map(({ key }) => key));
  const others = new Map(read.filter(({ key }) => !keys.has(key)).map((one) => [one.key, one]));
  return [...verified, ...others.values()];
}
