// Responsible for comparing the rows of a part, and the counts of a manifest, with what the manifest states. It finds a manifest and
// parts that were forged together, with all hashes right. Not responsible for the bytes of the parts (part-check.ts).

import { CorruptError } from '../core/errors.ts';
import { snapshotTimeMs } from '../core/object-keys.ts';
import type { ByteSource, Cell, Dataset, Decoder, Scratch } from '../core/ports.ts';
import { type Fault, toFault } from '../snapshots/catalog.ts';
import { changeColumns } from '../snapshots/changes.ts';
import { type Part, restoreHint, type SealedSummary } from '../snapshots/manifest.ts';
import { decodePart, sealedWrong } from '../snapshots/part-rows.ts';

/** What the rows of parts are read with. */
export interface RowCheck {
  scratch: Scratch;
  decoders: readonly Decoder[];
  datasets: readonly Dataset[];
}

/** How the rows of one part are read. */
export interface PartReader {
  decoder: Decoder;
  dataset: Dataset;
}

type Stated = SealedSummary['manifest'];

/** Rejects have no rows of columns. */
export function hasRows({ role }: Part): boolean {
  return role !== 'rejects';
}

/** Null: the part has no rows of columns, or this version does not know its dataset. */
export function findReader(
  part: Part,
  { dataset: name }: Stated,
  check: RowCheck,
): PartReader | null {
  if (!hasRows(part)) return null;
  const decoder = check.decoders.find(({ format }) => format === part.format);
  const dataset = check.datasets.find((one) => one.name === name);
  return decoder && dataset ? { decoder, dataset } : null;
}

/**
 * The first difference; null: there is none. All rows must be as many as stated, ascend by key in the order of UTF-8 bytes, each key
 * once, and have the manifest's time, account, region, project and verdict. Calls `onBatch` between batches of rows, and throws
 * what it and the source throw.
 */
export async function compareRows(
  part: Part,
  manifest: Stated,
  { source, reader, onBatch }: { source: ByteSource; reader: PartReader; onBatch: () => void },
): Promise<Fault | null> {
  const { dataset, decoder } = reader;
  const { keyColumn } = dataset;
  const stated = stateCells(part, manifest);
  const all = part.role === 'changes' ? changeColumns(dataset) : dataset.columns;
  const wanted = all.filter(({ name }) => name === keyColumn || stated.has(name));
  try {
    const rows = await decodePart(part, source, {
      ...{ decoder, columns: wanted, known: all, keyColumn },
    });
    const found = rows.columns.map(({ name }) => name);
    const missing = wanted.find(({ name }) => !found.includes(name));
    if (missing) throw sealedWrong(part, `has no column ${missing.name}`);
    const expected = found.map((name) => stated.get(name));
    let number = 0;
    for await (const batch of rows.readBatches()) {
      onBatch();
      for (const row of batch) {
        number += 1;
        const c = expected.findIndex((cell, at) => cell !== undefined && cell !== row[at]);
        if (c === -1) continue;
        const [is, says] = [row[c] ?? null, expected[c] ?? null].map((cell) =>
          JSON.stringify(cell),
        );
        const message = `has ${is} as ${found[c]} in row ${number}, but its manifest says ${says}`;
        throw sealedWrong(part, message);
      }
    }
    return null;
  } catch (error) {
    if (error instanceof CorruptError) return toFault(error);
    throw error;
  }
}

/** What each row must have, by column. */
function stateCells({ role }: Part, { snapshot, verdict, scope }: Stated): Map<string, Cell> {
  return new Map<string, Cell>([
    ['snapshot_at', snapshotTimeMs(snapshot)],
    ['account', scope.account],
    ['region', scope.region],
    ['project_id', scope.projectId],
    ...(role === 'changes' ? [] : ([['verdict', verdict]] as const)),
  ]);
}

/** Compares the counts of a manifest with those of the parts that it names: both formats must have all rows. */
export function checkCounts({ manifest, manifestKey }: SealedSummary): Fault[] {
  const { parts, rows, rejects } = manifest;
  const { added, removed, changed } = manifest.changes ?? { added: 0, removed: 0, changed: 0 };
  const counts = { rows, rejects, changes: added + removed + changed };
  const messages: string[] = [];
  const kinds = new Set<string>();
  for (const { role, format, key, rows: count } of parts) {
    const kind = `${role} in ${format}`;
    if (kinds.has(kind)) messages.push(`names two parts with ${kind}`);
    kinds.add(kind);
    const stated = counts[role];
    if (stated === count) continue;
    messages.push(`says ${stated} ${role}, but ${count} for its part ${JSON.stringify(key)}`);
  }
  for (const [role, count] of Object.entries(counts)) {
    if (count === 0 || parts.some((part) => part.role === role)) continue;
    messages.push(`says ${count} ${role}, but names no part with them`);
  }
  return messages.map((message) => ({ key: manifestKey, message, hint: restoreHint }));
}
