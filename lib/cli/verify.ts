// Owns `verify`: the proof that a store still holds what was sealed, told to people and programs. Refuses to repair.

import type { Command } from 'commander';
import { connect } from '../app/connect.ts';
import { exitCodes } from '../core/error-policy.ts';
import { ConfigError } from '../core/errors.ts';
import type { Store } from '../core/ports.ts';
import { type Verification, verifyStore } from '../snapshots/verification.ts';
import { formatBytes, formatPlural } from './format.ts';
import {
  addCommonOptions,
  addHelp,
  addTargetOptions,
  allVariables,
  isByFlags,
  readConfig,
  type TargetOptions,
} from './options.ts';
import type { Outcome } from './outcome.ts';
import type { ProgressState } from './progress.ts';
import type { Session } from './session.ts';
import { openStoreByFlags } from './stored-targets.ts';

export function addVerify(program: Command): Command {
  const command = program
    .command('verify')
    .summary('re-read and re-hash everything that the manifests name')
    .description(
      'Reads every object that a manifest names and hashes it again; checks that the manifests of each target form an unbroken chain, and that _head and _latest name its end. Always the whole store. With --store alone it needs no configuration, key or region.',
    );
  addTargetOptions(addCommonOptions(command));
  return addHelp(command, {
    writes: 'nothing',
    codes: [0, 1, 2, 3, 4, 5],
    variables: allVariables,
    examples: ['cgs-export verify', 'cgs-export verify --store file:./export --json'],
  });
}

export async function runVerify(options: TargetOptions, session: Session): Promise<Outcome> {
  const store = await openStore(options, session);
  const verification = await verifyWithProgress(store, session);
  const { manifests, faults, unnamed } = verification;
  if (manifests === 0 && faults.length === 0) {
    // Also what a mistyped address looks like: saying "verified" would be a lie.
    throw new ConfigError([
      {
        path: isByFlags(options) ? '--store' : 'store',
        message: `there is no snapshot in ${store.url}`,
        hint: 'Check the address. The first `cgs-export export` puts a snapshot there.',
      },
    ]);
  }
  if (unnamed.length > 0) {
    session.log('warn', 'there are objects that no manifest names', { count: unnamed.length });
  }
  const errors = faults.map(({ key, message }) => ({
    code: 'CORRUPT',
    message: `${key}: ${message}`,
    hint: 'Restore the object from a version of the bucket or a backup, then verify again.',
  }));
  return {
    exitCode: faults.length > 0 ? exitCodes.integrity : exitCodes.complete,
    json: {
      status: faults.length > 0 ? 'failed' : 'verified',
      store: store.url,
      ...verification,
      errors,
    },
    text: describeVerification(verification, store.url),
    errors,
  };
}

async function openStore(options: TargetOptions, session: Session): Promise<Store> {
  const { world, log, scrubber } = session;
  if (options.store !== undefined && options.config === undefined) {
    return openStoreByFlags(options, session);
  }
  return connect(await readConfig(options, world, 'store'), { log, scrubber }).store;
}

export async function verifyWithProgress(store: Store, session: Session): Promise<Verification> {
  const { world, signal } = session;
  const startMs = world.monotonicMs();
  let seen: { done: number; total: number } | null = null;
  const stopFollowing = session.follow((nowMs): ProgressState | null => {
    if (seen === null) return null;
    const { done, total } = seen;
    const elapsedMs = nowMs - startMs;
    const perSecond = done > 0 && elapsedMs > 0 ? (done / elapsedMs) * 1_000 : null;
    const leftMs = perSecond === null ? null : ((total - done) / perSecond) * 1_000;
    const rest = { wait: null, note: '' };
    return { label: 'verify', unit: 'parts', done, total, perSecond, leftMs, ...rest };
  });
  try {
    return await verifyStore(store, ({ done, total }) => {
      if (signal.aborted) throw signal.reason;
      seen = { done, total };
    });
  } finally {
    stopFollowing();
  }
}

export function describeVerification(verification: Verification, url: string): string {
  const { manifests, parts, bytes, faults, unnamed } = verification;
  const read = `${formatPlural(manifests, 'manifest')}, ${formatPlural(parts, 'part')}, ${formatBytes(bytes)}`;
  const head =
    faults.length === 0
      ? `verified: ${read} in ${url}: every byte is the one that was sealed`
      : `${formatPlural(faults.length, 'fault')} in ${url} (${read})`;
  const lines = [
    head,
    ...faults.map(({ key, message }) => `  fault    ${key} ${message}`),
    ...unnamed.map((key) => `  unnamed  ${key}`),
  ];
  if (unnamed.length > 0) {
    lines.push('unnamed: no manifest names these; readers that glob see them all the same');
  }
  return `${lines.join('\n')}\n`;
}
