// Responsible for the command `verify`: checks that the store still holds what was sealed. Not responsible for repairs.

import { noSnapshot } from '../app/store-check.ts';
import { exitCodeOf, isEmpty, type PinsResult, runVerification } from '../app/verify-run.ts';
import type { VerifyConfig } from '../config/model.ts';
import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import { parsePartKey } from '../core/object-keys.ts';
import { parseTime } from '../core/time-text.ts';
import { describeProof } from '../verification/proof.ts';
import type { OnProgress, VerifyProgress } from '../verification/stored-evidence.ts';
import type { Verification } from '../verification/verification.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { connectStore } from './connection.ts';
import { formatBytes, formatCount, formatPlural } from './format.ts';
import { addStoreOptions, collectValues, type StoreOptions } from './options.ts';
import type { ProgressState } from './progress.ts';
import type { Session, StateAt } from './session.ts';

interface VerifyCommandOptions extends StoreOptions {
  allowUnnamed?: boolean;
  pins?: string;
  publicKey?: string[];
  since?: string;
  manifestsOnly?: boolean;
}

export const verifyCommand: CommandDefinition<VerifyCommandOptions> = {
  name: 'verify',
  summary: 'check that every stored snapshot is unchanged',
  description:
    'Reads every object that is in a manifest, and compares its hash and its rows with the manifest. Checks that the manifests of each target form an unbroken chain, that _head and _latest point to the end of the chain, and that data directories have no other objects. Checks the signatures of manifests. With --public-key and --pins it also finds a store that was rewritten or set back to an earlier state. Always checks the whole store. With --store it reads no configuration file, and needs a key only for obs://.',
  addOptions: (command) =>
    command
      .option(
        '--public-key <file>',
        'the newest manifest of every target must be signed by this key; repeatable (default: verify.publicKeys)',
        collectValues,
      )
      .option(
        '--pins <file>',
        'keep the newest manifests in this file or obs:// object outside the store, and check that they still exist (default: verify.pins)',
      )
      .option(
        '--since <time>',
        'hash and read only parts of snapshots from here on: a date, a time (2026-11-24T08:00:00+08:00) or an age such as 30d (default: verify.since)',
      )
      .option('--manifests-only', 'hash and read no parts; all manifests are read')
      .option(
        '--allow-unnamed',
        'an object in a data directory that no manifest names is a warning, not a fault',
      ),
  addTargetOptions: addStoreOptions,
  writes: 'nothing, or the file of --pins; copies of large parts in the folder for temporary files',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export verify',
    'cgs-export verify --store file:./export --json',
    'cgs-export verify --public-key auditor.pem --pins /safe/pins.jsonl --since 30d',
  ],
  run: runVerify,
};

async function runVerify(options: VerifyCommandOptions, session: Session): Promise<Outcome> {
  const connection = await connectStore(options, session);
  const { store, targets, verify } = connection;
  // With --store alone, the target is a placeholder.
  const isByFlags = options.store !== undefined && options.config === undefined;
  const hashSinceMs = readHashSince(options, verify, session);
  const run = await showVerifyProgress(session, (onProgress) =>
    runVerification(connection, {
      tables: isByFlags ? [] : targets.map(({ table }) => table),
      allowsUnnamed: options.allowUnnamed ?? false,
      hashSinceMs,
      onProgress,
    }),
  );
  const { exitCode, verification, unnamedData, pins, pinsError, json } = run;
  if (isEmpty(verification)) {
    throw noSnapshot(options.store === undefined ? 'store' : '--store', store);
  }
  const { unnamed } = verification;
  if (unnamed.length > 0) {
    const count = unnamed.length;
    session.log('warn', 'the store holds objects that no manifest names', { count });
  }
  const text =
    describeVerification(verification, store.url, unnamedData) +
    describePinsResult(pins, pinsError !== null);
  return { exitCode, json, text };
}

