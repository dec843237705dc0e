// Owns how Serverless gets at a plugin written in TypeScript, and hands it the process. Refuses everything else.

'use strict';

require('tsx/cjs/api').register();
const { createPlugin } = require('./plugin.ts');

/** Serverless calls it with `new`; what a constructor returns is what it gets. */
module.exports = function HuaweiProvider(serverless, options, tools) {
  return createPlugin(serverless, options, tools, {
    env: process.env,
    nodePath: process.execPath,
    nowMs: Date.now,
  });
};
