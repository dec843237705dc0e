// Tests which durability the exporter asks for, for each kind of object that it writes. What each
// level costs in requests is tested in obs.test.ts and test/rgw.

import { expect, test } from 'vitest';
import { RateLimitedError } from '../../lib/core/errors.ts';
import type { PutOptions } from '../../lib/core/ports.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const kinds: readonly (readonly [kind: string, key: RegExp, options: PutOptions])[] = [
  ['ledger', /^_quota\//, { durability: 'acknowledged', isWrittenOnce: true }],
  ['lease', /^_lease\//, { durability: 'acknowledged' }],
  ['schedule', /^_runs\/schedule\.json$/, { durability: 'acknowledged' }],
  ['checkpoint', /^_runs\/.+\/checkpoint\.json$/, { durability: 'acknowledged' }],
  ['seal record', /^_runs\/.+\/sealing\//, { durability: 'acknowledged' }],
  ['pages', /^_runs\/.+\/pages\//, { durability: 'checksummed' }],
  ['pointer', /^_(head|latest)\//, { durability: 'checksummed' }],
  ['manifest', /^_manifests\//, {}],
  ['part', /^container_nodes(_ndjson|_rejects)?\//, {}],
];

test('each kind of object is written with its durability, and only ledger entries are written once', async () => {
  const puts: { key: string; options: PutOptions }[] = [];
  const exporter = createTestExporter({
    quota: { requests: 10, windowSeconds: 1 },
    recordOf: (id) => (id === 'host-7' ? {} : { host_id: id }),
    store: {
      onCall({ key, putOptions, phase }) {
        if (phase === 'before' && putOptions !== null) puts.push({ key, options: putOptions });
      },
    },
    ids: Array.from({ length: 5_000 }, (_, index) => `host-${index}`),
  });
  exporter.endpoint.beforeAnswer = (index) => {
    if (index === 3) throw new RateLimitedError('too many requests', 'wait', 1_000);
  };
  await exporter.exportNow();
  await exporter.exportNow();
  const found = new Set<string>();
  for (const { key, options } of puts) {
    const kind = kinds.find(([, pattern]) => pattern.test(key));
    expect(kind, key).toBeDefined();
    expect(options, key).toEqual(kind?.[2]);
    found.add(kind?.[0] ?? '');
  }
  expect([...found].sort()).toEqual(kinds.map(([kind]) => kind).sort());
  const once = puts.filter(({ options }) => options.isWrittenOnce).map(({ key }) => key);
  expect(new Set(once).size).toBe(once.length);
});
