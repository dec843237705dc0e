// Responsible for encoding rows at once, for tests and benchmarks.

import type { Encoder, EncodingOptions, Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';

export const encodingOptions: Omit<EncodingOptions, 'sink'> = {
  columns: containerNodes.columns,
  sortedBy: containerNodes.keyColumn,
  createdBy: 'cgs-export/0.0.0-test',
  metadata: { dataset: 'container_nodes', snapshot: '20261124T060000Z' },
};

/** The bytes of the object with these rows, given to `write` in batches of these sizes; then the rest in one batch. */
export async function encodeRows(
  encoder: Encoder,
  rows: readonly Row[],
  options: Partial<EncodingOptions> = {},
  batchSizes: readonly number[] = [],
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const sink = (bytes: Uint8Array) => void chunks.push(bytes);
  const writer = encoder.open({ ...encodingOptions, sink, ...options });
  let start = 0;
  for (const size of batchSizes) {
    await writer.write(rows.slice(start, start + size));
    start += size;
  }
  await writer.write(rows.slice(start));
  await writer.end();
  return Buffer.concat(chunks);
}
