// Responsible for which stored targets a command is about: those of the configuration or of the whole store, as its options pick.

import {
  type ConfiguredTarget,
  isConfigured,
  listStoredTargets,
  type StoredTarget,
} from '../app/covered-targets.ts';
import { noSnapshot } from '../app/store-check.ts';
import { type ConfigError, configFault } from '../core/errors.ts';
import type { TargetKey } from '../core/object-keys.ts';
import type { Log, Store } from '../core/ports.ts';
import { describeTarget } from './format.ts';

export type { StoredTarget } from '../app/covered-targets.ts';

/** Each list has the values of a repeatable option. Absent: any. */
export interface StoredPicks {
  account?: string[] | undefined;
  table?: string[] | undefined;
  region?: string[] | undefined;
  project?: string[] | undefined;
}

export interface PickedStored {
  /** Those with a snapshot, by name. */
  targets: StoredTarget[];
  /** Targets of the configuration that the options pick and that have no snapshot. */
  withoutSnapshot: ConfiguredTarget[];
}

/**
 * The picked targets. `configured`: null for all targets of the store. Logs the stored targets that the
 * configuration does not have. Throws ConfigError for a name that no target has, and if none is left.
 */
export async function pickAllStoredTargets(
  store: Store,
  configured: readonly ConfiguredTarget[] | null,
  picks: StoredPicks,
  log: Log,
): Promise<PickedStored> {
  const setting = settingOf(configured);
  const stored = await listStoredTargets(store);
  if (stored.length === 0) throw noSnapshot(setting, store);
  const covered = stored.filter((one) => configured === null || isConfigured(one, configured));
  checkPicks(covered, picks);
  logNotConfigured(
    log,
    stored.filter((one) => !covered.includes(one) && isPicked(one, picks)),
  );
  const picked = covered.filter((one) => isPicked(one, picks));
  const withoutSnapshot = (configured ?? []).filter(
    (one) => isPicked(one, picks) && !stored.some((other) => isConfigured(other, [one])),
  );
  if (picked.length > 0) return { targets: picked, withoutSnapshot };
  throw nothingPicked(setting, covered);
}

/**
 * As pickAllStoredTargets(), but without the targets of filtered tables that are not named. Logs them, and the targets of the
 * configuration that have no snapshot.
 */
export async function pickStoredTargets(
  store: Store,
  configured: readonly ConfiguredTarget[] | null,
  picks: StoredPicks,
  log: Log,
): Promise<PickedStored> {
  const found = await pickAllStoredTargets(store, configured, picks, log);
  const { targets: picked, withoutSnapshot } = found;
  if (withoutSnapshot.length > 0) {
    log('warn', 'targets of the configuration have no snapshot yet', {
      targets: withoutSnapshot.map(describeTarget),
      hint: '`cgs-export status` says what each of them waits for.',
    });
  }
  // A filtered list is a part of another one: its rows would be shown twice.
  const shown = picked.filter(({ isFiltered }) => !isFiltered || picks.table !== undefined);
  logLeftOut(log, 'targets of filtered tables are left out', {
    targets: picked.filter((one) => !shown.includes(one)),
    hint: 'Name such a table with --table.',
  });
  if (shown.length > 0) return { targets: shown, withoutSnapshot };
  throw nothingPicked(settingOf(configured), picked);
}

function settingOf(configured: readonly ConfiguredTarget[] | null): string {
  return configured === null ? '--store' : 'store';
}

function nothingPicked(setting: string, targets: readonly StoredTarget[]): ConfigError {
  const hint = `Targets with a snapshot: ${targets.map(describeTarget).join('; ') || 'none'}.`;
  return configFault(setting, 'no target with a snapshot is picked', hint);
}

/** Logs the stored targets that are not covered, as pickAllStoredTargets() does. */
export async function logUncovered(
  store: Store,
  isCovered: (target: TargetKey) => boolean,
  picks: StoredPicks,
  log: Log,
): Promise<void> {
  const uncovered = await listStoredTargets(store, (target) => !isCovered(target));
  logNotConfigured(
    log,
    uncovered.filter((one) => isPicked(one, picks)),
  );
}

function logNotConfigured(log: Log, targets: readonly StoredTarget[]): void {
  logLeftOut(log, 'stored targets that the configuration does not have are left out', {
    targets,
    hint: 'Use --store to cover all targets of the store.',
  });
}

type Pickable = Pick<StoredTarget, 'account' | 'table' | 'region'> & { projectId: string | null };

const valueIn: { [name in keyof StoredPicks]-?: (target: Pickable) => string } = {
  account: ({ account }) => account ?? 'unknown',
  table: ({ table }) => table,
  region: ({ region }) => region,
  project: ({ projectId }) => projectId ?? 'unknown',
};
const pickNames = ['account', 'table', 'region', 'project'] as const;

function isPicked(target: Pickable, picks: StoredPicks): boolean {
  return pickNames.every((name) => picks[name]?.includes(valueIn[name](target)) ?? true);
}

function checkPicks(targets: readonly StoredTarget[], picks: StoredPicks): void {
  for (const name of pickNames) {
    const known = [...new Set(targets.map(valueIn[name]))];
    for (const value of picks[name] ?? []) {
      if (known.includes(value)) continue;
      const hint = `Choose one of: ${known.join(', ') || '(none)'}.`;
      throw configFault(`--${name}`, `no target with a snapshot has the ${name} "${value}"`, hint);
    }
  }
}

function logLeftOut(
  log: Log,
  message: string,
  { targets, hint }: { targets: readonly StoredTarget[]; hint: string },
): void {
  if (targets.length === 0) return;
  log('info', message, { targets: targets.map(describeTarget), hint });
}
