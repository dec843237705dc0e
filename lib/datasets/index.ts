// Responsible for the list of datasets that can be exported. To add one, add its file to this folder and its line here.

import type { Dataset } from '../core/ports.ts';
import { containerNodes } from './container-nodes.ts';

export const datasets: readonly Dataset[] = [containerNodes];

/** What a target exports unless its configuration names another dataset. */
export const defaultDataset: Dataset = containerNodes;
