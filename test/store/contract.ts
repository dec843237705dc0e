// Tests what every store must do. Each kind of store runs this suite.

import { randomBytes } from 'node:crypto';
import { appendFile, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ScratchError } from '../../lib/core/errors.ts';
import type { Durability, PutOptions, Store } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';
import { copyChunks } from './chunks.ts';
import { makeLocalFile } from './local-files.ts';

export interface OpenedStores {
  store: Store;
  /** Another client of the same objects, like that of a second process. */
  second: Store;
  close(): Promise<void>;
}

export interface ContractOptions {
  /** Size of the large object, bytes. */
  largeBytes?: number;
  /** The largest allowed difference between the store's clock and its time stamps, milliseconds. */
  clockToleranceMs?: number;
}

/** What `read` gives, as one buffer; null for an absent object. */
async function readAll(store: Store, key: string): Promise<Buffer | null> {
  const chunks = await store.read(key);
  return chunks && copyChunks(chunks);
}

const text = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString();
const utf8 = (content: string) => new Uint8Array(Buffer.from(content));

/** Eight at a time: the calls overlap, but do not overload the store. */
async function forEach<T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<void> {
  const rest = [...items];
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let item = rest.pop(); item !== undefined; item = rest.pop()) await act(item);
    }),
  );
}

