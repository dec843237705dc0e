// Responsible for the list of datasets that can be exported. To add one, add its file to this folder and its line here.

import type { Dataset } from '../core/ports.ts';
import { containerClusters } from './container-clusters.ts';
import { containerNodes } from './container-nodes.ts';

/** The first one is what a target exports unless its configuration names others. */
export const datasets: readonly [Dataset, ...Dataset[]] = [containerNodes, containerClusters];

/** Throws Error for a name that no dataset has: the caller has checked it. */
export function datasetOf(name: string): Dataset {
  const found = datasets.find((one) => one.name === name);
  if (!found) throw new Error(`there is no dataset ${name}`);
  return found;
}
