// Tests that parts whose rows contradict their manifest are found although every hash, pointer and key matches: a forger who
// calculated the whole chain again, or a fault of the writer.

import { parquetMetadata } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import { manifestKey, type PartKind, partKey } from '../../lib/core/object-keys.ts';
import type { Encoder, Row } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { ndjsonDecoder } from '../../lib/formats/ndjson-rows.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { changeColumns } from '../../lib/snapshots/changes.ts';
import {
  encodeManifest,
  encodePointer,
  type Manifest,
  type Part,
  pointerTo,
} from '../../lib/snapshots/manifest.ts';
import type { RowCheck } from '../../lib/verification/stated-rows.ts';
import { type VerifyOptions, verifyStore } from '../../lib/verification/verification.ts';
import { encodeRows } from '../formats/encoding.ts';
import { countCases } from '../support/cases.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { listHistory } from '../support/sealed-history.ts';
import { someTarget } from '../support/stored-run.ts';
import { createTestScratch } from '../support/test-scratch.ts';

const newestMs = Date.UTC(2026, 10, 24, 6);
const snapshot = '20261124T060000Z';
const { columns, keyColumn } = containerNodes;
const encoders: Record<Part['format'], Encoder> = {
  parquet: parquetEncoder,
  ndjson: ndjsonEncoder,
};
const formats = ['parquet', 'ndjson'] as const;
const scratch = createTestScratch();
const rowCheck: RowCheck = {
  ...{ scratch, datasets: [containerNodes] },
  decoders: [parquetDecoder, ndjsonDecoder],
};

type Cells = Record<string, Row[number]>;

function rowOf(hostId: string, more: Cells = {}): Row {
  const cells: Cells = {
    snapshot_at: newestMs,
    verdict: 'complete',
    account: 'prod',
    region: someTarget.region,
    project_id: someTarget.projectId,
    host_id: hostId,
    ...more,
  };
  return columns.map(({ name }) => cells[name] ?? null);
}

const hostIds = ['a', 'b', 'ａ', '😀'];
const goodRows = hostIds.map((id) => rowOf(id));

interface Forged {
  /** Of each part with rows. */
  rowsOf?: (format: Part['format']) => readonly Row[];
  encode?: (format: Part['format'], rows: readonly Row[]) => Promise<Uint8Array> | Uint8Array;
  change?: ((manifest: Manifest) => Partial<Manifest>) | undefined;
  more?: { kind: PartKind; bytes: Uint8Array; rows: number }[];
  /** Changes the bytes of the manifest. */
  write?: (bytes: Uint8Array) => Uint8Array;
}

/** Every slash is written as an escape: the same JSON value in other bytes. */
function escapeSlashes(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString().replaceAll('/', '\\/'));
}

/** A store of one snapshot in which every hash, key, size and pointer is right. */
async function forge({ rowsOf = () => goodRows, encode, change, more = [], write }: Forged) {
  const store = createMemoryStore({ nowMs: () => newestMs });
  const history = [...listHistory({ count: 1, newestMs, rows: goodRows.length })];
  const found = history.find(({ key }) => key.startsWith('_manifests/'));
  const example = JSON.parse(Buffer.from(found?.bytes ?? []).toString()) as Manifest;
  const parts: Part[] = [];
  const add = async (kind: PartKind, bytes: Uint8Array, rows: number) => {
    const hash = sha256(bytes);
    const key = partKey(someTarget, kind, snapshot, hash);
    await store.put(key, bytes);
    parts.push({ ...kind, key, rows, bytes: bytes.length, sha256: hash });
  };
  for (const format of formats) {
    const rows = rowsOf(format);
    const bytes = await (encode?.(format, rows) ?? encodeRows(encoders[format], rows));
    await add({ role: 'rows', format }, bytes, goodRows.length);
  }
  for (const { kind, bytes, rows } of more) await add(kind, bytes, rows);
  const changed = more.find(({ kind }) => kind.role === 'changes')?.rows;
  const since = '20261123T060000Z';
  const changes = changed === undefined ? null : { since, added: 0, removed: 0, changed };
  const honest = { ...example, parts, changes };
  const manifest = { ...honest, ...change?.(honest) };
  const encoded = encodeManifest(manifest);
  const bytes = write?.(encoded) ?? encoded;
  const key = manifestKey(someTarget, snapshot);
  await store.put(key, bytes);
  const pointer = encodePointer(
    pointerTo({ manifestKey: key, manifest, manifestSha256: sha256(bytes) }),
  );
  await store.put(`_head/container_nodes/rgn=cn-south-4/prj=p1.json`, pointer);
  await store.put(`_latest/container_nodes/rgn=cn-south-4/prj=p1.json`, pointer);
  return { store, parts, manifestKey: key };
}

