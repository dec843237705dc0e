// Responsible for checking the folder of the temporary files: whether a file can be made there, and how much space is free.

import { ExportError } from '../core/errors.ts';
import type { ProcessScratch } from '../platform/scratch.ts';
import { type Check, failed, ok, type Subject, warning } from './check-result.ts';

/** 1,000,000 nodes need up to 320 MB (docs/benchmarks.md), so this is enough for 200,000. */
const freeBytesMin = 64_000_000;
const text = Buffer.from('cgs-export doctor\n');
const spaceHint =
  'An export of 1,000,000 nodes needs about 320 MB there. Free space, or set TMPDIR to a folder on a larger file system.';

/** Leaves no file. */
export async function checkScratch(scratch: ProcessScratch): Promise<Check> {
  const subject: Subject = { check: 'temporary-files' };
  const { parent } = scratch;
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
