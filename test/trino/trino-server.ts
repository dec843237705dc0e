// Responsible for a Trino server for tests, which listens on this host only. install.sh puts its files into coverage/trino.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

export interface TrinoServer {
  /** Throws Error with the message of Trino. Times with a zone are text, as in 2026-11-24 06:00:00.000 UTC. */
  query(sql: string, schema: string): Promise<unknown[][]>;
  close(): Promise<void>;
}

interface QueryPage {
  data?: unknown[][];
  error?: { errorName: string; message: string };
  nextUri?: string;
}

const home = join(import.meta.dirname, '../../coverage/trino');

/** `catalog`: lines of the file of the catalog `hive`, after those of its metastore. Throws Error if it does not start. */
export async function startTrino(folder: string, catalog: readonly string[]): Promise<TrinoServer> {
  const port = await findFreePort();
  const address = `http://127.0.0.1:${port}`;
  const child = spawn(join(home, 'java/bin/java'), listArguments(folder, catalog, address), {
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
  while (!(await isReady(address))) {
    if (child.exitCode !== null) throw new Error(`Trino ended: ${messages}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return {
    query: (sql, schema) => runQuery(address, sql, schema),
    async close() {
      child.kill();
      await ended;
    },
  };
}

/** Writes the configuration, and returns the arguments of Java. */
function listArguments(folder: string, catalog: readonly string[], address: string): string[] {
  const write = (name: string, lines: readonly string[]) => {
    const path = join(folder, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  };
  mkdirSync(join(folder, 'catalogs'), { recursive: true });
  mkdirSync(join(folder, 'metastore'));
  write('catalogs/hive.properties', [
    ...['connector.name=hive', 'hive.metastore=file'],
    `hive.metastore.catalog.dir=local://${join(folder, 'metastore')}`,
    ...catalog,
  ]);
  const config = write('config.properties', [
    ...['coordinator=true', 'node-scheduler.include-coordinator=true'],
    `http-server.http.port=${new URL(address).port}`,
    `discovery.uri=${address}`,
    ...['query.max-memory=300MB', 'query.max-memory-per-node=300MB'],
  ]);
  const settings = {
    config,
    'log.levels-file': write('log.properties', ['io=WARN', 'org=WARN']),
    'catalog.config-dir': join(folder, 'catalogs'),
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
    ...['-Xmx1G', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
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

async function runQuery(address: string, sql: string, schema: string): Promise<unknown[][]> {
  const headers = {
    'X-Trino-User': 'test',
    'X-Trino-Catalog': 'hive',
    'X-Trino-Schema': schema,
    // Results must not depend on the time zone of a session.
    'X-Trino-Time-Zone': 'America/New_York',
  };
  const started = await fetch(`${address}/v1/statement`, { method: 'POST', body: sql, headers });
  let page: QueryPage = await started.json();
  const rows: unknown[][] = [];
  while (true) {
    if (page.error) throw new Error(`${sql}\n${page.error.errorName}: ${page.error.message}`);
    rows.push(...(page.data ?? []));
    if (page.nextUri === undefined) return rows;
    page = await (await fetch(page.nextUri)).json();
  }
}
