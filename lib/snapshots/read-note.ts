// Responsible for reading one object of a store for `verify`, and for noting why it could not be read.

import { StoreError, UnusableObjectError } from '../core/errors.ts';
import { describeIrregular, type Fault, irregularHint } from './catalog.ts';

/** At a time. A bucket answers each request after some milliseconds; more would only use more memory. */
export const readsMax = 8;

/** What was read of one object. `value` null: nothing, because it does not exist, or because of `fault` or `unchecked`. */
export interface ReadResult<T> {
  value: T | null;
  /** The object is a link, a pipe or a device. */
  fault: Fault | null;
  /** It exists but may not be read. */
  unchecked: Fault | null;
}

/** Throws the errors of `read` that are about the store as a whole. */
export async function readOrNote<T>(
  key: string,
  read: () => Promise<T | null>,
): Promise<ReadResult<T>> {
  try {
    return { value: await read(), fault: null, unchecked: null };
  } catch (error) {
    if (error instanceof UnusableObjectError) {
      const fault = { key, message: describeIrregular(error), hint: irregularHint };
      return { value: null, fault, unchecked: null };
    }
    if (!(error instanceof StoreError) || error.code !== 'STORE_DENIED') throw error;
    const { message, hint } = error;
    return { value: null, fault: null, unchecked: { key, message, hint } };
  }
}

/** Where the findings about single objects are collected. */
export interface Notes {
  faults: Fault[];
  /** Objects that exist but could not be read, with the reason. */
  unchecked: Fault[];
}

export function addNotes(
  { faults, unchecked }: Notes,
  result: Pick<ReadResult<unknown>, 'fault' | 'unchecked'>,
): void {
  if (result.fault) faults.push(result.fault);
  if (result.unchecked) unchecked.push(result.unchecked);
}
