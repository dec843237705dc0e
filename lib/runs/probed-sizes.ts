// Responsible for remembering the sizes of lists that the service was asked for, so that a later plan knows them. Private working
// state: if it is lost, sizes are asked for again.

import { CorruptError } from '../core/errors.ts';
import { probedSizesKey } from '../core/object-keys.ts';
import type { Log, Store } from '../core/ports.ts';
import { decodeState, encodeState, readState } from '../core/state.ts';

export interface ProbedSize {
  /** The total that the service stated. */
  rows: number;
  /** When, by the store's clock. */
  atMs: number;
}

/** By `probedName`. */
export type ProbedSizes = Record<string, ProbedSize>;

const sizesVersion = 1;

/** Names a target of the configuration. */
export function probedName(target: {
  account: string;
  table: string;
  region: string;
  projectId: string | null;
}): string {
  const { account, table, region, projectId } = target;
  return [account, table, region, projectId ?? ''].join('/');
}

/** Empty if there are none, or if they are damaged. */
export async function readProbedSizes(store: Store, log: Log): Promise<ProbedSizes> {
  try {
    const bytes = await readState(store, probedSizesKey);
    return bytes
      ? decodeState<ProbedSizes>('probed sizes', sizesVersion, probedSizesKey, bytes)
      : {};
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    log('warn', error.message, { hint: 'The sizes are asked for again by `plan --probe`.' });
    return {};
  }
}

export async function writeProbedSizes(store: Store, sizes: ProbedSizes): Promise<void> {
  await store.put(probedSizesKey, encodeState('probed sizes', sizesVersion, sizes));
}
