// Responsible for rejecting a folder as the store, and a file as the pins, in the cgs-export.yml of a zip. It needs no variable:
// `package` has none.

import { folderInFunction, pinFileInFunction } from '../config/rules.ts';
import { ConfigError } from '../core/errors.ts';
import { asRecord } from '../core/value-shape.ts';
import { mayBeMounted, parseUnfilled } from './unfilled-config.ts';

/**
 * Throws ConfigError. A value that is a variable is checked by `deploy` and by the function, which know it.
 * `readsPins`: the function uses `verify.pins`.
 */
export function checkPackedStore(text: string, fileName: string, readsPins: boolean): void {
  const { store, mounted, verify } = parseUnfilled(text, fileName);
  if (mayBeMounted(mounted)) return;
  const { pins } = asRecord(verify);
  const issues = [
    ...(isFile(store) ? [folderInFunction] : []),
    ...(readsPins && isFile(pins) ? [pinFileInFunction] : []),
  ];
  if (issues.length > 0) throw new ConfigError(issues);
}

function isFile(place: unknown): boolean {
  return typeof place === 'string' && place.startsWith('file:');
}
