// Tests which nodes an alert names as gone, on snapshots that an exporter has sealed.

import { expect, test } from 'vitest';
import { readGoneNodes } from '../../lib/alerts/gone-nodes.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { createTestExporter } from '../support/test-exporter.ts';

async function sealTwo(count: number, removed: number) {
  const ids = Array.from({ length: count }, (_, index) => `host-${String(index).padStart(4, '0')}`);
  const world = createTestExporter({
    ids,
    recordOf: (id) => ({
      host_id: id,
      host_name: id === 'host-0000' ? 'n'.repeat(500) : `name of ${id}`,
    }),
  });
  const [first] = (await world.exportNow()).snapshots;
  world.endpoint.ids = [...ids.slice(removed), 'host-new'];
  const [second] = (await world.exportNow()).snapshots;
  const logs: string[] = [];
  const ports = {
    ...{
      store: world.store,
      scratch: world.scratch,
      decoder: parquetDecoder,
      dataset: containerNodes,
    },
    log: (_level: string, message: string) => void logs.push(message),
  };
  const read = async (sealed = second) => sealed && readGoneNodes(sealed.manifest, ports);
  return { world, first, second, read, logs };
}

test('names at most 100, by id, and counts all; long names are cut', async () => {
  const { read, first } = await sealTwo(150, 120);
  const gone = await read();
  expect(gone?.count).toBe(120);
  expect(gone?.nodes).toHaveLength(100);
  expect(gone?.nodes?.[0]).toEqual({ hostId: 'host-0000', hostName: `${'n'.repeat(127)}…` });
  expect(gone?.nodes?.[99]).toEqual({ hostId: 'host-0099', hostName: 'name of host-0099' });
  // The first snapshot was compared with none.
  expect(await read(first)).toBeNull();
});

test('no node is gone if nodes were only added', async () => {
  const { read } = await sealTwo(10, 0);
  expect(await read()).toBeNull();
});

test('if the changes cannot be read, the count remains, and the log says why', async () => {
  const { world, second, read, logs } = await sealTwo(10, 3);
  const part = second?.manifest.parts.find(({ role }) => role === 'changes');
  await world.store.delete(part?.key ?? '');
  expect(await read()).toEqual({ count: 3, nodes: null });
  expect(logs).toHaveLength(1);
});
