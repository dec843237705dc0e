// Responsible for the list of packages in the collect bundle, from esbuild's metafile.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const metafile = join(import.meta.dirname, '../../dist/meta/collect.json');

interface Metafile {
  outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }>;
}

/** Each package with its bytes in the bundle, the largest first. */
export function listPackages(): [string, number][] {
  const sizes = new Map<string, number>();
  const { outputs } = JSON.parse(readFileSync(metafile, 'utf8')) as Metafile;
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? 'cgs-export itself';
      sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
    }
  }
  return [...sizes].sort(([, a], [, b]) => b - a);
}
