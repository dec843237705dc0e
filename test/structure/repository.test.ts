// Tests the repository as a whole: exact versions, and no secret, path or registry of one machine.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectFiles, read, root } from './sources.ts';

test('package.json names exact versions of packages from the registry', () => {
  const manifest = JSON.parse(read('package.json'));
  const versions = Object.entries({
    ...manifest.dependencies,
    ...manifest.devDependencies,
  }) as [string, string][];
  expect(versions.length).toBeGreaterThan(5);
  const exact = /^(npm:(@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/;
  expect(versions.filter(([, version]) => !exact.test(version))).toEqual([]);
});

// The examples are assembled, so that this file does not match itself.
const strays: readonly (readonly [what: string, pattern: RegExp, example: string])[] = [
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY/, `${'-----'}BEGIN RSA PRIVATE KEY-----`],
  ['an access key', /\bAKIA[0-9A-Z]{16}\b/, `"${'AKIA'}${'Q7'.repeat(8)}"`],
  // A secret key of this cloud is 40 letters and digits; a git commit is 40 of small hex.
  [
    'a secret key',
    /\b(?![0-9a-f]{40}\b)(?=[A-Za-z]*\d)(?=[A-Z\d]*[a-z])[A-Za-z\d]{40}\b/,
    `sk: ${'aB3d'.repeat(10)}`,
  ],
  ['a path of one machine', /(?<![\w.])\/(work|root|Users)\/\w/, `from ${'/'}work/main`],
  ['a home folder', /(?<![\w.])\/home\/[a-z]/, `cd ${'/'}home/someone`],
];

test.each(strays)('detects %s', (_what, pattern, example) => {
  expect(example).toMatch(pattern);
});

test('contains no secret and no path of one machine', () => {
  const found = projectFiles
    .filter((path) => path !== 'package-lock.json' && statSync(join(root, path)).size < 1_000_000)
    .flatMap((path) => {
      const text = read(path);
      return strays.flatMap(([what, pattern]) => {
        const match = pattern.exec(text);
        return match ? [`${path}:${text.slice(0, match.index).split('\n').length} ${what}`] : [];
      });
    });
  expect(found).toEqual([]);
});

test('package-lock.json takes packages from the public registry', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { resolved?: string }>;
  };
  const hosts = Object.values(packages).flatMap(({ resolved }) =>
    resolved === undefined ? [] : [new URL(resolved).host],
  );
  expect([...new Set(hosts)].filter((host) => host !== 'registry.npmjs.org')).toEqual([]);
});
