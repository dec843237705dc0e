// Responsible for the command `ddl`: SQL that makes tables and views of the store in an engine.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Connection } from '../app/connect.ts';
import { listStoredTargets } from '../app/covered-targets.ts';
import { noSnapshot } from '../app/store-check.ts';
import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import type { Dataset } from '../core/ports.ts';
import { datasets } from '../datasets/index.ts';
import type { Dialect, StoreAddress } from '../ddl/dialect.ts';
import { dialects } from '../ddl/dialects.ts';
import { writeScript } from '../ddl/script.ts';
import { changeColumns } from '../snapshots/changes.ts';
import { listProtectionMeasures } from '../snapshots/protection.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { checkFolder, connectStore } from './connection.ts';
import { addStoreOptions, choice, collectValues, type StoreOptions } from './options.ts';
import type { Session } from './session.ts';

type DdlOptions = StoreOptions & { engine: string; location?: string; table?: string[] };

const engines = dialects.map(({ engine }) => engine);

export const ddlCommand: CommandDefinition<DdlOptions> = {
  name: 'ddl',
  summary: 'print SQL that makes tables and views of the store in DuckDB, Spark and other engines',
  description:
    'Prints SQL for an engine: for each table of the store its rows, its changes (_changes), its manifests (_snapshots), the rows of the newest complete snapshots (_latest) and the counts of each snapshot (_coverage). They have all accounts, regions and projects of the table. You can run the SQL again. With a configuration file, `ddl` does not read the store. Sends nothing to the service.',
  addOptions: (command) =>
    command
      .addOption(
        choice(
          '--engine <engine>',
          'the engine that will run the SQL',
          engines,
        ).makeOptionMandatory(),
      )
      .option(
        '--location <path|url>',
        'where the engine finds the store, if not where the configuration says: a folder, or s3://bucket/prefix',
      ),
  addTargetOptions,
  writes: 'nothing',
  codes: [0, 1, 2, 3, 4],
  examples: [
    'cgs-export ddl --engine duckdb > cgs.sql && duckdb lake.duckdb < cgs.sql',
    'cgs-export ddl --engine duckdb --store file:./export --table container_nodes',
    'cgs-export ddl --engine clickhouse --location /var/lib/clickhouse/user_files/cgs',
    "cgs-export ddl --engine duckdb --json | jq -r '.statements[]'",
  ],
  note: 'Logs go to stderr, so stdout is SQL only. Queries for these tables are in docs/query.md.',
  run: runDdl,
};

function addTargetOptions(command: Command): void {
  command
    .optionsGroup('Which tables (default: those of the configuration; with --store, all stored):')
    .option('--table <name>', 'only this table; repeatable', collectValues);
  addStoreOptions(command);
}

async function runDdl(options: DdlOptions, session: Session): Promise<Outcome> {
  const dialect = dialects.find(({ engine }) => engine === options.engine) as Dialect;
  const { table: picked, ...storeOptions } = options;
  const isByStore = options.store !== undefined && options.config === undefined;
  const connection = await connectStore(isByStore ? storeOptions : options, session);
  // With --location, the store may be out of reach of this host.
  if (isByStore || options.location === undefined) {
    await checkFolder(connection.store, isByStore ? '--store' : 'store');
  }
  const found = isByStore
    ? await findStoredTables(connection, picked, session)
    : new Map(connection.targets.map(({ table, dataset }) => [table, dataset]));
  const store = addressOf(connection);
  const root = readLocation(options.location, dialect, store, session.runtime.cwd);
  const tables = [...found]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([table, dataset]) => ({
      ...{ table, root, columns: dataset.columns, changeColumns: changeColumns(dataset) },
      measures: listProtectionMeasures(dataset.name),
    }));
  const isElsewhere = options.location !== undefined && !isBucketOf(root, store);
  const place = { root, store: isElsewhere ? null : store };
  const { statements, text } = writeScript(dialect, tables, place);
  const names = tables.map(({ table }) => table);
  return {
    exitCode: exitCodes.complete,
    json: {
      status: 'printed',
      ...{ engine: dialect.engine, location: root, tables: names, statements, sql: text },
      errors: [],
    },
    text,
  };
}

/** Throws ConfigError if a picked table is not stored, or if none is. */
async function findStoredTables(
  { store }: Connection,
  picked: readonly string[] | undefined,
  { log }: Session,
): Promise<Map<string, Dataset>> {
  const stored = await listStoredTargets(store);
  if (stored.length === 0) throw noSnapshot('--store', store);
  const known = [...new Set(stored.map(({ table }) => table))];
  const unknown = picked?.find((table) => !known.includes(table));
  if (unknown !== undefined) {
    const hint = `Choose one of: ${known.join(', ')}.`;
    throw configFault('--table', `the store has no snapshot of a table "${unknown}"`, hint);
  }
  const tables = new Map<string, Dataset>();
  for (const { table, dataset: name } of stored) {
    if (picked && !picked.includes(table)) continue;
    const dataset = datasets.find((one) => one.name === name);
    if (dataset) tables.set(table, dataset);
  }
  const left = (picked ?? known).filter((table) => !tables.has(table));
  const hint =
    'Its manifests cannot be read, or a later version of cgs-export wrote them. `cgs-export verify` finds damaged ones.';
  const message = `the dataset of the table is not known: ${left.join(', ')}`;
  if (tables.size === 0) throw configFault('--table', message, hint);
  if (left.length > 0) log('warn', `left out: ${message}`, { hint });
  return tables;
}

function addressOf({ place }: Connection): StoreAddress {
  if (place.kind === 'file') return { kind: 'file', path: place.root };
  const { bucket, prefix, endpoint, region, pathStyle } = place;
  return { kind: 'obs', bucket, prefix, endpoint, region, pathStyle };
}

/** Whether a location with another scheme, such as `s3a://`, is the bucket and prefix of the store. */
function isBucketOf(root: string, store: StoreAddress): boolean {
  if (store.kind === 'file') return false;
  const { bucket, prefix } = store;
  return root.replace(/^\w+:\/\//, '') === (prefix === '' ? bucket : `${bucket}/${prefix}`);
}

/** The root of the store for the engine. Throws ConfigError if SQL cannot have it. */
function readLocation(
  location: string | undefined,
  dialect: Dialect,
  store: StoreAddress,
  cwd: string,
): string {
  const root = readRoot(location, dialect, store, cwd);
  const setting = location === undefined ? 'store' : '--location';
  const fault = findControlCharacter(root) ?? dialect.findFault(root);
  if (fault === null) return root;
  const hint =
    'Name with --location where the engine finds the store, for example a link to its folder with another name.';
  throw configFault(setting, `${JSON.stringify(root)} cannot be used: ${fault}`, hint);
}

/** A location without a scheme is a path. Throws ConfigError if it names a host after file://, as the setting `store` does. */
function readRoot(
  location: string | undefined,
  dialect: Dialect,
  store: StoreAddress,
  cwd: string,
): string {
  if (location === undefined) return dialect.locate(store);
  const isUrl = /^(?!file:)[a-z][a-z0-9+.-]+:/i.test(location);
  if (isUrl) return location.replace(/\/+$/, '');
  if (/^file:\/\/(?!\/)/.test(location)) {
    const hint = 'Write `file:/abs/dir` or the path alone for a folder.';
    throw configFault('--location', 'names a host after file://', hint);
  }
  const path = resolve(cwd, location.replace(/^file:(?:\/\/(?=\/))?/, ''));
  return dialect.locate({ kind: 'file', path });
}

function findControlCharacter(root: string): string | null {
  return /\p{Cc}/u.test(root) ? 'it has a control character' : null;
}
