// Responsible for taking the error of a store operation that must fail.

import { ExportError, StoreError } from '../../lib/core/errors.ts';

/** The ExportError with which `promise` rejects. Throws if it resolves or rejects with another error. */
export async function errorOf(promise: Promise<unknown>): Promise<ExportError> {
  const error = await promise.then(
    () => new Error('the operation did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ExportError)) throw error;
  return error;
}

/** As errorOf, for an operation that must fail with a StoreError. */
export async function storeErrorOf(promise: Promise<unknown>): Promise<StoreError> {
  const error = await errorOf(promise);
  if (!(error instanceof StoreError)) throw error;
  return error;
}
