// Owns the list of datasets that can be exported. Refuses to know what is in them.

import type { Dataset } from '../core/ports.ts';
import { containerNodes, type NodeScope, pathOf, queryOf } from './container-nodes.ts';

/** A dataset and how its list is asked for. */
interface Listing {
  dataset: Dataset;
  /** The path, escaped, without the query. */
  pathOf(projectId: string): string;
  /** The query but limit and offset; names and values unescaped. */
  queryOf(scope: NodeScope): Record<string, string>;
}

/** By the dataset's name. */
export const listings = {
  container_nodes: { dataset: containerNodes, pathOf, queryOf },
} as const satisfies Record<string, Listing>;
