// Responsible for checking the folder of the temporary files: whether a file can be made there, and how much space is free; and
// for what works without such a file.

import { ExportError } from '../core/errors.ts';
import { heldBytesMax, type ProcessScratch } from '../platform/scratch.ts';
import { type Check, failed, ok, type Subject, warning } from './check-result.ts';

/** 1,000,000 nodes need up to 320 MB (docs/benchmarks.md), so this is enough for 200,000. */
const freeBytesMin = 64_000_000;
const text = Buffer.from('cgs-export doctor\n');
const spaceHint =
  'An export of 1,000,000 nodes needs about 320 MB there. Free space, or set TMPDIR to a folder on a larger file system.';

/**
 * A longer list is not read on a host without temporary files. `heldBytesMax` is enough for so many entries even if all were
 * replaced since the snapshot before: the changes are the largest part then (measured 2026-11-27: peak of the process 261 MB).
 * It was not enough for twice as many.
 */
export const entriesWithoutFilesMax = 50_000;

/** `fault`: why no temporary file can be made. */
export function describeNoFiles({ message }: ExportError): string {
  const entries = entriesWithoutFilesMax.toLocaleString('en');
  return `${message}. Up to ${heldBytesMax / 1e6} MB of temporary data are kept in memory instead. A list of more than ${entries} entries is not exported.`;
}

/** Leaves no file. */
export async function checkScratch(scratch: ProcessScratch): Promise<Check> {
  const subject: Subject = { check: 'temporary-files' };
  const { parent } = scratch;
  const fault = await scratch.findFault();
  if (fault) return warning(subject, describeNoFiles(fault), fault.hint);
  try {
    const file = await scratch.open();
    try {
      const appended = await file.append(text);
      await file.finish();
      await file.read(appended);
    } finally {
      await file.remove();
    }
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    return failed(subject, error);
  }
  const freeBytes = await scratch.freeBytes();
  const made = `${parent}: a temporary file can be made`;
  if (freeBytes === null) return ok(subject, made);
  const free = `${made}, ${Math.floor(freeBytes / 1e6).toLocaleString('en')} MB free`;
  return freeBytes < freeBytesMin ? warning(subject, free, spaceHint) : ok(subject, free);
}
