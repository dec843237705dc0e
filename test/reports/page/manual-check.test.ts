// Tests that the commands in the page work in a shell, on the files that they are about, and find a change.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ReportFigures, TargetFigures } from '../../../lib/reports/figures.ts';
import { formatManualCheck } from '../../../lib/reports/page/manual-check.ts';
import { openWords } from '../../../lib/reports/page/markup.ts';
import { levels, limitPage } from '../../../lib/reports/page/page-limits.ts';
import { createSixtyDays } from '../../support/sixty-days.ts';
import { makeFigures } from '../seeded-figures.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "manual check's "));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hash = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex');

function put(path: string, text: string | Uint8Array): void {
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
      .replaceAll('&gt;', '>')
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

/** What a command prints, whether it fails or not. */
function output(command: string | undefined): string {
  return spawnSync('sh', ['-c', command ?? 'false'], { cwd: folder, encoding: 'utf8' }).stdout;
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

let sixtyDays: Awaited<ReturnType<typeof createSixtyDays>>;
beforeAll(async () => {
  sixtyDays = await createSixtyDays(Date.UTC(2026, 10, 24));
});

/** Writes the store of 60 days, with a month of it pruned, to the folder. Returns the commands of a report about it. */
function writeSixtyDays(): string[] {
  const { store, targets } = sixtyDays;
  for (const [key, { bytes }] of store.dump()) put(key, bytes);
  const usual = makeFigures();
  const [any] = usual.targets;
  if (!any?.newest) throw new Error('no snapshot');
  const listed: TargetFigures[] = [];
  for (const target of targets) {
    const folderOf = `_manifests/container_nodes/rgn=${target.region}/prj=${target.projectId}`;
    const manifest = `${folderOf}/20261124T000000Z.json`;
    const manifestSha256 = hash(readFileSync(join(folder, manifest)));
    listed.push({ ...any, newest: { ...any.newest, keyId: null, manifest, manifestSha256 } });
  }
  return commandsOf({ ...usual, targets: listed });
}

/** The paths of the files in the folder whose path has this in it, oldest first. */
function find(text: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.includes(text) && path.includes('.'))
    .sort();
}

describe('a store of 60 days', () => {
  test('each command names exactly what was altered or deleted', () => {
    const [, ofManifests, ofPrevious, ofParts, ofMissing] = writeSixtyDays();
    const all = () => [ofPrevious, ofParts, ofMissing].map(output);
    expect(run(ofManifests)?.match(/: OK\n/g)).toHaveLength(3);
    expect(find('_pruned/').length).toBeGreaterThan(80);
    expect(all()).toEqual(['', '', '']);

    const [altered = '', deleted = ''] = find('container_nodes/dt=2026-11-10');
    const bytes = readFileSync(join(folder, altered));
    put(altered, Buffer.from(bytes.map((byte, index) => (index === 99 ? byte ^ 1 : byte))));
    rmSync(join(folder, deleted));
    expect(all()).toEqual(['', `${altered}: FAILED\n`, `${deleted}\n`]);

    const [old = ''] = find('_manifests/').filter((path) => path.includes('20261101'));
    put(old, Buffer.concat([readFileSync(join(folder, old)), Buffer.from('\n')]));
    expect(all()).toEqual([`${old}: FAILED\n`, `${altered}: FAILED\n`, `${deleted}\n`]);

    const [newest = ''] = find('_manifests/').filter((path) => path.includes('20261124'));
    put(newest, '{}');
    expect(run(ofManifests)).toBeNull();
  });

  test('without tombstones, the rows that were pruned are missing', () => {
    const commands = writeSixtyDays();
    const pruned = find('_pruned/').length;
    rmSync(join(folder, '_pruned'), { recursive: true });
    expect(output(commands[4]).split('\n')).toHaveLength(2 * pruned + 1);
  });
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
  expect(commands).toMatch(/ sh evidence\/check\.sh$/m);
  expect(commandsOf(usual).join('\n')).toContain('sh evidence/check.sh /path/to/public-key.pem');
});
