// Tests the page of a report as a text: it needs no network, shows names as text, has a limit, and says what is not proven.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ReportFigures } from '../../lib/reports/figures.ts';
import { pageBytesMax, renderPage } from '../../lib/reports/html-page.ts';
import { readPageAssets } from '../../lib/reports/page-assets.ts';
import { hugeFigures, makeFigures } from './seeded-figures.ts';

const usual = makeFigures({ drifted: [12], missing: [18, 19], pruned: 5 });

function embeddedFigures(page: string): ReportFigures {
  const [, json = ''] =
    /<script type="application\/json" id="figures">(.*?)<\/script>/s.exec(page) ?? [];
  return JSON.parse(json);
}

/** The page without scripts, styles and data: what a reader can see. */
function visibleText(page: string): string {
  return page
    .replaceAll(/<(script|style)[^>]*>.*?<\/\1>/gs, '')
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll(/&#(\d+);/g, (_match, code) => String.fromCharCode(Number(code)))
    .replaceAll('&amp;', '&');
}

describe.each(['en', 'zh'] as const)('a page that starts in %s', (lang) => {
  const page = renderPage(usual, lang);

  test('has no address that a browser follows, and no code that could send something', () => {
    expect(page).not.toMatch(/fetch\(|XMLHttpRequest|sendBeacon|@import|url\(http/);
    expect(page).not.toMatch(/WebSocket|EventSource|importScripts|eval\(|new Function/);
    const targets = [...page.matchAll(/\b(?:src|href|action|data|poster)=("[^"]*"|\S+)/g)];
    expect(targets.length).toBeGreaterThan(5);
    expect(
      targets.map(([, target]) => target).filter((target) => !target?.startsWith('"#')),
    ).toEqual([]);
  });

  test('has the licences of the packages in its script', () => {
    for (const name of ['store', 'table-core']) {
      const folder = join(import.meta.dirname, '../../node_modules/@tanstack', name);
      expect(page).toContain(readFileSync(join(folder, 'LICENSE'), 'utf8').trim());
      expect(page).toMatch(new RegExp(`^@tanstack/${name}@[\\d.]+ \\(MIT\\)$`, 'm'));
    }
  });

  test('allows exactly its own script and style', () => {
    const hash = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;
    const { script, style } = readPageAssets();
    expect(page).toContain(
      `content="default-src &#39;none&#39;; script-src &#39;${hash(script)}&#39;; style-src &#39;${hash(style)}&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;"`,
    );
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page.match(/<style/g)).toHaveLength(1);
    expect(page).not.toMatch(/<[^>]* (style|on[a-z]+)=/);
  });

  test('embeds the figures', () => {
    expect(embeddedFigures(page)).toEqual(usual);
  });

  test('says in its limits that a complete snapshot can miss a node', () => {
    const limits = page.slice(page.indexOf('<section id="limits"'));
    expect(visibleText(limits)).toContain(
      lang === 'en' ? 'a complete snapshot can still miss a node' : '完整快照仍可能遗漏节点',
    );
  });

  test('says its language', () => {
    expect(page).toContain(lang === 'en' ? '<html lang="en"' : '<html lang="zh-Hans"');
    expect(visibleText(page)).toContain(lang === 'en' ? 'Data quality' : '数据质量');
    expect(visibleText(page)).not.toContain(lang === 'en' ? '数据质量' : 'Data quality');
  });
});

test('shows names as text, whatever they contain', () => {
  const names = [
    '</script><script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '"><b title=\'&amp;',
    '\u202eevil\u202c',
    'عقدة-١',
    '\u0000\u0007\u001b[31m\u2028\u2029',
    'n'.repeat(128),
    '节'.repeat(128),
    '\ud800',
  ];
  const [row] = usual.nodes.shown;
  if (!row) throw new Error('no row');
  const figures: ReportFigures = {
    ...usual,
    targets: usual.targets.map((target) => ({ ...target, account: names[0] ?? '' })),
    nodes: { ...usual.nodes, shown: names.map((hostName) => ({ ...row, hostName })) },
    quality: { ...usual.quality, unknownFields: names },
  };
  const page = renderPage(figures, 'en');
  expect(page.match(/<script/g)).toHaveLength(2);
  expect(page.includes('<img')).toBe(false);
  const text = visibleText(page);
  expect(/[^\P{Cc}\n]|[\u202e\u2028]/u.test(text)).toBe(false);
  for (const name of [names[0], names[1], names[2], names[4], names[6], names[7]]) {
    expect(text).toContain(name);
  }
  expect(text).toContain('\\u202eevil\\u202c');
  expect(text).toContain('\\u0000\\u0007\\u001b[31m\\u2028\\u2029');
  expect(embeddedFigures(page).nodes.shown.map(({ hostName }) => hostName)).toEqual(names);
});

test('has no word of code that sends something, also not in a name', () => {
  const names = [
    '<script>fetch("http://x")</script>',
    '\fetch(1) XMLHttpRequest navigator.sendBeacon',
    '@import url(http://x)',
    '<img src="http://x"> <a HREF = https://x>',
  ];
  const [row] = usual.nodes.shown;
  if (!row) throw new Error('no row');
  const page = renderPage(
    {
      ...usual,
      nodes: { ...usual.nodes, shown: names.map((hostName) => ({ ...row, hostName })) },
    },
    'en',
  );
  const found = page.match(
    /fetch\(|XMLHttpRequest|sendBeacon|@import|url\(http|(src|href)\s*=\s*\S*http/gi,
  );
  expect(found).toBeNull();
  expect(embeddedFigures(page).nodes.shown.map(({ hostName }) => hostName)).toEqual(names);
  for (const name of names) {
    expect(visibleText(page).includes(name.replace('\f', '\\u000c'))).toBe(true);
  }
});

describe('the size', () => {
  test('a report of 6 targets and 90 days has all its figures by day', () => {
    const figures = makeFigures({
      days: 90,
      accounts: ['a', 'b', 'c'],
      nodesPerTarget: 10_000,
    });
    const page = renderPage(figures, 'en');
    expect(Buffer.byteLength(page)).toBeLessThanOrEqual(pageBytesMax);
    expect(embeddedFigures(page)).toEqual(figures);
    expect(page.match(/<details class="single">/g)).toHaveLength(6);
  });

  test.each([
    ['many targets', { targets: 80, days: 90 }],
    ['names that are longer in HTML', { targets: 4, days: 30, name: '<'.repeat(128) }],
    ['everything at once', { targets: 50, days: 120, name: '<"&'.repeat(90), faults: 150 }],
  ])('%s: the page is cut and says so', (_what, size) => {
    const page = renderPage(hugeFigures(size), 'zh');
    expect(Buffer.byteLength(page)).toBeLessThanOrEqual(pageBytesMax);
    expect(page.includes('data-t="cutNote"')).toBe(true);
  });

  test('what the figures already lack is stated', () => {
    const leftOut = { targets: 3, gaps: 4, days: 5, calendars: 6, notReached: 7, quality: 8 };
    const text = visibleText(renderPage({ ...usual, leftOut }, 'en'));
    expect(text).toContain('3 more targets are not shown');
    expect(text).toContain('The first 5 days of the period are left out');
    expect(text).toContain('≥ 3');
    expect(text).toContain('8 more rows are not shown');
  });
});

describe('the headline', () => {
  const top = (figures: ReportFigures) =>
    visibleText(renderPage(figures, 'en')).split('Scope and statement')[0] ?? '';
  const withIntegrity = (integrity: Partial<ReportFigures['integrity']>) =>
    top(makeFigures({ integrity }));
  const fault = { key: 'container_nodes/x.parquet', message: 'altered', hint: 'restore it' };

  test('has the figures of the last day and the days that are not proven', () => {
    const { nodes = 0, unprotected, offline } = usual.days.at(-1) ?? {};
    const text = top(usual);
    expect(text).toContain(`Nodes${nodes.toLocaleString('en-US')}`);
    expect(text).toContain(`Unprotected${unprotected}`);
    expect(text).toContain(`Offline${offline}`);
    expect(text).toContain('Days not proven3of 30 days');
    expect(text).toContain('On 3 of 30 days at least one target is not proven.');
  });

  /** A day that has a complete snapshot in spite of its missed slots. */
  const missing = (missed: number): ReportFigures => {
    const figures = makeFigures({ days: 1 });
    return {
      ...figures,
      targets: figures.targets.map((target, index) =>
        index === 0 ? { ...target, snapshots: { ...target.snapshots, missed } } : target,
      ),
    };
  };

  test.each([
    ['en', 0, '0of 1 day on which a snapshot was due; 25 missed slots'],
    ['en', 3, '≥ 0of 1 day on which a snapshot was due; ≥ 25 missed slots'],
    ['zh', 0, '0应有快照的天数：1；漏采时段：25'],
    ['zh', 3, '≥ 0应有快照的天数：1；漏采时段：≥ 25'],
  ] as const)('%s: has the missed slots, with %d targets left out', (lang, targets, detail) => {
    const leftOut = { targets, gaps: 0, days: 0, calendars: 0, notReached: 0, quality: 0 };
    expect(visibleText(renderPage({ ...missing(25), leftOut }, lang))).toContain(detail);
  });

  test('counts the missed slots of days and calendars that are left out', () => {
    const leftOut = { targets: 0, gaps: 4, days: 5, calendars: 6, notReached: 0, quality: 0 };
    expect(top({ ...usual, leftOut })).toContain('≥ 3of 30 days on which a snapshot was due; 8 ');
  });

  test.each([
    [1, '; 1 missed slot', '; 1 missed slots'],
    [0, 'on which a snapshot was due', 'missed slot'],
  ])('of %d missed slots: %s', (missed, words, others) => {
    const text = top(missing(missed));
    expect(text).toContain(words);
    expect(text).not.toContain(others);
  });

  test.each([
    ['en', 'include hosts that the service does not call container nodes', 'other hosts'],
    ['zh', '还包括未被服务标识为容器节点的服务器', '其他服务器'],
  ] as const)(
    '%s: says that the counts include other hosts, and how many',
    (lang, note, others) => {
      const text = visibleText(renderPage(makeFigures({ otherHosts: 3 }), lang));
      expect(text).toContain(note);
      const { nodes = 0, unprotected = 0 } = usual.days.at(-1) ?? {};
      for (const hosts of [nodes, unprotected]) {
        const number = (hosts - 3).toLocaleString('en-US');
        expect(text).toContain(
          lang === 'en'
            ? `${number} container nodes, 3 ${others}, 0 not stated`
            : `容器节点${number}个，${others}3个，服务未返回类型的0个`,
        );
      }
      expect(visibleText(renderPage(usual, lang))).not.toContain(note);
    },
  );

  test('starts with a failed integrity check', () => {
    expect(withIntegrity({ status: 'failed', faults: { total: 2, shown: [fault] } })).toContain(
      'The integrity check failed: 2 faults.',
    );
    const page = renderPage(
      makeFigures({ integrity: { status: 'failed', faults: { total: 2, shown: [fault] } } }),
      'en',
    );
    expect(page.indexOf('class="banner bad"')).toBeLessThan(page.indexOf('class="tiles"'));
    expect(visibleText(page)).toContain('container_nodes/x.parquet');
    expect(visibleText(page)).toContain('1 more row is not shown');
  });

  test('says if all faults are of snapshots outside the period', () => {
    const { manifest = '' } = usual.targets[0]?.newest ?? {};
    const faultOf = (key: string) => ({ ...fault, key });
    const before = faultOf(manifest.replace('20261125', '20260101'));
    const after = faultOf(manifest.replace('20261125', '20270101'));
    const outside = 'All faults are of snapshots outside the period.';
    const say = (total: number, ...shown: (typeof fault)[]) =>
      withIntegrity({ status: 'failed', faults: { total, shown } });
    expect(say(2, before, after)).toContain(outside);
    expect(say(2, before, faultOf(manifest))).not.toContain(outside);
    expect(say(2, before, faultOf('_latest/x'))).not.toContain(outside);
    expect(say(3, before, after)).not.toContain(outside);
  });

  test.each([
    [{ status: 'notVerified', proven: null, notProven: null }, 'The integrity was not checked.'],
    [
      { status: 'failed', unchecked: { total: 1, shown: [fault] } },
      'not everything was checked: 1 object.',
    ],
    [{ notReached: ['a', 'b'] }, 'not everything was checked: 2 objects.'],
    [{}, 'It used public keys or pins that were given from outside the store.'],
    [
      { signatures: { valid: 1, unsigned: 0, keysFrom: 'store', keyIds: [] } },
      'a rewrite of the whole store cannot be excluded',
    ],
    [
      {
        signatures: { valid: 0, unsigned: 9, keysFrom: 'store', keyIds: [] },
        pinned: { targets: 4, without: 0 },
      },
      'It used public keys or pins that were given from outside the store.',
    ],
  ] as [Partial<ReportFigures['integrity']>, string][])('%j: %s', (integrity, words) => {
    expect(withIntegrity(integrity)).toContain(words);
  });

  test('a period without a complete snapshot has no figures', () => {
    const figures = makeFigures({ days: 2 });
    const text = top({
      ...figures,
      targets: figures.targets.map((target) => ({ ...target, newest: null, newestComplete: null })),
      days: figures.days.map((day) => ({ ...day, current: 0, carried: 0, unknown: 4 })),
    });
    expect(text).toContain('Nodes–');
    expect(text).toContain('4 targets have no complete snapshot');
  });
});

test.each([
  ['en', '2026-11-01T00:00:27.000Z', 'snapshots from 2026-11-01 00:00:27 UTC on has the bytes'],
  ['zh', '2026-11-01T00:00:27.000Z', '自2026-11-01 00:00:27 UTC起的快照'],
  ['en', '2026-11-01T00:00:27.500Z', 'snapshots from 2026-11-01 00:00:27.500 UTC on'],
] as const)('%s: what is proven from a time on has the exact time %s', (lang, since, words) => {
  const proven = [{ code: 'bytesMatchSince' as const, parameters: [since] }];
  const figures = makeFigures({ integrity: { statements: { proven, notProven: [] } } });
  expect(visibleText(renderPage(figures, lang))).toContain(words);
});

test('each day has its state as a word, and unproven days are listed', () => {
  const page = renderPage(usual, 'en');
  const calendar = /<table class="calendar">.*?<\/table>/s.exec(page)?.[0] ?? '';
  const count = (state: string) =>
    calendar.match(new RegExp(`<td class="${state}"><i [^>]*>${state}</i>`, 'g'))?.length;
  expect(count('pruned')).toBe(4 * 5);
  expect(count('drifted')).toBe(1);
  expect(count('missing')).toBe(2);
  expect(count('complete')).toBe(4 * 30 - 20 - 3);
  expect(visibleText(page)).toContain('2026-11-14 to 2026-11-15');
  expect(visibleText(page)).toContain('2026-11-14 00:002026-11-14 18:004');
});

test('days before the first snapshot are one line of each table, and stay in the figures', () => {
  const shown = usual.days.slice(10);
  const empty = { state: 'none', complete: 0, drifted: 0, missed: 0, counts: null } as const;
  const figures: ReportFigures = {
    ...usual,
    days: usual.days.map(({ date, ...day }) =>
      shown.some((other) => other.date === date)
        ? { date, ...day }
        : {
            ...day,
            date,
            nodes: 0,
            unprotected: 0,
            offline: 0,
            current: 0,
            carried: 0,
            unknown: 1,
          },
    ),
    targets: usual.targets.map((target) => ({
      ...target,
      days: target.days.map((day, index) => (index < 10 ? { ...day, ...empty } : day)),
    })),
  };
  const page = renderPage(figures, 'en');
  const first = shown[0]?.date ?? '';
  const lines = page.split(`has no snapshot before ${first}.`).length - 1;
  // In the table of all targets and in that of each target.
  expect(lines).toBe(1 + usual.targets.length);
  const [, tables = ''] = /<section id="trend"(.*?)<\/section>/s.exec(page) ?? [];
  expect(tables).not.toContain(`>${usual.days[9]?.date}<`);
  expect(tables).toContain(`>${first}<`);
  expect(embeddedFigures(page)).toEqual(figures);
  expect(visibleText(renderPage(usual, 'en'))).not.toContain('has no snapshot before');
});

test.each([
  ['en', 'read 2026-11-25 18:00 to 2026-11-25 18:00'],
  ['zh', '读取于2026-11-25 18:00至2026-11-25 18:00'],
] as const)('%s: says when the newest snapshots were read', (lang, words) => {
  expect(visibleText(renderPage(usual, lang))).toContain(words);
});

test('the charts have the same figures in a table', () => {
  const page = renderPage(usual, 'en');
  expect(page.match(/<svg /g)).toHaveLength(4);
  const text = visibleText(page);
  for (const { date, nodes } of usual.days) {
    expect(text).toContain(`${date}${nodes.toLocaleString('en-US')}`);
  }
});

test('the commands that check the report name its files and manifests', () => {
  const text = visibleText(renderPage(usual, 'en'));
  for (const { name, sha256 } of usual.files) expect(text).toContain(`${sha256}  ${name}`);
  const { manifest = '', manifestSha256 } = usual.targets[0]?.newest ?? {};
  expect(text).toContain(`${manifestSha256}  ${manifest}\n`);
  expect(text).toContain(
    `-sigfile '${manifest.replace('_manifests', '_signatures').replace('.json', '.sig')}'`,
  );
});

describe('single nodes that are not known', () => {
  const sectionOf = (figures: ReportFigures) =>
    /<section id="at-end".*?<\/section>/s.exec(renderPage(figures, 'en'))?.[0] ?? '';
  const top = (figures: ReportFigures) =>
    visibleText(renderPage(figures, 'en')).split('Scope and statement')[0] ?? '';
  const withUnknown = (unknown: number): ReportFigures => ({
    ...usual,
    targets: usual.targets.map((target, index) =>
      index < unknown ? { ...target, knownFrom: null } : target,
    ),
    ...(unknown === 4
      ? { nodes: { ...usual.nodes, total: 0, unprotected: 0, offline: 0, shown: [] } }
      : {}),
  });

  test('of all targets: the counts, and never "0 nodes" or "None"', () => {
    const figures = withUnknown(4);
    const { unprotected, offline } = figures.days.at(-1) ?? {};
    const text = visibleText(sectionOf(figures));
    expect(text).toContain('Not known for 4 of 4 targets');
    expect(text).toContain(`${unprotected} unprotected and ${offline} offline`);
    expect(text).not.toMatch(/\b0 nodes|None\./);
    expect(top(figures)).toContain('not known for 4 of 4 targets: there are only counts');
  });

  test('of one target: what is said about the others', () => {
    const text = visibleText(sectionOf(withUnknown(1)));
    expect(text).toContain('Not known for 1 of 4 targets');
    expect(text).toContain(`Of the other targets, ${usual.nodes.total} nodes are`);
    expect(text).toContain('List of unprotected or offline nodes');
  });

  test('before a day of the period', () => {
    const [first, ...others] = usual.targets;
    if (!first) throw new Error('no target');
    const figures = {
      ...usual,
      targets: [{ ...first, knownFrom: '20261110T180000Z' }, ...others],
    };
    expect(visibleText(sectionOf(figures))).toContain(
      'For 1 of 4 targets, the lists of nodes start later than the counts',
    );
    expect(top(figures)).toContain('known only for a part of the period');
    expect(top(usual)).not.toContain('single nodes');
  });
});
