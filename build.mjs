// Responsible for dist/: the command line (cli.js), the plugin for Serverless (plugin.js) and one self-contained bundle per
// function; beside each bundle the licences of the packages in it, and sbom.cdx.json, which lists the packages of all bundles.
// Not responsible for packing or deploying. Usage: node build.mjs [ROOT]. ROOT is this folder by default; tests use another one.

import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { listPackageFolders, readNotices, writeLicences } from './licences.mjs';
import { buildPageAssets, definePageAssets } from './page-assets.mjs';
import { listPackages } from './sbom.mjs';

/** FunctionGraph documents runtimes from Node 18 to Node 20. Both run code that is built for 18. */
const target = 'node18';
/** Otherwise the AWS SDK prints to stderr that this Node version is old. stderr is for log lines only. */
const quietSdk = "process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED='true';";

/**
 * The AWS SDK always gets its keys from us, so its search for keys in the environment, files and the network is left out
 * of the bundles.
 */
const noKeySearch = {
  name: 'no-key-search',
  setup(build) {
    build.onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, ({ path }) => ({
      path,
      namespace: 'no-key-search',
    }));
    build.onLoad({ filter: /.*/, namespace: 'no-key-search' }, () => ({
      contents: `exports.defaultProvider = () => { throw new Error('no credentials were given to the AWS SDK'); };`,
    }));
  },
};

/**
 * Calls in packages that Node.js warns about, and what replaces them.
 * The signer of the SDK needs only the host and the path of what url.parse() returns, and a URL has the same, because sign.ts and the
 * SDK give it addresses that are normal already.
 * In a bundle, lodash does not find `require`, and would call process.binding() instead. It works without both.
 */
const deprecatedCalls = [
  {
    file: /[\\/]AKSKSigner\.js$/,
    call: 'url_1.default.parse(request.endpoint, true)',
    replacement: 'new URL(request.endpoint)',
  },
  {
    file: /[\\/]lodash[\\/]lodash\.js$/,
    call: "freeProcess && freeProcess.binding && freeProcess.binding('util')",
    replacement: 'undefined',
  },
];

/** stderr is for log lines only. */
const noDeprecatedCall = {
  name: 'no-deprecated-call',
  setup(build) {
    for (const { file, call, replacement } of deprecatedCalls) {
      build.onLoad({ filter: file }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        if (!text.includes(call)) throw new Error(`${path} has no ${call}: change deprecatedCalls`);
        return { contents: text.replace(call, replacement), loader: 'js' };
      });
    }
  },
};

/**
 * Builds `root` into `root`/dist. Throws Error if an entry is missing, if an import cannot be resolved, or if a bundle would need a
 * package at run time.
 */
async function buildAll(root) {
  const dist = join(root, 'dist');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const names = await readdir(join(root, 'functions')).catch(() => []);
  const functions = names.filter((name) => /^[a-z][a-z0-9-]*\.ts$/.test(name));
  for (const path of ['lib/cli/start.ts', 'lib/cli/main.ts', 'lib/deploy/plugin.cjs']) {
    await readFile(join(root, path)).catch(() => {
      throw new Error(`${path} is missing, so there is nothing to build`);
    });
  }

  await rm(dist, { recursive: true, force: true });
  await mkdir(join(dist, 'meta'), { recursive: true });
  // Node would load these files as ES modules, because the root package.json says so, and they would export nothing.
  await writeFile(join(dist, 'package.json'), '{"type":"commonjs"}\n');
  const page = await buildPageAssets(root);
  const define = {
    __VERSION__: JSON.stringify(version),
    ...(await definePageAssets(root, Promise.resolve(page))),
  };
  const entryPoints = [
    { in: 'lib/cli/main.ts', out: 'cli' },
    { in: 'lib/deploy/plugin.cjs', out: 'plugin' },
    ...functions.map((file) => ({
      in: `functions/${file}`,
      out: `functions/${basename(file, '.ts')}/index`,
    })),
  ];
  await buildBundles(root, entryPoints, define, page);
  await addStart(root, define);
}

