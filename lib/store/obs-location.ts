// Responsible for where the objects of an OBS store are: its bucket, prefix and addresses, and how requests reach them.

import { createStoreClock } from './obs-clock.ts';
import { type OperationOptions, openOperations } from './obs-operation.ts';

export interface ObsStoreOptions extends OperationOptions {
  /** Before every key, without slashes at its ends. Empty: the store's root is the bucket's root. */
  prefix: string;
}

export type Location = ReturnType<typeof openLocation>;

export function openLocation(options: ObsStoreOptions) {
  const { bucket, prefix, clock } = options;
  const storeClock = createStoreClock(clock);
  const url = `obs://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
  const root = prefix === '' ? '' : `${prefix}/`;
  return {
    options,
    operations: openOperations(options, storeClock),
    storeClock,
    /** What the names of all objects in the bucket start with. */
    root,
    urlOf: (key: string) => (key === '' ? url : `${url}/${key}`),
    /** The object as the S3 protocol addresses it. */
    addressOf: (key: string) => ({ Bucket: bucket, Key: root + key }),
  };
}
