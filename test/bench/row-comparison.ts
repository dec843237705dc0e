// Responsible for comparing the exported files with the list that the endpoint served, in DuckDB: the number of rows, distinct
// keys, a hash over the columns of every field, and the order.

import { createWriteStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';

const duckTypes = {
  string: 'VARCHAR',
  boolean: 'BOOLEAN',
  int32: 'INTEGER',
  int64: 'BIGINT',
  timestamp: 'TIMESTAMP',
};
/** The columns that come from a field of the API. */
const columns = containerNodes.columns.filter(({ name }) => containerNodes.fields.has(name));

interface Summary {
  rows: number;
  keys: number;
  /** The sum of the hashes of all rows, so that their order does not matter. */
  hash: string;
}

/** Writes the current list of the endpoint to `file`, one node per line. */
export async function saveList(url: string, file: string): Promise<void> {
  const response = await fetch(`${url}/simulator/nodes`);
  if (!response.ok || !response.body) throw new Error(`the list: status ${response.status}`);
  await pipeline(Readable.fromWeb(response.body as never), createWriteStream(file));
}

/** What is wrong with the newest files of the store, in words; empty if they hold exactly the nodes of `list`. */
export async function compareRows(store: string, list: string): Promise<string[]> {
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '2GB', threads: '2' });
  const connection = await instance.connect();
  const ask = async (sql: string) =>
    (await connection.runAndReadAll(sql)).getRowObjects()[0] as Record<string, unknown>;
  const summarize = async (from: string): Promise<Summary> => {
    const names = columns.map(({ name }) => name).join(', ');
    const sql = `SELECT count(*) AS rows, count(DISTINCT host_id) AS keys, sum(hash(${names})) AS hash FROM ${from}`;
    const { rows, keys, hash } = await ask(sql);
    return { rows: Number(rows), keys: Number(keys), hash: String(hash) };
  };
  const types = columns.map(({ name, type }) => `${name}: '${duckTypes[type]}'`).join(', ');
  const lines = (file: string) =>
    `read_json('${file}', format = 'newline_delimited', columns = {${types}})`;
  try {
    const parquetFile = await findFile(store, '.parquet');
    const parquet = `read_parquet('${parquetFile}', file_row_number = true)`;
    const served = await summarize(lines(list));
    const faults: string[] = [];
    for (const [format, from] of [
      ['Parquet', parquet],
      ['NDJSON', lines(await findFile(store, '.ndjson.gz'))],
    ] as const) {
      const found = await summarize(from);
      for (const figure of ['rows', 'keys', 'hash'] as const) {
        if (found[figure] === served[figure]) continue;
        faults.push(`${format}: ${figure} ${found[figure]}, but served ${served[figure]}`);
      }
    }
    const order = `SELECT count(*) AS wrong FROM (SELECT host_id <= lag(host_id) OVER (ORDER BY file_row_number) AS isWrong FROM ${parquet}) WHERE isWrong`;
    const { wrong } = await ask(order);
    if (Number(wrong) > 0) faults.push(`Parquet: ${wrong} rows are out of order`);
    const { more } = await ask(`SELECT count(*) AS more FROM ${parquet} WHERE extra IS NOT NULL`);
    if (Number(more) > 0) faults.push(`Parquet: ${more} rows have a value in extra`);
    return faults;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function findFile(store: string, ending: string): Promise<string> {
  const paths = await readdir(store, { recursive: true });
  const found = paths.filter((path) => path.startsWith('container_nodes') && path.endsWith(ending));
  if (found.length !== 1) throw new Error(`${found.length} files end in ${ending}`);
  return join(store, found[0] as string);
}