async function verifyForged(forged: Forged, options: VerifyOptions = {}) {
  const { store, parts, manifestKey: key } = await forge(forged);
  const verification = await verifyStore(store, () => {}, { rowCheck, ...options });
  return { ...verification, sealed: parts, key };
}

test('rows that match are not a fault, and every part with rows is counted', async () => {
  const { faults, rowParts } = await verifyForged({});
  expect(faults).toEqual([]);
  expect(rowParts).toEqual({ compared: 2, notCompared: 0 });
  expect(scratch.left()).toBe(0);
});

describe('what diff could not read is a fault for verify too, also in a column that it does not compare', () => {
  /** One byte of a compressed page of the column is changed. */
  async function damagePage(format: Part['format'], rows: readonly Row[]): Promise<Uint8Array> {
    const bytes = Buffer.from(await encodeRows(encoders[format], rows));
    if (format === 'ndjson') return bytes;
    const { row_groups, schema } = parquetMetadata(Uint8Array.from(bytes).buffer);
    const c = schema.findIndex(({ name }) => name === 'host_name') - 1;
    const meta = row_groups[0]?.columns[c]?.meta_data;
    if (!meta) throw new Error('no column');
    const end =
      Number(meta.dictionary_page_offset || meta.data_page_offset) +
      Number(meta.total_compressed_size);
    // In the length that ends the data of gzip.
    bytes[end - 3] = (bytes[end - 3] ?? 0) ^ 1;
    return bytes;
  }

  test('a damaged page', async () => {
    const { faults } = await verifyForged({ encode: damagePage });
    expect(faults).toMatchObject([
      { message: expect.stringContaining('cannot be read as parquet: ') },
    ]);
  });

  test('a text that is longer than any row can be', async () => {
    const [a, b, c] = goodRows as [Row, Row, Row];
    const long = rowOf('😀', { extra: JSON.stringify({ a: 'x'.repeat(60 * 2 ** 20) }) });
    const rowsOf = (format: Part['format']) => (format === 'parquet' ? [a, b, c, long] : goodRows);
    const { faults } = await verifyForged({ rowsOf });
    expect(faults).toMatchObject([
      { message: expect.stringContaining('a row group of too many bytes') },
    ]);
  });

  test('a file that is cut: the words are about the file', async () => {
    const encode = async (format: Part['format'], rows: readonly Row[]) => {
      const bytes = await encodeRows(encoders[format], rows);
      const empty = Buffer.from('PAR1\0\0\0\0PAR1');
      return format === 'parquet' ? empty : Buffer.concat([bytes.subarray(0, 20)]);
    };
    const { faults } = await verifyForged({ encode });
    const said = faults.map(({ message }) => message).join('\n');
    expect(said).toContain('its footer or a page is cut or damaged');
    expect(said).not.toMatch(/undefined|DataView|reading '/);
  });
});

describe.each(formats)('in %s, a fault that names the object and the row', (format) => {
  const [a, b, c, d] = goodRows as [Row, Row, Row, Row];
  const cases: [string, readonly Row[], string][] = [
    ['a row less', [a, b, c], 'has 3 rows, but its manifest says 4'],
    ['no row', [], 'has 0 rows, but its manifest says 4'],
    ['a row more', [a, b, c, d, rowOf('😁')], 'has more than the 4 rows that its manifest says'],
    ['rows in another order', [a, c, b, d], 'host_id in row 3 is before that of row 2'],
    [
      'rows in the order of UTF-16',
      ['a', 'b', '😀', 'ａ'].map((id) => rowOf(id)),
      'host_id in row 4 is before that of row 3',
    ],
    ['a row twice', [a, b, b, d], 'host_id in row 3 is the same as in row 2'],
    ...(
      [
        ['snapshot_at', newestMs - 1_000],
        ['verdict', 'drifted'],
        ['account', 'test'],
        ['region', 'cn-north-4'],
        ['project_id', 'p2'],
      ] as const
    ).flatMap(([name, value]): [string, readonly Row[], string][] => [
      [
        `another ${name} in one row`,
        [a, b, rowOf('ａ', { [name]: value }), d],
        `has ${JSON.stringify(value)} as ${name} in row 3, but its manifest says`,
      ],
      [
        `no ${name} in the last row`,
        [a, b, c, rowOf('😀', { [name]: null })],
        `has null as ${name} in row 4, but its manifest says`,
      ],
    ]),
  ];
  test.each(cases)('%s', async (_what, rows, message) => {
    const rowsOf = (one: Part['format']) => (one === format ? rows : goodRows);
    const { faults, sealed } = await verifyForged({ rowsOf });
    const key = sealed.find((part) => part.format === format)?.key;
    expect(faults).toMatchObject([{ key, message: expect.stringContaining(message) }]);
    expect(faults[0]?.hint).toContain('Its hash matches its manifest');
    expect(scratch.left()).toBe(0);
  });

  test('bytes that are not of the format', async () => {
    const encode = (one: Part['format'], rows: readonly Row[]) =>
      one === format ? Buffer.from('something else') : encodeRows(encoders[one], rows);
    const { faults } = await verifyForged({ encode });
    expect(faults).toMatchObject([
      { message: expect.stringContaining(`cannot be read as ${format}: `) },
    ]);
  });

  test.each(['verdict', 'account', keyColumn])('a part without the column %s', async (name) => {
    const c = columns.findIndex((column) => column.name === name);
    const encode = (one: Part['format'], rows: readonly Row[]) =>
      one !== format
        ? encodeRows(encoders[one], rows)
        : encodeRows(
            encoders[one],
            rows.map((row) => row.toSpliced(c, 1)),
            { columns: columns.toSpliced(c, 1), sortedBy: 'snapshot_at' },
          );
    const { faults } = await verifyForged({ encode });
    expect(faults).toMatchObject([{ message: `has no column ${name}` }]);
  });
});

const seeds = countCases(12);

test(`one changed cell of a checked column, in a part of several row groups, is found: ${seeds} seeds`, async () => {
  const names = ['snapshot_at', 'verdict', 'account', 'region', 'project_id'];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    const below = (max: number) => Math.floor(random() * max);
    const count = 9_000 + below(12_000);
    const at = below(count);
    const name = names[below(names.length)] ?? '';
    const format = formats[below(2)] ?? 'parquet';
    const idOf = (index: number) => `node-${String(index).padStart(6, '0')}`;
    const rows = Array.from({ length: count }, (_, index) => rowOf(idOf(index)));
    const wrong = rows.with(at, rowOf(idOf(at), { [name]: name === 'snapshot_at' ? 0 : 'x' }));
    const { faults } = await verifyForged({
      rowsOf: (one) => (one === format ? wrong : rows),
      change: ({ parts }) => ({
        rows: count,
        parts: parts.map((part) => ({ ...part, rows: count })),
      }),
    });
    expect(faults, `seed ${seed}`).toMatchObject([
      { message: expect.stringContaining(` as ${name} in row ${at + 1}, but`) },
    ]);
  }
});

