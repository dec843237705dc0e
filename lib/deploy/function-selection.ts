// Owns whether a function's name tells its stage, so that two stages are two functions. Refuses to make such a name.

import { parse } from 'yaml';
import { asRecord } from '../core/value-shape.ts';

/**
 * `name` as it is resolved, `text` the file it stands in: a name that is not made of the stage is the same in every stage, whatever
 * it holds. A text that cannot be read so (a script, functions of another file) leaves it to the name.
 */
export function tellsStage(
  { key, name }: { key: string; name: string },
  stage: string,
  text: string,
): boolean {
  const written = nameIn(text, key);
  if (written !== null && !/\$\{[^}]*\bstage\b/.test(written)) return false;
  // As a part of its own: prod is none of cgs-export-production.
  return `-${name}-`.replaceAll('_', '-').includes(`-${stage.replaceAll('_', '-')}-`);
}

function nameIn(text: string, key: string): string | null {
  try {
    const functions = asRecord(asRecord(parse(text, { merge: true })).functions);
    if (!Object.hasOwn(functions, key)) return null;
    const section = functions[key];
    // Of a file of its own.
    if (typeof section !== 'object' || section === null) return null;
    const { name = key } = asRecord(section);
    return String(name);
  } catch {
    return null;
  }
}
