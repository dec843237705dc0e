// Responsible for the expected rows of a snapshot, derived from what the endpoint served. Written from
// docs/format.md, without the normalizer of lib/.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { pageOf, tableRows } from '../docs/pages.ts';
import { openDuck } from '../formats/readers.ts';
import type { Report } from '../support/plain-endpoint.ts';

type Type = 'string' | 'boolean' | 'int32' | 'timestamp';
/** Names, order and types, as docs/format.md specifies them. */
const columns = tableRows(pageOf('docs/format.md'), 'columns')
  .slice(1)
  .map(([name = '', type]) => ({ name: name.replaceAll('`', ''), type: type as Type }));
/** Columns that the comparison with the snapshot before sets. */
const dates = ['first_seen_at', 'agent_status_since', 'protect_status_since'];
/** Columns that are not fields of the API. */
const added = [
  ...dates,
  ...['snapshot_at', 'fetched_at', 'verdict', 'account', 'region', 'project_id'],
  'agent_status_raw',
];
const fields = new Map(
  columns
    .filter(({ name }) => name !== 'extra' && !added.includes(name))
    .map(({ name, type }) => [name, type] as const),
);

export type Cells = Record<string, unknown>;

function fits(value: unknown, type: Type): boolean {
  if (type === 'int32') return Number.isInteger(value) && value === ((value as number) | 0);
  return typeof value === type;
}

/** One row without the columns that the run adds. `extra` is a value, not JSON text. */
function toCells(record: Record<string, unknown>): Cells {
  const cells: Cells = Object.fromEntries(columns.map(({ name }) => [name, null]));
  const extra: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record)) {
    const type = fields.get(name);
    if (type !== undefined && (value === null || fits(value, type))) cells[name] = value;
    else extra[name] = value;
  }
  cells.agent_status_raw = cells.agent_status;
  if (cells.agent_status === 'not_register') cells.agent_status = 'not_installed';
  cells.extra = Object.keys(extra).length === 0 ? null : extra;
  return cells;
}

/** The newest served record of each node. */
function listServed(report: Report): Map<string, Cells> {
  const served = new Map<string, Cells>();
  for (const { body } of report.servings) {
    if (body === null) continue;
    const { data_list: records } = JSON.parse(body) as { data_list: Record<string, unknown>[] };
    for (const record of records) {
      if (typeof record.host_id === 'string') served.set(record.host_id, toCells(record));
    }
  }
  return served;
}

interface ManifestParts {
  snapshot: string;
  rows: number;
  startedAt: string;
  sealedAt: string;
  verdict: string;
  changes: object | null;
  changesNone: string | null;
  rejects: number;
  evidence: Record<string, number>;
  scope: { account: string; region: string; projectId: string };
  parts: { role: string; format: string; key: string; rows: number }[];
}

function readManifest(store: string, key: string): ManifestParts {
  return JSON.parse(readFileSync(join(store, key), 'utf8')) as ManifestParts;
}

export interface SnapshotRows {
  manifest: ManifestParts;
  parquet: Cells[];
  ndjson: Cells[];
}

/** Reads Parquet with DuckDB and NDJSON with zlib and JSON.parse. Times are milliseconds, `extra` is JSON text. */
export async function readSnapshot(store: string, manifestKey: string): Promise<SnapshotRows> {
  const manifest = readManifest(store, manifestKey);
  const pathOf = (format: string) =>
    join(
      store,
      manifest.parts.find((part) => part.role === 'rows' && part.format === format)?.key ??
        'missing',
    );
  const duck = await openDuck();
  try {
    const described = await duck.query(
      `DESCRIBE SELECT * FROM read_parquet('${pathOf('parquet')}', hive_partitioning = false)`,
    );
    expect(described.map(([name]) => name)).toEqual(columns.map(({ name }) => name));
    const rows = await duck.readRows(`read_parquet('${pathOf('parquet')}')`, columns);
    const parquet = rows.map((row) =>
      Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])),
    );
    const text = gunzipSync(readFileSync(pathOf('ndjson'))).toString('utf8');
    expect(text.endsWith('\n')).toBe(true);
    const ndjson = text
      .slice(0, -1)
      .split('\n')
      .map((line) => {
        const cells = JSON.parse(line) as Cells;
        expect(Object.keys(cells)).toEqual(columns.map(({ name }) => name));
        for (const name of ['snapshot_at', 'fetched_at', ...dates]) {
          if (dates.includes(name) && cells[name] === null) continue;
          expect(cells[name]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
          cells[name] = Date.parse(String(cells[name]));
        }
        return cells;
      });
    return { manifest, parquet, ndjson };
  } finally {
    duck.close();
  }
}

