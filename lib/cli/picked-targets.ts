// Responsible for connecting a command that reads stored targets, which its options pick, and for these options.

import type { Command } from 'commander';
import type { Connection } from '../app/connect.ts';
import { configFault } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import { checkFolder, connectStore } from './connection.ts';
import { describeTarget, quoteForShell } from './format.ts';
import { addBucketOptions, addStoredPickOptions, type StoreOptions } from './options.ts';
import type { Session } from './session.ts';
import {
  type PickedStored,
  pickStoredTargets,
  type StoredPicks,
  type StoredTarget,
} from './stored-targets.ts';

export type ReaderOptions = Omit<StoreOptions, 'region'> & StoredPicks;

export function addReaderOptions(command: Command): void {
  addStoredPickOptions(command);
  command
    .optionsGroup('A store without a configuration file. With --store, no file is read:')
    .option('--store <url>', 'file:./export or obs://bucket/prefix; covers all its targets');
  addBucketOptions(command);
}

export interface PickedTargets {
  connection: Connection;
  targets: StoredTarget[];
  /** Targets of the configuration that the options pick and that have no snapshot. */
  withoutSnapshot: PickedStored['withoutSnapshot'];
}

/** `pick`: which of the stored targets. Throws ConfigError; also if none is picked. */
export async function connectPickedTargets(
  options: ReaderOptions,
  session: Session,
  pick: typeof pickStoredTargets = pickStoredTargets,
): Promise<PickedTargets> {
  const { account, table, region, project, ...storeOptions } = options;
  const { store: address, config } = options;
  // With --store, the region that is picked is also that of the bucket.
  const ofBucket = address === undefined ? {} : { region: region?.[0] };
  const connection = await connectStore({ ...storeOptions, ...ofBucket }, session);
  const { store, targets: configured } = connection;
  await checkFolder(store, address === undefined ? 'store' : '--store');
  const covered = address !== undefined && config === undefined ? null : configured;
  const picks = { account, table, region, project };
  return { connection, ...(await pick(store, covered, picks, session.log)) };
}

/**
 * The options that pick this one of the `targets` in the same store again, to be put after a command. With one target alone that
 * no option picked, only those that name the store.
 */
export function describePick(
  options: ReaderOptions,
  { table, region, projectId }: StoredTarget,
  targets: readonly StoredTarget[],
): string {
  const { account, config, store, obsEndpoint, obsRegion, pathStyle } = options;
  const asked = [account, options.table, options.region, options.project];
  const isOneOfMany = targets.length > 1 || asked.some((value) => value !== undefined);
  const picks = isOneOfMany ? { table, region, project: projectId } : {};
  const named = { ...picks, config, store, 'obs-endpoint': obsEndpoint, 'obs-region': obsRegion };
  const pairs = Object.entries(named).filter(([, value]) => value !== undefined);
  const texts = pairs.map(([name, value]) => ` --${name} ${quoteForShell(String(value))}`);
  return `${texts.join('')}${pathStyle ? ' --path-style' : ''}`;
}

/** Logs the targets of other datasets. Throws ConfigError if all are of others. */
export function keepContainerNodes(targets: readonly StoredTarget[], log: Log): StoredTarget[] {
  const kept = targets.filter(
    ({ dataset }) => (dataset ?? containerNodes.name) === containerNodes.name,
  );
  const others = targets.filter((one) => !kept.includes(one)).map(describeTarget);
  const message = 'tables that do not have container nodes are left out';
  if (kept.length === 0) {
    throw configFault(
      '--table',
      'no picked table has container nodes',
      `Picked: ${others.join('; ')}.`,
    );
  }
  if (others.length > 0) log('info', message, { targets: others });
  return kept;
}
