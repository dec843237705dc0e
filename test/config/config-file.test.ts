// Tests how the text of a configuration file is read: files, pipes, and what is neither.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfigFile } from '../../lib/config/config-file.ts';
import { ConfigError } from '../../lib/core/errors.ts';

describe('a configuration file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cgs-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('is read whole', async () => {
    const text = `# ${'ä'.repeat(200_000)}\n`;
    writeFileSync(join(folder, 'a.yml'), text);
    expect(await readConfigFile(join(folder, 'a.yml'))).toBe(text);
    writeFileSync(join(folder, 'empty.yml'), '');
    expect(await readConfigFile(join(folder, 'empty.yml'))).toBe('');
  });

  test('can be a pipe, also if its writer comes later and writes in pieces', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const text = `# ${'x'.repeat(200_000)}\n`;
    const [read] = await Promise.all([readConfigFile(path), writeFile(path, text)]);
    expect(read).toBe(text);
  });

  test.each([
    ['/dev/zero', 'is a device or a socket, not a file'],
    ['nowhere.yml', 'there is no file'],
    ['.', 'is a folder'],
    ['large.yml', 'is longer than 1 MB'],
    ['latin1.yml', 'is not UTF-8 text'],
  ])('%s: %s', async (name, message) => {
    writeFileSync(join(folder, 'large.yml'), 'x'.repeat(2 ** 20 + 1));
    writeFileSync(join(folder, 'latin1.yml'), Buffer.from([0xe4]));
    const path = name.startsWith('/') ? name : join(folder, name);
    const reading = readConfigFile(path);
    await expect(reading).rejects.toThrow(ConfigError);
    await expect(reading).rejects.toThrow(message);
  });
});
