// Owns which object keys every store takes. Refuses to build or read them (snapshot/layout.ts).

import { ProtocolError } from '../core/errors.ts';

const loneSurrogate = /\p{Surrogate}/u;

/** Throws ProtocolError for a key that could leave the root, or that two stores would read differently: it is a bug of ours. */
export function checkKey(key: string): void {
  const parts = key.split('/');
  const isBad =
    parts.some((part) => part === '' || part === '.' || part === '..') ||
    key.includes('\0') ||
    loneSurrogate.test(key);
  if (isBad) throw badKey(key);
}

export function badKey(key: string): ProtocolError {
  return new ProtocolError(
    'BAD_KEY',
    `${JSON.stringify(key)} is no object key`,
    'This is a bug in cgs-export, please report it: a key is relative, without empty parts, "." or "..", NUL or broken Unicode.',
  );
}
