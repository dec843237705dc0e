// Tests the built zips on the exact Node binaries of FunctionGraph's runtimes, with a function's memory limit.
// Each invocation is a process of its own; several of them seal one snapshot, and then every other function runs once.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createService, type Service } from '../support/deploy-service.ts';
import { runUntilSealed } from '../support/sealing-run.ts';

const binaries = [
  ['v18.15.0', 'node-18'],
  ['v20.15.1', 'node-20'],
] as const;
const nodes = 3_000;

let service: Service;
let zip: Buffer;
let laterZips: Record<string, Buffer>;
beforeAll(async () => {
  service = await createService();
  const { exitCode, output } = await service.serverless(['package']);
  if (exitCode !== 0) throw new Error(output);
  const read = (name: string) => readFile(join(service.root, `.serverless/${name}.zip`));
  zip = await read('collect');
  laterZips = {};
  for (const one of ['verify', 'prune', 'report']) laterZips[one] = await read(one);
});
afterAll(() => service.remove());

describe.each(binaries)('on Node %s', (version, name) => {
  test.each([128, 256])('%i MB', async (memorySize) => {
    const nodePath = join(import.meta.dirname, 'node_modules', name, 'bin/node');
    const { invocations, manifest, throttled, later } = await runUntilSealed({
      zip,
      laterZips,
      nodePath,
      nodes,
      memorySize,
    });
    expect(new Set(invocations.map(({ node }) => node))).toEqual(new Set([version]));
    // How many depends on how fast the machine is.
    expect(invocations.length).toBeGreaterThan(1);
    expect(manifest).toMatchObject({ rows: nodes, verdict: 'complete' });
    expect(manifest.parts.map(({ format }) => format).sort()).toEqual(['ndjson', 'parquet']);
    expect(throttled).toBe(0);
    expect(later).toMatchObject({
      verify: { ok: true, node: version, result: { status: 'verified', parts: 2, errors: [] } },
      prune: { ok: true, node: version, result: { status: 'idle' } },
      report: { ok: true, node: version, result: { status: 'written', errors: [] } },
    });
    // If the kernel enforces the limit, a process above it would have been killed.
    const peak = Math.max(...invocations.map(({ peakBytes }) => peakBytes)) / 2 ** 20;
    if (!invocations.every(({ limited }) => limited)) expect(peak).toBeLessThan(memorySize);
  });
});
