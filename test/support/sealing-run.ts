// Responsible for running a deployed zip against a simulator, one process per invocation, until a snapshot is sealed.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeZip } from '../../lib/deploy/function-zip.ts';
import { startSimulator } from '../../lib/simulator/simulator.ts';
import { readArchive } from './archive-reader.ts';
import { agency, writeConfig } from './exporting-config.ts';
import { type RunOutcome, timerInvocation, unpackFunction } from './function-process.ts';

export interface SealingRun {
  invocations: RunOutcome[];
  manifest: { rows: number; verdict: string; parts: { format: string }[] };
  /** Throttled requests, counted by the simulator. */
  throttled: number;
  nodePath: string;
  /** Of each later function, by its name. */
  later: Record<string, RunOutcome>;
}

const quota = { requests: 5, windowSeconds: 1 };
const invocationsMax = 200;

/** Adds a configuration for the simulator to each zip, or replaces the one in it. */
export async function runUntilSealed(options: {
  zip: Buffer;
  /** Zips of functions that each run once when the store is sealed, in this order, by their names. */
  laterZips?: Readonly<Record<string, Buffer>>;
  nodePath: string;
  nodes: number;
  /** In MB. */
  memorySize: number;
}): Promise<SealingRun> {
  const { zip, nodePath, nodes, memorySize } = options;
  const simulator = await startSimulator({ ...agency, nodes, quota });
  const lake = await mkdtemp(join(tmpdir(), 'lake-'));
  const config = {
    path: 'cgs-export.yml',
    bytes: Buffer.from(writeConfig(simulator, lake, quota)),
  };
  const unpack = async (archive: Buffer) => {
    const files = readArchive(archive).filter(({ path }) => path !== config.path);
    return unpackFunction(await writeZip([...files, config]), nodePath);
  };
  const unpacked = await unpack(zip);
  const invocations: RunOutcome[] = [];
  try {
    for (;;) {
      const outcome = await unpacked.run({
        ...timerInvocation,
        requestId: `request-${invocations.length}`,
        memorySize,
        agency,
        userData: {},
      });
      invocations.push(outcome);
      const { status } = (outcome.result ?? {}) as { status?: string };
      if (!outcome.ok || status === 'sealed') break;
      if (invocations.length === invocationsMax) throw new Error(`never sealed: ${status}`);
      // The timer fires once per window.
      await new Promise((resolve) => setTimeout(resolve, quota.windowSeconds * 1_000 - 300));
    }
    const last = invocations.at(-1);
    const snapshots = (last?.result as { snapshots?: { manifest: string }[] } | null)?.snapshots;
    const key = snapshots?.[0]?.manifest;
    if (!last?.ok || key === undefined) {
      throw new Error(`${last?.node}: ${last?.error?.message}\n${last?.log}`);
    }
    const manifest = JSON.parse(await readFile(join(lake, key), 'utf8'));
    const later: SealingRun['later'] = {};
    for (const [name, archive] of Object.entries(options.laterZips ?? {})) {
      const run = { ...timerInvocation, requestId: name, memorySize, agency, userData: {} };
      const one = await unpack(archive);
      later[name] = await one.run(run).finally(one.remove);
    }
    return { invocations, manifest, throttled: simulator.stats().throttled, nodePath, later };
  } finally {
    await Promise.all([simulator.stop(), unpacked.remove()]);
    await rm(lake, { recursive: true, force: true });
  }
}
