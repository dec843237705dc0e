// Responsible for building dist/cli.js and one self-contained bundle per function. Not responsible for packing or deploying.
// Usage: node build.mjs [ROOT [FUNCTION …]]. ROOT is this folder by default; tests use another one. With names of functions, it
// builds only their bundles and leaves the rest of dist/ as it is.

import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { definePageAssets } from './page-assets.mjs';

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
 * Builds `root` into `root`/dist; `only`: the functions to build, empty: everything. A name without a file in functions/ is left
 * out. Throws Error if lib/cli/main.ts is missing, if an import cannot be resolved, or if a
 * bundle would need a package at run time.
 */
async function buildAll(root, only) {
  const dist = join(root, 'dist');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const names = await readdir(join(root, 'functions')).catch(() => []);
  const functions = names.filter((name) => /^[a-z][a-z0-9-]*\.ts$/.test(name));
  const all = functions.map((file) => basename(file, '.ts'));
  const named = only.length === 0 ? all : all.filter((name) => only.includes(name));
  await readFile(join(root, 'lib/cli/main.ts')).catch(() => {
    throw new Error('lib/cli/main.ts is missing, so there is nothing to build');
  });

  const old = only.length === 0 ? [dist] : only.map((name) => join(dist, 'functions', name));
  for (const path of old) await rm(path, { recursive: true, force: true });
  await mkdir(join(dist, 'meta'), { recursive: true });
  // Node would load these files as ES modules, because the root package.json says so, and they would export nothing.
  await writeFile(join(dist, 'package.json'), '{"type":"commonjs"}\n');
  const define = { __VERSION__: JSON.stringify(version), ...(await definePageAssets(root)) };
  const paths = named.map((name) => ({
    in: `functions/${name}.ts`,
    out: `functions/${name}/index`,
  }));
  await buildBundles({ root, define, entryPoints: paths, banner: quietSdk });
  if (only.length > 0) return;
  await buildBundles({
    root,
    define,
    entryPoints: [{ in: 'lib/cli/main.ts', out: 'cli' }],
    banner: `#!/usr/bin/env node\n${quietSdk}`,
  });
  await chmod(join(dist, 'cli.js'), 0o755);
}

/** All bundles in one call, because esbuild then reads each module once. */
async function buildBundles({ root, define, entryPoints, banner }) {
  const dist = join(root, 'dist');
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints,
    outdir: dist,
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
    legalComments: 'external',
    banner: { js: banner },
    plugins: [noKeySearch],
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

/** Writes dist/meta/NAME.json, which states what the bundle at `path` contains. Throws Error if it needs a package at run time. */
async function finishBundle(root, { inputs }, path, output) {
  const missing = output.imports.filter(({ external, path }) => external && !isBuiltin(path));
  if (missing.length > 0) {
    await rm(join(root, path), { force: true });
    const packages = [...new Set(missing.map(({ path }) => path))].join(', ');
    throw new Error(`${output.entryPoint} would need ${packages} at run time`);
  }
  const own = Object.entries(inputs).filter(([input]) => input in output.inputs);
  const meta = { inputs: Object.fromEntries(own), outputs: { [path]: output } };
  const name = path === 'dist/cli.js' ? 'cli' : basename(dirname(path));
  await writeFile(join(root, 'dist/meta', `${name}.json`), `${JSON.stringify(meta)}\n`);
}

const ownFolder = dirname(fileURLToPath(import.meta.url));
try {
  const [root = ownFolder, ...only] = process.argv.slice(2);
  await buildAll(resolve(root), only);
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
}
