// Responsible for the ledgers of several lists: the service counts the requests for each API path apart from the others.

import type { Ledger } from './ledger.ts';

/** Each ledger is opened when its list is first asked for. */
export function openLedgers<T extends Pick<Ledger, 'release'>>(open: (list: string) => T) {
  const opened = new Map<string, T>();
  return {
    /** `list`: the name of the dataset. */
    of(list: string): T {
      const ledger = opened.get(list) ?? open(list);
      opened.set(list, ledger);
      return ledger;
    },
    /** As that of each ledger. All are released, also if one fails. */
    async release(): Promise<void> {
      const results = await Promise.allSettled([...opened.values()].map((one) => one.release()));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    },
  };
}
