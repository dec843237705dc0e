// Owns a deployment to try without an account: the double, a simulator behind it, and its timers, which fire by themselves. Prints what to
// type in another shell, then what each invocation says. Refuses to be reached from elsewhere than this host.
// Run: npm run double [-- nodes]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSimulator } from '../../lib/simulator/simulator.ts';
import { agency, writeConfig } from './exporting-config.ts';
import { startFunctionGraph } from './function-graph.ts';

const nodes = Number(process.argv[2] ?? 3_000);
/** As the service counts, but twelve times as fast, and so do the timers. */
const quota = { requests: 5, windowSeconds: 5 };

const lake = mkdtempSync(join(tmpdir(), 'cgs-export-double-'));
const simulator = await startSimulator({ ...agency, nodes, quota });
const double = await startFunctionGraph({ agency });
console.log(`# cgs-export.yml of the checkout:
${writeConfig(simulator, lake, quota)}
# in another shell of the checkout, then: npx serverless deploy
export HUAWEICLOUD_SDK_AK=${double.key.ak} HUAWEICLOUD_SDK_SK=${double.key.sk}
export FUNCTIONGRAPH_ENDPOINT=${double.url} IAM_ENDPOINT=${double.url}

# what the timers' invocations say, one every ${quota.windowSeconds} s once something is deployed; ctrl-C ends it`);

let going = true;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    going = false;
  });
}
let told = 0;
for (let nextMs = performance.now(); going; nextMs += quota.windowSeconds * 1_000) {
  for (const { log } of await double.fireTimers()) process.stdout.write(log);
  for (const { destination, param, error } of double.delivered.slice(told)) {
    console.log(`# sent to ${destination} ${param}: ${error}`);
  }
  told = double.delivered.length;
  while (going && performance.now() < nextMs + quota.windowSeconds * 1_000) await sleep(100);
}
await Promise.all([double.stop(), simulator.stop()]);
rmSync(lake, { recursive: true });
