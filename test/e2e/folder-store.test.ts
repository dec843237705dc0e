// Tests what an operator can find in place of a folder for a store, or put into it: the built file ends at once with an error
// that says what to do. Others cannot read what it writes.

import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { someCases } from '../support/cases.ts';
import { writeConfig } from '../support/exporting-config.ts';
import {
  ampleQuota,
  cli,
  createFolder,
  expectCode,
  findObject,
  flagsFor,
  keyOf,
  readJson,
  runCli,
  startEndpoint,
} from './processes.ts';

describe('a store that cannot be a folder', () => {
  test.each(
    someCases([
      ['a file', (path: string) => writeFileSync(path, 'x'), 'is not a folder'],
      ['below a file', (path: string) => writeFileSync(dirname(path), 'x'), 'ENOTDIR'],
      [
        'a link to nothing',
        (path: string) => symlinkSync('nowhere', path),
        'is a link to a folder',
      ],
      ['a link to itself', (path: string) => symlinkSync('lake', path), 'ELOOP'],
      ['a named pipe', (path: string) => execFileSync('mkfifo', [path]), 'is not a folder'],
    ]),
  )('%s: export and status end with exit code 3', async (name, place, message) => {
    const endpoint = await startEndpoint({ nodes: 10 });
    const cwd = createFolder();
    const path = join(cwd, 'in', 'lake');
    if (name !== 'below a file') mkdirSync(join(cwd, 'in'));
    place(path);
    const flags = flagsFor(endpoint, undefined, 'file:./in/lake');
    const commands: [string[], Record<string, string>][] = [
      [['export', '--json', ...flags], keyOf(endpoint)],
      [['status', '--json', '--store', 'file:./in/lake'], {}],
    ];
    for (const [args, env] of commands) {
      const ended = await runCli(args, { cwd, env });
      expectCode(ended, 3);
      const [error] = readJson(ended).errors;
      expect(error?.code).toBe('STORE_UNUSABLE');
      expect(error?.message).toContain(path);
      expect(error?.message).toContain(message);
      expect(error?.hint).not.toBe('');
    }
    expect((await endpoint.report()).servings).toHaveLength(0);
  });
});

describe('in place of an object', () => {
  test.each(
    someCases([
      ['a named pipe', (path: string) => execFileSync('mkfifo', [path]), 'is a pipe'],
      [
        'a link to /dev/zero',
        (path: string) => symlinkSync('/dev/zero', path),
        'is a symbolic link',
      ],
      ['a file of 1 TB', (path: string) => makeHuge(path), 'has 1099511627776 bytes'],
    ]),
  )('%s: the command ends at once and names it', async (_name, place, message) => {
    const endpoint = await startEndpoint({ nodes: 10 });
    const cwd = createFolder();
    const args = ['export', '--json', ...flagsFor(endpoint)];
    expectCode(await runCli(args, { cwd, env: keyOf(endpoint) }), 0);
    const lake = join(cwd, 'lake');
    const path = join(lake, findObject(lake, /^_head\//));
    rmSync(path);
    place(path);
    const ended = await runCli(['status', '--json', '--store', 'file:./lake'], { cwd });
    expectCode(ended, 0);
    const [target] = readJson<{ targets: { problems: object[] }[] }>(ended).targets;
    const text = expect.stringContaining(`${path} ${message}`);
    expect(target?.problems).toMatchObject([{ code: 'CORRUPT', message: text }]);
  });

  test('a link to the root of the file system is not walked', async () => {
    const endpoint = await startEndpoint({ nodes: 10 });
    const cwd = createFolder();
    const args = ['export', '--json', ...flagsFor(endpoint)];
    expectCode(await runCli(args, { cwd, env: keyOf(endpoint) }), 0);
    symlinkSync('/', join(cwd, 'lake', 'all'));
    const verified = await runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
    expectCode(verified, 0);
    expect(readJson<object>(verified)).toMatchObject({ faults: [], unnamed: ['all'] });
  });
});

describe('permissions', () => {
  /** Of every file and folder below, in octal, without repeats. */
  function modesBelow(folder: string): { files: string[]; folders: string[] } {
    const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
    const modesOf = (isFile: boolean) => {
      const paths = entries
        .filter((entry) => entry.isFile() === isFile)
        .map((entry) => join(entry.parentPath, entry.name));
      return [...new Set(paths.map((path) => (statSync(path).mode & 0o777).toString(8)))].sort();
    };
    return { files: modesOf(true), folders: modesOf(false) };
  }

  test('by default only the owner can read the store, and the configuration of init', async () => {
    const endpoint = await startEndpoint({ nodes: 10 });
    const cwd = createFolder();
    const shell = ['-c', 'umask 0 && exec "$0" "$@"', process.execPath];
    const env = { PATH: process.env.PATH ?? '', ...keyOf(endpoint) };
    execFileSync('sh', [...shell, cli, 'export', ...flagsFor(endpoint)], {
      cwd,
      env,
      stdio: 'pipe',
    });
    expect(modesBelow(join(cwd, 'lake'))).toEqual({ files: ['600'], folders: ['700'] });
    mkdirSync(join(cwd, 'new'));
    execFileSync('sh', [...shell, cli, 'init'], { cwd: join(cwd, 'new'), env, stdio: 'pipe' });
    expect(modesBelow(join(cwd, 'new')).files).toEqual(['600']);
  });

  test('fileMode opens the store to others, whatever the umask', async () => {
    const endpoint = await startEndpoint({ nodes: 10 });
    const cwd = createFolder();
    const config = writeConfig(
      { ...endpoint.script, url: endpoint.url },
      join(cwd, 'lake'),
      ampleQuota,
      '',
    );
    writeFileSync(
      join(cwd, 'cgs-export.yml'),
      `fileMode: "0644"\n${config.replace(/^.*credentials:.*\n/m, '')}`,
    );
    const ended = await runCli(['export', '--json'], { cwd, env: keyOf(endpoint) });
    expectCode(ended, 0);
    expect(modesBelow(join(cwd, 'lake'))).toEqual({ files: ['644'], folders: ['755'] });
  });
});

function makeHuge(path: string): void {
  writeFileSync(path, '');
  truncateSync(path, 2 ** 40);
}
