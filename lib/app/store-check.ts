// Responsible for checking a store with a small object: write, read, overwrite, list, delete, its clock, and who has access
// to a folder. Not responsible for what a failure means: the store explains its errors.

import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigError, configFault, ExportError, StoreError } from '../core/errors.ts';
import { doctorPrefix } from '../core/object-keys.ts';
import type { Clock, Store, StoredObject } from '../core/ports.ts';
import { newToken } from '../core/state.ts';
import { type Check, type CheckName, failed, ok, skipped, warning } from './check-result.ts';
import { judgeClock, judgeModes, type OwnedPath } from './judgement.ts';

/** An object of an earlier doctor that was killed is deleted when it is older, milliseconds. */
const leftoverAgeMs = 10 * 60_000;
/** Of the same length, so that a store which checks the size alone does not notice a stale read. */
const first = Buffer.from('cgs-export doctor: 1st bytes\n');
const second = Buffer.from('cgs-export doctor: 2nd bytes\n');
const mismatchHint =
  'The store must return what was written last: check caches and gateways in front of it, or choose another store.';

const afterWrite: readonly CheckName[] = [
  ...(['store-read', 'store-list', 'store-overwrite', 'store-delete', 'store-clock'] as const),
];

export interface StoreCheckOptions {
  clock: Pick<Clock, 'nowMs'>;
  /** In [0, 1). */
  random: () => number;
  /** Of a store in a folder. Null: a bucket. */
  folder: { root: string; fileMode: number; umask: number } | null;
}

/** Everything that was found. Leaves no object if the store can delete. */
// Long because: one object passes through all steps, and each step needs the ones before it.
export async function checkStore(store: Store, options: StoreCheckOptions): Promise<Check[]> {
  const { clock, random, folder } = options;
  const key = `${doctorPrefix}${newToken(random)}`;
  const checks: Check[] = [];
  /** Runs one step. Returns whether it went well. */
  async function step(check: CheckName, act: () => Promise<string>): Promise<boolean> {
    try {
      checks.push(ok({ check }, await act()));
      return true;
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      checks.push(failed({ check }, error));
      return false;
    }
  }

  if (folder !== null && !(await folderExists(folder.root))) {
    const { message, hint } = describeNewFolder(folder.root);
    checks.push(warning({ check: 'store-folder' }, message, hint));
  }
  // A bucket confirms a write by a read, and reads are a step of their own here.
  const putOptions = { durability: folder === null ? 'acknowledged' : 'confirmed' } as const;
  const startMs = clock.nowMs();
  const isWritten = await step('store-write', async () => {
    await store.put(key, first, putOptions);
    return `${store.url}: an object can be written`;
  });
  const endMs = clock.nowMs();
  if (!isWritten) {
    return [
      ...checks,
      ...afterWrite.map((check) => skipped({ check }, 'there is no object to try it with')),
    ];
  }
  const isRead = await step('store-read', () => expectBytes(store, key, first));
  let listed: StoredObject[] = [];
  let stored: StoredObject | undefined;
  await step('store-list', async () => {
    listed = await store.list(doctorPrefix);
    stored = listed.find((object) => object.key === key);
    if (stored === undefined)
      throw unreliable(store, 'a list does not have an object that was just written');
    return 'a list has the object';
  });
  if (folder !== null) checks.push(await checkModes(folder, key));
  if (isRead) {
    await step('store-overwrite', async () => {
      await store.put(key, second, putOptions);
      await expectBytes(store, key, second);
      return 'a read after an overwrite returns the new bytes';
    });
  } else {
    checks.push(skipped({ check: 'store-overwrite' }, 'the object cannot be read'));
  }
  await step('store-delete', async () => {
    await store.delete(key);
    if (stored) await deleteLeftovers(store, listed, stored.modifiedMs);
    if (!isRead || (await store.get(key)) === null) return 'the object can be deleted';
    throw unreliable(store, 'an object can be read after it was deleted');
  });
  if (store.putIfAbsent) await step('store-lease', () => createTwice(store, `${key}-lease`));
  checks.push(
    judgeClock(
      { check: 'store-clock' },
      {
        aheadMs: stored === undefined ? null : aheadOf(stored.modifiedMs, startMs, endMs),
        name: folder === null ? 'the store' : "the store's file system",
        isLimited: folder === null,
      },
    ),
  );
  return checks;
}

