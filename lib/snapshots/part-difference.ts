// Responsible for the words that say how the bytes of a part differ from what its manifest says. Pure.

import type { Part } from './manifest.ts';

export const partMissing = 'is missing: a manifest names it';

/** How a part that was read differs from what its manifest says; null: it does not. */
export function describeDifference(
  part: Pick<Part, 'bytes' | 'sha256'>,
  found: Pick<Part, 'bytes' | 'sha256'>,
): string | null {
  if (found.bytes !== part.bytes) {
    return `has ${found.bytes} bytes, but its manifest says ${part.bytes}`;
  }
  if (found.sha256 === part.sha256) return null;
  return 'was altered: its hash differs from the one in its manifest';
}
