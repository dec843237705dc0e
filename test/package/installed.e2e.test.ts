// Tests the package: what is in it, the licences and the list of its parts, and that it runs where only the package is.
// Method: packed from a copy of the checkout that has stray files, then installed without a network into an empty folder with a HOME,
// an npm prefix and a cache of its own. No file of the checkout is used after that, but `serverless`, the other package that a
// deployment needs.

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, posix } from 'node:path';
import { promisify } from 'node:util';
import type { Version } from '@cyclonedx/cyclonedx-library/Spec';
import { JsonStrictValidator } from '@cyclonedx/cyclonedx-library/Validation';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import { parsePage } from '../docs/pages.ts';
import { readArchive } from '../support/archive-reader.ts';
import { agency, writeConfig } from '../support/exporting-config.ts';
import { startFunctionGraph } from '../support/function-graph.ts';
import { packPackage } from '../support/packed-package.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'package-'));
const prefix = join(folder, 'prefix');
const home = join(folder, 'home');
/** What `npm i -g` writes. */
const installed = join(prefix, 'lib/node_modules/cgs-export');
const quota = { requests: 50, windowSeconds: 1 };

/** Files of a checkout in which somebody works. */
const strays = {
  'cgs-export.yml': 'a stray configuration',
  '.env': 'a stray secret',
  'keys.env': 'a stray secret',
  'export/_manifests/one.json': 'a stray store',
  'old.tgz': 'a stray package',
  'docs/notes.txt': 'a note',
  'examples/docker/keys.env': 'a stray secret',
  'examples/docker/cgs-export.yml': 'a stray configuration',
  'examples/docker/cgs-export-0.1.0.tgz': 'a stray package',
  'examples/kubernetes/keys.env': 'a stray secret',
  'examples/terraform/terraform.tfstate': 'a stray secret',
  'examples/terraform/terraform.tfvars': 'a stray secret',
  'examples/terraform/.terraform/providers/one': 'a program',
  'lake/test/stray.py': 'a test',
  'lake/cgs_lake/__pycache__/stray.pyc': 'a cache',
};

let tgz: string;
let simulator: Simulator;

