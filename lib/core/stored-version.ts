// Responsible for the version that a stored object names. An object of a newer version of cgs-export is refused in words of its own:
// it need not be damaged.

import { NewerVersionError } from './errors.ts';

/**
 * Throws NewerVersionError if `found` is a whole number greater than `read`, the version that this program reads. `member`: what
 * the object calls it.
 */
export function refuseNewer(
  key: string,
  { member, found, read, hint }: { member: string; found: unknown; read: number; hint: string },
): void {
  if (!Number.isInteger(found) || (found as number) <= read) return;
  const versions = `${member} ${found}; this version reads ${read}`;
  const message = `was written by a newer version of cgs-export (${versions})`;
  throw new NewerVersionError(key, message, hint);
}
