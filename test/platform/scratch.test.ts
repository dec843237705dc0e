// Tests temporary files: that they hold what was written, that nothing is left behind at any end of a process, and that only
// folders of processes that are gone are removed.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import type { Host } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import { describeHost } from '../../lib/platform/host.ts';
import {
  openScratch,
  type ProcessScratch,
  type ScratchOptions,
} from '../../lib/platform/scratch.ts';
import { errorOf } from '../support/store-errors.ts';

const run = promisify(execFile);
const utf8 = (text: string) => Buffer.from(text);
const hourMs = 3_600_000;
const own = describeHost(() => 0.5);
/** The identity of an earlier process with this PID. */
const gone = own.identity.replace(/\d+$/, (start) => String(Number(start) - 1));

const parents: string[] = [];
async function makeParent(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'scratch-test-'));
  parents.push(parent);
  return parent;
}
afterAll(() => Promise.all(parents.map((path) => rm(path, { recursive: true, force: true }))));

function openIn(parent: string, options: Partial<ScratchOptions> = {}): ProcessScratch {
  return openScratch({
    parent,
    host: own,
    clock: { nowMs: Date.now },
    onExit: () => {},
    ...options,
  });
}

describe('a temporary file', () => {
  test('holds what was appended, and each piece can be read, before and after its end', async () => {
    const parent = await makeParent();
    const file = await openIn(parent).open();
    const buffer = utf8('first, ');
    const first = await file.append(buffer);
    buffer.fill(0);
    const second = await file.append(utf8('second'));
    const empty = await file.append(utf8(''));
    expect(file.bytes).toBe(13);
    expect(String(await file.read(second))).toBe('second');
    expect(await file.read(empty)).toHaveLength(0);
    await file.finish();
    expect(await readFile(file.path ?? '', 'utf8')).toBe('first, second');
    expect(String(await file.read(first))).toBe('first, ');
    const whole = { at: 0, length: 13, sha256: sha256(utf8('first, second')) };
    expect(String(await file.read(whole))).toBe('first, second');
    await expect(file.append(utf8('third'))).rejects.toThrow('finished');
    await file.remove();
    await file.remove();
    expect(await readdir(parent)).toEqual([]);
  });

  test('files are independent, in one folder that only its user can open, until the last is removed', async () => {
    const parent = await makeParent();
    const scratch = openIn(parent);
    expect(await readdir(parent)).toEqual([]);
    const [a, b] = await Promise.all([scratch.open(), scratch.open()]);
    await a.append(utf8('a'));
    await b.append(utf8('b'));
    const [folder = '', ...others] = await readdir(parent);
    expect(others).toEqual([]);
    expect((await stat(join(parent, folder))).mode & 0o777).toBe(0o700);
    expect((await stat(a.path ?? '')).mode & 0o777).toBe(0o600);
    await a.remove();
    expect(await readdir(join(parent, folder))).toHaveLength(1);
    await b.remove();
    expect(await readdir(parent)).toEqual([]);
    const c = await scratch.open();
    expect(String(await c.read(await c.append(utf8('c'))))).toBe('c');
    await c.remove();
  });

  test('that another program changed, shortened or removed is TEMP_FAILED', async () => {
    const parent = await makeParent();
    const scratch = openIn(parent);
    const file = await scratch.open();
    const appended = await file.append(utf8('content'));
    await writeFile(file.path ?? '', 'contemt');
    const changed = await errorOf(file.read(appended));
    expect(changed).toMatchObject({ name: 'ScratchError', code: 'TEMP_FAILED' });
    expect(changed.message).toContain(`${file.path} was changed`);
    await truncate(file.path ?? '', 3);
    expect((await errorOf(file.read(appended))).message).toContain('it became shorter');
    const [folder = ''] = await readdir(parent);
    await rm(join(parent, folder), { recursive: true });
    expect(await errorOf(file.finish())).toMatchObject({ code: 'TEMP_FAILED' });
    // A file that cannot be made is in memory.
    await (await fillMemory(scratch, 3)).remove();
    // Then the next one is in a new folder.
    await file.remove();
    await (await scratch.open()).remove();
  });
});

