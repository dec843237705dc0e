// Responsible for the seal record: what is fixed before the first part of a snapshot is written.

import { decodeState, encodeState } from '../core/state.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import type { Previous } from './manifest.ts';

/** Everything besides the stored pages that the parts and the manifest depend on. */
export interface SealRecord {
  sealedAtMs: number;
  previous: Previous | null;
  writer: string;
  checkpoint: Checkpoint;
}

const sealRecordVersion = 3;

export function encodeSealRecord(record: SealRecord): Uint8Array {
  return encodeState('seal record', sealRecordVersion, record);
}

/** Throws CorruptError. */
export function decodeSealRecord(key: string, bytes: Uint8Array): SealRecord {
  return decodeState<SealRecord>('seal record', sealRecordVersion, key, bytes);
}
