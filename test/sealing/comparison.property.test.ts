// Tests the dates of the rows and the changes part of sealed snapshots, on seeded histories in which nodes come, go, come back and
// change in any column, with drifted snapshots in between: against a model of the history, against DuckDB's full outer join of the
// two files, and against what `diff` finds.

import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { snapshotName, snapshotTimeMs } from '../../lib/core/object-keys.ts';
import type { Column, Row, Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { changeColumns, listChanges } from '../../lib/snapshots/changes.ts';
import type { Manifest, Part } from '../../lib/snapshots/manifest.ts';
import { openPartRows } from '../../lib/snapshots/part-rows.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { useDuck } from '../formats/duck.ts';
import { unusualNames } from '../formats/inventory.ts';
import { countCases } from '../support/cases.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import {
  createSealPorts,
  nodeText,
  scopeOf,
  sealWithFaults,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';
import { createTestScratch } from '../support/test-scratch.ts';
import { createClock } from '../support/virtual-clock.ts';

const { columns, keyColumn } = containerNodes;
const listed = changeColumns(containerNodes);
const dates = ['first_seen_at', 'agent_status_since', 'protect_status_since'];
const { temp, duck } = useDuck();

type Fields = Record<string, unknown>;

/** The values that a field may take, null and absent among them. */
const values: Readonly<Record<string, readonly unknown[]>> = {
  host_name: [...unusualNames, null, undefined],
  host_status: ['ACTIVE', 'SHUTOFF', null, undefined],
  agent_status: ['online', 'offline', 'not_register', 'not_installed', '', null, undefined],
  protect_status: ['opened', 'closed', null, undefined, 7],
  protect_interrupt: [true, false, null, 'yes'],
  asset: [0, -1, 2 ** 31 - 1, null, undefined, 1.5],
  vulnerability: [0, 1, 2, null],
  is_container_node: [true, false, null],
  new_field: ['a', { b: [1, 'ü', null] }, undefined],
};

function openHistory(seed: number) {
  const random = createRandom(seed);
  const below = (end: number) => Math.floor(random() * end);
  const pick = <T>(given: readonly T[]): T => given[below(given.length)] as T;
  const prefixes = ['a', 'Ａ', '😀', '\ue000', 'é', '\u{10ffff}', 'zz'];
  const pool = Array.from({ length: 20 + below(60) }, (_, i) => `${pick(prefixes)}${i}`);
  const nodes = new Map<string, Fields>();
  const change = (fields: Fields): Fields => {
    const name = pick(Object.keys(values));
    return { ...fields, [name]: pick(values[name] ?? []) };
  };
  return {
    below,
    /** The nodes of the next snapshot, in any order. */
    next(): Map<string, Fields> {
      const share = pick([0, 0.02, 0.3, 0.9]);
      for (const id of pool) {
        const before = nodes.get(id);
        if (random() < share * 0.4) nodes.delete(id);
        else if (before && random() < share) nodes.set(id, change(before));
        else if (!before && random() < 0.4) nodes.set(id, change(change(change({}))));
      }
      // All of them at times.
      if (random() < 0.1) nodes.clear();
      return new Map([...nodes].sort(() => random() - 0.5));
    },
  };
}

/** What the model knows of a node that is in the newest complete snapshot. */
interface Known {
  agent: unknown;
  protect: unknown;
  dates: number[];
}

function statusesOf({ agent_status: agent, protect_status: protect }: Fields) {
  return {
    agent: agent === 'not_register' ? 'not_installed' : (agent ?? null),
    protect: typeof protect === 'string' ? protect : null,
  };
}

function modelNext(
  known: ReadonlyMap<string, Known>,
  nodes: ReadonlyMap<string, Fields>,
  timeMs: number,
): Map<string, Known> {
  return new Map(
    [...nodes].map(([id, fields]) => {
      const before = known.get(id);
      const { agent, protect } = statusesOf(fields);
      const [first = timeMs, agentSince = timeMs, protectSince = timeMs] = before?.dates ?? [];
      const own = [
        first,
        before && before.agent === agent ? agentSince : timeMs,
        before && before.protect === protect ? protectSince : timeMs,
      ];
      return [id, { agent, protect, dates: own }];
    }),
  );
}

const findPart = ({ parts }: Manifest, role: Part['role']): Part | null =>
  parts.find((one) => one.role === role && one.format === 'parquet') ?? null;

async function readPart(store: Store, part: Part, wanted: readonly Column[]): Promise<Row[]> {
  const options = { store, scratch: createTestScratch(), decoder: parquetDecoder, keyColumn };
  const opened = await openPartRows(part, { ...options, columns: wanted });
  const rows: Row[] = [];
  for await (const batch of opened.readBatches()) rows.push(...batch);
  await opened.close();
  expect(opened.columns).toEqual(wanted);
  return rows;
}

async function* inOneBatch(rows: readonly Row[]) {
  yield rows;
}

/** What `diff` makes of two snapshots. */
async function diff(previous: readonly Row[], current: readonly Row[], manifests: Manifest[]) {
  const [before, after] = manifests.map(({ snapshot }) => snapshotTimeMs(snapshot) as number);
  const { account, region, projectId } = scopeOf(someTarget);
  const context = {
    ...{ snapshotAtMs: after as number, previousSnapshotAtMs: before as number },
    ...{ account, region, projectId },
  };
  const side = (rows: readonly Row[]) => ({ columns, batches: inOneBatch(rows) });
  const found: Row[] = [];
  for await (const { changes } of listChanges(
    containerNodes,
    side(previous),
    side(current),
    context,
  )) {
    found.push(...changes);
  }
  return found;
}

/** Key, kind and changed columns, by DuckDB's join of the two files and as the changes part has them. */
async function joinWithDuckDb(store: Store, manifests: readonly Manifest[]) {
  const paths: string[] = [];
  for (const [index, manifest] of manifests.entries()) {
    const part = findPart(manifest, 'rows') as Part;
    const path = temp.path(`${index}.parquet`);
    writeFileSync(path, (await store.get(part.key)) as Uint8Array);
    paths.push(path);
  }
  const skipped = ['snapshot_at', 'fetched_at', 'verdict', 'account', ...dates, keyColumn];
  const names = columns
    .filter(({ name }) => !skipped.includes(name))
    .map(({ name }) => `CASE WHEN a."${name}" IS DISTINCT FROM b."${name}" THEN '${name}' END`);
  return duck.query(`
    WITH joined AS (
      SELECT coalesce(a.host_id, b.host_id) AS id,
        CASE WHEN a.host_id IS NULL THEN 'added' WHEN b.host_id IS NULL THEN 'removed' ELSE 'changed' END AS change,
        list_filter([${names.join(', ')}], x -> x IS NOT NULL) AS names
      FROM '${paths[0]}' a FULL OUTER JOIN '${paths[1]}' b ON a.host_id = b.host_id)
    SELECT id, change, CASE WHEN change = 'changed' THEN to_json(names)::VARCHAR END
    FROM joined WHERE change <> 'changed' OR len(names) > 0 ORDER BY encode(id)`);
}

const seeds = countCases(12);

test(`dates and changes are those of the history: ${seeds} seeds of 6 snapshots`, async () => {
  const kinds = new Map<unknown, number>();
  for (let seed = 1; seed <= seeds; seed += 1) {
    const clock = createClock(undefined, 30);
    const store = createMemoryStore({ nowMs: clock.nowMs });
    const scratch = createTestScratch();
    const sortSize = seed % 2 === 0 ? { batch: 7, block: 3 } : { batch: 1_000, block: 100 };
    const ports = createSealPorts(store, clock, { scratch, sortSize });
    const history = openHistory(seed);
    let known = new Map<string, Known>();
    let base: { manifest: Manifest; rows: Row[] } | null = null;
    for (let index = 0; index < 6; index += 1) {
      const where = `seed ${seed}, snapshot ${index}`;
      clock.advance(3_600_000);
      const snapshot = snapshotName(clock.nowMs());
      const nodes = history.next();
      const isDrifted = index > 0 && history.below(4) === 0;
      const records = [...nodes].map(([id, fields]) =>
        nodeText(id, { agent_status: undefined, ...fields }),
      );
      const verdict = isDrifted ? 'drifted' : 'complete';
      const run = await storeRun(store, { snapshot, pages: [{ records }], verdict });
      const { sealed, faults } = await clock.run(sealWithFaults(ports, run));
      const { manifest } = sealed;
      expect([faults, scratch.left()], where).toEqual([[], 0]);
      const rows = await readPart(store, findPart(manifest, 'rows') as Part, columns);
      const found = rows.map((row) =>
        [keyColumn, ...dates].map((name) => row[columns.findIndex((one) => one.name === name)]),
      );
      const part = findPart(manifest, 'changes');
      if (isDrifted) {
        expect(
          found.map(([, ...own]) => own),
          where,
        ).toEqual(found.map(() => [null, null, null]));
        expect([manifest.changes, manifest.changesNone, part]).toEqual([null, 'drifted', null]);
        continue;
      }
      known = modelNext(known, nodes, snapshotTimeMs(snapshot) as number);
      expect(new Map(found.map(([id, ...own]) => [id, own])), where).toEqual(
        new Map([...known].map(([id, one]) => [id, one.dates])),
      );
      if (base) {
        const changes = part ? await readPart(store, part, listed) : [];
        expect(part?.rows ?? 0, where).toBe(changes.length);
        expect(part === null, where).toBe(changes.length === 0);
        const manifests = [base.manifest, manifest];
        expect(changes, where).toEqual(await diff(base.rows, rows, manifests));
        const joined = await joinWithDuckDb(store, manifests);
        expect(
          changes.map((row) => [row[5], row[7], row[8]]),
          where,
        ).toEqual(joined);
        const count = (kind: string) => changes.filter((row) => row[7] === kind).length;
        expect(manifest.changes, where).toEqual({
          since: base.manifest.snapshot,
          ...{ added: count('added'), removed: count('removed'), changed: count('changed') },
        });
        for (const row of changes) kinds.set(row[7], (kinds.get(row[7]) ?? 0) + 1);
      } else expect(manifest.changesNone, where).toBe('first');
      base = { manifest, rows };
    }
    expect(await verifyStore(store, () => {}), `seed ${seed}`).toMatchObject({
      ...{ faults: [], unnamed: [], manifests: 6 },
    });
  }
  for (const kind of ['added', 'removed', 'changed']) {
    expect(kinds.get(kind), kind).toBeGreaterThan(countCases(20));
  }
});
