// Tests that a fault reaches the failure destination exactly once, with the built bundle and its timer.
// Method: the bundle is deployed to the FunctionGraph double. The list has a different order on each page, so the snapshot drifts.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deployFunction, urnOf } from '../../lib/deploy/deployment.ts';
import { writeZip } from '../../lib/deploy/function-zip.ts';
import { startSimulator } from '../../lib/simulator/simulator.ts';
import { connectTo, settingsOf, timerOf } from '../support/deploy-api.ts';
import { agency, writeConfig } from '../support/exporting-config.ts';
import { startFunctionGraph } from '../support/function-graph.ts';

const root = join(import.meta.dirname, '../..');
const quota = { requests: 50, windowSeconds: 1 };

test('reports a drifted snapshot once, and not again in later timer invocations', async () => {
  const lake = await mkdtemp(join(tmpdir(), 'lake-'));
  const simulator = await startSimulator({
    ...agency,
    nodes: 600,
    quota,
    beforePage: ({ list, index }) => void list.sort((a, b) => rank(a, index) - rank(b, index)),
  });
  const double = await startFunctionGraph({ agency });
  try {
    const bytes = await readFile(join(root, 'dist/functions/collect/index.js'));
    const config = Buffer.from(writeConfig(simulator, lake, quota));
    const zip = await writeZip([
      { path: 'index.js', bytes },
      { path: 'cgs-export.yml', bytes: config },
    ]);
    const onFailure = { destination: 'SMN' as const, topicUrn: 'urn:smn:t' };
    const settings = settingsOf({ onFailure, events: [timerOf('every-minute')] });
    const api = await connectTo(double);
    const plan = { api, urn: urnOf(double, settings), settings, secrets: {}, zip };
    const deployed = await deployFunction({ ...plan, scope: 'all' }, () => {});
    expect(deployed.error).toBeNull();
    const outcomes: boolean[] = [];
    // Three more invocations after the report.
    for (let after = 0; outcomes.length < 20 && after < 4; ) {
      outcomes.push((await double.fireTimers())[0]?.ok ?? false);
      if (double.delivered.length > 0) after += 1;
    }
    expect(double.delivered).toHaveLength(1);
    expect(double.delivered[0]).toMatchObject({
      destination: 'SMN',
      param: '{"topic_urn":"urn:smn:t"}',
    });
    expect(double.delivered[0]?.error).toContain('completeness cannot be proven');
    expect(outcomes.slice(-3)).toEqual([true, true, true]);
  } finally {
    await Promise.all([double.stop(), simulator.stop()]);
    await rm(lake, { recursive: true, force: true });
  }
});

/** Gives each page another order, the same in each run. */
function rank(node: { host_id?: unknown }, index: number): number {
  let hash = index * 2_654_435_761;
  for (const sign of String(node.host_id)) hash = Math.imul(hash ^ sign.charCodeAt(0), 16_777_619);
  return hash >>> 0;
}