/**
 * Puts the start in front of the program in dist/cli.js. Old versions of Node.js must be able to parse the whole file, because the
 * start tells their users what to do.
 */
async function addStart(root, define) {
  const old = { target: 'node10.19', minify: true, lineLimit: 160, charset: 'ascii' };
  const { outputFiles } = await build({
    ...old,
    absWorkingDir: root,
    entryPoints: ['lib/cli/start.ts'],
    bundle: true,
    platform: 'node',
    format: 'iife',
    globalName: 'cgsExportStart',
    write: false,
    define,
  });
  // In front of the program, the directive would change how its packages run.
  const start = outputFiles[0].text.replace('"use strict";', '');
  const file = join(root, 'dist/cli.js');
  const { code } = await transform(await readFile(file, 'utf8'), old);
  const text = `#!/usr/bin/env node\n${start}if(!cgsExportStart.mayRun())return;\n${code}`;
  await writeFile(file, text);
  await chmod(file, 0o755);
}

/** All bundles in one call, because esbuild then reads each module once. */
async function buildBundles(root, entryPoints, define, page) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints,
    outdir: join(root, 'dist'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target,
    // ES modules where a package has both: esbuild leaves out what is unused only of these.
    mainFields: ['module', 'main'],
    minify: true,
    // Short lines, because a crash prints the whole line.
    lineLimit: 160,
    // Escaped in the bundle: one character beyond Latin-1 would make V8 hold the whole text with two bytes for each.
    charset: 'ascii',
    // Some files have notices that the licence file of their package does not have: finishBundle adds them to it.
    legalComments: 'external',
    banner: { js: quietSdk },
    plugins: [noKeySearch, noDeprecatedCall, ...listPackages(root, page)],
    define,
    // CommonJS has no import.meta, so code that reads it would fail at run time.
    logOverride: { 'empty-import-meta': 'error' },
    logLevel: 'warning',
    metafile: true,
  });
  for (const [path, output] of Object.entries(metafile.outputs)) {
    if (output.entryPoint !== undefined) await finishBundle(root, metafile, path, output);
  }
}

/**
 * Writes dist/meta/NAME.json, which states what the bundle at `path` contains, and adds the licences to its LEGAL.txt. Throws Error
 * if it needs a package at run time.
 */
async function finishBundle(root, { inputs }, path, output) {
  const missing = output.imports.filter(({ external, path }) => external && !isBuiltin(path));
  if (missing.length > 0) {
    await rm(join(root, path), { force: true });
    const packages = [...new Set(missing.map(({ path }) => path))].join(', ');
    throw new Error(`${output.entryPoint} would need ${packages} at run time`);
  }
  const own = Object.entries(inputs).filter(([input]) => input in output.inputs);
  const meta = { inputs: Object.fromEntries(own), outputs: { [path]: output } };
  const file = basename(path, '.js');
  const name = file === 'index' ? basename(dirname(path)) : file;
  await writeFile(join(root, 'dist/meta', `${name}.json`), `${JSON.stringify(meta)}\n`);
  const legal = join(root, `${path}.LEGAL.txt`);
  const comments = await readFile(legal, 'utf8').catch(() => '');
  const folders = listPackageFolders(Object.keys(output.inputs));
  const used = Object.keys(output.inputs).filter((input) => output.inputs[input].bytesInOutput > 0);
  const text = `${await writeLicences(root, folders, head)}${comments && `\n${comments}`}`;
  await writeFile(legal, `${text}${await readNotices(root, used, text)}`);
}

const head = `The program file of the same name contains these packages. Each list of packages is followed by the licence and
the notices that they come with. The licence of cgs-export itself is in the file LICENSE of its package.`;

// Every user of a host can read what root has installed, and the package is the same wherever it is built.
process.umask(0o022);
const ownFolder = dirname(fileURLToPath(import.meta.url));
try {
  const [root = ownFolder] = process.argv.slice(2);
  await buildAll(resolve(root));
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
}