/** A file in memory with so many bytes. */
async function fillMemory(scratch: ProcessScratch, bytes: number) {
  const file = await scratch.open();
  expect(file.path).toBeNull();
  await file.append(new Uint8Array(bytes));
  return file;
}

describe('a folder that cannot be used', () => {
  test.each([
    ['that does not exist', async (parent: string) => join(parent, 'missing')],
    [
      'that is a file',
      async (parent: string) => {
        await writeFile(join(parent, 'file'), '');
        return join(parent, 'file');
      },
    ],
    ['whose path is too long', async (parent: string) => join(parent, 'x'.repeat(250))],
  ])(
    '%s: the files are in memory, up to their limit, and the fault is found',
    async (_name, choose) => {
      const parent = await choose(await makeParent());
      const scratch = openIn(parent, { heldBytesMax: 2_000_000 });
      const found = await scratch.findFault();
      expect(found).toMatchObject({ name: 'ScratchError', code: 'TEMP_UNUSABLE' });
      expect(found?.message).toContain(`cannot use ${parent} for temporary files`);
      expect(found?.hint).toContain('TMPDIR');
      const first = await fillMemory(scratch, 1_200_000);
      const second = await fillMemory(scratch, 800_000);
      const error = await errorOf(second.append(utf8('x')));
      expect(error).toMatchObject({
        name: 'ScratchError',
        code: 'TEMP_UNUSABLE',
        hint: found?.hint,
      });
      expect(error.message).toBe(
        `${found?.message}, and the temporary data is more than the 2 MB that are kept in memory instead`,
      );
      expect(second.bytes).toBe(800_000);
      // What is removed makes room, once.
      await first.remove();
      await first.remove();
      await second.append(new Uint8Array(1_200_000));
      await expect(second.append(utf8('x'))).rejects.toThrow(parent);
    },
  );

  test('is used as soon as it can be', async () => {
    const parent = join(await makeParent(), 'later');
    const scratch = openIn(parent);
    expect((await scratch.open()).path).toBeNull();
    await mkdir(parent);
    expect(await scratch.findFault()).toBeNull();
    expect(await readdir(parent)).toEqual([]);
    const file = await scratch.open();
    expect(file.path?.startsWith(parent)).toBe(true);
    await file.remove();
  });

  /** Opens a file below `parent` and appends 3 MB, in a process of its own. Prints the errors. */
  const appendIn = (parent: string, before = '') => `
    ${imports}
    ${before}
    const scratch = openScratch({ parent: ${JSON.stringify(parent)}, host: describeHost(Math.random),
      clock: { nowMs: Date.now }, onExit: (act) => process.once('exit', act) });
    const note = ({ code, message, hint }) => [code, message, hint];
    const file = await scratch.open();
    const fault = await scratch.findFault();
    const error = fault ?? await file.append(Buffer.alloc(3_000_000)).then(() => null, (error) => error);
    console.log(JSON.stringify(error && note(error)));`;

  test('without permission to write is TEMP_UNUSABLE', async () => {
    const parent = await makeParent();
    const isRoot = process.getuid?.() === 0;
    await run('chmod', [isRoot ? '755' : '500', parent]);
    // Root may write anywhere, so the child process is the user nobody (uid 65534).
    const { stdout } = await run(
      ...command(appendIn(parent, isRoot ? 'process.setuid(65534);' : '')),
    );
    await run('chmod', ['755', parent]);
    const [code, message, hint] = JSON.parse(stdout);
    expect(code).toBe('TEMP_UNUSABLE');
    expect(message).toContain('EACCES');
    expect(hint).toContain('let the user that runs cgs-export write');
  });

  test('on a full or read-only disk is DISK_FULL or TEMP_UNUSABLE, and nothing is left', async () => {
    const parent = await makeParent();
    for (const [mount, expected] of [
      ['-o size=1m', ['DISK_FULL', 'ENOSPC', 'larger file system']],
      ['-o size=1m,ro', ['TEMP_UNUSABLE', 'EROFS', 'TMPDIR']],
    ] as const) {
      const steps = `mount -t tmpfs ${mount} tmpfs ${parent} && "$@" && ls -A ${parent}`;
      const onSmallDisk = (script: string) => {
        const [file, args] = command(script);
        const shell = ['sh', '-c', steps, 'sh', file, ...args];
        return run('unshare', ['--map-root-user', '--mount', ...shell]);
      };
      const mayMount = await onSmallDisk('').then(
        () => true,
        () => false,
      );
      // Not every machine lets its users mount a disk. The table of codes is tested in scratch-errors.test.ts.
      if (!mayMount) return;
      const [line = '', ...left] = (await onSmallDisk(appendIn(parent))).stdout.trim().split('\n');
      const [code, message, hint] = JSON.parse(line);
      expect([code, message, hint]).toEqual(expected.map((part) => expect.stringContaining(part)));
      expect(message).toContain(parent);
      expect(left).toEqual([]);
    }
  });
});

