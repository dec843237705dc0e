// Responsible for drift: random changes of the node list between two requests.

import { ConfigError } from '../core/errors.ts';
import type { NodeRecord } from './nodes.ts';
import { drawCount, drawInteger, type Random } from './random.ts';

/** Mean number of changes after each request, at random places of the list. Fractions are allowed. Default 0 each. */
export interface Drift {
  insertsPerRequest?: number;
  deletesPerRequest?: number;
  /** Moves one node to another place. The other nodes keep their order. */
  reordersPerRequest?: number;
  /** Default 1. */
  seed?: number;
}

/** Changes `list` in place and returns the number of changes. */
export function applyDrift(
  list: NodeRecord[],
  drift: Drift,
  random: Random,
  makeNode: () => NodeRecord,
): { inserted: number; deleted: number; reordered: number } {
  const counts = { inserted: 0, deleted: 0, reordered: 0 };
  for (let left = drawCount(random, drift.deletesPerRequest ?? 0); left > 0; left -= 1) {
    if (list.length === 0) break;
    list.splice(drawInteger(random, 0, list.length - 1), 1);
    counts.deleted += 1;
  }
  for (let left = drawCount(random, drift.insertsPerRequest ?? 0); left > 0; left -= 1) {
    list.splice(drawInteger(random, 0, list.length), 0, makeNode());
    counts.inserted += 1;
  }
  for (let left = drawCount(random, drift.reordersPerRequest ?? 0); left > 0; left -= 1) {
    if (list.length < 2) break;
    const from = drawInteger(random, 0, list.length - 1);
    // Always another place: a move to the same place would change nothing.
    const to = (from + drawInteger(random, 1, list.length - 1)) % list.length;
    const [moved] = list.splice(from, 1);
    list.splice(to, 0, moved as NodeRecord);
    counts.reordered += 1;
  }
  return counts;
}

const driftKeys: Readonly<Record<string, keyof Drift>> = {
  insert: 'insertsPerRequest',
  delete: 'deletesPerRequest',
  reorder: 'reordersPerRequest',
  seed: 'seed',
};

/** Reads `insert=2,delete=1,reorder=0.5,seed=7`; each part is optional. Throws ConfigError with every problem found. */
export function parseDrift(text: string): Drift {
  const drift: Drift = {};
  const issues: string[] = [];
  for (const part of text.split(',')) {
    const [, name = '', value = ''] = /^\s*([a-z]+)=(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
    const key = Object.hasOwn(driftKeys, name) ? driftKeys[name] : undefined;
    if (!key) issues.push(`"${part}" is not valid`);
    else if (drift[key] !== undefined) issues.push(`"${name}" appears more than once`);
    else drift[key] = Number(value);
  }
  if (issues.length > 0) {
    const hint =
      'Use insert, delete, reorder (mean changes per request) and seed, for example --drift insert=2,delete=1,seed=7.';
    throw new ConfigError(issues.map((message) => ({ path: '--drift', message, hint })));
  }
  return drift;
}