/** `program`: one of the installed programs, or one of PATH. Resolves also if the exit code is not 0. */
async function run(program: string, args: readonly string[], cwd: string, more = {}) {
  const { PATH = '' } = process.env;
  const env = { PATH: `${join(prefix, 'bin')}:${PATH}`, HOME: home, ...more };
  const npm = { npm_config_cache: join(folder, 'npm-cache'), npm_config_update_notifier: 'false' };
  const options = { cwd, env: { ...npm, ...env }, maxBuffer: 2 ** 24 };
  return promisify(execFile)(program, args, options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

async function createFolder(name: string): Promise<string> {
  await mkdir(join(folder, name));
  return join(folder, name);
}

beforeAll(async () => {
  await mkdir(home);
  tgz = await packPackage(await createFolder('pack'), strays);
  const args = ['i', '-g', '--offline', '--no-audit', '--no-fund', '--prefix', prefix, tgz];
  const { code, stderr } = await run('npm', args, await createFolder('empty'));
  if (code !== 0) throw new Error(stderr);
  simulator = await startSimulator({ ...agency, nodes: 650, quota });
}, 60_000);
// The folder is in the temporary folder of the test run, which is removed at its end.
afterAll(() => simulator?.stop());

const listFiles = () =>
  readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(installed, posix.join(entry.parentPath, entry.name)))
    .sort();
const readInstalled = (path: string) => readFileSync(join(installed, path), 'utf8');

describe('content', () => {
  const rules = [
    /^(README(\.[\w-]+)?|CHANGELOG|CONTRIBUTING|SECURITY)\.md$/,
    /^(LICENSE|package\.json|serverless\.yml|cgs-export\.(example\.yml|schema\.json))$/,
    /^dist\/(cli|plugin|functions\/[a-z]+\/index)\.js$/,
    /^dist\/(cli|plugin|functions\/[a-z]+\/index)\.js\.LEGAL\.txt$/,
    /^dist\/(package|sbom\.cdx)\.json$/,
    /^docs\/[\w./-]+\.(md|png)$/,
    /^examples\/[\w./@-]+$/,
    /^lake\/(README\.md|pyproject\.toml|cgs_lake\/\w+\.py)$/,
  ];

  test('is what a user needs, and nothing else', () => {
    const files = listFiles();
    expect(files.filter((path) => !rules.some((rule) => rule.test(path)))).toEqual([]);
    for (const rule of rules) expect(files.filter((path) => rule.test(path))).not.toEqual([]);
    const functions = readdirSync(join(root, 'functions')).map((name) => name.replace('.ts', ''));
    for (const name of functions) expect(files).toContain(`dist/functions/${name}/index.js`);
    expect(files.filter((path) => path in strays || /\.(ts|map|pyc)$/.test(path))).toEqual([]);
    const examples = readdirSync(join(root, 'examples'), { recursive: true, withFileTypes: true });
    expect(files.filter((path) => path.startsWith('examples/'))).toHaveLength(
      examples.filter((entry) => entry.isFile()).length,
    );
  });

  test('can be read by every user, and only the program can be executed', async () => {
    const { stdout } = await run('tar', ['tvzf', tgz], folder);
    const entries = stdout
      .trim()
      .split('\n')
      .map((line: string) => line.split(/\s+/));
    expect(entries.length).toBeGreaterThan(50);
    for (const entry of entries) {
      const path = entry.at(-1);
      const mode = path === 'package/dist/cli.js' ? '-rwxr-xr-x' : '-rw-r--r--';
      expect([path, entry[0]]).toEqual([path, mode]);
    }
  });

  test('has at most 15 MB, and needs no other package', () => {
    const bytes = listFiles().reduce((sum, path) => sum + statSync(join(installed, path)).size, 0);
    expect(bytes).toBeLessThanOrEqual(15_000_000);
    expect(existsSync(join(installed, 'node_modules'))).toBe(false);
    const manifest = JSON.parse(readInstalled('package.json'));
    for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies']) {
      expect(manifest[kind]).toBeUndefined();
    }
  });

  test('every link of its documents leads to a file in it', () => {
    const files = new Set(listFiles());
    const broken = [...files].flatMap((from) => {
      if (!from.endsWith('.md')) return [];
      return parsePage(from, readInstalled(from)).links.flatMap(({ line, target }) => {
        if (/^(https?:|mailto:|#)/.test(target)) return [];
        const path = posix.join(posix.dirname(from), target.split('#')[0] ?? '');
        const isThere = files.has(path) || [...files].some((file) => file.startsWith(`${path}/`));
        return isThere ? [] : [`${from}:${line} ${target}`];
      });
    });
    expect(broken).toEqual([]);
  });

  test('the schema is the one that the example names, and the one of the program', async () => {
    const [first = ''] = readInstalled('cgs-export.example.yml').split('\n');
    expect(first).toContain('$schema=./cgs-export.schema.json');
    const { stdout } = await run('cgs-export', ['schema'], folder);
    expect(readInstalled('cgs-export.schema.json')).toBe(stdout);
  });

  test('a build in another folder gives the same bytes', () => {
    const built = listFiles().filter((path) => path.startsWith('dist/'));
    const differing = built.filter((path) => {
      // The folder of node_modules, seen from the checkout, is in the marks that connect parts of the list.
      const read = (from: string) =>
        readFileSync(join(from, path), 'latin1').replaceAll(/#[0-9a-f]{64}/g, '');
      return path.endsWith('sbom.cdx.json')
        ? JSON.stringify(sortLists(JSON.parse(read(root)))) !==
            JSON.stringify(sortLists(JSON.parse(read(installed))))
        : read(root) !== read(installed);
    });
    expect(differing, 'dist/ may be old: run `npm run build`').toEqual([]);
  });
});

/** Sorted by their text, because the marks that were removed had decided the order. */
function sortLists(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sortLists).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, sortLists(one)]));
}

interface LockedPackage {
  version: string;
  license?: string;
  integrity: string;
}
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockedPackage>;
};

