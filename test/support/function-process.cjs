// Responsible for one invocation of a function in its own process, on any Node version.
// Arguments: the unpacked folder, the handler as `file.export`. Reads {event, context} from stdin and writes the outcome to
// file descriptor 3.

'use strict';

const { join } = require('node:path');
const { readFileSync, writeSync } = require('node:fs');

const [folder, handler] = process.argv.slice(2);
const { event, context } = JSON.parse(readFileSync(0, 'utf8'));
const endMs = performance.now() + context.timeoutMs;
const coldMs = performance.now();

/** Source: FunctionGraph Developer Guide, "Node.js: context methods", read 2026-11-24. */
const functionContext = {
  getRequestID: () => context.requestId,
  getRemainingTimeInMilliSeconds: () => Math.max(0, Math.floor(endMs - performance.now())),
  getSecurityAccessKey: () => context.ak,
  getSecuritySecretKey: () => context.sk,
  getSecurityToken: () => context.securityToken,
  getUserData: (name) => context.userData[name],
  getFunctionName: () => context.functionName,
  getMemorySize: () => context.memorySize,
  getRunningTimeInSeconds: () => context.timeoutMs / 1000,
  getLogger: () => ({
    info: console.log,
    warn: console.log,
    error: console.log,
    debug: console.log,
  }),
};

function finish(outcome) {
  const { maxRSS } = process.resourceUsage();
  writeSync(3, JSON.stringify({ ...outcome, peakBytes: maxRSS * 1024, node: process.version }));
  process.exit(0);
}

(async () => {
  const [file, name] = handler.split('.');
  const loaded = require(join(folder, `${file}.js`));
  const loadedMs = performance.now() - coldMs;
  const startMs = performance.now();
  try {
    const result = await loaded[name](event, functionContext);
    finish({ ok: true, result, loadedMs, durationMs: performance.now() - startMs });
  } catch (error) {
    const { code, message, name: kind } = error;
    finish({
      ok: false,
      error: { code, message, name: kind },
      loadedMs,
      durationMs: performance.now() - startMs,
    });
  }
})();