const encoder = new TextEncoder();

/** Strictly ascending by UTF-8 bytes. */
function isAscending(ids: readonly string[]): boolean {
  return ids.every(
    (id, index) =>
      index === 0 ||
      Buffer.compare(encoder.encode(ids[index - 1] as string), encoder.encode(id)) < 0,
  );
}

/** Without a snapshot before it, all dates are known. With one, a date is not later than the snapshot. */
function expectedDates({ changes, changesNone }: ManifestParts, row: Cells, snapshotAtMs: number) {
  expect(changesNone === null).toBe(changes !== null);
  const dateOf = (name: string) => {
    if (changesNone !== null) return changesNone === 'first' ? snapshotAtMs : null;
    expect(Number(row[name])).toBeGreaterThan(0);
    expect(Number(row[name])).toBeLessThanOrEqual(snapshotAtMs);
    return row[name] ?? null;
  };
  return Object.fromEntries(dates.map((name) => [name, dateOf(name)]));
}

/** Shows only the first difference, because a diff of 10,000 rows is unreadable. */
export function expectServed(snapshot: SnapshotRows, report: Report): void {
  const { manifest, parquet, ndjson } = snapshot;
  const served = listServed(report);
  const snapshotAtMs = Date.parse(
    manifest.snapshot.replace(/^(....)(..)(..T..)(..)(..)Z$/, '$1-$2-$3:$4:$5Z'),
  );
  const [startedAtMs, sealedAtMs] = [manifest.startedAt, manifest.sealedAt].map(Date.parse) as [
    number,
    number,
  ];
  expect(isAscending(parquet.map((row) => String(row.host_id)))).toBe(true);
  expect(parquet.length).toBe(manifest.rows);
  expect(ndjson.length).toBe(manifest.rows);
  for (const [index, row] of parquet.entries()) {
    const id = String(row.host_id);
    const { verdict } = manifest;
    const { account, region, projectId } = manifest.scope;
    const expected: Cells = {
      ...served.get(id),
      ...{ snapshot_at: snapshotAtMs, verdict, account, region, project_id: projectId },
      ...expectedDates(manifest, row, snapshotAtMs),
    };
    // A cheap comparison first, because expect() needs a millisecond per row.
    if (!isDeepStrictEqual({ ...ndjson[index] }, row)) {
      expect(ndjson[index], `NDJSON and Parquet differ for ${id}`).toEqual(row);
    }
    const fetchedAt = Number(row.fetched_at);
    const extra = row.extra === null ? null : JSON.parse(String(row.extra));
    const found = { ...row, extra, fetched_at: null };
    if (!isDeepStrictEqual(found, { ...expected, fetched_at: null })) {
      expect(found, id).toEqual({ ...expected, fetched_at: null });
      throw new Error(`${id} differs, but expect() shows no difference`);
    }
    if (!(fetchedAt >= startedAtMs && fetchedAt <= sealedAtMs)) {
      throw new Error(`${id} was fetched at ${row.fetched_at}, outside its run`);
    }
  }
  const ids = new Set(parquet.map((row) => row.host_id));
  expect(report.survivors.filter((id) => !ids.has(id))).toEqual([]);
}
