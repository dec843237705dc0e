// Responsible for damaged working state: it is kept under another key and reported once, and the export starts it again. Sealed
// snapshots do not depend on it.

import {
  type CorruptError,
  EvidenceError,
  NewerVersionError,
  OtherVersionError,
  UnusableObjectError,
} from '../core/errors.ts';
import type { Log, Store } from '../core/ports.ts';
import { toFault } from '../snapshots/catalog.ts';

/**
 * Copies the object to `asideKey`, which has room for one copy: an earlier one is replaced. The object itself remains. If its bytes
 * cannot be read, because it is too large or no file, the copy says so instead.
 */
export async function setAside(store: Store, key: string, asideKey: string): Promise<void> {
  const bytes = await store.get(key).catch((error: unknown) => {
    if (!(error instanceof UnusableObjectError)) throw error;
    return Buffer.from(`not kept: ${error.message}\n`);
  });
  if (bytes) await store.put(asideKey, bytes);
}

/** The error to report for an object that was set aside. Logs it too. */
export function describeSetAside(
  error: CorruptError,
  asideKey: string,
  log: Log,
  fields: Record<string, unknown> = {},
): EvidenceError {
  const { key, message } = toFault(error);
  const cause = describeCause(error);
  const isKept = !(error.cause instanceof UnusableObjectError);
  const kept = isKept ? `Its bytes are kept as ${asideKey}.` : 'Its bytes were not kept.';
  const hint = `It is working state: no sealed snapshot is affected. ${kept} ${cause}`;
  const reported = new EvidenceError(key, `${message}. It was set aside and started again`, hint);
  log('error', reported.message, { code: reported.code, hint, ...fields });
  return reported;
}

function describeCause(error: CorruptError): string {
  if (error instanceof NewerVersionError) {
    return 'Update cgs-export, so that all exporters of this store have the same version.';
  }
  return error instanceof OtherVersionError
    ? 'Nothing is damaged: another version of cgs-export wrote it.'
    : 'Find out what changed it: a full or failing disk, or another program.';
}