/** The packages in a bundle, as paths of package-lock.json: from what esbuild says about it in dist/meta. */
function listBundled(meta: string): string[] {
  const { outputs } = JSON.parse(readFileSync(join(root, 'dist/meta', meta), 'utf8')) as {
    outputs: Record<string, { inputs: object }>;
  };
  const inputs = Object.values(outputs).flatMap((output) => Object.keys(output.inputs));
  const paths = inputs.map((path) => /^(.*node_modules\/(@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? '');
  return [...new Set(paths)].filter((path) => path !== '').sort();
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 13);
const metas = readdirSync(join(root, 'dist/meta')).sort();

describe('licences', () => {
  test.each(metas)('all packages in the bundle %s have theirs beside it', (meta) => {
    const name = meta.replace('.json', '');
    const isOwn = existsSync(join(installed, 'dist', `${name}.js`));
    const file = isOwn ? `dist/${name}.js` : `dist/functions/${name}/index.js`;
    const text = readInstalled(`${file}.LEGAL.txt`);
    const squeeze = (one: string) => one.replaceAll(/\s+/g, ' ').trim();
    const squeezed = squeeze(text);
    const paths = listBundled(meta);
    expect(paths.length).toBeGreaterThan(20);
    for (const path of paths) {
      const { version, license } = lock.packages[path] as LockedPackage;
      expect(text).toContain(`\n${nameOf(path)}@${version} (${license})\n`);
      const files = readdirSync(join(root, path)).filter((one) =>
        /^(licen[cs]e|notice|copying)/i.test(one),
      );
      for (const one of files) {
        const own = squeeze(readFileSync(join(root, path, one), 'utf8'));
        expect(squeezed.includes(own), `${path}/${one}`).toBe(true);
      }
      // Without a file: the section of its README, or the text of the Apache License.
      if (files.length === 0) expect(`${path} ${license}`).toMatch(/agent|Apache-2\.0$/);
    }
  });

  test('the script of the report page counts as part of the bundles that have it', () => {
    const has = metas.filter((meta) => listBundled(meta).some((path) => /@tanstack/.test(path)));
    expect(has).toEqual(['cli.json', 'report.json']);
  });
});

describe('sbom.cdx.json', () => {
  interface Component {
    'bom-ref': string;
    name: string;
    group?: string;
    version: string;
    purl: string;
    licenses: { license?: { id: string }; expression?: string }[];
    hashes: { alg: string; content: string }[];
  }
  const read = () =>
    JSON.parse(readInstalled('dist/sbom.cdx.json')) as {
      specVersion: Version;
      serialNumber?: string;
      metadata: { timestamp?: string; component: Component };
      components: Component[];
      dependencies: { ref: string; dependsOn?: string[] }[];
    };

  test('is valid, and has nothing that changes from build to build', async () => {
    const { specVersion, serialNumber, metadata } = read();
    const validator = new JsonStrictValidator(specVersion);
    expect(await validator.validate(readInstalled('dist/sbom.cdx.json'))).toBeNull();
    expect(await validator.validate('{"bomFormat":"CycloneDX"}')).not.toBeNull();
    expect([serialNumber, metadata.timestamp]).toEqual([undefined, undefined]);
    const { name, version } = JSON.parse(readInstalled('package.json'));
    expect(metadata.component).toMatchObject({ name, version });
  });

  test('lists exactly the packages in the bundles, as package-lock.json has them', () => {
    const listed = read().components.map(({ group, name, version, purl, licenses, hashes }) => {
      const full = group === undefined ? name : `${group}/${name}`;
      expect(purl.split('?')[0]).toBe(`pkg:npm/${full.replace('@', '%40')}@${version}`);
      const integrity = hashes.map(({ alg, content }) => {
        const start = alg.toLowerCase().replace('-', '');
        return `${start}-${Buffer.from(content, 'hex').toString('base64')}`;
      });
      return `${full}@${version} ${integrity} ${[...new Set(licenses.map(({ license, expression }) => license?.id ?? expression))]}`;
    });
    const bundled = [...new Set(metas.flatMap(listBundled))].map((path) => {
      const { version, license, integrity } = lock.packages[path] as LockedPackage;
      return `${nameOf(path)}@${version} ${integrity} ${license}`;
    });
    expect(listed.sort()).toEqual(bundled.sort());
  });

  test('shows by which imports each package got into the bundles', () => {
    const { metadata, components, dependencies } = read();
    const importsOf = new Map(dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]));
    const reached = new Set([metadata.component['bom-ref']]);
    for (const ref of reached) for (const next of importsOf.get(ref) ?? []) reached.add(next);
    expect(components.filter((one) => !reached.has(one['bom-ref']))).toEqual([]);
  });
});

