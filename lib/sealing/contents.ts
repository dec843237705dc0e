// Responsible for turning a run's stored pages into the sorted rows and the rejects of its snapshot, in bounded memory.

import { ProtocolError } from '../core/errors.ts';
import { stringifyExact } from '../core/exact-json.ts';
import { snapshotTimeMs, type TargetKey } from '../core/object-keys.ts';
import type { Cell, Dataset, Row } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import type { StoredPage } from '../reading/page.ts';
import type { ReadPages } from '../reading/page-store.ts';
import { type ChangeCounts, createChangeCounter } from '../snapshots/changes.ts';
import type { Base, BasePorts } from './base.ts';
import { type Comparison, openComparison } from './comparison.ts';
import { type Reject, readDuplicates } from './duplicates.ts';
import { openSorter, type RowSorter, type SortSize } from './row-sorter.ts';
import { followMarks, followPositions } from './run-pages.ts';
import type { Reading } from './sorted-block.ts';
import { createCounter, type Statistics } from './statistics.ts';

/** A run fails if more than this share of its records has no usable key. */
const rejectShareMax = 0.01;

/** `read`: records, of all passes. `written`: rows. */
export interface SealProgress {
  read: number;
  written: number;
}

export interface ContentPorts extends BasePorts {
  readPages: ReadPages;
  /** Told how far the contents are. May throw, which ends them. */
  onProgress?: (done: SealProgress) => void;
  /** For tests. */
  sortSize?: SortSize;
}

/** Takes the contents one by one. */
export interface ContentSink {
  /** Ascending by key, in the order of its UTF-8 bytes. */
  writeRows(rows: readonly Row[]): Promise<void>;
  /** What changed since the base, as rows of changeColumns(), ascending by key. */
  writeChanges(changes: readonly Row[]): Promise<void>;
  /** Records without a usable key, in the order in which they were read, equal ones once. After the last row, the duplicates. */
  writeReject(reject: Reject): Promise<void>;
}

/** Counts of what the sink was given. */
export interface Contents {
  rows: number;
  rejects: number;
  /** Records that are equal to a row or to a reject at another position of the list. */
  repeats: number;
  statistics: Statistics;
  /** Rows that differ from the base. All 0 without a base. */
  changes: ChangeCounts;
}

/** A run that is being sealed. */
export interface RunContents {
  checkpoint: Checkpoint;
  /** What it is compared with. */
  base: Base;
}

/**
 * Combines the pages of all passes. If a row was read several times, its newest reading becomes the row. If the list has a
 * key at two positions, the later one becomes the row. In memory at any time: a page, a batch of the sorter, a row group of the
 * base, the hashes of the records without a key (at most 1 % of all), and the keys and records that are listed twice. Throws
 * ProtocolError `TOO_MANY_REJECTS` as soon as it is certain, CorruptError of the base, ScratchError, and what the ports and the
 * sink throw.
 */
export async function writeContents(
  ports: ContentPorts,
  target: TargetKey,
  { checkpoint, base }: RunContents,
  sink: ContentSink,
): Promise<Contents> {
  const { scratch, dataset, readPages, sortSize: size } = ports;
  // First, because a base that cannot be read ends the attempt.
  const comparison = await openComparison(ports, target, checkpoint, base);
  const keyIndex = dataset.columns.findIndex((column) => column.name === dataset.keyColumn);
  const sorter = openSorter({ scratch, keyIndex, size });
  try {
    const read = await readRun(ports, target, checkpoint, { sorter, sink });
    const { keyless, listedTwice } = read;
    const merged = await writeRows(ports, { sorter, comparison }, sink, read);
    await sorter.remove();
    const twice =
      listedTwice.size === 0
        ? { rejects: [], repeats: 0 }
        : await readDuplicates(dataset, checkpoint, readPages, listedTwice);
    const rejects = keyless.count + twice.rejects.length;
    if (keyless.count > rejectShareMax * (rejects + merged.rows)) {
      throw tooManyRejects(dataset, keyless, `${keyless.count} of ${rejects + merged.rows}`);
    }
    for (const reject of twice.rejects) await sink.writeReject(reject);
    return { ...merged, rejects, repeats: keyless.repeats + twice.repeats };
  } finally {
    await sorter.remove();
    await comparison.close();
  }
}

interface ReadRun {
  keyless: Keyless;
  /** Keys that the list has at two positions, as far as a single page shows it. */
  listedTwice: Set<string>;
  records: number;
}

