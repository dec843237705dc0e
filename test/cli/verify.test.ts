// Tests the command `verify`.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import { describeProgress } from '../../lib/cli/verify.ts';
import { probedSizesKey } from '../../lib/core/object-keys.ts';
import { sha256 } from '../../lib/core/state.ts';
import type { TargetStatus } from '../../lib/runs/target-status.ts';
import { someCases } from '../support/cases.ts';
import { createLakeWorld } from '../support/lake-world.ts';
import { createKeyPair } from '../support/signing-keys.ts';
import { withoutRights } from '../support/without-rights.ts';
import { call, createTestRuntime, exportSome, flagsFor } from './test-runtime.ts';

const verify = ['verify', '--store', 'file:./lake'];

function findFile(folder: string, ending: string): string {
  const name = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith(ending),
  );
  if (name === undefined) throw new Error(`no ${ending} in ${folder}`);
  return join(folder, name);
}

test('verifies a store without key, region or configuration: exit code 0', async () => {
  const { cwd } = await exportSome(2);
  const { code, runtime } = await call([...verify, '--json'], { cwd });
  expect(code).toBe(0);
  expect(runtime.json()).toMatchObject({
    status: 'verified',
    store: `file:${cwd}/lake`,
    manifests: 2,
    parts: 4,
    faults: [],
    unnamed: [],
    verdicts: { complete: 2, drifted: 0 },
    gaps: [],
    unchecked: [],
    foreign: [],
    notProven: expect.stringContaining(
      'consistent in itself; a rewrite of the whole chain cannot be excluded',
    ),
    errors: [],
  });
  const people = (await call(verify, { cwd })).runtime.out();
  expect(people).toContain('verified: 2 manifests, 4 parts');
  expect(people).toContain(
    'verdicts: 2 complete, 0 drifted; scheduled times without a snapshot, since the first one: 0\n',
  );
  expect(people).toContain('consistent in itself; a rewrite of the whole chain cannot be excluded');
  // The hash that a person keeps outside the store.
  expect(people).toMatch(/ {2}newest .*\.json {2}sha256 [0-9a-f]{64} {2}\(.+\)\n/);
});

describe('reports a fault with exit code 5', () => {
  test('for a part with one changed bit', async () => {
    const { cwd } = await exportSome();
    const path = findFile(join(cwd, 'lake', 'container_nodes'), '.parquet');
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect(code).toBe(5);
    expect(runtime.json()).toMatchObject({
      status: 'failed',
      faults: [{ key: expect.stringContaining('.parquet') }],
      errors: [
        {
          code: 'CORRUPT',
          message: expect.stringContaining('was altered'),
          hint: expect.not.stringContaining('cgs-export verify'),
        },
      ],
    });
  });

  test('for a part that is missing', async () => {
    const { cwd } = await exportSome();
    rmSync(findFile(join(cwd, 'lake', 'container_nodes_ndjson'), '.gz'));
    const { code, runtime } = await call(verify, { cwd });
    expect(code).toBe(5);
    expect(runtime.out()).toMatch(/1 fault in .*\n {2}fault +\S*\.ndjson\.gz is missing/);
  });

  test('for rows that contradict their manifest, although every hash and pointer matches', async () => {
    const { cwd } = await exportSome();
    const lake = join(cwd, 'lake');
    const manifest = findFile(join(lake, '_manifests'), '.json');
    const forged = readFileSync(manifest, 'utf8').replace('"account":"default"', '"account":"x"');
    writeFileSync(manifest, forged);
    for (const name of ['_head', '_latest']) {
      const pointer = findFile(join(lake, name), '.json');
      const text = readFileSync(pointer, 'utf8')
        .replace('"account":"default"', '"account":"x"')
        .replace(/"manifestSha256":"\w+"/, `"manifestSha256":"${sha256(Buffer.from(forged))}"`);
      writeFileSync(pointer, text);
    }
    rmSync(join(lake, '_runs'), { recursive: true });
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect(code).toBe(5);
    const message = 'has "default" as account in row 1, but its manifest says "x"';
    expect(runtime.json()).toMatchObject({
      faults: [
        { key: expect.stringContaining('container_nodes/'), message },
        { key: expect.stringContaining('container_nodes_ndjson/'), message },
      ],
      rowParts: { compared: 2, notCompared: 0 },
    });
    for (const option of ['--manifests-only', '--since=2099-01-01']) {
      const { runtime: less } = await call([...verify, option, '--json'], { cwd });
      expect(less.json()).toMatchObject({ faults: [], rowParts: { compared: 0, notCompared: 0 } });
    }
  });

  test('for a store without manifests, because its pointers remain', async () => {
    const { cwd } = await exportSome();
    rmSync(join(cwd, 'lake', '_manifests'), { recursive: true });
    expect((await call(verify, { cwd })).code).toBe(5);
  });
});

