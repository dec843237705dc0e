// Responsible for one verification of the connected store: keys and pins, the check, the pins afterwards, and the result for
// programs. Not responsible for its words for people (cli/verify.ts) and for alerts (verify-invocation.ts).

import { type ExitCode, exitCodes, policyOf } from '../core/error-policy.ts';
import { ExportError, messageWithSubject } from '../core/errors.ts';
import type { Store } from '../core/ports.ts';
import { listLastSealed } from '../runs/schedule.ts';
import { readSchedule } from '../runs/stored-schedule.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { verifyAdvice } from '../snapshots/manifest.ts';
import { describeProof } from '../verification/proof.ts';
import type { OnProgress } from '../verification/stored-evidence.ts';
import type { LastSealed, Survey } from '../verification/survey.ts';
import {
  type Verification,
  type VerifyOptions,
  verifyWithChains,
} from '../verification/verification.ts';
import type { Connection } from './connect.ts';
import {
  describePlace,
  type PinPlace,
  readPins,
  requireNoFolder,
  requireOutside,
  updatePins,
} from './pin-file.ts';
import { readPublicKeys } from './public-keys.ts';

export interface VerifyRunOptions
  extends Pick<VerifyOptions, 'tables' | 'allowsUnnamed' | 'hashSinceMs' | 'isTimeUp'> {
  onProgress: OnProgress;
  /** False: the pins are checked, but not brought up to date. Default: true. */
  updatesPins?: boolean;
}

export interface PinsResult {
  file: string;
  /** Targets whose pin was checked. */
  checked: number;
  /** The file did not exist. */
  isCreated: boolean;
  isUpdated: boolean;
}

export type VerifyRun = Awaited<ReturnType<typeof runVerification>>;

/** Keys in `notReached` of the result: with more, it would be too long for a log line or an answer. */
const notReachedMax = 1_000;

/**
 * The pins are brought up to date only if nothing is wrong. If they cannot be written, the result says so. Throws ConfigError if the
 * keys or the pins cannot be used.
 */
export async function runVerification(
  connection: Pick<Connection, 'store' | 'scratch' | 'rowCheck' | 'pins' | 'verify'>,
  { onProgress, updatesPins = true, ...options }: VerifyRunOptions,
) {
  const { store, scratch, rowCheck, pins: place, verify } = connection;
  if (place) await requireOutside(place, store);
  if (place) await requireNoFolder(place);
  const publicKeys = await readPublicKeys(verify.publicKeys);
  const pins = place && (await readPins(place));
  // Of runs that were killed.
  await scratch.removeLeft();
  const checked = await verifyWithChains(store, onProgress, {
    ...options,
    rowCheck,
    lastSealed: await readLastSealed(store),
    pins: place && (pins ?? []),
    publicKeys,
  });
  const { verification: found, chains, unnamedData } = checked;
  const verification = { ...found, faults: found.faults.map(withoutVerifyAdvice) };
  const isGood = exitCodeOf(verification) === exitCodes.complete;
  // Of a store without snapshots there is nothing to pin.
  const written =
    place && updatesPins && isGood && verification.manifests > 0
      ? await tryUpdate(place, chains, store.nowMs())
      : { isUpdated: false, error: null };
  const { isUpdated, error: pinsError } = written;
  const pinsResult: PinsResult | null = place && {
    file: describePlace(place),
    checked: pins?.length ?? 0,
    isCreated: isUpdated && pins === null,
    isUpdated,
  };
  const { notReached } = verification;
  return {
    exitCode: pinsError ? policyOf(pinsError).exitCode : exitCodeOf(verification),
    verification,
    /** Keys of the unnamed objects that are in a data directory. */
    unnamedData: unnamedData.map(({ key }) => key),
    pins: pinsResult,
    /** Null: the pins were written, or need not be. */
    pinsError,
    json: {
      status: isGood && !pinsError ? ('verified' as const) : ('failed' as const),
      store: store.url,
      ...verification,
      notReached: notReached.slice(0, notReachedMax),
      pins: pinsResult,
      ...describeProof(verification),
      errors: [...listErrors(verification), ...(pinsError ? [toJson(pinsError)] : [])],
    },
  };
}

/** `error`: why the pins could not be written. The verification counts all the same. */
async function tryUpdate(
  place: PinPlace,
  chains: Survey['chains'],
  nowMs: number,
): Promise<{ isUpdated: boolean; error: ExportError | null }> {
  try {
    return { isUpdated: await updatePins(place, chains, nowMs), error: null };
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    error.subject = `no fault was found, but the pins in ${describePlace(place)} could not be updated`;
    return { isUpdated: false, error };
  }
}

function toJson(error: ExportError) {
  const { code, hint } = error;
  return { code, message: messageWithSubject(error), hint };
}

/** The output of a verification lists all affected objects itself. */
function withoutVerifyAdvice(fault: Fault): Fault {
  return { ...fault, hint: fault.hint.replace(verifyAdvice, '') };
}

type Findings = Pick<Verification, 'faults' | 'unchecked'>;

export function exitCodeOf({ faults, unchecked }: Findings): ExitCode {
  if (faults.length > 0) return exitCodes.integrity;
  return unchecked.length > 0 ? exitCodes.denied : exitCodes.complete;
}

/** As errors of the result for programs. */
export function listErrors({ faults, unchecked }: Findings) {
  return [
    ...faults.map(({ key, message, hint }) => ({
      ...{ code: 'CORRUPT', message: `${key}: ${message}`, hint },
    })),
    ...unchecked.map(({ key, message, hint }) => ({
      ...{ code: 'STORE_DENIED', message: `${key} is not checked: ${message}`, hint },
    })),
  ];
}

/** Whether the store has nothing that could be verified: a mistyped address looks the same. */
export function isEmpty({ manifests, faults, unchecked }: Verification): boolean {
  return manifests === 0 && faults.length === 0 && unchecked.length === 0;
}

/** Empty if the schedule is damaged, may not be read, or does not exist: it is working state, which not every copy has. */
async function readLastSealed(store: Store): Promise<LastSealed[]> {
  try {
    return listLastSealed(await readSchedule(store));
  } catch (error) {
    if (
      error instanceof ExportError &&
      ['CORRUPT', 'STORE_DENIED', 'STORE_UNUSABLE'].includes(error.code)
    )
      return [];
    throw error;
  }
}
