// Responsible for which object keys every store accepts. Not responsible for building or parsing keys (core/object-keys.ts).

import { ProtocolError } from '../core/errors.ts';
import { isWellFormed } from '../core/value-shape.ts';

/** Throws ProtocolError BAD_KEY for a key that could leave the store's root or that two stores could read differently. */
export function checkKey(key: string): void {
  const hasBadPart = key.split('/').some((part) => part === '' || part === '.' || part === '..');
  if (hasBadPart || key.includes('\0') || !isWellFormed(key)) throw badKey(key);
}

export function badKey(key: string): ProtocolError {
  return new ProtocolError(
    'BAD_KEY',
    `${JSON.stringify(key)} is not a valid object key`,
    'This is a bug in cgs-export, please report it. A key is relative, has no empty part, no "." or "..", no NUL and is well-formed Unicode.',
  );
}
