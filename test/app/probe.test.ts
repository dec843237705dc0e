// Tests that the size of a list is read with one request that the quota ledger counts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../lib/app/connect.ts';
import { probeSize } from '../../lib/app/probe.ts';
import { configFromFlags } from '../../lib/config/flags.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { startSimulator } from '../../lib/simulator/simulator.ts';

test('returns the number of nodes with one request within the quota', async () => {
  const simulator = await startSimulator({ nodes: 450 });
  onTestFinished(() => simulator.stop());
  const folder = mkdtempSync(join(tmpdir(), 'cgs-probe-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { region, url, ak, sk } = simulator;
  const config = configFromFlags(
    { region, endpoint: url, iamEndpoint: url, store: 'file:./lake' },
    { HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk },
    folder,
  );
  const log = () => {};
  const connection = connect(config, { log, scrubber: createScrubber() });
  const [target] = connection.targets;
  if (!target) throw new Error('no target');
  const options = { log, signal: new AbortController().signal, progress: () => {} };
  expect(await probeSize(connection, target, options)).toBe(450);
  expect(simulator.stats().nodeRequests).toBe(1);
  // The store holds only the ledger entry of this request.
  const keys = (await connection.store.list('')).map(({ key }) => key);
  expect(keys).toEqual([
    expect.stringMatching(
      /^_quota\/container_nodes\/\d{13}-[0-9a-f]{12}-1-\d+@\d+-[0-9a-f]{12}[\d.]+$/,
    ),
  ]);
});
