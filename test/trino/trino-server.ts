// Responsible for a Trino server for tests, which listens on this host only. install.sh puts its files into coverage/trino.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parseExact, RawNumber } from '../../lib/core/exact-json.ts';
import type { Answer } from '../support/lake-truth.ts';

/** Times with a zone are text, as in 2026-11-24 06:00:00.000 UTC, and so are whole numbers that a double cannot hold. Throws Error with the message of Trino. */
export type Ask = (sql: string) => Promise<unknown[][]>;

export interface TrinoServer {
  /** As in http://127.0.0.1:8080. */
  address: string;
  close(): Promise<void>;
}

interface QueryPage {
  data?: unknown[][];
  error?: { errorName: string; message: string };
  nextUri?: string;
}

/** It takes about 20 s. */
const startMaxMs = 180_000;
const home = join(import.meta.dirname, '../../coverage/trino');

/** What a server is tuned for. */
const sizes = {
  small: { options: ['-Xmx1G', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'], query: '300MB' },
  large: { options: ['-Xmx3G'], query: '1500MB' },
};
type Size = keyof typeof sizes;

/** A server without catalogs. Throws Error if it does not start. */
export async function startTrino(folder: string, size: Size = 'small'): Promise<TrinoServer> {
  const port = await findFreePort();
  const address = `http://127.0.0.1:${port}`;
  const child = spawn(join(home, 'java/bin/java'), listArguments(folder, address, size), {
    // It writes var/log/ there.
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let messages = '';
  const keep = (data: Buffer) => {
    messages = `${messages}${data}`.slice(-5_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = once(child, 'close');
  const close = async () => {
    child.kill();
    await ended;
  };
  const latestMs = Date.now() + startMaxMs;
  while (!(await isReady(address))) {
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (!hasEnded && Date.now() < latestMs) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      continue;
    }
    await close();
    throw new Error(`Trino ${hasEnded ? 'ended' : 'did not start in time'}: ${messages}`);
  }
  return { address, close };
}

/** `settings`: the lines of the file of the catalog, as in `connector.name=hive`. Throws Error if Trino refuses them. */
export async function createCatalog(
  address: string,
  name: string,
  settings: readonly string[],
): Promise<void> {
  const pairs = settings.map((line) => line.split(/=(.*)/));
  const connector = pairs.find(([key]) => key === 'connector.name')?.[1];
  const quoted = pairs
    .filter(([key]) => key !== 'connector.name')
    .map(([key, value = '']) => `"${key}" = '${value.replaceAll("'", "''")}'`);
  const ask = connectTo(address, { catalog: 'system', schema: 'runtime' });
  await ask(`CREATE CATALOG ${name} USING ${connector} WITH (${quoted.join(', ')})`);
}

/** The settings of a catalog of the Hive connector with a metastore in `folder`. `more`: those that `ddl` states. */
export function listHiveSettings(folder: string, more: readonly string[]): string[] {
  return [
    ...['connector.name=hive', 'hive.metastore=file'],
    `hive.metastore.catalog.dir=local://${folder}`,
    ...more,
  ];
}

/** Writes the configuration, and returns the arguments of Java. */
function listArguments(folder: string, address: string, size: Size): string[] {
  const { options, query } = sizes[size];
  const write = (name: string, lines: readonly string[]) => {
    const path = join(folder, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  };
  const config = write('config.properties', [
    ...['coordinator=true', 'node-scheduler.include-coordinator=true'],
    ...['catalog.management=dynamic', 'catalog.store=memory'],
    `http-server.http.port=${new URL(address).port}`,
    `discovery.uri=${address}`,
    ...[`query.max-memory=${query}`, `query.max-memory-per-node=${query}`],
  ]);
  const settings = {
    config,
    'log.levels-file': write('log.properties', ['io=WARN', 'org=WARN']),
    'plugin.dir': join(home, 'plugin'),
    'node.environment': 'test',
    'node.id': 'one',
    'node.data-dir': folder,
    'node.bind-ip': '127.0.0.1',
    'node.internal-address': '127.0.0.1',
    // Results must not depend on the time zone of the server.
    'user.timezone': 'Asia/Shanghai',
    'jdk.attach.allowAttachSelf': 'true',
  };
  return [
    ...options,
    '--add-opens=java.base/java.nio=ALL-UNNAMED',
    ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`),
    ...['-cp', join(home, 'lib/*'), 'io.trino.server.TrinoServer'],
  ];
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

async function isReady(address: string): Promise<boolean> {
  try {
    const info = await (await fetch(`${address}/v1/info`)).json();
    return info.starting === false;
  } catch {
    return false;
  }
}

/** Asks in the catalog and schema. */
export function connectTo(address: string, place: { catalog: string; schema: string }): Ask {
  const headers = {
    'X-Trino-User': 'test',
    'X-Trino-Catalog': place.catalog,
    'X-Trino-Schema': place.schema,
    // Results must not depend on the time zone of a session.
    'X-Trino-Time-Zone': 'America/New_York',
  };
  return async (sql) => {
    const started = await fetch(`${address}/v1/statement`, { method: 'POST', body: sql, headers });
    let page = await readPage(started);
    const rows: unknown[][] = [];
    while (true) {
      if (page.error) throw new Error(`${sql}\n${page.error.errorName}: ${page.error.message}`);
      rows.push(...(page.data ?? []));
      if (page.nextUri === undefined) return rows;
      page = await readPage(await fetch(page.nextUri));
    }
  };
}

/** The cells of a row of Trino, as the oracle has them. */
export function readRow(row: readonly unknown[]): Answer[] {
  return row.map((value) => {
    const [, day, time] = /^(\S{10}) (\S{12})\d* UTC$/.exec(String(value)) ?? [];
    return day ? `${day}T${time}Z` : (value as Answer);
  });
}

async function readPage(response: Response): Promise<QueryPage> {
  const page = parseExact(await response.text()) as QueryPage;
  const data = page.data?.map((row) =>
    row.map((cell) => {
      if (cell instanceof RawNumber) return cell.text;
      return Number.isInteger(cell) && !Number.isSafeInteger(cell) ? String(cell) : cell;
    }),
  );
  return data ? { ...page, data } : page;
}
