// Responsible for loading the TypeScript plugin into Serverless and passing it the process.

'use strict';

require('tsx/cjs/api').register();
const { createPlugin } = require('./plugin.ts');

/** Serverless calls this with `new` and gets the returned object. */
module.exports = function HuaweiProvider(serverless, options, tools) {
  return createPlugin(serverless, options, tools, {
    env: process.env,
    nodePath: process.execPath,
  });
};