describe('installed', () => {
  test('npx runs the package file', async () => {
    const cwd = dirname(tgz);
    const file = `./${basename(tgz)}`;
    const { version } = JSON.parse(readInstalled('package.json'));
    const plain = await run('npx', ['--offline', '--yes', file, '--version'], cwd);
    const named = ['--offline', '--yes', '--package', file, 'cgs-export', '--version'];
    expect(plain).toMatchObject({ code: 0, stdout: `${version}\n` });
    expect(await run('npx', named, cwd)).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test('the commands from the first to the report run, with no word on stderr but log lines', async () => {
    const cwd = await createFolder('work');
    const { version } = JSON.parse(readInstalled('package.json'));
    const store = 'file:./lake';
    const { ak, sk, securityToken } = agency;
    const env = {
      HUAWEICLOUD_SDK_AK: ak,
      HUAWEICLOUD_SDK_SK: sk,
      HUAWEICLOUD_SDK_SECURITY_TOKEN: securityToken,
    };
    const target = [
      ...['--region', simulator.region, '--project', simulator.projectId],
      ...['--endpoint', simulator.url, '--store', store],
      ...['--quota-requests', '50', '--quota-window-seconds', '1'],
    ];
    const call = async (...args: string[]) => {
      const { code, stdout, stderr } = await run('cgs-export', args, cwd, env);
      expect(code, `${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0);
      expect(stderr).not.toMatch(/warning|deprecat|experimental|^\s+at /im);
      return stdout;
    };
    expect(await call('--version')).toBe(`${version}\n`);
    // As users call it: not `node …/cli.js`.
    expect(await call('init')).toContain('run `cgs-export plan`');
    expect(await call('doctor', ...target)).toContain('key');
    const exported = JSON.parse(await call('export', '--json', ...target));
    expect(exported).toMatchObject({ status: 'sealed' });
    const verified = JSON.parse(await call('verify', '--json', '--store', store));
    expect(verified).toMatchObject({ status: 'verified', manifests: 1 });
    await call('report', '--store', store, '--out', 'report');
    expect(readdirSync(join(cwd, 'report')).join()).toContain('report.html');
    expect(await call('ddl', '--engine', 'duckdb', '--store', store)).toContain('CREATE');
  });

  test('serverless deploys it from a folder that has the two packages', async () => {
    const cwd = await createFolder('service');
    const install = ['i', '--offline', '--no-audit', '--no-fund', '--prefix', cwd, tgz];
    expect(await run('npm', install, cwd)).toMatchObject({ code: 0 });
    await symlink(join(root, 'node_modules/serverless'), join(cwd, 'node_modules/serverless'));
    await cp(join(cwd, 'node_modules/cgs-export/serverless.yml'), join(cwd, 'serverless.yml'));
    await writeFile(join(cwd, 'cgs-export.yml'), writeConfig(simulator, join(cwd, 'lake'), quota));
    const double = await startFunctionGraph({ agency });
    try {
      const env = {
        HUAWEICLOUD_SDK_AK: double.key.ak,
        HUAWEICLOUD_SDK_SK: double.key.sk,
        FUNCTIONGRAPH_ENDPOINT: double.url,
        IAM_ENDPOINT: double.url,
      };
      const program = join(cwd, 'node_modules/serverless/bin/serverless.js');
      const { code, stdout, stderr } = await run('node', [program, 'deploy'], cwd, env);
      expect(code, stdout + stderr).toBe(0);
      expect(stdout + stderr).toContain('cgs-export-collect: deployed');
      // What Terraform sends too: examples/terraform/main.tf takes this folder.
      const zip = readArchive(await readFile(join(cwd, '.serverless/collect.zip')));
      const entries = new Map(zip.map(({ path, bytes }) => [path, String(bytes)]));
      expect([...entries.keys()]).toEqual(['cgs-export.yml', 'index.js', 'index.js.LEGAL.txt']);
      const legal = readInstalled('dist/functions/collect/index.js.LEGAL.txt');
      expect(entries.get('index.js.LEGAL.txt')).toBe(legal);
      const [outcome] = await double.fireTimers('every-minute');
      expect(outcome).toMatchObject({ ok: true, error: null });
    } finally {
      await double.stop();
    }
  }, 60_000);
});
