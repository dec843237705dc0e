// Tests that the CLI names every fault of a store, exits with the documented code, gives a hint and does not damage stored objects.
// Method: the built file, one fault at a time.

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  ampleQuota,
  cli,
  createFolder,
  type Ended,
  expectCode,
  exportTo,
  findObject,
  flagsFor,
  keyOf,
  readError,
  readJson,
  readTree,
  runCli,
  startCli,
  startEndpoint,
  startProcess,
  until,
} from '../e2e/processes.ts';
import { someCases } from '../support/cases.ts';

describe.concurrent('a damaged or unusable store', () => {
  /** A store with a run that was stopped after some pages. Each case gets a copy. */
  const stopped = (async () => {
    const endpoint = await startEndpoint({ nodes: 4_000, latencyMs: { min: 20, max: 40 } });
    const cwd = createFolder();
    const quota = { requests: 12, windowSeconds: 1 };
    const { child, ended } = startCli(['export', '--json', ...flagsFor(endpoint, quota)], {
      cwd,
      env: keyOf(endpoint),
    });
    await until(async () => (await endpoint.report()).servings.length >= 12, 'twelve pages');
    child.kill('SIGINT');
    expectCode(await ended, 4);
    return { endpoint, cwd };
  })();
  /** A store with one snapshot. Each case gets a copy. */
  const sealed = (async () => {
    const endpoint = await startEndpoint({ nodes: 300 });
    const cwd = createFolder();
    expectCode(await exportTo(endpoint, cwd), 0);
    return { endpoint, cwd };
  })();

  const restarted: [name: string, pattern: RegExp][] = [
    ['a checkpoint', /^_runs\/.*\/checkpoint\.json$/],
    ['the schedule', /^_runs\/schedule\.json$/],
  ];
  const workingState: [name: string, pattern: RegExp][] = [
    ['pages', /^_runs\/.*\/pages\/000000-/],
    ['an entry of the ledger', /^_quota\/container_nodes\/\d/],
  ];
  const evidence: [name: string, pattern: RegExp][] = [
    ['a manifest', /^_manifests\//],
    ['_head', /^_head\//],
    ['_latest', /^_latest\//],
  ];
  const damages: [name: string, damage: (bytes: Buffer) => Buffer][] = [
    ['truncated', (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))],
    ['empty', () => Buffer.alloc(0)],
    // The name of a ledger entry has all its information; its bytes only show that the write was complete.
    ['too long', (bytes) => Buffer.concat([bytes, Buffer.from('x')])],
    [
      'altered',
      (bytes) => {
        const copy = Buffer.from(bytes);
        const middle = Math.floor(copy.length / 2);
        copy[middle] = (copy[middle] ?? 0) ^ 1;
        return copy;
      },
    ],
  ];
  const someDamages = someCases(damages);
  const casesOf = (objects: typeof workingState, of = someDamages) =>
    objects.flatMap(([object, pattern]) =>
      of
        // A pointer has no hash: if it still can be read, `verify` detects the change.
        .filter(([damage]) => damage !== 'altered' || !/ledger|^_/.test(object))
        .map(([damage, change]) => ({ object, damage, pattern, change })),
    );

  test.each(casesOf(workingState))(
    '$object, $damage: exits with 5, names the object and does not change it',
    async (damaged) => {
      const { endpoint, cwd: from } = await stopped;
      const cwd = createFolder();
      cpSync(from, cwd, { recursive: true });
      const lake = join(cwd, 'lake');
      const key = findObject(lake, damaged.pattern);
      const bytes = damaged.change(readFileSync(join(lake, key)));
      writeFileSync(join(lake, key), bytes);
      const published = (tree: Map<string, Buffer>) =>
        [...tree].filter(([path]) => !/^_(runs|quota|lease)\//.test(path));
      const before = readTree(lake);
      const ended = await exportTo(endpoint, cwd);
      expectCode(ended, 5);
      const error = readError(ended);
      expect(error.code).toBe('CORRUPT');
      expect(error.message).toContain(key);
      const after = readTree(lake);
      expect(after.get(key)).toEqual(bytes);
      // Readers see the same as before.
      expect(published(after)).toEqual(published(before));
    },
  );

  // The tests beside the modules damage them in more ways.
  const twoDamages = damages.filter(([damage]) => damage === 'empty' || damage === 'altered');

  test.each(someCases(casesOf(restarted, twoDamages)))(
    '$object, $damage: is kept aside, exits with 5 and seals; the export after it exits with 0',
    async ({ pattern, change }) => {
      const { endpoint, cwd: from } = await stopped;
      const cwd = createFolder();
      cpSync(from, cwd, { recursive: true });
      const lake = join(cwd, 'lake');
      const key = findObject(lake, pattern);
      const bytes = change(readFileSync(join(lake, key)));
      writeFileSync(join(lake, key), bytes);
      const ended = await exportTo(endpoint, cwd);
      expectCode(ended, 5);
      const { status, snapshots, errors } = readJson(ended);
      expect([status, snapshots.length]).toEqual(['sealed', 1]);
      expect(errors).toMatchObject([{ code: 'CORRUPT', message: expect.stringContaining(key) }]);
      const aside = findObject(lake, /^_runs\/.*damaged.*\.json$/);
      expect(readFileSync(join(lake, aside))).toEqual(bytes);
      expectCode(await exportTo(endpoint, cwd), 0);
    },
  );

  test.each(someCases(casesOf(evidence, twoDamages)))(
    '$object, $damage: seals the next snapshot, exits with 5 and names the object; the one after exits with 0',
    async ({ pattern, change }) => {
      const { endpoint, cwd: from } = await sealed;
      const cwd = createFolder();
      cpSync(from, cwd, { recursive: true });
      const lake = join(cwd, 'lake');
      const head = readTree(lake).get(findObject(lake, /^_head\//));
      const key = findObject(lake, pattern);
      const bytes = change(readFileSync(join(lake, key)));
      writeFileSync(join(lake, key), bytes);
      const verify = () => runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
      const seen = await verify();
      expectCode(seen, 5);
      const ended = await exportTo(endpoint, cwd);
      expectCode(ended, 5);
      const { status, snapshots, errors } = readJson(ended);
      expect(status).toBe('sealed');
      expect(errors).toMatchObject([{ code: 'CORRUPT', message: expect.stringContaining(key) }]);
      // Both commands give the same advice, but verify does not advise to run verify.
      const hintOf = (all: typeof errors) =>
        all.find(({ message }) => message.startsWith(key))?.hint;
      const advice = ' `cgs-export verify` lists all affected objects.';
      expect(hintOf(readJson(seen).errors)).toBe(hintOf(errors)?.replace(advice, ''));
      const manifest = JSON.parse(readFileSync(join(lake, snapshots[0]?.manifest ?? ''), 'utf8'));
      const { snapshot, manifestSha256 } = JSON.parse(String(head));
      expect(manifest.previous).toEqual({ snapshot, manifestSha256 });
      expectCode(await exportTo(endpoint, cwd), 0);
      // A damaged manifest stays damaged, and verify names it for ever.
      const isManifest = key.startsWith('_manifests/');
      const verified = await verify();
      expectCode(verified, isManifest ? 5 : 0);
      if (!isManifest) return;
      expect(readFileSync(join(lake, key))).toEqual(bytes);
      expect(
        readJson(verified)
          .errors.map(({ message }) => message)
          .join('\n'),
      ).toContain(key);
    },
  );

  test('foreign objects among ledger, lease and manifests do not stop an export; verify lists them', async () => {
    const { endpoint, cwd: from } = await sealed;
    const cwd = createFolder();
    cpSync(from, cwd, { recursive: true });
    const lake = join(cwd, 'lake');
    const foreign = [
      '_lease/.nfs0001',
      '_manifests/notes.txt',
      '_quota/container_nodes/.nfs0001',
      '_quota/notes.txt',
    ];
    for (const key of foreign) {
      mkdirSync(join(lake, dirname(key)), { recursive: true });
      writeFileSync(join(lake, key), 'x');
    }
    expectCode(await exportTo(endpoint, cwd), 0);
    const verified = await runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
    expectCode(verified, 0);
    expect(readJson<{ foreign: string[] }>(verified).foreign).toEqual(foreign);
  });

  test.each(['parquet', 'ndjson.gz'])(
    'verify detects a %s part without its last byte',
    async (ending) => {
      const { cwd: from } = await sealed;
      const cwd = createFolder();
      cpSync(from, cwd, { recursive: true });
      const lake = join(cwd, 'lake');
      const key = findObject(lake, new RegExp(`${ending}$`));
      writeFileSync(join(lake, key), readFileSync(join(lake, key)).subarray(0, -1));
      const verified = await runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
      expectCode(verified, 5);
      expect(readError(verified).message).toContain(key);
    },
  );

  // Root may write everywhere. So the exporter runs as the user `nobody`, from a copy that this user can read.
  test('exits with 3 and names the folder if it is read-only', async () => {
    const endpoint = await startEndpoint();
    const cwd = createFolder();
    copyFileSync(cli, join(cwd, 'cli.cjs'));
    mkdirSync(join(cwd, 'lake'));
    chmodSync(join(cwd, 'lake'), 0o555);
    chmodSync(cwd, 0o755);
    const isRoot = process.getuid?.() === 0;
    const { ended } = startProcess(
      process.execPath,
      [join(cwd, 'cli.cjs'), 'export', '--json', ...flagsFor(endpoint)],
      { cwd, env: keyOf(endpoint), ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}) },
    );
    const denied = await ended;
    expectCode(denied, 3);
    const error = readError(denied);
    expect(error.code).toBe('STORE_DENIED');
    expect(error.message).toContain(join(cwd, 'lake'));
    expect((await endpoint.report()).servings).toHaveLength(0);
    expect(readTree(join(cwd, 'lake')).size).toBe(0);
  });

  /** Flags for a separate mount namespace, as root or with a user namespace. Undefined: neither is allowed. */
  const unshare = [['--mount'], ['--user', '--map-root-user', '--mount']].find(
    (flags) =>
      spawnSync('unshare', [...flags, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0,
  );
  const testWithMounts = unshare === undefined ? test.skip : test;

  testWithMounts(
    'exits with 1 on a full disk; with free space again, the export continues and completes',
    async () => {
      const endpoint = await startEndpoint({ nodes: 3_000 });
      const cwd = createFolder();
      mkdirSync(join(cwd, 'lake'));
      const run = ['export', '--json', ...flagsFor(endpoint, ampleQuota)];
      const quoted = (args: string[]) => args.map((arg) => `'${arg}'`).join(' ');
      const node = quoted([process.execPath, cli]);
      // A tmpfs of 1,200 KB. A filler file leaves space for a few pages only.
      const steps = `set -e
mount -t tmpfs -o size=1200k tmpfs lake
dd if=/dev/zero of=lake/filler bs=1k count=1100 2>/dev/null
set +e
${node} ${quoted(run)} >full.json 2>full.err; echo $? >full.code
ls -R lake/.cgs-export-tmp >left.txt 2>/dev/null
rm lake/filler
${node} ${quoted(run)} >room.json 2>room.err; echo $? >room.code
${node} verify --json --store file:./lake >verify.json 2>verify.err; echo $? >verify.code
`;
      const { ended } = startProcess('unshare', [...(unshare ?? []), 'sh', '-c', steps], {
        cwd,
        env: keyOf(endpoint),
      });
      expectCode(await ended, 0);
      const read = (name: string) => readFileSync(join(cwd, name), 'utf8');
      const endedAs = (name: string): Ended => ({
        code: Number(read(`${name}.code`)),
        signal: null,
        out: read(`${name}.json`),
        err: read(`${name}.err`),
      });
      expectCode(endedAs('full'), 1);
      const error = readError(endedAs('full'));
      expect(error.code).toBe('DISK_FULL');
      expect(error.hint).toMatch(/Free space/);
      expect(read('left.txt')).not.toMatch(/\.tmp$/m);
      const offsets = (await endpoint.report()).servings.map(({ offset }) => offset);
      // Some pages were stored, so the export has something to continue.
      expect(offsets.length).toBeGreaterThan(2);
      expectCode(endedAs('room'), 0);
      expect(readJson(endedAs('room')).snapshots).toMatchObject([{ rows: 3_000 }]);
      expect(offsets.length - new Set(offsets).size).toBeLessThanOrEqual(1);
      expectCode(endedAs('verify'), 0);
      expect(readJson<{ unnamed: [] }>(endedAs('verify')).unnamed).toEqual([]);
    },
  );
});
