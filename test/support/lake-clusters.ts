// Responsible for the clusters that the store of lake-world.ts has: whole numbers of 64 bits that a double cannot hold, times in
// milliseconds, and unusual names.

import { unusualNames } from '../formats/inventory.ts';
import type { ListedRecord } from './lake-world.ts';
import { createRandom } from './moving-list.ts';

/** The first whole number whose successor is not a double. */
const doubleMax = 2n ** 53n;
const extremes = [
  ...[2n ** 63n - 1n, -(2n ** 63n), doubleMax, doubleMax + 1n, -doubleMax - 1n],
  ...[2n ** 31n, 0n, -1n, null],
];
/** 2023-11-14T22:13:20.123Z */
const createdMs = 1_700_000_000_123;

/** `place`: its number. `turn`: hours since the first snapshot that is not pruned. */
export function listCluster(id: string, place: number, turn: number): ListedRecord {
  const random = createRandom(place + 5);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const changes = turn > 0 && place % 7 === 3;
  const cluster: ListedRecord = {
    id,
    cluster_name: place < unusualNames.length ? (unusualNames[place] as string) : `cce-${place}`,
    cluster_type: pick(['cce', 'k8s', 'from_2027', null]),
    status: pick(changes ? ['Unavailable', 'Empty'] : ['Available', 'Unavailable']),
    version: pick(['v1.31', '', null]),
    total_nodes_number: extremes[place % extremes.length] as bigint | null,
    // Their sum has 64 bits too.
    active_nodes_number: place % 4 === 0 ? null : doubleMax + BigInt(place),
    creation_timestamp: createdMs + place * 86_400_001,
    agent_ds_install_status: pick(['Installed', 'NotInstall', null]),
    // Before 1970, and its first moment.
    last_scan_time: place === 1 ? -1 : place === 2 ? 0 : pick([createdMs, null]),
    risk_assess_num: doubleMax + BigInt(place) + (changes ? 1n : 0n),
    sec_comp_num: doubleMax * 3n + BigInt(place),
  };
  // Absent and null are the same.
  if (place % 11 === 0) delete cluster.agent_ds_install_status;
  return cluster;
}
