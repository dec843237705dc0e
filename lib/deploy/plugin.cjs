// Responsible for what Serverless loads: it gives the plugin the process, and the built functions beside it. The entry of
// dist/plugin.js.

'use strict';

const { join } = require('node:path');
const { createPlugin } = require('./plugin.ts');

/** Serverless calls this with `new` and gets the returned object. */
module.exports = function HuaweiProvider(serverless, options, tools) {
  return createPlugin(serverless, options, tools, {
    env: process.env,
    bundles: join(__dirname, 'functions'),
  });
};
