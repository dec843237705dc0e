// Tests which stored targets a command covers.

import { expect, test } from 'vitest';
import { pickStoredTargets, type StoredPicks } from '../../lib/cli/stored-targets.ts';
import { manifestKey } from '../../lib/core/object-keys.ts';
import { decodeManifest, encodeManifest } from '../../lib/snapshots/manifest.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { listHistory } from '../support/sealed-history.ts';

const nowMs = Date.UTC(2026, 10, 24, 12);

/** Three targets; that of the table `web_nodes` is filtered. The account of all is `prod`. */
async function createStore() {
  const store = createMemoryStore({ nowMs: () => nowMs });
  for (const [table, projectId] of [
    ['container_nodes', 'p1'],
    ['container_nodes', 'p2'],
    ['web_nodes', 'p1'],
  ] as const) {
    const target = { table, region: 'cn-south-4', projectId };
    const history = [...listHistory({ target, count: 2, newestMs: Date.UTC(2026, 10, 24, 6) })];
    for (const { key, bytes } of history) await store.put(key, bytes);
    if (table === 'container_nodes') continue;
    const key = manifestKey(target, '20261124T060000Z');
    const manifest = decodeManifest(key, (await store.get(key)) ?? new Uint8Array());
    const scope = { ...manifest.scope, filters: { hostName: 'web' } };
    await store.put(key, encodeManifest({ ...manifest, scope }));
  }
  return store;
}

async function pick(
  picks: StoredPicks,
  configured: Parameters<typeof pickStoredTargets>[1] = null,
) {
  const logged: unknown[] = [];
  const log = (_: string, message: string, fields = {}) => void logged.push({ message, ...fields });
  const { targets: found, withoutSnapshot } = await pickStoredTargets(
    await createStore(),
    configured,
    picks,
    log,
  );
  return {
    found: found.map(({ table, projectId }) => `${table} ${projectId}`),
    logged,
    withoutSnapshot,
  };
}

test('covers all targets but filtered ones, which it names', async () => {
  const { found, logged } = await pick({});
  expect(found).toEqual(['container_nodes p1', 'container_nodes p2']);
  expect(logged).toEqual([
    {
      message: 'targets of filtered tables are left out',
      targets: ['prod web_nodes cn-south-4 p1'],
      hint: 'Name such a table with --table.',
    },
  ]);
});

test('a table that is named is covered, filtered or not', async () => {
  const { found, logged } = await pick({ table: ['web_nodes'] });
  expect([found, logged]).toEqual([['web_nodes p1'], []]);
});

test('every option must fit', async () => {
  expect((await pick({ project: ['p2'], account: ['prod'] })).found).toEqual([
    'container_nodes p2',
  ]);
  expect((await pick({ project: ['p2', 'p1'] })).found).toHaveLength(2);
  await expect(pick({ project: ['p2'], table: ['web_nodes'] })).rejects.toThrow(
    'no target with a snapshot is picked',
  );
});

test.each(['account', 'table', 'region', 'project'] as const)(
  'an unknown %s is refused',
  async (name) => {
    await expect(pick({ [name]: ['nothing'] })).rejects.toThrow(
      `--${name}: no target with a snapshot has the ${name} "nothing"`,
    );
  },
);

test('covers the targets of the configuration, and names the stored ones that it leaves out', async () => {
  const one = { account: 'prod', table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' };
  const { found, logged } = await pick({}, [one]);
  expect(found).toEqual(['container_nodes p1']);
  expect(logged).toMatchObject([
    { targets: ['prod container_nodes cn-south-4 p2', 'prod web_nodes cn-south-4 p1'] },
  ]);
  // Without a project id, every project of the account in that region.
  const both = await pick({}, [{ ...one, projectId: null }]);
  expect(both.found).toEqual(['container_nodes p1', 'container_nodes p2']);
  await expect(pick({}, [{ ...one, projectId: null, account: 'other' }])).rejects.toThrow(
    'store: no target with a snapshot is picked',
  );
});

test('names the targets of the configuration that have no snapshot, if the options pick them', async () => {
  const one = { account: 'prod', table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' };
  const never = { ...one, projectId: 'p9' };
  const asked = { ...one, account: 'other', projectId: null };
  const { withoutSnapshot, logged } = await pick({}, [one, never, asked]);
  expect(withoutSnapshot).toEqual([never, asked]);
  expect(logged).toContainEqual({
    message: 'targets of the configuration have no snapshot yet',
    targets: [
      'prod container_nodes cn-south-4 p9',
      'other container_nodes cn-south-4 (project not known)',
    ],
    hint: '`cgs-export status` says what each of them waits for.',
  });
  expect((await pick({ project: ['p1'] }, [one, never, asked])).withoutSnapshot).toEqual([]);
});
