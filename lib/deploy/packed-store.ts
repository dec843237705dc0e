// Responsible for rejecting a folder as the store in the cgs-export.yml of a zip. It needs no variable: `package` has none.

import { folderInFunction } from '../config/rules.ts';
import { parseConfigText } from '../config/text.ts';
import { ConfigError } from '../core/errors.ts';
import { placeholder, variables } from './written-secrets.ts';

/**
 * Throws ConfigError. A store or `mounted` that is a variable is not judged here, but by `deploy` and by the function, which
 * know its value.
 */
export function checkPackedStore(text: string, fileName: string): void {
  const { store, mounted = false } = parseConfigText(text, fileName, variables).value;
  const isFolder = typeof store === 'string' && store.startsWith('file:');
  if (isFolder && !['true', placeholder].includes(String(mounted))) {
    throw new ConfigError([folderInFunction]);
  }
}
