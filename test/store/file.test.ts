// Tests the store in a folder beyond the contract of every store: the files on the disk, and faulty disks.

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
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { openFileStore } from '../../lib/store/file.ts';
import { withStoreErrors } from '../../lib/store/file-errors.ts';
import { errorOf } from '../support/store-errors.ts';
import { withoutRights } from '../support/without-rights.ts';
import { describeStore } from './contract.ts';
import { makeLocalFile } from './local-files.ts';

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

describeStore('file', async () => {
  const root = join(await makeFolder(), 'not', 'made', 'yet');
  return {
    store: openFileStore({ root, clock }),
    second: openFileStore({ root, clock }),
    close: async () => {},
  };
});

describe('files on the disk', () => {
  test('the URL is the absolute path, and the first put creates the folder', async () => {
    const root = join(await makeFolder(), 'lake');
    const store = openFileStore({ root: `${root}/`, clock });
    expect(store.url).toBe(`file:${root}`);
    expect(store.settleMs).toBe(0);
    expect(await store.list('')).toEqual([]);
    await expect(readdir(root)).rejects.toThrow('ENOENT');
    await store.put('a/b.json', utf8('{}'));
    expect(await readFile(join(root, 'a', 'b.json'), 'utf8')).toBe('{}');
  });

  test('every operation rejects a key that leaves the root or is not a valid key', async () => {
    const folder = await makeFolder();
    const store = openFileStore({ root: join(folder, 'lake'), clock });
    await writeFile(join(folder, 'secret'), 'x');
    const file = await makeLocalFile(utf8('y'));
    const keys = ['../secret', 'a/../../secret', '/etc/hostname', 'a//b', 'a/', '', '.', './a'];
    for (const key of [...keys, 'a/..', 'a\0b', '\ud800', '.cgs-export-tmp/x']) {
      for (const act of [
        () => store.get(key),
        () => store.put(key, utf8('y')),
        () => store.delete(key),
        () => store.putIfAbsent?.(key, utf8('y')) ?? Promise.resolve(),
        () => store.putFile(key, file),
        () => store.read(key),
      ]) {
        expect(await errorOf(act()), JSON.stringify(key)).toMatchObject({ code: 'BAD_KEY' });
      }
    }
    expect(await errorOf(store.list('../'))).toMatchObject({ code: 'BAD_KEY' });
    expect(await errorOf(store.list('/etc/'))).toMatchObject({ code: 'BAD_KEY' });
    expect(await store.list('..')).toEqual([]);
    expect(await readFile(join(folder, 'secret'), 'utf8')).toBe('x');
  });

  test('a temporary file is not listed, does not match the globs of readers, and is removed after a day', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    await store.put('t/a.parquet', utf8('x'));
    const temporaries = join(root, '.cgs-export-tmp');
    expect(await readdir(temporaries)).toEqual([]);
    await writeFile(join(temporaries, '1-1.tmp'), 'of a killed writer');
    await writeFile(join(temporaries, '2-1.tmp'), 'of a running writer');
    const agedS = (Date.now() - 25 * hourMs) / 1_000;
    await utimes(join(temporaries, '1-1.tmp'), agedS, agedS);
    expect((await store.list('')).map(({ key }) => key)).toEqual(['t/a.parquet']);
    expect(await store.list('.cgs-export-tmp/')).toEqual([]);
    await openFileStore({ root, clock }).put('t/b.parquet', utf8('x'));
    expect(await readdir(temporaries)).toEqual(['2-1.tmp']);
  });

  test('does not touch a temporary file of another process', async () => {
    const root = await makeFolder();
    const taken = join(root, '.cgs-export-tmp', `${process.pid}-1.tmp`);
    await mkdir(join(root, '.cgs-export-tmp'));
    await writeFile(taken, 'of the other');
    await openFileStore({ root, clock }).put('a', utf8('own'));
    expect(await readFile(taken, 'utf8')).toBe('of the other');
    expect(await readFile(join(root, 'a'), 'utf8')).toBe('own');
  });

  test('delete removes the folders that it leaves empty, but not the root', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    await store.put('_runs/a/pages/1', utf8('x'));
    await store.put('_runs/b', utf8('x'));
    await store.delete('_runs/a/pages/1');
    expect(await readdir(join(root, '_runs'))).toEqual(['b']);
    await store.delete('_runs/b');
    expect(await readdir(root)).toEqual(['.cgs-export-tmp']);
  });

  test('list does not read folders that cannot match', async () => {
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
       const read = [];
       const { readdir } = fs;
       fs.readdir = (path, ...rest) => (read.push(String(path)), readdir(path, ...rest));
       syncBuiltinESMExports();
       const { openFileStore } = await import(${JSON.stringify(storeModule)});
       await openFileStore({ root: ${JSON.stringify(root)}, clock: { nowMs: Date.now } }).list('_quota/1');
       console.log(JSON.stringify(read));`,
    ]);
    expect(JSON.parse(stdout)).toEqual([`${join(root, '_quota')}/`]);
  });

  test('the folder of the store may be a link', async () => {
    const folder = await makeFolder();
    await mkdir(join(folder, 'elsewhere'));
    await symlink('elsewhere', join(folder, 'lake'));
    const store = openFileStore({ root: join(folder, 'lake'), clock });
    await store.put('a/b', utf8('x'));
    expect((await store.list('')).map(({ key }) => key)).toEqual(['a/b']);
    expect(await readFile(join(folder, 'elsewhere', 'a', 'b'), 'utf8')).toBe('x');
  });

  test('a time stamp a day in the future does not keep a temporary file', async () => {
    const root = await makeFolder();
    await openFileStore({ root, clock }).put('a', utf8('x'));
    const left = join(root, '.cgs-export-tmp', '1-1.tmp');
    await writeFile(left, 'of a writer whose clock was ahead');
    const aheadS = (Date.now() + 400 * 24 * hourMs) / 1_000;
    await utimes(left, aheadS, aheadS);
    await openFileStore({ root, clock }).put('b', utf8('x'));
    expect(await readdir(join(root, '.cgs-export-tmp'))).toEqual([]);
  });

  test('a write is repeated if another process removes its temporary file', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    const temporaries = join(root, '.cgs-export-tmp');
    await store.put('a', utf8('x'));
    const writing = store.put('b', Buffer.alloc(8_000_000, 1));
    for (let removed = false; !removed; ) {
      const [name] = await readdir(temporaries);
      if (name !== undefined) removed = await rm(join(temporaries, name)).then(() => true);
    }
    await writing;
    expect(await store.get('b')).toHaveLength(8_000_000);
  });

  test('two stores can create and remove the same folder at the same time', async () => {
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

describe('a file that is not an object', () => {
  /** A store with one object, and something in place of `_head/t`. */
  async function createStore(place: (path: string, folder: string) => Promise<unknown>) {
    const folder = await makeFolder();
    const root = join(folder, 'lake');
    const store = openFileStore({ root, clock });
    await store.put('a', utf8('x'));
    await mkdir(join(root, '_head'));
    await place(join(root, '_head', 't'), folder);
    return { store, folder, root };
  }

  const places: [string, string, (path: string, folder: string) => Promise<unknown>][] = [
    ['a named pipe', 'is a pipe', (path) => run('mkfifo', [path])],
    [
      'a link to a file',
      'is a symbolic link',
      async (path, folder) => {
        await writeFile(join(folder, 'secret'), 'x');
        await symlink(join(folder, 'secret'), path);
      },
    ],
    [
      'a link to a device that never ends',
      'is a symbolic link',
      (path) => symlink('/dev/zero', path),
    ],
    ['a link to nothing', 'is a symbolic link', (path) => symlink('nowhere', path)],
    ['a link to itself', 'is a symbolic link', (path) => symlink('t', path)],
    ['a socket', 'is a pipe, a socket', (path) => listenOn(path)],
    [
      'a file of 1 TB',
      'has 1099511627776 bytes, but an object of this kind has at most 1048576',
      async (path) => {
        await writeFile(path, '');
        await truncate(path, 2 ** 40);
      },
    ],
  ];

  test.each(places)('%s is not read: a clear error, at once', async (_name, message, place) => {
    const { store, root } = await createStore(place);
    for (const act of [() => store.get('_head/t'), () => store.read('_head/t')]) {
      const error = await errorOf(act());
      expect(error).toMatchObject({ name: 'UnusableObjectError', code: 'STORE_UNUSABLE' });
      expect(error.message).toContain(`${join(root, '_head', 't')} ${message}`);
      expect(error.hint).not.toBe('');
    }
  });

  test('only regular files are listed', async () => {
    for (const [name, , place] of places.slice(0, -1)) {
      const { store } = await createStore(place);
      expect(
        (await store.list('')).map(({ key }) => key),
        name,
      ).toEqual(['a']);
      expect(await store.listIrregular?.(), name).toEqual([{ key: '_head/t', kind: 'special' }]);
    }
  });

  test('a name that is not UTF-8 is not an object: listed apart, with its bytes escaped', async () => {
    const { store, root } = await createStore(async (path) => mkdir(path));
    const badFolder = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff])]);
    await mkdir(badFolder);
    await writeFile(Buffer.concat([badFolder, utf8('/b.parquet')]), 'x');
    // The first byte of a character without the second.
    await writeFile(Buffer.concat([utf8(`${root}/_head/`), Buffer.from([0xc3])]), 'x');
    await writeFile(join(root, 'é�'), 'x');
    expect((await store.list('')).map(({ key }) => key)).toEqual(['a', 'é�']);
    expect((await store.list('_head/')).map(({ key }) => key)).toEqual([]);
    expect(await store.listIrregular?.()).toEqual([
      { key: '_head/\\xc3', kind: 'name' },
      { key: 'f\\xff/b.parquet', kind: 'name' },
    ]);
  });

  test('a folder that may not be listed is an error, or noted while the rest is listed', async () => {
    const { store, folder, root } = await createStore(async (path) => mkdir(path));
    const secret = join(root, 'x', 'secret');
    await mkdir(secret, { recursive: true });
    await writeFile(join(secret, 'b'), 'y');
    await withoutRights(folder, { [secret]: 0o600 }, async () => {
      for (const act of [
        () => store.list(''),
        () => store.list('x/'),
        () => store.listIrregular?.(),
      ]) {
        expect(await errorOf(Promise.resolve(act()))).toMatchObject({ code: 'STORE_DENIED' });
      }
      const refused: string[] = [];
      const onRefused = (key: string) => void refused.push(key);
      expect((await store.list('', onRefused)).map(({ key }) => key)).toEqual(['a']);
      expect(await store.list('x/s', onRefused)).toEqual([]);
      await store.listIrregular?.(onRefused);
      expect(refused).toEqual(['x/secret', 'x/secret', 'x/secret']);
    });
  });

  test('the folder of temporary files is not listed: it may belong to another user', async () => {
    const { store, folder, root } = await createStore(async (path) => mkdir(path));
    await withoutRights(folder, { [join(root, '.cgs-export-tmp')]: 0o600 }, async () => {
      expect((await store.list('')).map(({ key }) => key)).toEqual(['a']);
      expect(await store.listIrregular?.()).toEqual([]);
    });
  });

  test('a folder behind a link is neither listed nor read nor written', async () => {
    const { store, folder, root } = await createStore(async (path) => mkdir(path));
    const file = await makeLocalFile(utf8('z'));
    await mkdir(join(folder, 'other'));
    await writeFile(join(folder, 'other', 'b'), 'y');
    await symlink(join(folder, 'other'), join(root, 'linked'));
    await symlink('/', join(root, 'slash'));
    await symlink('.', join(root, 'loop'));
    expect((await store.list('')).map(({ key }) => key)).toEqual(['a']);
    expect((await store.listIrregular?.())?.map(({ key }) => key)).toEqual([
      'linked',
      'loop',
      'slash',
    ]);
    for (const act of [
      () => store.list('linked/'),
      () => store.list('slash/etc/host'),
      () => store.get('linked/b'),
      () => store.read('linked/b'),
      () => store.putFile('linked/c', file),
      () => store.put('linked/c', utf8('z')),
      () => store.putIfAbsent?.('linked/c', utf8('z')) ?? Promise.resolve(),
      () => store.delete('linked/b'),
    ]) {
      const error = await errorOf(act());
      expect(error).toMatchObject({ code: 'STORE_UNUSABLE' });
      expect(error.message).toMatch(/is a symbolic link$/);
    }
    expect(await readdir(join(folder, 'other'))).toEqual(['b']);
  });

  test('a temporary folder that is a link is not written to', async () => {
    const { store, folder, root } = await createStore(async (path) => mkdir(path));
    await rm(join(root, '.cgs-export-tmp'), { recursive: true });
    await mkdir(join(folder, 'other'));
    await symlink(join(folder, 'other'), join(root, '.cgs-export-tmp'));
    expect(await errorOf(store.put('b', utf8('y')))).toMatchObject({ code: 'STORE_UNUSABLE' });
    expect(await readdir(join(folder, 'other'))).toEqual([]);
  });

  test.each([
    ['a file', (path: string) => writeFile(path, 'x'), 'is not a folder'],
    ['a link to nothing', (path: string) => symlink('nowhere', path), 'is a link to a folder that'],
    ['a link to itself', (path: string) => symlink('lake', path), 'ELOOP'],
    [
      'below a link to nothing',
      (path: string) => symlink('nowhere', path),
      'is a link to a folder that',
      'sub/lake',
    ],
  ])(
    'a store that is %s is an error for every operation',
    async (_name, place, message, below = '') => {
      const folder = await makeFolder();
      await place(join(folder, 'lake'));
      const file = await makeLocalFile(utf8('x'));
      for (const root of [join(folder, 'lake', below)]) {
        const store = openFileStore({ root, clock });
        for (const act of [
          () => store.list(''),
          () => store.get('a'),
          () => store.read('a'),
          () => store.put('a', utf8('x')),
          () => store.putFile('a', file),
          () => store.delete('a'),
          () => store.readClock?.() ?? Promise.resolve(),
        ]) {
          const error = await errorOf(act());
          expect(error).toMatchObject({ code: 'STORE_UNUSABLE' });
          expect(error.message).toContain(root);
          expect(error.message).toContain(message);
        }
      }
    },
  );
});

describe('permissions', () => {
  const modeOf = async (...path: string[]) =>
    ((await stat(join(...path))).mode & 0o7777).toString(8);

  test.each([
    [0o600, '600', '700'],
    [0o640, '640', '750'],
    [0o644, '644', '755'],
    [0o666, '666', '777'],
  ])('with mode %i files get %s and folders %s, whatever the umask', async (fileMode, file, of) => {
    for (const umask of [0o000, 0o022, 0o077, 0o277]) {
      const root = join(await makeFolder(), 'deep', 'lake');
      const local = await makeLocalFile(utf8('x'));
      const before = process.umask(umask);
      try {
        const store = openFileStore({ root, clock, fileMode });
        await store.put('t/a', utf8('x'));
        await store.putIfAbsent?.('_lease/1', utf8('x'));
        await store.putFile('t/b', local);
      } finally {
        process.umask(before);
      }
      expect(await modeOf(root, 't', 'a')).toBe(file);
      expect(await modeOf(root, '_lease', '1')).toBe(file);
      expect(await modeOf(root, 't', 'b')).toBe(file);
      for (const folder of ['', '..', 't', '_lease', '.cgs-export-tmp']) {
        expect(await modeOf(root, folder), folder).toBe(of);
      }
    }
  });

  test('the default is that only the owner can read', async () => {
    const root = join(await makeFolder(), 'lake');
    await openFileStore({ root, clock }).put('t/a', utf8('x'));
    expect([await modeOf(root), await modeOf(root, 't', 'a')]).toEqual(['700', '600']);
  });

  test('folders that exist keep theirs', async () => {
    const root = await makeFolder();
    await chmod(root, 0o755);
    await openFileStore({ root, clock }).put('a', utf8('x'));
    expect(await modeOf(root)).toBe('755');
  });
});

describe('putFile and read', () => {
  test('a file that becomes shorter while it is read is an error, not a shorter object', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    await store.put('a', Buffer.alloc(1_000_000));
    const reading = (async () => {
      for await (const _chunk of (await store.read('a')) ?? []) await truncate(join(root, 'a'), 10);
    })();
    const error = await errorOf(reading);
    expect(error).toMatchObject({ name: 'StoreError', code: 'STORE_FAILED' });
    expect(error.message).toContain(join(root, 'a'));
    expect(error.message).toContain('of the 1000000 bytes');
  });

  test('a reader keeps the version that it began with, and closes the file when it stops', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    await store.put('a', Buffer.alloc(1_000_000, 'x'));
    const openFiles = () => readdir('/proc/self/fd').then(({ length }) => length);
    let before = 0;
    for await (const chunk of (await store.read('a')) ?? []) {
      before = await openFiles();
      expect(chunk[0]).toBe(120);
      await store.put('a', utf8('new'));
      break;
    }
    expect(await openFiles()).toBe(before - 1);
  });

  test('a file that changed leaves neither an object nor a temporary file', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    const file = await makeLocalFile(Buffer.alloc(1_000_000));
    const error = await errorOf(store.putFile('a', { ...file, sha256: 'another' }));
    expect(error).toMatchObject({ code: 'TEMP_FAILED' });
    expect(await readdir(root)).toEqual(['.cgs-export-tmp']);
    expect(await readdir(join(root, '.cgs-export-tmp'))).toEqual([]);
  });
});

describe('the clock', () => {
  test('is that of the file system: a host whose own clock is wrong learns it', async () => {
    const root = join(await makeFolder(), 'lake');
    const store = openFileStore({ root, clock: { nowMs: () => Date.now() - 6 * hourMs } });
    expect(store.nowMs()).toBeLessThan(Date.now() - 5 * hourMs);
    const beforeMs = Date.now();
    const told = await store.readClock?.();
    expect(told?.kind).toBe('host');
    // The kernel stamps files up to one tick late.
    expect(told?.nowMs).toBeGreaterThan(beforeMs - 20);
    expect(told?.nowMs).toBeLessThanOrEqual(Date.now());
    expect(Math.abs(store.nowMs() - Date.now())).toBeLessThan(1_000);
    expect(await readdir(join(root, '.cgs-export-tmp'))).toEqual([]);
  });

  test('is not asked for if it is the clock of this host', async () => {
    const store = openFileStore({ root: await makeFolder(), clock: { nowMs: () => Date.now() } });
    await store.readClock?.();
    const beforeMs = Date.now();
    expect(store.nowMs()).toBeGreaterThanOrEqual(beforeMs - 20);
    expect(store.nowMs()).toBeLessThanOrEqual(Date.now());
  });
});

const storeModule = pathToFileURL(join(import.meta.dirname, '../../lib/store/file.ts')).href;

describe('a faulty disk', () => {
  test('reports a file where a folder is needed, and a folder where a file is needed', async () => {
    const root = await makeFolder();
    const store = openFileStore({ root, clock });
    await store.put('a', utf8('x'));
    const below = await errorOf(store.put('a/b', utf8('y')));
    expect(below).toMatchObject({ code: 'STORE_UNUSABLE' });
    expect(below.message).toContain(join(root, 'a', 'b'));
    expect(below.hint).toContain('move it away');
    await store.put('c/d', utf8('x'));
    expect(await errorOf(store.put('c', utf8('y')))).toMatchObject({ code: 'STORE_UNUSABLE' });
    expect(await errorOf(store.putIfAbsent?.('c', utf8('y')) as Promise<boolean>)).toMatchObject({
      code: 'STORE_UNUSABLE',
    });
    await store.delete('c');
    expect(await store.get('c/d')).not.toBeNull();
    expect(await readdir(join(root, '.cgs-export-tmp'))).toEqual([]);
    const misplaced = openFileStore({ root: join(root, 'a'), clock });
    for (const act of [
      () => misplaced.get('x'),
      () => misplaced.list(''),
      () => misplaced.delete('x'),
    ]) {
      expect(await errorOf(act())).toMatchObject({ code: 'STORE_UNUSABLE' });
    }
    expect(await errorOf(misplaced.put('x', utf8('y')))).toMatchObject({ code: 'STORE_UNUSABLE' });
  });

  test('a key that is too long for the file system is absent and cannot be written', async () => {
    const store = openFileStore({ root: await makeFolder(), clock });
    const key = 'n'.repeat(300);
    expect(await store.get(key)).toBeNull();
    await store.delete(key);
    const error = await errorOf(store.put(key, utf8('x')));
    expect(error).toMatchObject({ code: 'STORE_UNUSABLE' });
    expect(error.hint).toContain('shorter path');
  });

  test('a missing permission to write or to read is STORE_DENIED', async () => {
    const folder = await makeFolder();
    await chmod(folder, 0o755);
    await openFileStore({ root: join(folder, 'lake'), clock }).put('a', utf8('x'));
    await chmod(join(folder, 'lake', 'a'), 0o400);
    await chmod(join(folder, 'lake'), 0o500);
    // Root may write anywhere, so a child process does it as the user nobody (uid 65534). Other
    // users run it as themselves.
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
      const right = /cannot (read|list)/.test(message) ? 'read there' : 'read and write there';
      expect(hint).toContain(`permission to ${right}`);
      expect(message).toContain(join(folder, 'lake'));
    }
    await chmod(join(folder, 'lake'), 0o755);
  });

  test('a full disk is DISK_FULL, keeps the old object and leaves no partial file', async () => {
    // A real small disk if this user may mount one (root, or in a user namespace), otherwise a real
    // ENOSPC of /dev/full.
    const mountPoint = await makeFolder();
    const { md5: _, ...file } = await makeLocalFile(Buffer.alloc(3_000_000));
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
      await store.putFile('d', ${JSON.stringify(file)}).catch(({ code, hint }) => errors.push([code, hint]));
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
      expect(errors).toHaveLength(4);
      for (const [code, hint] of errors) {
        expect(code).toBe('DISK_FULL');
        expect(hint).toContain('Free space');
      }
      expect({ kept, names, temporaries }).toEqual({
        kept: 1_000,
        names: ['.cgs-export-tmp', 'a'],
        temporaries: [],
      });
    } else {
      const full = await open('/dev/full', 'w');
      const error = await errorOf(withStoreErrors('write', '/lake/a', () => full.writeFile('x')));
      await full.close();
      expect(error).toMatchObject({ code: 'DISK_FULL' });
    }
  });
});

test('a process that is killed while it writes never leaves a partial object', async () => {
  const root = await makeFolder();
  // Writing an object of 2 MB takes so long that most kills interrupt a write.
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
  for (const delayMs of [3, 11, 23, 37, 60, 150, 400, 1_000]) {
    // The last ones are for a slow machine, where the others may come before the first write.
    if (delayMs > 60 && interrupted > 0) break;
    const child = spawn(process.execPath, childArguments(script).slice(1), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const started = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    expect(String(started[0])).toBe('ready\n');
    // A real wait: the moment of the kill matters.
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
  // Otherwise no kill interrupted a write, and this test proves nothing.
  expect(interrupted).toBeGreaterThan(0);
});

/** The command that runs `script` as a module in a process of its own. The script may import TypeScript. */
function childArguments(script: string): string[] {
  return [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script];
}

async function inChild(script: string): Promise<string> {
  const [file, ...rest] = childArguments(script);
  return (await run(file as string, rest)).stdout;
}

/** Leaves a socket in the folder until the tests end. */
async function listenOn(path: string): Promise<void> {
  const server = createServer().listen(path);
  await once(server, 'listening');
  server.unref();
}