/** As VerifyOptions.hashSinceMs. Throws ConfigError if the options contradict each other. */
function readHashSince(
  { manifestsOnly, since }: VerifyCommandOptions,
  settings: VerifyConfig,
  { runtime }: Session,
): number | null {
  if (!manifestsOnly) return parseTime(settings.since ?? '', runtime.nowMs());
  if (since === undefined) return Number.POSITIVE_INFINITY;
  const message = 'cannot be combined with --manifests-only, which hashes no part';
  throw configFault('--since', message, 'Give only one of them.');
}

function describePinsResult(result: PinsResult | null, hasFailed: boolean): string {
  if (!result) return '';
  const { file, checked, isCreated, isUpdated } = result;
  if (hasFailed) {
    return `pins: ${showKey(file)} ${formatPlural(checked, 'pin')} checked, but the file could not be written: they are as before\n`;
  }
  const what = isCreated
    ? 'created: from now on it pins the history up to the newest manifests'
    : `${formatPlural(checked, 'pin')} checked, ${isUpdated ? 'brought up to date' : 'not changed'}`;
  return `pins: ${showKey(file)} ${what}\n`;
}

/** Shows how far `work` is, which reports it. It throws the reason of the session's signal once that has aborted. */
export async function showVerifyProgress<T>(
  session: Session,
  work: (onProgress: OnProgress) => Promise<T>,
): Promise<T> {
  const { runtime, signal } = session;
  let startMs = runtime.monotonicMs();
  let seen: VerifyProgress | null = null;
  const stateAt: StateAt = (nowMs) => seen && describeProgress(seen, nowMs - startMs);
  const onProgress = (progress: VerifyProgress) => {
    signal.throwIfAborted();
    // The rate is measured among objects of one kind.
    if (progress.unit !== seen?.unit) startMs = runtime.monotonicMs();
    seen = progress;
  };
  return session.showProgress(stateAt, () => work(onProgress));
}

/** `elapsedMs`: since the first object of this kind. */
export function describeProgress(progress: VerifyProgress, elapsedMs: number): ProgressState {
  const { unit, done, total, bytes, bytesTotal } = progress;
  const perSecond = done > 0 && elapsedMs > 0 ? (done / elapsedMs) * 1_000 : null;
  /** Small parts take as long as a request, large ones as long as their bytes. The slower estimate counts. */
  const leftMs = (part: number, whole: number) => (part > 0 ? (whole / part - 1) * elapsedMs : 0);
  const ofParts = Math.max(leftMs(done, total), leftMs(bytes, bytesTotal));
  // How long the parts take is not known before the first of them.
  const isKnown = unit === 'parts' && bytes > 0 && elapsedMs > 0;
  const rest = { leftMs: isKnown ? ofParts : null, wait: null, note: '' };
  return { label: 'verify', unit, done, total, perSecond, ...rest };
}

