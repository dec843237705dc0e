// Responsible for trying a deployment without an account: starts the FunctionGraph double and a simulator, and fires the
// timers. Prints the commands for another shell, then the log of each invocation. Reachable from this host only.
// Run: npm run double [-- nodes]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSimulator } from '../../lib/simulator/simulator.ts';
import { agency, writeConfig } from './exporting-config.ts';
import { startFunctionGraph } from './function-graph.ts';

const nodes = Number(process.argv[2] ?? 3_000);
if (!Number.isInteger(nodes) || nodes < 0) throw new Error('usage: npm run double [-- NODES]');
/** The service's quota, twelve times as fast. The timers are faster by the same factor. */
const quota = { requests: 5, windowSeconds: 5 };

const lake = mkdtempSync(join(tmpdir(), 'cgs-export-double-'));
const simulator = await startSimulator({ ...agency, nodes, quota });
const double = await startFunctionGraph({ agency });
console.log(`# write this to cgs-export.yml in the checkout:
${writeConfig(simulator, lake, quota)}
# run this in another shell in the checkout, then: npx serverless deploy
export HUAWEICLOUD_SDK_AK=${double.key.ak} HUAWEICLOUD_SDK_SK=${double.key.sk}
export FUNCTIONGRAPH_ENDPOINT=${double.url} IAM_ENDPOINT=${double.url}

# logs of the timer every-minute, every ${quota.windowSeconds} s after a deployment; ctrl-C stops. Other timers do not
# fire: npx serverless invoke -f verify`);

let isRunning = true;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    isRunning = false;
  });
}
let printed = 0;
for (let nextMs = performance.now(); isRunning; nextMs += quota.windowSeconds * 1_000) {
  for (const { log } of await double.fireTimers('every-minute')) process.stdout.write(log);
  for (const { destination, param, error } of double.delivered.slice(printed)) {
    console.log(`# sent to ${destination} ${param}: ${error}`);
  }
  printed = double.delivered.length;
  while (isRunning && performance.now() < nextMs + quota.windowSeconds * 1_000) await sleep(100);
}
await Promise.all([double.stop(), simulator.stop()]);
rmSync(lake, { recursive: true });
