// Responsible for how large a row is: rows are held in memory by their number and by their size.

import type { Row } from './ports.ts';

/** The characters of all its texts. A usual row has about 400. */
export function countCharacters(row: Row): number {
  let characters = 0;
  for (const cell of row) if (typeof cell === 'string') characters += cell.length;
  return characters;
}