/** `unnamedData`: the unnamed objects in data directories. They can be left out where each of them is a fault. */
export function describeVerification(
  verification: Verification,
  url: string,
  unnamedData: readonly string[] = [],
): string {
  const { manifests, parts, bytes, verdicts, pruned, prunedParts } = verification;
  const { gaps, faults, unchecked, unnamed, underWay, foreign, future, newest } = verification;
  const read = `${formatPlural(manifests, 'manifest')}, ${formatPlural(parts, 'part')}, ${formatBytes(bytes)}`;
  const head = {
    [exitCodes.complete]: `verified: ${read} in ${url}`,
    [exitCodes.denied]: `${formatPlural(unchecked.length, 'object')} not checked in ${url} (${read})`,
    [exitCodes.integrity]: `${formatPlural(faults.length, 'fault')} in ${url} (${read})`,
  }[exitCodeOf(verification) as 0 | 3 | 5];
  const isFault = new Set(faults.map(({ key }) => key));
  const slots = gaps.reduce((sum, gap) => sum + gap.slots, 0);
  const { proven, notProven } = describeProof(verification);
  return `${[
    head,
    ...faults.map(({ key, message }) => `  fault        ${showKey(key)} ${message}`),
    ...unchecked.map(
      ({ key, message, hint }) => `  not checked  ${showKey(key)} ${message}. ${hint}`,
    ),
    ...underWay.map((key) => `  seal under way: not proven  ${showKey(key)}`),
    ...describeUnnamed(
      unnamed.filter((key) => !isFault.has(key)),
      new Set(unnamedData),
    ),
    ...foreign.map((key) => `  foreign      ${showKey(key)}`),
    ...future.map((key) => `  future name  ${showKey(key)}`),
    ...gaps.map(
      ({ account, table, region, projectId, from, to, slots: count }) =>
        `  gap          ${table} ${region} ${projectId} (${account}): ${from} to ${to}, ${formatPlural(count, 'slot')}`,
    ),
    `verdicts: ${formatCount(verdicts.complete)} complete, ${formatCount(verdicts.drifted)} drifted; scheduled times without a snapshot, since the first one: ${formatCount(slots)}`,
    describeSignatures(verification),
    ...describeNotHashed(verification),
    ...(pruned > 0
      ? [
          `pruned: ${formatPlural(pruned, 'snapshot')}, ${formatPlural(prunedParts, 'part')} deleted`,
        ]
      : []),
    ...describeNotCompared(verification),
    `proven: ${proven}`,
    `not proven: ${notProven}`,
    ...newest.map(
      ({ account, manifest, manifestSha256 }) =>
        `  newest       ${manifest}  sha256 ${manifestSha256}  (${showKey(account)})`,
    ),
  ].join('\n')}\n`;
}

/** Files and folders in the line about the objects that are in no folder of cgs-export. */
const placesMax = 5;

/** Each object that a reader of the data could take for a part is a line; all others are one line. */
function describeUnnamed(keys: readonly string[], data: ReadonlySet<string>): string[] {
  const isListed = (key: string) => data.has(key) || parsePartKey(key) !== null;
  const listed = keys.filter(isListed).map((key) => `  unnamed      ${showKey(key)}`);
  const others = keys.filter((key) => !isListed(key));
  const lines =
    listed.length === 0
      ? []
      : [...listed, 'unnamed: not in any manifest, so not checked; this is not a fault'];
  if (others.length === 0) return lines;
  // Of an object in a folder, the folder: `notes/`.
  const places = [...new Set(others.map((key) => key.replace(/(?<=\/).*/s, '')))];
  const shown = places.slice(0, placesMax).map(showKey);
  const more = places.length > placesMax ? ', …' : '';
  const count = formatPlural(others.length, 'object');
  return [
    ...lines,
    `unnamed: ${count} outside of the folders of cgs-export, so not checked (no fault): ${shown.join(', ')}${more}`,
  ];
}

function describeSignatures({ signatures, manifests }: Verification): string {
  const { valid, unsigned, keysFrom, keyIds, covered } = signatures;
  if (unsigned === manifests && keysFrom === 'store') return 'signatures: none';
  const from = keysFrom === 'given' ? 'with the given keys' : "with the store's own keys";
  const by = keyIds.length === 0 ? '' : ` by ${keyIds.join(', ')}`;
  const older = covered === 0 ? '' : `; ${formatCount(covered)} older covered by the chain`;
  return `signatures: ${formatCount(valid)} valid${by}, ${formatPlural(unsigned, 'manifest')} without one; checked ${from}${older}`;
}

function describeNotHashed({ notHashed: { parts, since } }: Verification): string[] {
  if (parts === 0) return [];
  const which = since === null ? '' : ` of snapshots before ${since}`;
  return [`not hashed: ${formatPlural(parts, 'part')}${which}`];
}

function describeNotCompared({ rowParts: { notCompared } }: Verification): string[] {
  if (notCompared === 0) return [];
  return [`rows not compared: ${formatPlural(notCompared, 'part')}`];
}

/** Control characters in a key or name could change what the terminal shows. */
function showKey(key: string): string {
  return /\p{C}/u.test(key) ? JSON.stringify(key) : key;
}