export function describeStore(
  name: string,
  open: () => Promise<OpenedStores>,
  { largeBytes = 100 * 1024 * 1024, clockToleranceMs = 5_000 }: ContractOptions = {},
): void {
  describe(`store contract: ${name}`, () => {
    let stores: OpenedStores;
    let store: Store;
    let second: Store;
    beforeAll(async () => {
      stores = await open();
      ({ store, second } = stores);
    });
    afterAll(() => stores.close());

    const keysOf = async (prefix: string) => (await store.list(prefix)).map(({ key }) => key);

    test('every client reads the bytes that one client wrote', async () => {
      const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31) % 256);
      await store.put('round/a.bin', bytes);
      expect(Buffer.compare((await store.get('round/a.bin')) as Uint8Array, bytes)).toBe(0);
      expect(Buffer.compare((await second.get('round/a.bin')) as Uint8Array, bytes)).toBe(0);
    });

    test('put stores the bytes that the buffer has at the call, and get returns a buffer of its own', async () => {
      const buffer = utf8('first');
      await store.put('reuse/a', buffer);
      buffer.fill(0);
      expect(text(await store.get('reuse/a'))).toBe('first');
      const got = (await store.get('reuse/a')) as Uint8Array;
      got.fill(0);
      expect(text(await store.get('reuse/a'))).toBe('first');
    });

    test('get returns null for an absent object, also below an object and for a folder', async () => {
      await store.put('absent/file', utf8('x'));
      expect(await store.get('absent/other')).toBeNull();
      expect(await store.get('nowhere/at/all')).toBeNull();
      expect(await store.get('absent/file/below')).toBeNull();
      expect(await store.get('absent')).toBeNull();
    });

    test('a second put replaces the first, with more or fewer bytes', async () => {
      for (const content of ['medium', 'much, much longer', 's', '']) {
        await store.put('replace/a', utf8(content));
        expect(text(await second.get('replace/a'))).toBe(content);
        const [object] = await store.list('replace/a');
        expect(object?.bytes).toBe(content.length);
      }
    });

    const levels: readonly (Durability | undefined)[] = [
      undefined,
      'confirmed',
      'checksummed',
      'acknowledged',
    ];
    test.each(levels)(
      'durability %s: put creates and replaces, list shows it',
      async (durability) => {
        const key = `durability/${durability ?? 'default'}`;
        for (const isWrittenOnce of [undefined, false, true]) {
          const options: PutOptions = {
            ...(durability && { durability }),
            ...(isWrittenOnce !== undefined && { isWrittenOnce }),
          };
          const name = `${key}/${isWrittenOnce}`;
          for (const content of isWrittenOnce ? ['only'] : ['first', 'second, longer', '']) {
            await store.put(name, utf8(content), options);
            expect(text(await second.get(name))).toBe(content);
            expect(await second.list(name)).toMatchObject([{ key: name, bytes: content.length }]);
          }
        }
        // Learning the store's time from a list must not put the clock ahead of the store.
        const [object] = await store.list(`${key}/true`);
        expect(object?.modifiedMs).toBeLessThanOrEqual(store.nowMs() + clockToleranceMs);
        expect(object?.modifiedMs).toBeGreaterThanOrEqual(store.nowMs() - clockToleranceMs);
      },
    );

    test('an empty object exists', async () => {
      await store.put('empty/a', new Uint8Array(0));
      expect(await store.get('empty/a')).toHaveLength(0);
      expect(await store.list('empty/')).toMatchObject([{ key: 'empty/a', bytes: 0 }]);
    });

    test(`an object of ${largeBytes} bytes is stored completely`, async () => {
      const bytes = Buffer.alloc(largeBytes);
      for (let i = 0; i + 4 <= largeBytes; i += 4096) bytes.writeUInt32LE(i, i);
      await store.put('large/a', bytes);
      expect(sha256((await store.get('large/a')) as Uint8Array)).toBe(sha256(bytes));
      expect(await store.list('large/')).toMatchObject([{ bytes: largeBytes }]);
      await store.delete('large/a');
    });

    describe('putFile and read', () => {
      const mebibyte = 2 ** 20;
      test.each([0, 1, 999, 70_001, 8 * mebibyte, 8 * mebibyte + 1, 17 * mebibyte + 5])(
        'store and return %i bytes, as put and get do',
        async (bytes) => {
          const content = randomBytes(bytes);
          const file = await makeLocalFile(content);
          await store.putFile('file/a', file);
          expect(sha256((await second.get('file/a')) as Uint8Array)).toBe(file.sha256);
          expect(sha256((await readAll(second, 'file/a')) as Buffer)).toBe(file.sha256);
          expect(await second.list('file/')).toMatchObject([{ key: 'file/a', bytes }]);
          await store.put('file/b', content);
          expect(sha256((await readAll(store, 'file/b')) as Buffer)).toBe(file.sha256);
          // The file is still its owner's.
          expect(sha256(await readFile(file.path))).toBe(file.sha256);
          for (const key of ['file/a', 'file/b']) await store.delete(key);
        },
      );

      test.each(levels)('durability %s: putFile creates and replaces', async (durability) => {
        for (const isWrittenOnce of [false, true]) {
          const options = { ...(durability && { durability }), isWrittenOnce };
          const key = `file/level/${durability ?? 'default'}-${isWrittenOnce}`;
          for (const content of isWrittenOnce ? ['only'] : ['first', 'second, longer', '', 's']) {
            await store.putFile(key, await makeLocalFile(utf8(content)), options);
            expect(String(await readAll(second, key))).toBe(content);
            expect(await second.list(key)).toMatchObject([{ key, bytes: content.length }]);
          }
        }
      });

      test('read returns null for an absent object, also below an object and for a folder', async () => {
        await store.put('unread/file', utf8('x'));
        for (const key of ['unread/other', 'nowhere/at/all', 'unread/file/below', 'unread']) {
          expect(await store.read(key), key).toBeNull();
        }
      });

      test('reject a key that is not valid', async () => {
        const file = await makeLocalFile(utf8('x'));
        for (const key of ['../x', 'a//b', 'a/', '/a', '', 'a/./b', 'a\0b']) {
          await expect(store.putFile(key, file), key).rejects.toThrow('is not a valid');
          await expect(store.read(key), key).rejects.toThrow('is not a valid');
        }
      });

      test('putFile stores nothing if the file is gone or has other bytes', async () => {
        await store.put('changed/a', utf8('old'));
        const content = randomBytes(3 * mebibyte);
        for (const change of [
          async (path: string) => truncate(path, content.length - 1),
          async (path: string) => appendFile(path, 'x'),
          async (path: string) => writeFile(path, randomBytes(content.length)),
          async (path: string) => unlink(path),
        ]) {
          const file = await makeLocalFile(content);
          await change(file.path);
          for (const key of ['changed/a', 'changed/new']) {
            const failed = store.putFile(key, file);
            await expect(failed).rejects.toBeInstanceOf(ScratchError);
            await expect(failed).rejects.toMatchObject({ code: 'TEMP_FAILED' });
          }
        }
        expect(text(await second.get('changed/a'))).toBe('old');
        expect(await second.get('changed/new')).toBeNull();
      });

      test('read returns the bytes of one version, or throws, while others replace the object', async () => {
        const versions = [1, 2, 3].map((fill) => Buffer.alloc(9 * mebibyte, fill));
        await store.put('version/a', versions[0] as Buffer);
        const chunks = await store.read('version/a');
        const seen: Uint8Array[] = [];
        const reading = (async () => {
          for await (const chunk of chunks ?? []) {
            seen.push(Uint8Array.from(chunk));
            if (seen.length === 1) await second.put('version/a', versions[1] as Buffer);
          }
        })();
        const error = await reading.then(
          () => null,
          (thrown: unknown) => thrown,
        );
        const read = Buffer.concat(seen);
        expect(Buffer.compare(read, Buffer.alloc(read.length, 1))).toBe(0);
        if (error === null) expect(read).toHaveLength(9 * mebibyte);
        else expect(error).toMatchObject({ code: 'STORE_FAILED' });
        await store.delete('version/a');
      });

      test('a reader may stop early, and each call of read starts again', async () => {
        const content = randomBytes(10 * mebibyte);
        await store.put('early/a', content);
        for (let round = 0; round < 3; round += 1) {
          for await (const chunk of (await store.read('early/a')) ?? []) {
            expect(Buffer.compare(chunk, content.subarray(0, chunk.length))).toBe(0);
            break;
          }
        }
        expect(sha256((await readAll(store, 'early/a')) as Buffer)).toBe(sha256(content));
        await store.delete('early/a');
      });
    });

    test('delete removes an object and does nothing for an absent one', async () => {
      await store.put('gone/deep/a', utf8('x'));
      await store.put('gone/b', utf8('y'));
      await store.delete('gone/deep/a');
      expect(await store.get('gone/deep/a')).toBeNull();
      expect(await keysOf('gone/')).toEqual(['gone/b']);
      await store.delete('gone/deep/a');
      await store.delete('gone/never');
      await store.delete('gone/b/below');
      await store.delete('never/was');
      await store.put('gone/deep/a', utf8('again'));
      expect(text(await store.get('gone/deep/a'))).toBe('again');
    });

    test('keys may have characters of any script and special characters', async () => {
      const names = [
        '节点清单',
        'Ärger',
        'Ωμέγα',
        'نسخة',
        '😀',
        '\uff21全角',
        'e\u0301',
        'a b',
        'a+b',
        'a%2Fb',
        'a&b=c?d#e',
        "it's (fine)!*~@,;:",
        '.dot',
        'rgn=cn-south-4',
      ];
      for (const name of names) await store.put(`script/${name}/${name}.json`, utf8(name));
      for (const name of names) {
        const key = `script/${name}/${name}.json`;
        expect(text(await second.get(key))).toBe(name);
        expect(await keysOf(`script/${name}/`)).toEqual([key]);
      }
      expect(await keysOf('script/')).toEqual(
        names.map((name) => `script/${name}/${name}.json`).sort(compareUtf8),
      );
      for (const name of names) await store.delete(`script/${name}/${name}.json`);
      expect(await keysOf('script/')).toEqual([]);
    });

    test('returns any bytes that were stored under any well-formed name', async () => {
      const part = fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
        .filter((name) => !/[/\\\p{C}]/u.test(name) && name !== '.' && name !== '..');
      await fc.assert(
        fc.asyncProperty(part, fc.uint8Array({ maxLength: 300 }), async (name, bytes) => {
          const key = `any/${name}`;
          await store.put(key, bytes);
          expect(Buffer.compare((await store.get(key)) as Uint8Array, bytes)).toBe(0);
          expect(await keysOf(key)).toContain(key);
          await store.delete(key);
          expect(await store.get(key)).toBeNull();
        }),
        { numRuns: 25 },
      );
    });

    test('list returns each of 1,100 keys once, in the order of their UTF-8 bytes', async () => {
      const keys = Array.from({ length: 1_100 }, (_, i) => `many/${(i * 7919) % 1_100}/x${i % 3}`);
      await forEach(keys, (key) => store.put(key, utf8(key)));
      const objects = await store.list('many/');
      expect(objects.map(({ key }) => key)).toEqual([...keys].sort(compareUtf8));
      expect(objects.every(({ key, bytes }) => bytes === key.length)).toBe(true);
      await forEach(keys, (key) => second.delete(key));
      expect(await store.list('many/')).toEqual([]);
    });

    test('list orders by UTF-8 bytes, not by UTF-16 units and not by folder', async () => {
      // In UTF-16 the emoji comes before the full-width A. Folder by folder, dir/b would come before dir-b.
      const names = ['\uff21', '😀', 'Z', 'a', 'é', 'dir/b', 'dir-b', 'dir.b', 'dir0'];
      const keys = names.map((name) => `order/${name}`);
      for (const key of keys) await store.put(key, utf8('x'));
      const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await keysOf('order/')).toEqual(byBytes);
      expect(byBytes.indexOf('order/\uff21')).toBeLessThan(byBytes.indexOf('order/😀'));
    });

    test('a prefix may end anywhere in a key and matches only at its start', async () => {
      const keys = ['pre/dt=2026-11-23/a', 'pre/dt=2026-11-24/a', 'pre/dt=2026-11-24/b', 'prefix'];
      for (const key of keys) await store.put(key, utf8('x'));
      await store.put('other/pre/a', utf8('x'));
      expect(await keysOf('pre')).toEqual(keys);
      expect(await keysOf('pre/')).toEqual(keys.slice(0, 3));
      expect(await keysOf('pre/dt=2026-11-2')).toEqual(keys.slice(0, 3));
      expect(await keysOf('pre/dt=2026-11-24')).toEqual(keys.slice(1, 3));
      expect(await keysOf('pre/dt=2026-11-24/b')).toEqual(keys.slice(2, 3));
      expect(await keysOf('pre/dt=2026-11-24/b/')).toEqual([]);
      expect(await keysOf('pre/nothing')).toEqual([]);
      expect(await keysOf('nothing/at/all')).toEqual([]);
      const everything = await keysOf('');
      expect(everything).toEqual(expect.arrayContaining([...keys, 'other/pre/a']));
      expect(everything).toEqual([...everything].sort(compareUtf8));
    });

    test("an object's time stamp is the time of the store's own clock", async () => {
      const beforeMs = store.nowMs();
      await store.put('time/a', utf8('x'));
      const [object] = await second.list('time/a');
      const afterMs = store.nowMs();
      expect(object?.modifiedMs).toBeGreaterThanOrEqual(beforeMs - clockToleranceMs);
      expect(object?.modifiedMs).toBeLessThanOrEqual(afterMs + clockToleranceMs);
      expect(store.settleMs).toBeGreaterThanOrEqual(0);
    });

    test('while several clients write an object, a reader sees one complete version, and the last one remains', async () => {
      const bytesEach = 300_000;
      const versions = Array.from({ length: 16 }, (_, i) => Buffer.alloc(bytesEach, i + 1));
      await store.put('race/a', versions[0] as Buffer);
      let isWriting = true;
      let seen = 0;
      const mixed: string[] = [];
      const watch = async (client: Store) => {
        while (isWriting) {
          const bytes = await client.get('race/a');
          seen += 1;
          const first = bytes?.[0] ?? 0;
          if (!bytes || Buffer.compare(bytes, Buffer.alloc(bytesEach, first)) !== 0) {
            mixed.push(`${bytes?.length} bytes starting with ${first}`);
          }
          const [listed] = await client.list('race/a');
          if (listed?.bytes !== bytesEach) mixed.push(`listed as ${listed?.bytes} bytes`);
          await new Promise(setImmediate);
        }
      };
      const watching = [watch(store), watch(second)];
      const write = async (client: Store, from: number) => {
        // Until the readers have read often enough during the writes, however fast the store is.
        for (let i = from; seen < 24; i += 4) {
          await client.put('race/a', versions[i % versions.length] as Buffer);
          await new Promise(setImmediate);
        }
      };
      await Promise.all([write(store, 0), write(store, 1), write(second, 2), write(second, 3)]);
      isWriting = false;
      await Promise.all(watching);
      expect(mixed).toEqual([]);
      await store.put('race/a', utf8('last'));
      expect(text(await second.get('race/a'))).toBe('last');
    });

    test('list succeeds and returns only real objects while others write and delete', async () => {
      const keys = Array.from({ length: 40 }, (_, i) => `moving/${i % 8}/${i}`);
      let isMoving = true;
      const unexpected: string[] = [];
      const watch = async () => {
        while (isMoving) {
          for (const { key, bytes } of await second.list('moving/')) {
            if (!keys.includes(key) || bytes !== key.length) unexpected.push(`${key}: ${bytes}`);
          }
          await new Promise(setImmediate);
        }
      };
      const watching = watch();
      for (let round = 0; round < 3; round++) {
        await forEach(keys, (key) => store.put(key, utf8(key)));
        await forEach(keys, (key) => store.delete(key));
      }
      isMoving = false;
      await watching;
      expect(unexpected).toEqual([]);
      expect(await keysOf('moving/')).toEqual([]);
    });

    test('putIfAbsent, if the store has it, has one winner and never replaces an object', async () => {
      if (!store.putIfAbsent || !second.putIfAbsent) {
        // Then no client may have it.
        expect(store.putIfAbsent ?? second.putIfAbsent).toBeUndefined();
        return;
      }
      const contenders = Array.from({ length: 12 }, (_, i) => Buffer.alloc(50_000, i + 1));
      for (const key of ['once/a', 'once/deep/b']) {
        const won = await Promise.all(
          contenders.map((bytes, i) => (i % 2 ? store : second).putIfAbsent?.(key, bytes)),
        );
        expect(won.filter(Boolean)).toHaveLength(1);
        const winner = contenders[won.indexOf(true)] as Buffer;
        expect(Buffer.compare((await store.get(key)) as Uint8Array, winner)).toBe(0);
        expect(await store.putIfAbsent(key, utf8('late'))).toBe(false);
        expect(Buffer.compare((await store.get(key)) as Uint8Array, winner)).toBe(0);
        await store.delete(key);
        expect(await second.putIfAbsent(key, utf8('next'))).toBe(true);
        expect(text(await store.get(key))).toBe('next');
      }
      expect(await keysOf('once/')).toEqual(['once/a', 'once/deep/b']);
    });
  });
}