/** False only if it is certain that nothing has this path: other faults are explained where the folder is used. */
export async function folderExists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: { code?: string }) => error.code !== 'ENOENT',
  );
}

/** What to say before the first write creates the folder of a store: its address may be mistyped. */
export function describeNewFolder(path: string): { message: string; hint: string } {
  return {
    message: `the folder ${path} does not exist: it is created now`,
    hint: "If another folder was meant, correct the store's address, and delete the new folder.",
  };
}

/** Whether requests to the service can be counted in the store: the quota ledger writes, lists and deletes. */
export function canCount(checks: readonly Check[]): boolean {
  const needed = ['store-write', 'store-list', 'store-delete'];
  return needed.every((name) =>
    checks.some(({ check, status }) => check === name && status === 'ok'),
  );
}

async function expectBytes(store: Store, key: string, bytes: Uint8Array): Promise<string> {
  const read = await store.get(key);
  if (read !== null && Buffer.from(read).equals(bytes)) return 'the object can be read';
  const found = read === null ? 'no object' : 'other bytes';
  throw unreliable(store, `a read returns ${found} instead of the bytes that were just written`);
}

/** The lease on a folder needs a file that only one of two writers can create. */
async function createTwice(store: Store, key: string): Promise<string> {
  const isFirst = await store.putIfAbsent?.(key, first);
  const isSecond = await store.putIfAbsent?.(key, second);
  await store.delete(key);
  if (isFirst && !isSecond) return 'only one of two writers can create an object';
  throw unreliable(store, 'two writers can create the same object');
}

function unreliable({ url }: Store, found: string): StoreError {
  return new StoreError('STORE_FAILED', `${url}: ${found}`, mismatchHint);
}

async function deleteLeftovers(
  store: Store,
  listed: readonly StoredObject[],
  nowMs: number,
): Promise<void> {
  for (const { key, modifiedMs } of listed) {
    if (nowMs - modifiedMs > leftoverAgeMs) await store.delete(key);
  }
}

/**
 * How far this host's clock is ahead of the time stamp of an object that was written between two times of this host,
 * milliseconds. A stamp in whole seconds may be up to one second early.
 */
function aheadOf(stampMs: number, startMs: number, endMs: number): number {
  if (stampMs > endMs) return endMs - stampMs;
  return Math.max(0, startMs - 1_000 - stampMs);
}

/** The folder, what is directly in it, and the object. */
async function checkModes(
  { root, fileMode, umask }: NonNullable<StoreCheckOptions['folder']>,
  key: string,
): Promise<Check> {
  const names = await readdir(root).catch(() => []);
  const paths = [root, ...names.map((name) => join(root, name)), join(root, ...key.split('/'))];
  const owned: OwnedPath[] = [];
  for (const path of paths) {
    // Another exporter may remove a file meanwhile.
    const found = await lstat(path).catch(() => null);
    if (!found || found.isSymbolicLink()) continue;
    const kind = path === root ? 'root' : found.isDirectory() ? 'folder' : 'file';
    owned.push({ path, mode: found.mode, kind });
  }
  return judgeModes({ check: 'store-mode' }, owned, { fileMode, umask });
}

/** The fault of a store without any snapshot. `setting`: that names the store. */
export function noSnapshot(setting: string, { url }: Store): ConfigError {
  const hint =
    'Check the address. If it is right, export a first snapshot with `cgs-export export`.';
  return configFault(setting, `there is no snapshot in ${url}`, hint);
}
