// Responsible for one report of the connected store: its figures, the verification, and its files in the place where it is stored.
// Not responsible for which targets and which period it covers, or for its words for people (cli/report.ts).

import type { ExitCode } from '../core/error-policy.ts';
import { targetId } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { formatTime } from '../core/time-text.ts';
import { VERSION } from '../core/version.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import { createCsvFormatter } from '../formats/csv.ts';
import { parquetDecoder } from '../formats/parquet-rows.ts';
import { markFaultyDays } from '../reports/calendar.ts';
import { limitFigures } from '../reports/figure-limits.ts';
import {
  type CoverageFigures,
  type IntegrityFigures,
  type ReportFigures,
  type TargetFigures,
  type TargetName,
  uncoveredShownMax,
} from '../reports/figures.ts';
import { renderPage } from '../reports/html-page.ts';
import { describeIntegrity, type Findings, mergeFindings } from '../reports/integrity.ts';
import { createTextFile, type ReportFile } from '../reports/report-files.ts';
import { type ReadingProgress, type ReportReading, readReport } from '../reports/report-reading.ts';
import type { Period } from '../snapshots/timeline.ts';
import type { OnProgress } from '../verification/stored-evidence.ts';
import type { Verification } from '../verification/verification.ts';
import type { Connection } from './connect.ts';
import { type ConfiguredTarget, isConfigured, listStoredTargets } from './covered-targets.ts';
import { exitCodeOf, runVerification } from './verify-run.ts';

export type ReportLanguage = 'en' | 'zh';
export const reportLanguages: readonly ReportLanguage[] = ['en', 'zh'];

export interface ReportRunOptions {
  targets: readonly TargetName[];
  /** Targets of the configuration; empty: there is none. */
  configured: readonly ConfiguredTarget[];
  /** `untilMs`: at most the time of the store. */
  period: Period;
  lang: ReportLanguage;
  /** Null: the store is not verified. */
  verify: {
    /** Of the configuration, as VerifyOptions has them. */
    tables: readonly string[];
    isTimeUp?: () => boolean;
    onProgress: OnProgress;
  } | null;
  /** May throw to stop. */
  onReading: (progress: ReadingProgress) => void;
  /** Where the files are stored, and the key of each of them there. Existing ones are replaced. */
  place: { store: Store; keyOf: (name: string) => string };
}

export interface ReportRun {
  /** 5: there are faults. 3: objects could not be read. */
  exitCode: ExitCode;
  figures: ReportFigures;
  /** All of them: those in the figures may be cut. */
  targets: readonly TargetFigures[];
  /** All that were found; the figures have the first of them. */
  findings: Findings;
  /** All of them, in the order in which they were stored. */
  files: { name: string; bytes: number }[];
  /** Bytes of the parts that were read for the figures. */
  bytesRead: number;
}

type Source = Pick<Connection, 'store' | 'scratch' | 'rowCheck' | 'pins' | 'verify'>;

/** The page is stored last. Throws what a verification throws, StoreError and ScratchError. */
export async function runReport(source: Source, options: ReportRunOptions): Promise<ReportRun> {
  const { store, scratch } = source;
  const { targets, period, verify, onReading, place } = options;
  // Of runs that were killed.
  await scratch.removeLeft();
  const reading = await readReport(
    {
      ...{ store, scratch, dataset: containerNodes, decoder: parquetDecoder },
      ...{ openFormat: createCsvFormatter, onProgress: onReading },
    },
    targets,
    period,
  );
  const made: ReportFile[] = [...reading.files];
  try {
    const coverage = await describeCoverage(store, options);
    const verification = verify && (await verifyPeriod(source, period, verify));
    const findings = mergeFindings(verification, reading);
    const integrity = describeIntegrity(verification, findings);
    const faultyKeys = findings.faults.map(({ key }) => key);
    const marked = { ...reading, targets: markFaultyDays(reading.targets, faultyKeys) };
    const figures = limitFigures({
      ...toFigures(source, options, marked, integrity),
      coverage,
    });
    const texts = [
      ['report.json', `${JSON.stringify(figures)}\n`],
      ['report.html', renderPage(figures, options.lang)],
    ] as const;
    for (const [name, text] of texts) made.push(await createTextFile(scratch, name, text));
    for (const file of made) await file.put(place.store, place.keyOf(file.name));
    return {
      exitCode: exitCodeOf(findings),
      ...{ figures, targets: reading.targets, findings, bytesRead: reading.bytes },
      files: made.map(({ name, bytes }) => ({ name, bytes })),
    };
  } finally {
    for (const file of made) await file.remove();
  }
}

async function describeCoverage(
  store: Store,
  { targets, configured }: ReportRunOptions,
): Promise<CoverageFigures> {
  const stored = await listStoredTargets(store);
  const covered = new Set(targets.map(targetId));
  const neverSealed = configured
    .filter((one) => !stored.some((other) => isConfigured(other, [one])))
    .map(({ account, table, region, projectId }) => ({ account, table, region, projectId }));
  const notCovered = stored
    .filter((one) => !covered.has(targetId(one)))
    .map(({ account, table, region, projectId }) => {
      return { account: account ?? 'unknown', table, region, projectId };
    });
  const limit = <T>(all: readonly T[]) => {
    return { total: all.length, shown: all.slice(0, uncoveredShownMax) };
  };
  return { neverSealed: limit(neverSealed), notCovered: limit(notCovered) };
}

async function verifyPeriod(
  source: Source,
  { sinceMs }: Period,
  options: NonNullable<ReportRunOptions['verify']>,
): Promise<Verification> {
  const run = await runVerification(source, {
    ...options,
    hashSinceMs: sinceMs,
    updatesPins: false,
  });
  return run.verification;
}

function toFigures(
  { store }: Source,
  { period }: ReportRunOptions,
  { files, targets, days, nodes, hostKinds, changes, quality }: ReportReading,
  integrity: IntegrityFigures,
): ReportFigures {
  return {
    reportVersion: 1,
    writer: `cgs-export/${VERSION}`,
    madeAt: formatTime(store.nowMs()),
    store: store.url,
    period: { since: formatTime(period.sinceMs), until: formatTime(period.untilMs) },
    ...{ targets, days, nodes, hostKinds, changes, quality },
    integrity,
    files: files.map(({ name, rows, bytes, sha256 }) => ({ name, rows, bytes, sha256 })),
  };
}
