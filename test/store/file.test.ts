// Owns what is true of a store in a directory beyond the contract: what lies on the disk, and what a bad disk does.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { ExportError } from '../../lib/core/errors.ts';
import { openFileStore, toStoreError } from '../../lib/store/file.ts';
import { describeStore } from './contract.ts';

const run = promisify(execFile);
const clock = { nowMs: Date.now };
const utf8 = (content: string) => Buffer.from(content);
const hourMs = 3_600_000;

const folders: string[] = [];
async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'file-store-'));
  folders.push(folder);
  return folder;
}
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

function toError(cause: unknown): ExportError {
  const error = toStoreError(cause, 'write', '/lake/a');
  if (!(error instanceof ExportError)) throw error;
  return error;
}

async function failureOf(promise: Promise<unknown>): Promise<ExportError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ExportError)) throw error;
  return error;
}

describeStore('file', async () => {
  const root = join(await makeFolder(), 'not', 'made', 'yet');
  return {
    store: openFileStore({ root, clock }),
    second: openFileStore({ root, clock }),
    close: async () => {},
  };
});

describe('layout on the disk', () => {
  test('its url is the absolute folder, and nothing is made before the first put', async () => {
    const root = join(await makeFolder(), 'lake');
    const store = openFileStore({ root: `${root}/`, clock });
    expect(store.url).toBe(`file:${root}`);
    expect(store.settleMs).toBe(0);
    expect(await store.list('')).toEqual([]);
    await expect(readdir(root)).rejects.toThrow('ENOENT');
    await store.put('a/b.json', utf8('{}'));
    expect(await readFile(join(root, 'a', 'b.json'), 'utf8')).toBe('{}');
  });

  test('a key that leaves the root, or is no plain key, is refused by every operation', async () => {
    const folder = await makeFolder();
    const store = openFileStore({ root: join(folder, 'lake'), clock });
    await writeFile(join(folder, 'secret'), 'x');
    const keys = ['../secret', 'a/../../secret', '/etc/hostname', 'a//b', 'a/', '', '.', './a'];
    for (const key of [...keys, 'a/..', 'a\0b', '\ud800', '.cgs-export-tmp/x']) {
      for (const act of [
        () => store.get(key),
        () => store.put(key, utf8('y')),
        () => store.delete(key),
        () => store.putIfAbsent?.(key, utf8('y')) ?? Promise.resolve(),
      ]) {
        expect(await failureOf(act()), JSON.stringify(key)).toMatchObject({ code: 'BAD_KEY' });
      }
    }
    expect(await failureOf(store.list('../'))).toMatchObject({ code: 'BAD_KEY' });
    expect(await failureOf(store.list('/etc/'))).toMatchObject({ code: 'BAD_KEY' });
    expect(await store.list('..')).toEqual([]);
    expect(await readFile(join(folder, 'secret'), 'utf8')).toBe('x');
  });

  test('a temporary file matches no glob of a reader, is not listed, and goes away with age', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    await store.put('t/a.parquet', utf8('x'));
    const temporaries = join(root, '.cgs-export-tmp');
    expect(await readdir(temporaries)).toEqual([]);
    await writeFile(join(temporaries, '1-1.tmp'), 'left by a killed writer');
    await writeFile(join(temporaries, '2-1.tmp'), 'being written');
    const agedS = (Date.now() - 25 * hourMs) / 1_000;
    await utimes(join(temporaries, '1-1.tmp'), agedS, agedS);
    expect((await store.list('')).map(({ key }) => key)).toEqual(['t/a.parquet']);
    expect(await store.list('.cgs-export-tmp/')).toEqual([]);
    await openFileStore({ root, clock }).put('t/b.parquet', utf8('x'));
    expect(await readdir(temporaries)).toEqual(['2-1.tmp']);
  });

  test('a temporary name that another process took is left alone', async () => {
    const root = await makeFolder();
    const taken = join(root, '.cgs-export-tmp', `${process.pid}-1.tmp`);
    await mkdir(join(root, '.cgs-export-tmp'));
    await writeFile(taken, 'theirs');
    await openFileStore({ root, clock }).put('a', utf8('ours'));
    expect(await readFile(taken, 'utf8')).toBe('theirs');
    expect(await readFile(join(root, 'a'), 'utf8')).toBe('ours');
  });

  test('folders that a delete leaves empty are removed, others and the root are not', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    await store.put('_runs/a/pages/1', utf8('x'));
    await store.put('_runs/b', utf8('x'));
    await store.delete('_runs/a/pages/1');
    expect(await readdir(join(root, '_runs'))).toEqual(['b']);
    await store.delete('_runs/b');
    expect(await readdir(root)).toEqual(['.cgs-export-tmp']);
  });

  test('list walks no folder that cannot match', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    await store.put('_quota/1', utf8('x'));
    await store.put('_runs/a/1', utf8('x'));
    const { stdout } = await run(process.execPath, [
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      `import fs from 'node:fs/promises';
       import { syncBuiltinESMExports } from 'node:module';
       const walked = [];
       const { readdir } = fs;
       fs.readdir = (path, ...rest) => (walked.push(path), readdir(path, ...rest));
       syncBuiltinESMExports();
       const { openFileStore } = await import(${JSON.stringify(storeModule)});
       await openFileStore({ root: ${JSON.stringify(root)}, clock: { nowMs: Date.now } }).list('_quota/1');
       console.log(JSON.stringify(walked));`,
    ]);
    expect(JSON.parse(stdout)).toEqual([`${join(root, '_quota')}/`]);
  });

  test('links are followed; one that leads nowhere or to itself is no object', async () => {
    const folder = await makeFolder();
    const store = openFileStore({ root: join(folder, 'lake'), clock });
    await store.put('a', utf8('x'));
    await mkdir(join(folder, 'elsewhere'));
    await writeFile(join(folder, 'elsewhere', 'b'), 'y');
    await symlink('../elsewhere', join(folder, 'lake', 'linked'));
    await symlink('nowhere', join(folder, 'lake', 'dangling'));
    await symlink('loop', join(folder, 'lake', 'loop'));
    expect((await store.list('')).map(({ key }) => key)).toEqual(['a', 'linked/b']);
    expect(await store.get('loop')).toBeNull();
  });

  test('two processes that make and remove the same folder do not fail each other', async () => {
    const root = await makeFolder();
    const one = openFileStore({ root, clock });
    const two = openFileStore({ root, clock });
    const churn = async (store: typeof one, name: string) => {
      for (let i = 0; i < 60; i++) {
        await store.put(`deep/er/${name}`, utf8('x'));
        await store.delete(`deep/er/${name}`);
      }
    };
    await Promise.all([churn(one, 'a'), churn(two, 'b'), churn(two, 'c')]);
    expect(await one.list('')).toEqual([]);
  });
});