describe('the end of a process', () => {
  const holdFiles = (parent: string, end: string) => `
    ${imports}
    const scratch = openScratch({ parent: ${JSON.stringify(parent)}, host: describeHost(Math.random),
      clock: { nowMs: Date.now }, onExit: (act) => process.once('exit', act) });
    for (let i = 0; i < 3; i += 1) await (await scratch.open()).append(Buffer.alloc(100_000));
    console.log('ready');
    ${end}`;

  test.each([
    ['a normal end', ''],
    ['process.exit', 'process.exit(3)'],
    ['an error that is not caught', 'throw new Error("a bug")'],
    [
      'a signal that a command handles',
      'process.on("SIGTERM", () => process.exit(143)); setInterval(() => {}, 1e6); process.kill(process.pid, "SIGTERM");',
    ],
  ])('%s leaves nothing behind', async (_name, end) => {
    const parent = await makeParent();
    const [file, args] = command(holdFiles(parent, end));
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.resume();
    await once(child, 'exit');
    expect(await readdir(parent)).toEqual([]);
  });

  test('what a killed process left is removed, but not while it runs', async () => {
    const parent = await makeParent();
    const [file, args] = command(holdFiles(parent, 'setInterval(() => {}, 1e6);'));
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const scratch = openIn(parent);
    const mine = await scratch.open();
    await scratch.removeLeft();
    expect(await readdir(parent)).toHaveLength(2);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await readdir(parent)).toHaveLength(2);
    await scratch.removeLeft();
    expect(await readdir(parent)).toHaveLength(1);
    await mine.append(utf8('still there'));
    await mine.remove();
    expect(await readdir(parent)).toEqual([]);
  });
});

