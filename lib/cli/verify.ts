// Responsible for the command `verify`: checks that the store still holds what was sealed. Not responsible for repairs.

import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import type { Store } from '../core/ports.ts';
import { type Verification, verifyStore } from '../snapshots/verification.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { connectStore } from './connection.ts';
import { formatBytes, formatPlural } from './format.ts';
import { addStoreOptions, type StoreOptions } from './options.ts';
import type { Session, StateAt } from './session.ts';

export const verifyCommand: CommandDefinition<StoreOptions> = {
  name: 'verify',
  summary: 'check that every stored snapshot is unchanged',
  description:
    'Reads every object that a manifest names and compares its hash; checks that the manifests of each target form an unbroken chain, and that _head and _latest point to its end. Always checks the whole store. With --store it reads no configuration file, and needs a key only for obs://.',
  addTargetOptions: addStoreOptions,
  writes: 'nothing',
  codes: [0, 1, 2, 3, 4, 5],
  examples: ['cgs-export verify', 'cgs-export verify --store file:./export --json'],
  run: runVerify,
};

async function runVerify(options: StoreOptions, session: Session): Promise<Outcome> {
  const { store } = await connectStore(options, session);
  const verification = await verifyWithProgress(store, session);
  const { manifests, faults, unnamed } = verification;
  if (manifests === 0 && faults.length === 0) {
    // A mistyped address looks the same, so this must not be reported as verified.
    throw configFault(
      options.store === undefined ? 'store' : '--store',
      `there is no snapshot in ${store.url}`,
      'Check the address. If it is right, export a first snapshot with `cgs-export export`.',
    );
  }
  if (unnamed.length > 0) {
    const count = unnamed.length;
    session.log('warn', 'the store holds objects that no manifest names', { count });
  }
  const errors = faults.map(({ key, message }) => ({
    code: 'CORRUPT',
    message: `${key}: ${message}`,
    hint: 'Restore the object from an older version in the bucket or from a backup, then verify again.',
  }));
  const isIntact = faults.length === 0;
  const status = isIntact ? 'verified' : 'failed';
  return {
    exitCode: isIntact ? exitCodes.complete : exitCodes.integrity,
    json: { status, store: store.url, ...verification, errors },
    text: describeVerification(verification, store.url),
  };
}

/** Throws the reason of the session's signal once it has aborted. */
export async function verifyWithProgress(store: Store, session: Session): Promise<Verification> {
  const { runtime, signal } = session;
  const startMs = runtime.monotonicMs();
  let seen: { done: number; total: number } | null = null;
  const stateAt: StateAt = (nowMs) => {
    if (seen === null) return null;
    const { done, total } = seen;
    const elapsedMs = nowMs - startMs;
    const perSecond = done > 0 && elapsedMs > 0 ? (done / elapsedMs) * 1_000 : null;
    const leftMs = perSecond === null ? null : ((total - done) / perSecond) * 1_000;
    const rest = { wait: null, note: '' };
    return { label: 'verify', unit: 'parts', done, total, perSecond, leftMs, ...rest };
  };
  return session.showProgress(stateAt, () =>
    verifyStore(store, (progress) => {
      signal.throwIfAborted();
      seen = progress;
    }),
  );
}

export function describeVerification(verification: Verification, url: string): string {
  const { manifests, parts, bytes, faults, unnamed } = verification;
  const read = `${formatPlural(manifests, 'manifest')}, ${formatPlural(parts, 'part')}, ${formatBytes(bytes)}`;
  const head =
    faults.length === 0
      ? `verified: ${read} in ${url}: every part has the bytes that were sealed`
      : `${formatPlural(faults.length, 'fault')} in ${url} (${read})`;
  const lines = [
    head,
    ...faults.map(({ key, message }) => `  fault    ${key} ${message}`),
    ...unnamed.map((key) => `  unnamed  ${key}`),
  ];
  if (unnamed.length > 0) {
    lines.push(
      'unnamed: no manifest names these objects, but programs that read all files of a folder read them too',
    );
  }
  return `${lines.join('\n')}\n`;
}