const storeModule = pathToFileURL(join(import.meta.dirname, '../../lib/store/file.ts')).href;

describe('a disk that refuses', () => {
  test('a file where a folder is needed, and the reverse', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    await store.put('a', utf8('x'));
    const below = await failureOf(store.put('a/b', utf8('y')));
    expect(below).toMatchObject({ code: 'STORE_FAILED' });
    expect(below.message).toContain(join(root, 'a', 'b'));
    expect(below.hint).toContain('move it away');
    await store.put('c/d', utf8('x'));
    expect(await failureOf(store.put('c', utf8('y')))).toMatchObject({ code: 'STORE_FAILED' });
    expect(await failureOf(store.putIfAbsent?.('c', utf8('y')) as Promise<boolean>)).toMatchObject({
      code: 'STORE_FAILED',
    });
    await store.delete('c');
    expect(await store.get('c/d')).not.toBeNull();
    expect(await readdir(join(root, '.cgs-export-tmp'))).toEqual([]);
    const misplaced = openFileStore({ root: join(root, 'a'), clock });
    expect(await misplaced.get('x')).toBeNull();
    expect(await failureOf(misplaced.put('x', utf8('y')))).toMatchObject({ code: 'STORE_FAILED' });
  });

  test('a name too long to exist is absent, and cannot be put', async () => {
    const store = openFileStore({ root: await makeFolder(), clock });
    const key = 'n'.repeat(300);
    expect(await store.get(key)).toBeNull();
    await store.delete(key);
    const error = await failureOf(store.put(key, utf8('x')));
    expect(error).toMatchObject({ code: 'STORE_FAILED' });
    expect(error.hint).toContain('shorter path');
  });

  test('a folder without the right to write is STORE_DENIED, without that to read too', async () => {
    const folder = await makeFolder();
    await chmod(folder, 0o755);
    await openFileStore({ root: join(folder, 'lake'), clock }).put('a', utf8('x'));
    await chmod(join(folder, 'lake', 'a'), 0o400);
    await chmod(join(folder, 'lake'), 0o500);
    // Root may write anywhere: then a child does it as nobody (uid 65534), else we are the one without the right.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await chmod(join(folder, 'lake'), 0o555);
    const outcome = await inChild(`
      const { openFileStore } = await import(${JSON.stringify(storeModule)});
      if (${isRoot}) process.setuid(65534);
      const store = openFileStore({ root: ${JSON.stringify(join(folder, 'lake'))}, clock: { nowMs: Date.now } });
      const codes = [];
      for (const act of [
        () => store.put('b', Buffer.from('x')),
        () => store.putIfAbsent('b', Buffer.from('x')),
        () => store.delete('a'),
        () => ${isRoot} ? store.get('a') : store.put('c', Buffer.from('x')),
      ]) {
        codes.push(await act().then(() => 'done', (error) => [error.code, error.hint, error.message]));
      }
      console.log(JSON.stringify(codes));`);
    for (const [code, hint, message] of JSON.parse(outcome)) {
      expect(code).toBe('STORE_DENIED');
      expect(hint).toContain('the right to read and write there');
      expect(message).toContain(join(folder, 'lake'));
    }
    await chmod(join(folder, 'lake'), 0o755);
  });

  test('a full disk is DISK_FULL, leaves the old object, and nothing half', async () => {
    // A real small disk where one may be mounted (root, or a user namespace); else a real ENOSPC from /dev/full.
    const mountPoint = await makeFolder();
    const script = `
      const { openFileStore } = await import(${JSON.stringify(storeModule)});
      const { readdirSync } = await import('node:fs');
      const root = ${JSON.stringify(mountPoint)};
      const store = openFileStore({ root, clock: { nowMs: Date.now } });
      await store.put('a', Buffer.alloc(1000, 1));
      const errors = [];
      for (const key of ['a', 'b']) {
        await store.put(key, Buffer.alloc(3_000_000)).catch(({ code, hint }) => errors.push([code, hint]));
      }
      await store.putIfAbsent('c', Buffer.alloc(3_000_000)).catch(({ code, hint }) => errors.push([code, hint]));
      const kept = await store.get('a');
      console.log(JSON.stringify({
        errors, kept: kept.length, names: readdirSync(root).sort(),
        temporaries: readdirSync(root + '/.cgs-export-tmp'),
      }));`;
    const mount = `mount -t tmpfs -o size=1m tmpfs ${mountPoint} && exec "$@"`;
    const onSmallDisk = (command: readonly string[]) =>
      run('unshare', ['--map-root-user', '--mount', 'sh', '-c', mount, 'sh', ...command]);
    const mayMount = await onSmallDisk(['true']).then(
      () => true,
      () => false,
    );
    if (mayMount) {
      const { stdout } = await onSmallDisk(childArguments(script));
      const { errors, kept, names, temporaries } = JSON.parse(stdout);
      expect(errors).toHaveLength(3);
      for (const [code, hint] of errors) {
        expect(code).toBe('DISK_FULL');
        expect(hint).toContain('Make room');
      }
      expect({ kept, names, temporaries }).toEqual({
        kept: 1_000,
        names: ['.cgs-export-tmp', 'a'],
        temporaries: [],
      });
    } else {
      const full = await open('/dev/full', 'w');
      const error: unknown = await full.writeFile('x').catch((reason: unknown) => reason);
      await full.close();
      expect(toError(error)).toMatchObject({ code: 'DISK_FULL' });
    }
  });

  test.each([
    ['EDQUOT', 'DISK_FULL'],
    ['EROFS', 'STORE_DENIED'],
    ['EXDEV', 'STORE_FAILED'],
    ['EIO', 'STORE_FAILED'],
  ])('%s is %s, with the path and what to do', (code, expected) => {
    const cause = Object.assign(new Error(`${code}: a bad day`), { code });
    const error = toError(cause);
    expect(error).toMatchObject({ code: expected, cause });
    expect(error.message).toContain('/lake/a');
    expect(error.hint).not.toBe('');
  });

  test('a file system without hard links is no missing right', () => {
    const cause = Object.assign(new Error('EPERM'), { code: 'EPERM', syscall: 'link' });
    expect(toError(cause).hint).toContain('hard links');
  });

  test("an error that is not the file system's is not dressed up as one", () => {
    const bug = new TypeError('x is not a function');
    expect(toStoreError(bug, 'write', '/lake/a')).toBe(bug);
  });
});