describe('a manifest that contradicts itself', () => {
  const cases: [string, Forged['change'], string][] = [
    ['other rows than its parts', () => ({ rows: 5 }), 'says 5 rows, but 4 for its part'],
    ['rejects without a part', () => ({ rejects: 2 }), 'says 2 rejects, but names no part'],
    ['rows without a part', () => ({ parts: [] }), 'says 4 rows, but names no part with them'],
    [
      'changes without a part',
      () => ({ changes: { since: '20261123T060000Z', added: 1, removed: 0, changed: 2 } }),
      'says 3 changes, but names no part with them',
    ],
    [
      'another number in one format',
      ({ parts }) => ({ parts: parts.map((part, index) => ({ ...part, rows: 4 - index })) }),
      'says 4 rows, but 3 for its part',
    ],
    [
      'two parts of one kind',
      ({ parts }) => ({ parts: [...parts, ...parts.slice(0, 1)] }),
      'names two parts with rows in parquet',
    ],
  ];
  test.each(cases)('%s is a fault, also if no part is hashed', async (_what, change, message) => {
    for (const hashSinceMs of [null, Number.POSITIVE_INFINITY]) {
      const { faults, key } = await verifyForged({ change }, { hashSinceMs });
      const ofManifest = faults.filter((fault) => fault.key === key);
      expect(ofManifest[0]?.message).toContain(message);
    }
  });
});

