// Owns the proof that the OBS store keeps the contract of every store, on a real server.

import { describeStore } from '../store/contract.ts';
import { createBucket, openStore } from '../support/rgw.ts';

describeStore('radosgw', async () => {
  const bucket = await createBucket();
  const store = openStore(bucket);
  const second = openStore(bucket);
  return {
    store,
    second,
    close: async () => {
      store.close();
      second.close();
    },
  };
});
