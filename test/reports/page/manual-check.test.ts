// Tests that the commands in the page work in a shell, on the files that they are about, and find a change.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ReportFigures } from '../../../lib/reports/figures.ts';
import { formatManualCheck } from '../../../lib/reports/page/manual-check.ts';
import { openWords } from '../../../lib/reports/page/markup.ts';
import { levels, limitPage } from '../../../lib/reports/page/page-limits.ts';
import { makeFigures } from '../seeded-figures.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "manual check's "));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

function put(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function commandsOf(figures: ReportFigures): string[] {
  const [level] = levels;
  if (!level) throw new Error('no level');
  const { html } = formatManualCheck(limitPage(figures, level), openWords('en'));
  return [...html.matchAll(/<code>(.*?)<\/code>/gs)].map(([, text = '']) =>
    text
      .replaceAll('&lt;', '<')
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&amp;', '&'),
  );
}

/** Null: the command failed. */
function run(command: string | undefined): string | null {
  try {
    return execFileSync('sh', ['-c', command ?? 'false'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch {
    return null;
  }
}

test('the hashes of the files of the report', () => {
  const usual = makeFigures();
  const files = usual.files.map((file) => ({ ...file, sha256: hash(file.name) }));
  for (const { name } of files) put(name, name);
  const [command] = commandsOf({ ...usual, files });
  expect(run(command)).toBe('unprotected.csv: OK\nchanges.csv: OK\nsnapshots.csv: OK\n');
  put('changes.csv', 'another text');
  expect(run(command)).toBeNull();
});

test('the hash of a manifest, and those of its parts', () => {
  const usual = makeFigures();
  const [target] = usual.targets;
  if (!target?.newest) throw new Error('no snapshot');
  const manifest = JSON.stringify({
    rows: 1,
    parts: [
      {
        role: 'rows',
        format: 'parquet',
        key: 'container_nodes/a=1/x.parquet',
        rows: 1,
        bytes: 1,
        sha256: hash('x'),
      },
      {
        role: 'rows',
        format: 'ndjson',
        key: 'container_nodes/a=1/y.gz',
        rows: 1,
        bytes: 1,
        sha256: hash('y'),
      },
    ],
    previous: { snapshot: '20261124T060000Z', manifestSha256: hash('z') },
  });
  const key = "_manifests/it's/1.json";
  put(key, manifest);
  put('container_nodes/a=1/x.parquet', 'x');
  put('container_nodes/a=1/y.gz', 'y');
  const newest = { ...target.newest, manifest: key };
  const [, ofManifest, ofParts] = commandsOf({ ...usual, targets: [{ ...target, newest }] });
  expect(run(ofManifest)).toContain(hash(manifest));
  expect(run(ofParts)).toBe('container_nodes/a=1/x.parquet: OK\ncontainer_nodes/a=1/y.gz: OK\n');
  put('container_nodes/a=1/y.gz', 'changed');
  expect(run(ofParts)).toBeNull();
});

test('without a signature, no command needs a key', () => {
  const usual = makeFigures();
  const targets = usual.targets.map((target) => ({
    ...target,
    newest: target.newest ? { ...target.newest, keyId: null } : null,
  }));
  const commands = commandsOf({ ...usual, targets }).join('\n');
  expect(commands).not.toContain('openssl');
  expect(commands).not.toContain('--public-key');
});