describe('removing what others left', () => {
  const nowMs = Date.now();
  const [boot = '', namespace = ''] = own.identity.split('.');
  const elsewhere = `${boot}.${namespace}1.7.12345`;
  const otherBoot = `${boot === '000000000000' ? '1' : '0'}${boot.slice(1)}.${namespace}.7.12345`;

  /** A folder as a process with `identity` leaves it, last written `ageMs` ago. */
  async function leave(parent: string, identity: string, ageMs = 0): Promise<string> {
    const folder = await mkdtemp(join(parent, `cgs-export-tmp-${identity}-`));
    const writtenS = (nowMs - ageMs) / 1_000;
    for (const [path, timeS] of [
      [join(folder, '0'), writtenS - 1_000_000],
      [join(folder, '1'), writtenS],
    ] as const) {
      await writeFile(path, 'x');
      await utimes(path, timeS, timeS);
    }
    await utimes(folder, writtenS - 1_000_000, writtenS - 1_000_000);
    return folder;
  }
  const isRemoved = async (identity: string, ageMs = 0, host: Host = own) => {
    const parent = await makeParent();
    await leave(parent, identity, ageMs);
    await openIn(parent, { host, clock: { nowMs: () => nowMs } }).removeLeft();
    return (await readdir(parent)).length === 0;
  };
  const unknownHost: Host = {
    identity: 'unknown.1.abc',
    name: '',
    boot: null,
    isGone: () => false,
  };

  test.runIf(own.boot !== null).each([
    ['of a process of this host that is gone', gone, 0, true],
    ['of this process', own.identity, 0, false],
    ['of this process, however old', own.identity, 1_000 * hourMs, false],
    ['of another PID namespace', elsewhere, 23 * hourMs, false],
    ['of another PID namespace, after a day', elsewhere, 25 * hourMs, true],
    ['of another PID namespace, from the future', elsewhere, -25 * hourMs, true],
    ['of an unknown host', 'unknown.1.abc', 23 * hourMs, false],
    ['of an unknown host, after a day', 'unknown.1.abc', 25 * hourMs, true],
  ])('%s: %s, last written %i ms ago, removed: %s', async (_name, identity, ageMs, expected) => {
    expect(await isRemoved(identity, ageMs)).toBe(expected);
  });

  test('a host that does not know its own boot removes only what is older than a day', async () => {
    expect(await isRemoved(gone, hourMs, unknownHost)).toBe(false);
    expect(await isRemoved(gone, 25 * hourMs, unknownHost)).toBe(true);
  });

  test.runIf(own.boot !== null)(
    'after a restart of the host, on a file system of its own, at once',
    async () => {
      // The temporary folder of the tests may be on another file system.
      const { stdout } = await run('stat', ['-f', '-c', '%T', tmpdir()]);
      const isLocal = /^(ext2|ext3|xfs|btrfs|tmpfs|overlay|f2fs|zfs)/.test(stdout);
      expect(await isRemoved(otherBoot, hourMs)).toBe(isLocal);
      expect(await isRemoved(otherBoot, 25 * hourMs)).toBe(true);
    },
  );

  test('does not touch other files, folders and links, and does not mind a missing folder', async () => {
    const parent = await makeParent();
    const target = await makeParent();
    await writeFile(join(target, 'kept'), 'x');
    await mkdir(join(parent, 'cgs-export-tmp-'));
    await mkdir(join(parent, `cgs-export-${gone}-abcdef`));
    await mkdir(join(parent, `cgs-export-tmp-${gone}`));
    await writeFile(join(parent, `cgs-export-tmp-${gone}-abcdef`), 'a file');
    await symlink(target, join(parent, `cgs-export-tmp-${gone}-abcdeg`));
    const before = await readdir(parent);
    await openIn(parent).removeLeft();
    expect(await readdir(parent)).toEqual(before);
    expect(await readdir(target)).toEqual(['kept']);
    await openIn(join(parent, 'missing')).removeLeft();
  });

  test.runIf(process.getuid?.() === 0)('does not touch folders of another user', async () => {
    const parent = await makeParent();
    const folder = await leave(parent, gone);
    await run('chown', ['65534', folder]);
    await openIn(parent).removeLeft();
    expect(await readdir(parent)).toHaveLength(1);
  });
});

const imports = ['scratch', 'host']
  .map((name) => new URL(`../../lib/platform/${name}.ts`, import.meta.url).href)
  .map(
    (href, index) =>
      `const { ${['openScratch', 'describeHost'][index]} } = await import(${JSON.stringify(href)});`,
  )
  .join('\n');

/** The command that runs `script` as a module in a process of its own. */
function command(script: string): [file: string, args: string[]] {
  return [process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]];
}