describe('an object that is not in any manifest', () => {
  test('is listed, and no fault outside the data directories', async () => {
    const { cwd } = await exportSome();
    writeFileSync(join(cwd, 'lake', 'stray.txt'), 'x');
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect(code).toBe(0);
    expect(runtime.json()).toMatchObject({ status: 'verified', unnamed: ['stray.txt'] });
    expect(runtime.logs()).toMatchObject([{ level: 'warn', count: 1 }]);
  });

  test('is one line of the text with all others outside of the data directories', async () => {
    const { cwd } = await exportSome();
    const write = (...paths: string[]) => {
      for (const path of paths) {
        mkdirSync(dirname(join(cwd, 'lake', path)), { recursive: true });
        writeFileSync(join(cwd, 'lake', path), 'x');
      }
    };
    const linesOf = async (...args: string[]) => {
      const { code, runtime } = await call([...verify, ...args], { cwd });
      expect(code).toBe(0);
      return runtime
        .out()
        .split('\n')
        .filter((line) => /unnamed|in any manifest/.test(line));
    };
    expect(await linesOf()).toEqual([]);
    write('README.txt');
    expect(await linesOf()).toEqual([
      'unnamed: 1 object outside of the folders of cgs-export, so not checked (no fault): README.txt',
    ]);
    write('data.csv', 'notes/a.txt', 'notes/b.txt', 'notes/deep/c.txt', 'x\u001b.txt');
    expect(await linesOf()).toEqual([
      'unnamed: 6 objects outside of the folders of cgs-export, so not checked (no fault): README.txt, data.csv, notes/, "x\\u001b.txt"',
    ]);
    write('y', 'z');
    expect(await linesOf()).toEqual([
      expect.stringMatching(/^unnamed: 8 objects .*: README.txt, data.csv, notes\/, "x.*, y, …$/),
    ]);
    // A part of a table without manifests, and an object in a data directory, are each a line of their own.
    const lost = 'lost/dt=2026-11-24/rgn=r/prj=p/20261124T060000Z-0123456789ab.parquet';
    const extra = 'container_nodes/extra.parquet';
    write(lost, extra);
    expect(await linesOf('--allow-unnamed')).toEqual([
      `  unnamed      ${extra}`,
      `  unnamed      ${lost}`,
      'unnamed: not in any manifest, so not checked; this is not a fault',
      expect.stringMatching(/^unnamed: 8 objects /),
    ]);
  });

  test('is a fault in a data directory, and a warning with --allow-unnamed', async () => {
    const { cwd } = await exportSome();
    const key = 'container_nodes/extra.parquet';
    writeFileSync(join(cwd, 'lake', key), 'x');
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect(code).toBe(5);
    expect(runtime.json()).toMatchObject({
      status: 'failed',
      faults: [{ key }],
      errors: [{ code: 'CORRUPT', message: expect.stringContaining(key) }],
    });
    const allowed = await call([...verify, '--allow-unnamed', '--json'], { cwd });
    expect(allowed.code).toBe(0);
    expect(allowed.runtime.json()).toMatchObject({
      status: 'verified',
      faults: [],
      unnamed: [key],
    });
    expect((await call([...verify, '--allow-unnamed'], { cwd })).runtime.out()).toContain(
      `  unnamed      ${key}\nunnamed: not in any manifest, so not checked; this is not a fault\n`,
    );
  });

  test('is a fault in the data directory of a configured table that has no snapshot yet', async () => {
    const { cwd, env, simulator } = await exportSome();
    mkdirSync(join(cwd, 'lake', 'other'));
    writeFileSync(join(cwd, 'lake', 'other', 'x.parquet'), 'x');
    const config = `store: file:./lake
accounts:
  - name: prod
    targets: [{ region: cn-south-4, projectId: ${simulator.projectId}, table: other }]
`;
    writeFileSync(join(cwd, 'cgs-export.yml'), config);
    const { code, runtime } = await call(['verify', '--json'], { cwd, env });
    expect([code, runtime.json().faults]).toMatchObject([5, [{ key: 'other/x.parquet' }]]);
    expect((await call(verify, { cwd })).code).toBe(0);
  });
});

test('does not list objects that plan --probe stored or a killed doctor left', async () => {
  const { cwd, env, flags } = await exportSome();
  expect((await call(['plan', '--probe', ...flags], { cwd, env })).code).toBe(0);
  mkdirSync(join(cwd, 'lake/_runs/_doctor'));
  writeFileSync(join(cwd, 'lake/_runs/_doctor/0123456789ab'), 'x');
  const { code, runtime } = await call(['verify', '--json', '--store', 'file:./lake'], { cwd });
  expect(existsSync(join(cwd, 'lake', probedSizesKey))).toBe(true);
  expect([code, runtime.json().foreign]).toEqual([0, []]);
});

describe('a name that is not UTF-8', () => {
  /** `key`: each `?` is a byte that no UTF-8 text has. */
  function place(cwd: string, key: string): void {
    const bytes = (text: string) =>
      Buffer.from([...Buffer.from(text)].map((byte) => (byte === 0x3f ? 0xff : byte)));
    const path = join(cwd, 'lake', key);
    mkdirSync(bytes(dirname(path)), { recursive: true });
    writeFileSync(bytes(path), 'x');
  }

  test.each(['container_nodes/dt=2026-01-01/bad?.parquet', 'container_nodes/rgn=?/a.parquet'])(
    'in a data directory is a fault, and a warning with --allow-unnamed: %s',
    async (name) => {
      const { cwd, env, simulator } = await exportSome();
      place(cwd, name);
      const key = name.replace('?', '\\xff');
      const { code, runtime } = await call([...verify, '--json'], { cwd });
      expect([code, runtime.json()]).toMatchObject([5, { faults: [{ key }], unnamed: [key] }]);
      const allowed = await call([...verify, '--allow-unnamed', '--json'], { cwd });
      expect([allowed.code, allowed.runtime.json().unnamed]).toEqual([0, [key]]);
      const again = await call(['export', '--json', ...flagsFor(simulator)], { cwd, env });
      expect([again.code, again.runtime.json().errors]).toEqual([0, []]);
    },
  );

  test('is a fault under _manifests, foreign under _runs, and listed elsewhere', async () => {
    const { cwd } = await exportSome();
    const manifest = '_manifests/t/rgn=?/prj=p/20260101T000000Z.json';
    for (const name of [manifest, '_runs/?', 'notes?.txt']) place(cwd, name);
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect([code, runtime.json()]).toMatchObject([
      5,
      {
        faults: [{ key: manifest.replace('?', '\\xff'), message: 'is not a manifest of its key' }],
        unnamed: ['notes\\xff.txt'],
        foreign: expect.arrayContaining(['_runs/\\xff']),
      },
    ]);
  });
});

describe('a folder that may not be listed', () => {
  test('is not checked, exit code 3, and the rest is verified', async () => {
    const { cwd } = await exportSome(2);
    const secret = join(cwd, 'lake', 'container_nodes', 'secret');
    mkdirSync(secret);
    const args = [...verify, '--json', '--pins', 'pins.jsonl'];
    const { code, runtime } = await withoutRights(cwd, { [secret]: 0o600 }, () =>
      call(args, { cwd }),
    );
    expect([code, runtime.json()]).toMatchObject([
      3,
      {
        ...{ status: 'failed', manifests: 2, parts: 4, faults: [] },
        unchecked: [{ key: 'container_nodes/secret', hint: expect.stringContaining('permission') }],
        errors: [{ code: 'STORE_DENIED' }],
      },
    ]);
    expect(existsSync(join(cwd, 'pins.jsonl'))).toBe(false);
  });

  test.each(
    someCases([
      ['_manifests', []],
      ['_manifests/container_nodes', []],
      ['_head', []],
      ['_runs', []],
      ['container_nodes', ['.parquet']],
    ]),
  )('neither hides a fault nor adds one: %s', async (name, notRead) => {
    const { cwd } = await exportSome(2);
    expect((await call([...verify, '--pins', 'pins.jsonl'], { cwd })).code).toBe(0);
    const part = findFile(join(cwd, 'lake', 'container_nodes_ndjson'), '.gz');
    const args = [...verify, '--json', '--pins', 'pins.jsonl'];
    const secret = join(cwd, 'lake', name);
    const { code, runtime } = await withoutRights(cwd, { [secret]: 0o600 }, () =>
      call(args, { cwd }),
    );
    const result = runtime.json() as { unchecked: { key: string }[]; faults: object[] };
    expect([code, result.faults]).toEqual([3, []]);
    expect(result.unchecked[0]?.key).toBe(name);
    for (const ending of notRead) {
      const keys = result.unchecked.slice(1).map(({ key }) => key);
      expect([keys.length, keys.every((key) => key.endsWith(ending))]).toEqual([2, true]);
    }
    if (name.startsWith('_manifests')) return;
    writeFileSync(part, 'x');
    const altered = await withoutRights(cwd, { [secret]: 0o600 }, () => call(args, { cwd }));
    expect([altered.code, altered.runtime.json().faults]).toMatchObject([5, [{}]]);
  });
});

describe('a link, a pipe or a folder', () => {
  const link = (path: string) => symlinkSync('/etc/hostname', path);
  const pipe = (path: string) => execFileSync('mkfifo', [path]);
  const folder = (path: string) => mkdirSync(path);

  test.each(
    someCases([
      ['a link in a data directory', 'container_nodes/extra.parquet', link],
      ['a pipe in a data directory', 'container_nodes/extra.parquet', pipe],
      ['a linked folder in a data directory', 'container_nodes/dt=2020-01-01', link],
    ]),
  )('%s is a fault, and a warning with --allow-unnamed', async (_name, key, place) => {
    const { cwd } = await exportSome();
    place(join(cwd, 'lake', key));
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect(code).toBe(5);
    expect(runtime.json()).toMatchObject({ faults: [{ key }], unnamed: [key] });
    expect((await call([...verify, '--allow-unnamed'], { cwd })).code).toBe(0);
  });

  test('under a folder whose name starts with _ is listed as foreign', async () => {
    const { cwd } = await exportSome();
    link(join(cwd, 'lake', '_runs', 'link'));
    const { code, runtime } = await call([...verify, '--json'], { cwd });
    expect([code, runtime.json().foreign]).toEqual([0, ['_runs/link']]);
  });

  test.each(
    someCases([
      ['link', link],
      ['pipe', pipe],
      ['folder', folder],
    ]),
  )(
    'a %s in place of a part is a fault of this part, and the rest is verified',
    async (_name, place) => {
      const { cwd } = await exportSome(2);
      const path = findFile(join(cwd, 'lake', 'container_nodes'), '.parquet');
      rmSync(path);
      place(path);
      const { code, runtime } = await call([...verify, '--json'], { cwd });
      expect([code, runtime.json().parts]).toEqual([5, 3]);
      expect(runtime.json().faults).toMatchObject([{ key: expect.stringMatching(/parquet$/) }]);
    },
  );

  const places = ['_head', '_latest', '_manifests'].flatMap((top) =>
    [link, pipe, folder].map((place) => ({ place, name: place.name, top })),
  );
  test.each(someCases(places))(
    'a $name in place of $top: export seals and reports it once, verify and status name it',
    async ({ place, top }) => {
      const { cwd, env, simulator } = await exportSome();
      const path = findFile(join(cwd, 'lake', top), '.json');
      rmSync(path);
      place(path);
      const key = path.slice(join(cwd, 'lake').length + 1);
      const checked = await call([...verify, '--json'], { cwd });
      expect(checked.code).toBe(5);
      expect(checked.runtime.json().faults).toContainEqual(expect.objectContaining({ key }));
      const status = await call(['status', '--json', '--store', 'file:./lake'], { cwd });
      expect(status.code).toBe(0);
      const [target] = status.runtime.json().targets as TargetStatus[];
      expect(target?.problems).toContainEqual(
        expect.objectContaining({ message: expect.stringContaining(key) }),
      );
      const args = ['export', '--json', ...flagsFor(simulator)];
      const first = await call(args, { cwd, env });
      expect([first.code, first.runtime.json()]).toMatchObject([
        5,
        { status: 'sealed', snapshots: [{}], errors: [{ code: 'CORRUPT' }] },
      ]);
      const second = await call(args, { cwd, env });
      expect([second.code, second.runtime.json()]).toMatchObject([
        0,
        { status: 'sealed', snapshots: [{}], errors: [] },
      ]);
    },
  );
});

test.each(
  someCases([
    ['a manifest', '_manifests', 'manifest'],
    ['a pointer', '_head', 'pointer to a manifest'],
  ]),
)(
  '%s of nested or very many values is a fault at once, with little memory',
  async (_, top, name) => {
    const { cwd } = await exportSome();
    const path = findFile(join(cwd, 'lake', top), '.json');
    const text = readFileSync(path, 'utf8').trimEnd().slice(0, -1);
    const room = (top === '_head' ? 2 ** 20 : 2 ** 22) - text.length - 100;
    const half = Math.floor(room / 2);
    for (const bulk of ['['.repeat(half) + ']'.repeat(half), `[${'{},'.repeat(room / 3)}{}]`]) {
      if (top === '_head' && bulk.includes('{}')) continue;
      writeFileSync(path, `${text},"x":${bulk}}\n`);
      const before = process.memoryUsage().heapTotal;
      const { code, runtime } = await call([...verify, '--json'], { cwd });
      expect([code, runtime.json().faults]).toMatchObject([5, expect.any(Array)]);
      expect(JSON.stringify(runtime.json().faults)).toContain(`does not parse as a ${name}`);
      expect(process.memoryUsage().heapTotal - before).toBeLessThan(100 * 2 ** 20);
    }
  },
);

test.each(
  someCases([
    ['of 200 MB', (path: string) => truncateSync(path, 200_000_000)],
    [
      'that is a pipe',
      (path: string) => {
        rmSync(path);
        execFileSync('mkfifo', [path]);
      },
    ],
  ]),
)('a schedule %s is set aside and reported once; an export seals', async (_, damage) => {
  const { cwd, env, simulator } = await exportSome();
  damage(join(cwd, 'lake', '_runs', 'schedule.json'));
  const args = ['export', '--json', ...flagsFor(simulator)];
  const first = await call(args, { cwd, env });
  expect([first.code, first.runtime.json()]).toMatchObject([
    5,
    { status: 'sealed', errors: [{ code: 'CORRUPT', message: expect.stringMatching(/schedule/) }] },
  ]);
  const kept = readFileSync(join(cwd, 'lake', '_runs', 'schedule-damaged.json'), 'utf8');
  expect(kept).toMatch(/^not kept: .*schedule\.json/);
  const second = await call(args, { cwd, env });
  expect([second.code, second.runtime.json().errors]).toEqual([0, []]);
});

test('one manifest that names a path outside the store is one fault among all', async () => {
  const { cwd } = await exportSome(2);
  const manifest = findFile(join(cwd, 'lake', '_manifests'), '.json');
  const text = readFileSync(manifest, 'utf8');
  const { parts } = JSON.parse(text) as { parts: { key: string }[] };
  writeFileSync(manifest, text.replace(parts[0]?.key ?? '-', '../../etc/passwd'));
  const { code, runtime } = await call([...verify, '--json'], { cwd });
  expect(code).toBe(5);
  const { errors } = runtime.json() as { errors: { code: string; message: string }[] };
  expect(errors.map((error) => error.code)).not.toContain('INTERNAL');
  expect(errors.map(({ message }) => message).join('\n')).toMatch(
    /names "\.\.\/\.\.\/etc\/passwd"[\s\S]*was altered/,
  );
});

test('shows a key with control characters escaped', async () => {
  const { cwd } = await exportSome();
  writeFileSync(join(cwd, 'lake', 'a\u001b[2Jb'), 'x');
  expect((await call(verify, { cwd })).runtime.out()).toContain('"a\\u001b[2Jb"');
});

test('does not report an empty store as verified: exit code 2', async () => {
  const { code, runtime } = await call([...verify, '--json']);
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([
    { message: expect.stringContaining('--store: there is no snapshot') },
  ]);
});

test('exits with 4 after a signal', async () => {
  const { cwd } = await exportSome();
  const runtime = createTestRuntime({ cwd });
  const running = runProgram(verify, runtime);
  runtime.raise('SIGINT');
  expect(await running).toBe(4);
});

describe('the progress', () => {
  const ofParts = { unit: 'parts', done: 0, total: 10, bytes: 0, bytesTotal: 1_000 } as const;

  test('counts manifests, without a time that it cannot know', () => {
    const progress = { ...ofParts, unit: 'manifests', done: 5, bytes: 500 } as const;
    expect(describeProgress(progress, 2_000)).toMatchObject({
      ...{ unit: 'manifests', done: 5, total: 10, perSecond: 2.5, leftMs: null },
    });
  });

  test('estimates the time left by bytes or by parts, whichever is longer', () => {
    expect(describeProgress(ofParts, 0).leftMs).toBeNull();
    expect(describeProgress({ ...ofParts, done: 5, bytes: 100 }, 2_000).leftMs).toBe(18_000);
    expect(describeProgress({ ...ofParts, done: 1, bytes: 500 }, 2_000).leftMs).toBe(18_000);
    expect(describeProgress({ ...ofParts, bytes: 250 }, 2_000).leftMs).toBe(6_000);
  });
});

describe('--pins', () => {
  const pinned = [...verify, '--pins', 'pins.jsonl'];

  test('creates the file, says so, and brings it up to date after each run without faults', async () => {
    const { cwd } = await exportSome();
    const first = await call([...pinned, '--json'], { cwd });
    expect(first.code).toBe(0);
    expect(first.runtime.json()).toMatchObject({
      pinned: { targets: 0, without: 1 },
      pins: { file: `file:${cwd}/pins.jsonl`, checked: 0, isCreated: true, isUpdated: true },
    });
    const lines = readFileSync(join(cwd, 'pins.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { table: 'container_nodes', manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
    const second = await call(pinned, { cwd });
    expect(second.code).toBe(0);
    expect(second.runtime.out()).toContain('1 pin checked, not changed');
    expect(second.runtime.out()).toContain('a rollback to the pinned manifest');
    rmSync(join(cwd, 'pins.jsonl'));
    const again = await call(pinned, { cwd });
    expect(again.runtime.out()).toContain('pins.jsonl created: from now on it pins the history');
  });

  test('that cannot be written do not hide the result: exit code 3', async () => {
    const { cwd } = await exportSome();
    const safe = join(cwd, 'safe');
    mkdirSync(safe);
    const args = [...verify, '--pins', 'safe/pins.jsonl'];
    const run = (more: string[]) =>
      withoutRights(cwd, { [safe]: 0o555 }, () => call([...args, ...more], { cwd }));
    const asJson = await run(['--json']);
    expect([asJson.code, asJson.runtime.json()]).toMatchObject([
      3,
      {
        ...{ status: 'failed', manifests: 1, parts: 2, faults: [] },
        pins: { isCreated: false, isUpdated: false },
        errors: [
          { code: 'STORE_DENIED', message: expect.stringMatching(/^no fault was found, but/) },
        ],
      },
    ]);
    const forPeople = await run([]);
    expect(forPeople.code).toBe(3);
    expect(forPeople.runtime.out()).toContain('verified: 1 manifest');
    expect(forPeople.runtime.out()).toContain('0 pins checked, but the file could not be written');
  });

  test('in the place of a folder are refused before the store is read', async () => {
    const { cwd } = await exportSome();
    mkdirSync(join(cwd, 'pins.jsonl'));
    const { code, runtime } = await call([...pinned, '--json'], { cwd });
    expect(code).toBe(2);
    expect(runtime.json()).toMatchObject({
      errors: [{ message: `--pins: ${cwd}/pins.jsonl is a folder` }],
    });
  });

  test('finds a store that was set back with its pointers, and does not move the pins', async () => {
    const { cwd } = await exportSome(2);
    await call(pinned, { cwd });
    const before = readFileSync(join(cwd, 'pins.jsonl'), 'utf8');
    const newest = JSON.parse(before) as { snapshot: string };
    rmSync(join(cwd, 'lake'), { recursive: true });
    const { cwd: other } = await exportSome(1);
    const { code, runtime } = await call(
      [...pinned.slice(0, 2), `file:${other}/lake`, ...pinned.slice(3), '--json'],
      { cwd },
    );
    expect(code).toBe(5);
    expect(runtime.json()).toMatchObject({
      faults: [{ key: expect.stringContaining(newest.snapshot) }],
      pins: { isUpdated: false },
    });
    expect(readFileSync(join(cwd, 'pins.jsonl'), 'utf8')).toBe(before);
  });

  test.each(
    someCases([
      ['inside the store', 'lake/pins.jsonl', /is inside the store/],
      ['that is damaged', 'damaged.jsonl', /damaged\.jsonl has a line 1 that is not a pin/],
      ['that is a bucket without an object', 'obs://bucket', /names a bucket but no object/],
      ['in a bucket without a key', 'obs://bucket/pins.jsonl', /verify\.obs is missing/],
    ]),
  )('is rejected for a file %s: exit code 2', async (_what, file, message) => {
    const { cwd } = await exportSome();
    writeFileSync(join(cwd, 'damaged.jsonl'), 'x\n');
    const { code, runtime } = await call([...verify, '--pins', file, '--json'], { cwd });
    expect(code).toBe(2);
    const { errors } = runtime.json() as { errors: { message: string }[] };
    expect(errors.map((error) => error.message).join()).toMatch(message);
    expect(errors.map((error) => error.message).join()).toMatch(/^--pins/);
    expect(readFileSync(join(cwd, 'damaged.jsonl'), 'utf8')).toBe('x\n');
  });
});

describe('--public-key', () => {
  test('reports a store without signatures: exit code 5', async () => {
    const { cwd } = await exportSome(2);
    writeFileSync(join(cwd, 'auditor.pem'), createKeyPair().signer.publicPem);
    const { code, runtime } = await call([...verify, '--public-key', 'auditor.pem', '--json'], {
      cwd,
    });
    expect(code).toBe(5);
    expect(runtime.json()).toMatchObject({
      faults: [{ message: expect.stringContaining('is not signed by a given public key') }],
      signatures: { keysFrom: 'given', unsigned: 2 },
    });
  });

  test('rejects a file that is not a key: exit code 2', async () => {
    const { cwd } = await exportSome();
    const { code, runtime } = await call([...verify, '--public-key', 'none.pem', '--json'], {
      cwd,
    });
    expect(code).toBe(2);
    expect(runtime.json().errors).toMatchObject([
      { message: `--public-key: cannot read ${cwd}/none.pem (ENOENT)` },
    ]);
  });
});

describe('less hashing', () => {
  const alter = (cwd: string) => {
    const path = findFile(join(cwd, 'lake', 'container_nodes'), '.parquet');
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  };

  test('--manifests-only hashes no part, and says so', async () => {
    const { cwd } = await exportSome(2);
    alter(cwd);
    const { code, runtime } = await call([...verify, '--manifests-only', '--json'], { cwd });
    expect(code).toBe(0);
    expect(runtime.json()).toMatchObject({
      ...{ manifests: 2, parts: 0, notHashed: { parts: 4, since: null } },
      notProven: expect.stringContaining('4 parts were not hashed'),
    });
    const people = (await call([...verify, '--manifests-only'], { cwd })).runtime.out();
    expect(people).toContain('not hashed: 4 parts\n');
  });

  test('still finds a part that is missing or has another size', async () => {
    const { cwd } = await exportSome();
    writeFileSync(findFile(join(cwd, 'lake', 'container_nodes'), '.parquet'), 'x');
    rmSync(findFile(join(cwd, 'lake', 'container_nodes_ndjson'), '.gz'));
    const { runtime } = await call([...verify, '--manifests-only', '--json'], { cwd });
    expect(runtime.json()).toMatchObject({ faults: [{}, {}] });
  });

  test('--since hashes the parts of snapshots from that time on', async () => {
    const { cwd } = await exportSome();
    alter(cwd);
    const since = async (time: string) => (await call([...verify, '--since', time], { cwd })).code;
    expect(await since('1d')).toBe(5);
    expect(await since('2126-01-01')).toBe(0);
    expect(await since('yesterday')).toBe(2);
    const both = await call([...verify, '--since', '1d', '--manifests-only'], { cwd });
    expect(both.code).toBe(2);
  });
});

test('takes pins, keys and the time from the configuration, and options replace them', async () => {
  const { cwd } = await exportSome();
  const folder = join(cwd, 'conf');
  mkdirSync(folder);
  writeFileSync(join(folder, 'auditor.pem'), createKeyPair().signer.publicPem);
  const settings = 'pins: file:./own.jsonl, since: 2126-01-01';
  const write = (more: string) =>
    writeFileSync(
      join(folder, 'c.yml'),
      `store: file:../lake\nverify: { ${settings}${more} }\naccounts: [{ name: a, targets: [{ region: cn-south-4 }] }]\n`,
    );
  write('');
  const byFile = ['verify', '--config', 'conf/c.yml', '--json'];
  const { code, runtime } = await call(byFile, { cwd });
  expect(code).toBe(0);
  expect(runtime.json()).toMatchObject({
    pins: { file: `file:${folder}/own.jsonl`, isCreated: true },
    notHashed: { parts: 2, since: '2126-01-01T00:00:00.000Z' },
  });
  const replaced = await call([...byFile, '--pins', 'other.jsonl', '--since', '1d'], { cwd });
  expect(replaced.runtime.json()).toMatchObject({
    pins: { file: `file:${cwd}/other.jsonl`, isCreated: true },
    notHashed: { parts: 0 },
  });
  write(', publicKeys: [auditor.pem]');
  expect((await call(byFile, { cwd })).code).toBe(5);
  write(', publicKeys: [none.pem]');
  const missing = await call(byFile, { cwd });
  expect([missing.code, missing.runtime.json().errors]).toMatchObject([
    2,
    [{ message: `verify.publicKeys.0: cannot read ${folder}/none.pem (ENOENT)` }],
  ]);
});

test('accepts signed snapshots of two datasets in three versions, and names each file that belongs to none', async () => {
  const { signer } = createKeyPair();
  const { cwd } = createTestRuntime();
  const world = await createLakeWorld(signer);
  world.writeTo(join(cwd, 'lake'));
  writeFileSync(join(cwd, 'key.pem'), signer.publicPem);
  writeFileSync(join(cwd, 'other.pem'), createKeyPair().signer.publicPem);
  const run = async (key: string) => {
    const { code, runtime } = await call([...verify, '--public-key', key, '--json'], { cwd });
    return { code, ...(runtime.json() as { faults: { key: string }[]; notProven: string }) };
  };
  const found = await run('key.pem');
  const place = 'prj=00000000000000000000000000000123/20260106T060000Z';
  const strays = ['container_clusters', 'container_nodes'].flatMap((table) => [
    `_manifests/${table}/rgn=cn-nowhere-1/${place}.json`,
    `${table}/dt=2026-01-06/rgn=cn-south-4/${place}-000000000000.parquet`,
  ]);
  expect([found.code, found.faults.map(({ key }) => key).sort()]).toEqual([5, strays.sort()]);
  for (const key of strays) rmSync(join(cwd, 'lake', key));
  expect(await run('key.pem')).toMatchObject({
    ...{ code: 0, faults: [], manifests: world.snapshots.length },
    notProven: expect.not.stringContaining('rewrite'),
  });
  expect((await run('other.pem')).code).toBe(5);
});
