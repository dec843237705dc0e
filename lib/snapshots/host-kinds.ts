// Responsible for how many of the listed hosts are container nodes, as the column is_container_node states it. Pure.

import type { Cell } from '../core/ports.ts';
import type { Manifest } from './manifest.ts';

/** The list of the service also has hosts that are not container nodes. Every count of nodes includes them. */
export interface HostKinds {
  containerNodes: number;
  otherHosts: number;
  /** The service gave no value. */
  notStated: number;
}

export const kindColumn = 'is_container_node';

export function noHosts(): HostKinds {
  return { containerNodes: 0, otherHosts: 0, notStated: 0 };
}

/** `isContainerNode`: the cell of the column. */
export function addHost(kinds: HostKinds, isContainerNode: Cell): void {
  if (isContainerNode === true) kinds.containerNodes += 1;
  else if (isContainerNode === false) kinds.otherHosts += 1;
  else kinds.notStated += 1;
}

export function sumKinds(all: readonly HostKinds[]): HostKinds {
  const sum = (name: keyof HostKinds) => all.reduce((total, kinds) => total + kinds[name], 0);
  return {
    containerNodes: sum('containerNodes'),
    otherHosts: sum('otherHosts'),
    notStated: sum('notStated'),
  };
}

/** Of a snapshot of container nodes, as its manifest counts the values. It does not count nulls. */
export function countKinds({ rows, values }: Pick<Manifest, 'rows' | 'values'>): HostKinds {
  const { true: containerNodes = 0, false: otherHosts = 0 } = values[kindColumn] ?? {};
  return { containerNodes, otherHosts, notStated: rows - containerNodes - otherHosts };
}

/** Of all kinds. */
export function countHosts({ containerNodes, otherHosts, notStated }: HostKinds): number {
  return containerNodes + otherHosts + notStated;
}
