// Tests that the places that name the version agree, and that CHANGELOG.md has the form that operators and the release rely on.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pageOf, root } from './pages.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };
const changelog = pageOf('CHANGELOG.md');

describe('the version', () => {
  test('is the same in package.json, package-lock.json and lake/pyproject.toml', () => {
    const lock = JSON.parse(read('package-lock.json'));
    const found = [lock.version, lock.packages[''].version];
    found.push(/^version = "(.+)"$/m.exec(read('lake/pyproject.toml'))?.[1]);
    expect(found).toEqual([version, version, version]);
  });

  test.each(['README.md', 'SECURITY.md'])('%s names only the package of this version', (path) => {
    const named = [...read(path).matchAll(/cgs-export-(\d[\w.-]*?)\.tgz/g)].map(([, one]) => one);
    expect(named.length).toBeGreaterThan(0);
    expect([...new Set(named)]).toEqual([version]);
  });

  test('is supported by SECURITY.md', () => {
    const minor = version.replace(/\.\d+$/, '.x');
    expect(read('SECURITY.md')).toContain(`| ${minor} | yes |`);
  });
});

describe('CHANGELOG.md', () => {
  const titles = changelog.headings.filter(({ level }) => level === 2);
  const releases = titles.filter(({ text }) => text !== 'Unreleased');

  test('has "Unreleased" only as its first section', () => {
    expect(titles.slice(1).map(({ text }) => text)).not.toContain('Unreleased');
  });

  test('has releases with a version and a day, the newest first, and the newest is this version', () => {
    const form = /^(\d+)\.(\d+)\.(\d+) \((\d{4}-\d\d-\d\d)\)$/;
    const parsed = releases.map(({ text }) => form.exec(text)?.slice(1) ?? [text]);
    expect(parsed.filter((one) => one.length !== 4)).toEqual([]);
    const days = parsed.map(([, , , day = '']) => day);
    expect(days.map((day) => new Date(day).toISOString().slice(0, 10))).toEqual(days);
    const sorted = [...parsed].sort((a, b) => {
      const different = [0, 1, 2].find((part) => a[part] !== b[part]) ?? 0;
      return Number(b[different]) - Number(a[different]);
    });
    expect(parsed).toEqual(sorted);
    expect(parsed[0]?.slice(0, 3).join('.')).toBe(version);
  });

  test('starts each version with what to do once', () => {
    const wrong = titles.filter(({ line }) => {
      const next = changelog.headings.find((one) => one.line > line);
      return next?.level === 3 && next.text !== 'To do once';
    });
    expect(wrong.map(({ text }) => text)).toEqual([]);
  });

  test('has lists of sentences below the headings of a version, and nothing else', () => {
    const first = changelog.headings.find(({ level }) => level === 3)?.line ?? 0;
    const body = changelog.lines.slice(first);
    const items = body.join('\n').split(/\n(?=- |#|\n)/);
    const wrong = items
      .map((item) => item.trim())
      .filter((item) => item !== '' && !item.startsWith('#') && !item.startsWith('Only if'))
      .filter((item) => !/^- [A-Z](?:[^\n]|\n {2}\S)*[.:]$/.test(item));
    expect(wrong).toEqual([]);
  });

  test('can be read in about five minutes for each version', () => {
    const ends = [...titles.slice(1).map(({ line }) => line - 1), changelog.lines.length];
    const words = titles.map(({ text, line }, index) => ({
      text,
      count:
        changelog.lines
          .slice(line, ends[index])
          .join(' ')
          .match(/\S*\w\S*/g)?.length ?? 0,
    }));
    // 300 words a minute.
    expect(words.filter(({ count }) => count > 1500)).toEqual([]);
  });
});
