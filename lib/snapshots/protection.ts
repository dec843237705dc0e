// Responsible for what `unprotected` and `offline` mean, in every command, report, alert and metric. Pure.

import type { Cell } from '../core/ports.ts';
import type { Manifest } from './manifest.ts';

/** True unless the protection is on: null counts as unprotected too. */
export function isUnprotected(protectStatus: Cell): boolean {
  return protectStatus !== 'opened';
}

export function isOffline(agentStatus: Cell): boolean {
  return agentStatus === 'offline';
}

export interface ProtectionCounts {
  nodes: number;
  unprotected: number;
  offline: number;
}

/** Of a snapshot of container nodes, as its manifest counts the values. */
export function countProtection({
  rows,
  values,
}: Pick<Manifest, 'rows' | 'values'>): ProtectionCounts {
  const opened = values.protect_status?.opened ?? 0;
  return { nodes: rows, unprotected: rows - opened, offline: values.agent_status?.offline ?? 0 };
}

/** The dataset whose columns protect_status and agent_status are. */
const nodesDataset = 'container_nodes';

/** As countProtection(), of a snapshot of any dataset. Null: its rows are not container nodes. */
export function findProtection(
  manifest: Pick<Manifest, 'dataset' | 'rows' | 'values'>,
): ProtectionCounts | null {
  return manifest.dataset === nodesDataset ? countProtection(manifest) : null;
}

/** The counts of countProtection() for programs that read `values` of a manifest themselves. None for other datasets. */
export function listProtectionMeasures(dataset: string) {
  if (dataset !== nodesDataset) return [];
  return [
    { name: 'unprotected', counted: 'protect_status', value: 'opened', isRest: true },
    { name: 'offline', counted: 'agent_status', value: 'offline', isRest: false },
  ];
}