/** Gives the records with a key to the sorter, and the others to the sink. */
async function readRun(
  { dataset, readPages, keepAlive, onProgress }: ContentPorts,
  target: TargetKey,
  checkpoint: Checkpoint,
  { sorter, sink }: { sorter: RowSorter; sink: ContentSink },
): Promise<ReadRun> {
  const normalize = openNormalizer(dataset, target, checkpoint);
  const openPositions = followPositions(checkpoint);
  const keyless = openKeyless(dataset, checkpoint);
  const listedTwice = new Set<string>();
  let records = 0;
  let pagesLeft = checkpoint.evidence.pages;
  for await (const page of readPages(checkpoint)) {
    await keepAlive();
    const positions = openPositions(page);
    const readings: Reading[] = [];
    const keysOfPage = new Set<string>();
    for (const [place, record] of page.body.records.entries()) {
      const key = dataset.keyOf(record);
      if (key === null) continue;
      const isPosition = checkpoint.atRest && positions?.has(place) === true;
      if (positions && !checkpoint.atRest && keysOfPage.has(key)) listedTwice.add(key);
      keysOfPage.add(key);
      readings.push({ key, row: normalize(record, page), isPosition });
    }
    await sorter.add(readings);
    for (const reject of keyless.add(page)) await sink.writeReject(reject);
    records += page.body.records.length;
    pagesLeft -= 1;
    onProgress?.({ read: records, written: 0 });
    // No later page can have more records than were requested.
    const recordsMax = records + pagesLeft * dataset.limit;
    if (pagesLeft > 0 && keyless.count > rejectShareMax * recordsMax) {
      throw tooManyRejects(dataset, keyless, `At least ${keyless.count} of at most ${recordsMax}`);
    }
  }
  return { keyless, listedTwice, records };
}

function openNormalizer(dataset: Dataset, target: TargetKey, checkpoint: Checkpoint) {
  const { region, projectId } = target;
  const { account } = checkpoint.scope;
  const verdict = checkpoint.verdict ?? 'drifted';
  const snapshotAtMs = snapshotTimeMs(checkpoint.snapshot) as number;
  const run = { snapshotAtMs, verdict, account, region, projectId };
  return (record: unknown, { header: { fetchedAtMs } }: StoredPage): Cell[] =>
    dataset.normalize(record as Record<string, unknown>, { ...run, fetchedAtMs });
}

/** The records without a usable key. */
interface Keyless {
  /** Different ones. */
  count: number;
  /** Records that are equal to one of them at another position of the list. */
  repeats: number;
  /** Why the first of them is a reject; null: there is none. */
  firstReason: string | null;
  /** Returns those of the next page that are not equal to one before. */
  add(page: StoredPage): Reject[];
}

function openKeyless(dataset: Dataset, checkpoint: Checkpoint): Keyless {
  const openPage = followMarks(checkpoint);
  const known = new Set<string>();
  const keyless: Keyless = {
    count: 0,
    repeats: 0,
    firstReason: null,
    add(page) {
      const isElsewhere = openPage(page);
      const rejects: Reject[] = [];
      for (const [place, record] of page.body.records.entries()) {
        if (dataset.keyOf(record) !== null) continue;
        const text = stringifyExact(record);
        const hash = sha256(text);
        if (isElsewhere?.(place, hash)) keyless.repeats += 1;
        if (known.has(hash)) continue;
        known.add(hash);
        const reason = dataset.rejectReason(record);
        rejects.push({ reason, fetchedAtMs: page.header.fetchedAtMs, record: text });
      }
      keyless.count = known.size;
      keyless.firstReason ??= rejects[0]?.reason ?? null;
      return rejects;
    },
  };
  return keyless;
}

/** Gives the rows and what changed to the sink. */
async function writeRows(
  { dataset, keepAlive, onProgress }: ContentPorts,
  { sorter, comparison }: { sorter: RowSorter; comparison: Comparison },
  sink: ContentSink,
  { listedTwice, records }: ReadRun,
): Promise<Pick<Contents, 'rows' | 'statistics' | 'changes'>> {
  const counter = createCounter(dataset);
  const changeCounter = createChangeCounter(dataset);
  let rowCount = 0;
  const sorted = newestReadings(sorter, listedTwice);
  for await (const { rows, changes } of comparison.compare(sorted)) {
    await keepAlive();
    rowCount += rows.length;
    counter.add(rows);
    changeCounter.add(changes);
    await sink.writeRows(rows);
    await sink.writeChanges(changes);
    onProgress?.({ read: records, written: rowCount });
  }
  return { rows: rowCount, statistics: counter.statistics(), changes: changeCounter.counts };
}

/** The newest reading of each key. Adds the keys that the list has at two positions to `listedTwice`. */
async function* newestReadings(
  sorter: RowSorter,
  listedTwice: Set<string>,
): AsyncGenerator<readonly Cell[][]> {
  let newest: Reading | null = null;
  let positions = 0;
  for await (const readings of sorter.sorted()) {
    const rows: Cell[][] = [];
    for (const reading of readings) {
      if (newest !== null && newest.key !== reading.key) {
        rows.push(newest.row);
        positions = 0;
      }
      if (reading.isPosition) positions += 1;
      if (positions > 1) listedTwice.add(reading.key);
      newest = reading;
    }
    yield rows;
  }
  if (newest !== null) yield [newest.row];
}

function tooManyRejects(
  { keyColumn }: Dataset,
  { firstReason }: Keyless,
  share: string,
): ProtocolError {
  return new ProtocolError(
    'TOO_MANY_REJECTS',
    `${share} records have no usable ${keyColumn}; at most ${rejectShareMax * 100} % are accepted. First reason: ${firstReason}.`,
    'The API returned records that this version does not understand. Nothing was published. The pages are kept under _runs/.',
  );
}