test('killed with -9 while it writes, a process never leaves a partial object', async () => {
  const root = await makeFolder();
  // Objects of 2 MB take long enough to write that most kills hit one half way.
  const script = `
    const { openFileStore } = await import(${JSON.stringify(storeModule)});
    const store = openFileStore({ root: ${JSON.stringify(root)}, clock: { nowMs: Date.now } });
    console.log('ready');
    for (let i = 1; ; i = i % 250 + 1) {
      await store.put('same/a', Buffer.alloc(2_000_000, i));
      await store.put('new/' + process.pid + '-' + i, Buffer.alloc(200_000, i));
      await store.putIfAbsent('once/' + process.pid + '-' + i, Buffer.alloc(200_000, i));
    }`;
  let interrupted = 0;
  for (const delayMs of [3, 11, 23, 37, 60]) {
    const child = spawn(process.execPath, childArguments(script).slice(1), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const started = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    expect(String(started[0])).toBe('ready\n');
    // A real process on a real disk: the moment of the kill is the point, so this wait is real.
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    child.kill('SIGKILL');
    await once(child, 'exit');
    interrupted += (await readdir(join(root, '.cgs-export-tmp')).catch(() => [])).length;
    const store = openFileStore({ root, clock });
    for (const { key, bytes } of await store.list('')) {
      const content = (await store.get(key)) as Uint8Array;
      expect(bytes, key).toBe(key === 'same/a' ? 2_000_000 : 200_000);
      expect(content[0], key).toBeGreaterThan(0);
      expect(Buffer.compare(content, Buffer.alloc(bytes, content[0])), key).toBe(0);
    }
  }
  // Otherwise the kills hit nothing and this test proves nothing.
  expect(interrupted).toBeGreaterThan(0);
});

/** A process of its own that runs `script` as a module, TypeScript imports included. */
function childArguments(script: string): string[] {
  return [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script];
}

async function inChild(script: string): Promise<string> {
  const [file, ...rest] = childArguments(script);
  return (await run(file as string, rest)).stdout;
}
