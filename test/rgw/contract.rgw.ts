// Tests that the OBS store does what every store must do, with a real server.

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