describe('a part with changes', () => {
  const names = changeColumns(containerNodes);
  const changeOf = (hostId: string, more: Cells = {}): Row => {
    const cells: Cells = {
      ...{ snapshot_at: newestMs, previous_snapshot_at: newestMs - 1_000, account: 'prod' },
      ...{ region: 'cn-south-4', project_id: 'p1', host_id: hostId, change: 'added', ...more },
    };
    return names.map(({ name }) => cells[name] ?? null);
  };
  const verifyChanges = async (rows: readonly Row[], stated = rows.length) => {
    const options = { columns: names, sortedBy: keyColumn };
    const bytes = await encodeRows(parquetEncoder, rows, options);
    const kind = { role: 'changes', format: 'parquet' } as const;
    return verifyForged({ more: [{ kind, bytes, rows: stated }] });
  };

  test('is compared by its own columns', async () => {
    const { faults, rowParts } = await verifyChanges([changeOf('a'), changeOf('b')]);
    expect([faults, rowParts.compared]).toEqual([[], 3]);
  });

  test.each([
    ['another region', [changeOf('a', { region: 'x' })], 1, 'has "x" as region in row 1'],
    ['another order', [changeOf('b'), changeOf('a')], 2, 'host_id in row 2 is before'],
    ['another number', [changeOf('a')], 2, 'has 1 rows, but its manifest says 2'],
  ])('with %s is a fault', async (_what, rows, stated, message) => {
    const { faults } = await verifyChanges(rows, stated);
    expect(faults).toMatchObject([{ message: expect.stringContaining(message) }]);
  });
});

test('a part of a dataset that this version does not know is hashed, and said to be not compared', async () => {
  const { faults, rowParts } = await verifyForged({
    rowsOf: () => [],
    change: () => ({ dataset: 'images' }),
  });
  expect([faults, rowParts]).toEqual([[], { compared: 0, notCompared: 2 }]);
});

test('rows of a part with a wrong hash are not read: it is one fault', async () => {
  const { store, parts } = await forge({});
  const { key = '', bytes = 0 } = parts[0] ?? {};
  await store.put(key, Buffer.alloc(bytes));
  const { faults, rowParts } = await verifyStore(store, () => {}, { rowCheck });
  expect(faults).toMatchObject([{ key, message: expect.stringContaining('was altered') }]);
  expect(rowParts).toEqual({ compared: 1, notCompared: 0 });
});

test('parts that are not hashed are not read', async () => {
  const options = { hashSinceMs: Number.POSITIVE_INFINITY };
  const { faults, rowParts, notHashed } = await verifyForged({ rowsOf: () => [] }, options);
  expect([faults, rowParts]).toEqual([[], { compared: 0, notCompared: 0 }]);
  expect(notHashed.parts).toBe(2);
});

test('can be stopped between batches of rows', async () => {
  const { store } = await forge({});
  let total = 0;
  const countCall = () => {
    total += 1;
  };
  await verifyStore(store, countCall, { rowCheck });
  let calls = 0;
  const stop = () => {
    calls += 1;
    if (calls === total) throw new Error('stopped');
  };
  await expect(verifyStore(store, stop, { rowCheck })).rejects.toThrow('stopped');
  expect(scratch.left()).toBe(0);
});

test.each(['deleted', 'altered'])(
  'a part that is %s is a fault, also if its manifest writes the key with escapes',
  async (how) => {
    const { store, parts } = await forge({ write: escapeSlashes });
    const key = parts[0]?.key ?? '';
    const bytes = (await store.get(key)) ?? new Uint8Array();
    await store.delete(key);
    if (how === 'altered') await store.put(key, Buffer.concat([bytes, Buffer.from('x')]));
    const { faults } = await verifyStore(store, () => {}, { rowCheck });
    expect(faults.map((fault) => fault.key)).toEqual([key]);
  },
);
