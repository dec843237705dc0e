// Tests that a zip has its members, always with the same bytes, and that an error of a member ends it.

import { createReadStream } from 'node:fs';
import { PassThrough, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { writeZip, type ZipMember } from '../../lib/cli/zip-file.ts';
import { sha256 } from '../../lib/core/state.ts';
import { countCases } from '../support/cases.ts';

const never = new AbortController().signal;

function member(path: string, content: string, isExecutable = false): ZipMember {
  const bytes = Buffer.from(content);
  async function* read() {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  }
  return { path, bytes: bytes.length, isExecutable, read };
}

async function zip(members: readonly ZipMember[], signal = never) {
  const out = new PassThrough();
  const [written, content] = await Promise.all([writeZip(members, out, signal), buffer(out)]);
  return { written, content };
}

test('has all members with their content and permissions, and says its own size and hash', async () => {
  const texts = ['', 'a', 'x'.repeat(1_000_000)];
  const members = texts.map((text, index) => member(`folder/${index}`, text, index === 1));
  const { written, content } = await zip(members);
  expect(written).toEqual({ bytes: content.length, sha256: sha256(content) });
  const opened = await fromBufferPromise(content);
  const found: unknown[] = [];
  for await (const entry of opened.eachEntry()) {
    const text = String(await buffer(await opened.openReadStreamPromise(entry)));
    const mode = (entry.externalFileAttributes >>> 16) & 0o777;
    found.push([entry.fileName, text, mode, entry.compressionMethod]);
  }
  expect(found).toEqual(
    texts.map((text, index) => [`folder/${index}`, text, index === 1 ? 0o755 : 0o644, 0]),
  );
  expect((await zip(members)).content.equals(content)).toBe(true);
});

test('thousands of members are written one after the other', async () => {
  const count = countCases(10_000);
  let open = 0;
  let most = 0;
  const members = Array.from({ length: count }, (_, index): ZipMember => {
    async function* read() {
      open += 1;
      most = Math.max(most, open);
      yield Buffer.from('content');
      open -= 1;
    }
    return { path: `m${index}`, bytes: 7, read };
  });
  const { content } = await zip(members);
  const opened = await fromBufferPromise(content);
  expect([opened.entryCount, most]).toEqual([count, 1]);
});

test('an error of a member ends the zip with this error, and no later member is read', async () => {
  const cause = new Error('altered');
  const read: string[] = [];
  async function* fail() {
    read.push('b');
    yield Buffer.from('b');
    throw cause;
  }
  async function* later() {
    read.push('c');
    yield Buffer.from('c');
  }
  const members = [
    member('a', 'a'),
    { path: 'b', bytes: 2, read: fail },
    { path: 'c', bytes: 1, read: later },
  ];
  const out = new PassThrough();
  out.resume();
  await expect(writeZip(members, out, never)).rejects.toBe(cause);
  expect(read).toEqual(['b']);
  expect(out.destroyed).toBe(true);
});

test('a member with another size than stated is an error', async () => {
  const members = [{ ...member('a', 'abc'), bytes: 2 }];
  const out = new PassThrough();
  out.resume();
  await expect(writeZip(members, out, never)).rejects.toThrow('unexpected number of bytes');
});

test('an error of the output ends the member that is being read', async () => {
  const source = createReadStream(import.meta.filename, { highWaterMark: 16 });
  const members = [{ path: 'a', bytes: 1e6, read: () => source }];
  const cause = new Error('disk is full');
  const out = new Writable({ write: (_chunk, _encoding, done) => done(cause) });
  await expect(writeZip(members, out, never)).rejects.toBe(cause);
  await expect.poll(() => source.destroyed).toBe(true);
});

test('the signal ends the zip with its reason', async () => {
  const stopper = new AbortController();
  async function* read() {
    yield Buffer.from('a');
    stopper.abort(new Error('stopped'));
    yield Buffer.from('b');
  }
  const out = new PassThrough();
  out.resume();
  const members = [{ path: 'a', bytes: 2, read }, member('b', 'b'.repeat(1_000_000))];
  await expect(writeZip(members, out, stopper.signal)).rejects.toThrow('stopped');
});
