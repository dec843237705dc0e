// Responsible for the start of the command line on any version of Node.js: an old one gets one line and exit code 2. build.mjs puts it
// in front of the program in dist/cli.js. Loads nothing that `--version` does not need.

import { writeSync } from 'node:fs';
import { VERSION } from '../core/version.ts';

const oldestMajor = 20;

function rejectOldNode(): void {
  const message = `cgs-export needs Node.js ${oldestMajor} or newer, and this is ${process.version}`;
  const hint = 'Install a newer version from https://nodejs.org';
  process.stderr.write(`error NODE_VERSION: ${message}. ${hint}\n`);
  if (process.argv.indexOf('--json') > 0) {
    const errors = [{ code: 'NODE_VERSION', message, hint }];
    process.stdout.write(`${JSON.stringify({ status: 'failed', errors })}\n`);
  }
  process.exitCode = 2;
}

/** False if it was not asked for, or if stdout cannot be written: the program reports such a fault. */
function printVersion(): boolean {
  const [, , first, ...more] = process.argv;
  if (more.length > 0 || (first !== '--version' && first !== '-V')) return false;
  try {
    writeSync(1, `${VERSION}\n`);
    return true;
  } catch {
    return false;
  }
}

/** False if there is nothing left to do. */
export function mayRun(): boolean {
  if (Number.parseInt(process.versions.node, 10) >= oldestMajor) return !printVersion();
  rejectOldNode();
  return false;
}
