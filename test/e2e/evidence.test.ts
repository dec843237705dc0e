// Tests the zip of `evidence` as an outsider meets it: it is unpacked and checked with the commands of its README, in a shell that
// finds neither Node.js nor this project. The store has an unsigned beginning and a change of the key.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { caseStep, someCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';
import {
  createFolder,
  type Endpoint,
  expectCode,
  keyOf,
  readJson,
  readTree,
  runCli,
  startEndpoint,
} from './processes.ts';

const tools = [
  ...['sh', 'sha256sum', 'openssl', 'find', 'sed', 'sort', 'diff', 'cut', 'tr', 'grep'],
  ...['dirname', 'tail'],
];

/** A folder with links to these tools and nothing else. */
function linkTools(): string {
  const folder = createFolder();
  for (const tool of tools) {
    const found = spawnSync('/bin/sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' });
    const path = found.stdout.trim();
    if (!path.startsWith('/')) throw new Error(`${tool} is not on this machine`);
    symlinkSync(path, join(folder, tool));
  }
  return folder;
}

const toolFolder = linkTools();

/** Runs a script in a shell whose environment has nothing but these tools. */
function runShell(script: string, cwd: string): { status: number | null; out: string } {
  const options = { cwd, input: script, env: { PATH: toolFolder }, encoding: 'utf8' } as const;
  const { error, status, stdout, stderr } = spawnSync(join(toolFolder, 'sh'), ['-s'], options);
  if (error) throw error;
  return { status, out: `${stdout}${stderr}` };
}

function unzip(file: string): string {
  const folder = createFolder();
  const { status, stderr } = spawnSync('unzip', ['-q', file, '-d', folder], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return folder;
}

/** The commands of each step, as README shows them. */
function readSteps(folder: string): string[] {
  const text = readFileSync(join(folder, 'README'), 'utf8');
  const section = text.slice(text.indexOf('\nStep 1.'), text.indexOf('\n3. COMPARE'));
  return section
    .split(/\nStep \d\./)
    .slice(1)
    .map((step) =>
      step
        .split('\n')
        .filter((line) => line.startsWith('    '))
        .map((line) => line.slice(4))
        .join('\n'),
    );
}

/** What all steps print, each in a shell of its own. */
function runSteps(steps: readonly string[], cwd: string): string {
  return steps.map((step) => runShell(step, cwd).out).join('');
}

interface World {
  cwd: string;
  env: Record<string, string>;
  snapshots: string[];
  keyIds: string[];
}

function configure({ url, script }: Endpoint, cwd: string, more: string): void {
  const target = `{ region: ${script.region}, projectId: ${script.projectId}, endpoint: "${url}" }`;
  const settings = `store: file:./lake\nquota: { requests: 1000, windowSeconds: 1 }\n${more}`;
  const text = `${settings}\naccounts: [{ name: prod, targets: [${target}] }]\n`;
  writeFileSync(join(cwd, 'cgs-export.yml'), text);
}

/** Five snapshots: one without a signature, two signed with one key, and two with the next. */
async function createWorld(): Promise<World> {
  const endpoint = await startEndpoint({ nodes: 250 });
  const cwd = createFolder();
  const env = keyOf(endpoint);
  configure(endpoint, cwd, '');
  expectCode(await runCli(['export', '--json'], { cwd, env }), 0);
  configure(endpoint, cwd, 'signing: { privateKey: ${CGS_SIGNING_KEY} }');
  const keyIds: string[] = [];
  for (const name of ['one', 'two']) {
    const folder = join(createFolder(), name);
    const made = await runCli(['keygen', '--out', folder, '--json'], { cwd });
    const { keyId, privateKeyFile } = readJson<{ keyId: string; privateKeyFile: string }>(made);
    keyIds.push(keyId);
    const signing = { ...env, CGS_SIGNING_KEY: readFileSync(privateKeyFile, 'utf8') };
    for (const _round of [1, 2]) {
      expectCode(await runCli(['export', '--json'], { cwd, env: signing }), 0);
    }
  }
  const manifests = [...readTree(join(cwd, 'lake')).keys()].filter((key) =>
    key.startsWith('_manifests/'),
  );
  const snapshots = manifests.map((key) => key.slice(-21, -5)).sort();
  return { cwd, env, snapshots, keyIds };
}

/** Needs neither a key of the service nor the signing key. */
function runEvidence({ cwd }: Pick<World, 'cwd'>, ...args: string[]) {
  return runCli(['evidence', ...args], { cwd });
}

let world: World;
let folder: string;
let steps: string[];
beforeAll(async () => {
  world = await createWorld();
  const file = join(world.cwd, 'evidence.zip');
  expectCode(await runEvidence(world, world.snapshots[1] ?? '', '--out', file), 0);
  folder = unzip(file);
  steps = readSteps(folder);
});

test('the shell of these tests has neither Node.js nor the project', () => {
  expect(runShell('command -v node || echo none', folder).out).toBe('none\n');
  expect(runShell('command -v npx || echo none', folder).out).toBe('none\n');
  expect(runShell('echo "$PATH"', folder).out).toBe(`${toolFolder}\n`);
  expect([...readTree(folder).keys()].filter((key) => /\.(js|ts|mjs)$/.test(key))).toEqual([]);
});

test('has the parts, all later manifests, their signatures and the keys, with the bytes of the store', () => {
  const packed = readTree(folder);
  const stored = readTree(join(world.cwd, 'lake'));
  const [, own = '', ...later] = world.snapshots;
  const isWanted = (key: string) =>
    key.startsWith('_keys/') ||
    (/^_(manifests|signatures)\//.test(key) &&
      [own, ...later].some((name) => key.includes(name))) ||
    (/^container_nodes/.test(key) && key.includes(own));
  const wanted = [...stored.keys()].filter(isWanted).sort();
  const texts = ['README', 'SHA256SUMS', 'check.sh'];
  expect([...packed.keys()].filter((key) => !texts.includes(key)).sort()).toEqual(wanted);
  for (const key of wanted) expect(packed.get(key), key).toEqual(stored.get(key));
  expect(wanted).toHaveLength(2 + 4 + 4 + 2);
});

test('every step of README succeeds, and so does check.sh', () => {
  expect(steps).toHaveLength(5);
  for (const step of steps) {
    const { out } = runShell(step, folder);
    expect(
      out
        .trimEnd()
        .split('\n')
        .filter((line) => !line.startsWith('OK ')),
    ).toEqual([]);
  }
  const all = runSteps(steps, folder);
  for (const keyId of world.keyIds) expect(all).toContain(`OK key id ${keyId}\n`);
  for (const keyId of world.keyIds) {
    expect(all.split(`OK signed by ${keyId}: _manifests/`)).toHaveLength(3);
  }
  expect(all.split('OK data: container_nodes')).toHaveLength(3);
  expect(all).not.toContain('not signed');
  const { status, out } = runShell('sh check.sh', folder);
  expect([status, out]).toEqual([0, expect.stringContaining('RESULT: OK')]);
});

test('README says that a complete snapshot can miss a node', () => {
  const text = readFileSync(join(folder, 'README'), 'utf8');
  const limits = text.slice(text.indexOf('\n4. WHAT IT DOES NOT PROVE'));
  expect(limits).toContain('- That a complete snapshot has every node.');
});

test('the zip itself, a key and other files beside README are listed, and do no harm', () => {
  const mixed = createFolder();
  cpSync(folder, mixed, { recursive: true });
  const key = readFileSync(join(folder, '_keys', `${world.keyIds[1]}.pem`));
  const names = ['.DS_Store', 'auditor.pem', 'evidence (1).zip', "the auditor's notes"];
  for (const name of names) writeFileSync(join(mixed, name), key);
  const { status, out } = runShell('sh check.sh auditor.pem', mixed);
  expect([status, out]).toEqual([0, expect.stringContaining('RESULT: OK')]);
  for (const shown of [out, runSteps(steps, mixed)]) {
    const listed = shown.split('\n').filter((line) => line.includes('not part of the evidence'));
    expect(listed.sort()).toEqual(names.map((name) => `OK but not part of the evidence: ${name}`));
    expect(shown).not.toContain('FAILED');
  }
  writeFileSync(join(mixed, 'SHA256SUMS.old'), 'x');
  rmSync(join(mixed, 'README'));
  expect(runShell('sh check.sh', mixed).status).toBe(1);
});

test('check.sh takes a public key that is not from the archive, and requires its signature', () => {
  const outside = createFolder();
  const [older = '', newer = ''] = world.keyIds;
  for (const [name, keyId] of [
    ['older.pem', older],
    ['newer.pem', newer],
  ] as const) {
    writeFileSync(join(outside, name), readFileSync(join(folder, '_keys', `${keyId}.pem`)));
  }
  const check = (...keys: string[]) =>
    runShell(`sh ${join(folder, 'check.sh')} ${keys.join(' ')}`, outside);
  const signed = check('newer.pem');
  expect(signed.status).toBe(0);
  expect(signed.out).toContain('OK signed by the given key: _manifests/');
  // The snapshot itself is signed by the older key only.
  expect(signed.out).toContain('OK but not signed by the given key: _manifests/');
  expect(signed.out).toContain('RESULT: OK, with a limit. The newest manifest of each target is');
  // The newest manifest is signed by the newer key only.
  const other = check(join(outside, 'older.pem'));
  expect(other.status).toBe(1);
  expect(other.out).toContain('FAILED signature by the given key: _manifests/');
  expect(check('missing.pem')).toEqual({
    status: 2,
    out: `${join(outside, 'missing.pem')} cannot be read\n`,
  });
  expect(check('older.pem', 'newer.pem').status).toBe(2);
});

test('check.sh says OK without a limit if the given key signed the snapshot itself', async () => {
  const file = join(createFolder(), 'newest.zip');
  expectCode(await runEvidence(world, world.snapshots.at(-1) ?? '', '--out', file), 0);
  const newest = unzip(file);
  const key = join(createFolder(), 'key.pem');
  writeFileSync(key, readFileSync(join(newest, '_keys', `${world.keyIds[1]}.pem`)));
  const { status, out } = runShell(`sh check.sh ${key}`, newest);
  expect(status).toBe(0);
  expect(out).toContain('RESULT: OK. The newest manifest of each target is signed by');
  expect(out).not.toContain('not signed');
});

test('a hash that was noted elsewhere is found, also of a manifest in the middle', async () => {
  const verified = readJson<{ newest: { manifest: string; manifestSha256: string }[] }>(
    await runCli(['verify', '--json'], { cwd: world.cwd }),
  );
  const [newest] = verified.newest;
  const { out } = runShell(`grep ${newest?.manifestSha256} SHA256SUMS`, folder);
  expect(out).toBe(`${newest?.manifestSha256}  ${newest?.manifest}\n`);
  expect(readFileSync(join(folder, 'README'), 'utf8')).toContain(`${newest?.manifestSha256}\n`);
});

test('a snapshot before the first signature is listed as not signed, and covered by the chain', async () => {
  const file = join(createFolder(), 'first.zip');
  const first = world.snapshots[0] ?? '';
  const ended = await runEvidence(world, first, '--out', file, '--json');
  expectCode(ended, 0);
  expect(readJson(ended)).toMatchObject({ targets: [{ manifests: 5, signed: 4 }] });
  const unpacked = unzip(file);
  const out = runSteps(readSteps(unpacked), unpacked);
  expect(out).not.toContain('FAILED');
  expect(out.split('OK but not signed: ')).toHaveLength(2);
  expect(out.split(/OK \S+ names /)).toHaveLength(5);
});

test('the same store gives the same bytes', async () => {
  const again = join(createFolder(), 'again.zip');
  const snapshot = world.snapshots[1] ?? '';
  expectCode(await runEvidence(world, snapshot, '--out', again), 0);
  const elsewhere = join(createFolder(), 'elsewhere.zip');
  const options = { cwd: world.cwd, env: { TZ: 'Asia/Shanghai' } };
  expectCode(await runCli(['evidence', snapshot, '--out', elsewhere], options), 0);
  const bytes = readFileSync(join(world.cwd, 'evidence.zip'));
  expect(readFileSync(again).equals(bytes)).toBe(true);
  expect(readFileSync(elsewhere).equals(bytes)).toBe(true);
});

describe('the commands of README find', () => {
  const members = () => [...readTree(folder).keys()].sort();

  const seeds = Math.ceil(3 / caseStep);
  test(`one changed byte in each member, seeds: ${seeds}`, () => {
    for (const key of someCases(members())) {
      const path = join(folder, key);
      const bytes = readFileSync(path);
      for (let seed = 1; seed <= seeds; seed += 1) {
        const random = createRandom(seed);
        const at = Math.floor(random() * bytes.length);
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ (1 + Math.floor(random() * 255));
        writeFileSync(path, changed);
        expect(runSteps(steps, folder), `${key}, byte ${at}, seed ${seed}`).toContain('FAILED');
      }
      writeFileSync(path, bytes);
    }
    expect(runSteps(steps, folder)).not.toContain('FAILED');
  });

  test('each member that is missing', () => {
    for (const key of someCases(members())) {
      const path = join(folder, key);
      renameSync(path, `${folder}.away`);
      expect(runSteps(steps, folder), key).toContain('FAILED');
      renameSync(`${folder}.away`, path);
    }
  });

  test('a changed object whose hash in SHA256SUMS was made to fit: the chain or a signature is wrong', () => {
    const withoutSums = steps.slice(1);
    for (const key of someCases(members().filter((one) => one.includes('/')))) {
      const path = join(folder, key);
      const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8');
      const bytes = readFileSync(path);
      const changed = Buffer.from(bytes);
      changed[40] = (changed[40] as number) ^ 1;
      writeFileSync(path, changed);
      const { out } = runShell(`sha256sum ${key}`, folder);
      const fitting = sums.replace(new RegExp(`^.*  ${key}$`, 'm'), out.trim());
      writeFileSync(join(folder, 'SHA256SUMS'), fitting);
      expect(runShell(steps[0] ?? '', folder).out, key).not.toContain('FAILED');
      expect(runSteps(withoutSums, folder), key).toContain('FAILED');
      writeFileSync(path, bytes);
      writeFileSync(join(folder, 'SHA256SUMS'), sums);
    }
  });

  test('a data file that was added with its hash', () => {
    const added = join(folder, 'container_nodes/added.parquet');
    const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8');
    writeFileSync(added, 'x');
    expect(runShell(steps[0] ?? '', folder).out).toContain('FAILED list of files');
    expect(runShell(steps[4] ?? '', folder).out).toContain(
      'FAILED: no manifest of the snapshot names container_nodes/added.parquet',
    );
    rmSync(added);
    writeFileSync(join(folder, 'SHA256SUMS'), sums);
  });

  test.each([
    'container_nodes/added.txt',
    'container_nodes/two words.parquet',
    '_manifests/added',
    '_signatures/two words.sig',
    '_keys/added',
    'other/added.txt',
  ])('the file %s, which is not from the archive', (name) => {
    const forged = createFolder();
    cpSync(folder, forged, { recursive: true });
    mkdirSync(dirname(join(forged, name)), { recursive: true });
    writeFileSync(join(forged, name), 'x');
    expect(runShell(steps[0] ?? '', forged).out).toContain('FAILED list of files');
    const { status, out } = runShell('sh check.sh', forged);
    expect([status, out]).toEqual([1, expect.stringContaining(`  ${name}\n`)]);
  });

  test('a link in a folder of the evidence', () => {
    const forged = createFolder();
    cpSync(folder, forged, { recursive: true });
    symlinkSync('../README', join(forged, 'container_nodes/link.parquet'));
    const wrong = 'FAILED, neither a file nor a folder: container_nodes/link.parquet\n';
    expect(runShell(steps[0] ?? '', forged).out).toContain(wrong);
    expect(runShell('sh check.sh', forged).status).toBe(1);
  });

  test('a public key under the name of another one', () => {
    const [one = '', two = ''] = world.keyIds.map((id) => join(folder, '_keys', `${id}.pem`));
    const bytes = readFileSync(one);
    writeFileSync(one, readFileSync(two));
    const { out } = runShell(steps[1] ?? '', folder);
    expect(out).toContain(`FAILED _keys/${world.keyIds[0]}.pem is the key ${world.keyIds[1]}`);
    writeFileSync(one, bytes);
  });

  test('a newest manifest whose signature was removed, with SHA256SUMS made to fit', () => {
    const forged = createFolder();
    cpSync(folder, forged, { recursive: true });
    const newest = world.snapshots.at(-1) ?? '';
    const script = `set -e
file=$(find _manifests -name ${newest}.json)
sed 's/"signing":{"keyId"/"signing": {"keyId"/' "$file" > changed
sed -n p changed > "$file"
rm changed
rm "$(echo "$file" | sed 's|^_manifests|_signatures|; s|json$|sig|')"
find . -type f ! -path ./SHA256SUMS | sed 's|^\\./||' | LC_ALL=C sort | xargs sha256sum > SHA256SUMS`;
    expect(spawnSync('sh', ['-c', script], { cwd: forged, encoding: 'utf8' })).toMatchObject({
      ...{ status: 0, stderr: '' },
    });
    const { status, out } = runShell('sh check.sh', forged);
    expect(out).toMatch(new RegExp(`FAILED not signed, but an older one is: .*${newest}.json`));
    expect(status).toBe(1);
  });

  test('check.sh ends with exit code 1, and says what is wrong', () => {
    const path = [...readTree(folder).keys()].find((key) => key.endsWith('.parquet')) ?? '';
    const bytes = readFileSync(join(folder, path));
    writeFileSync(join(folder, path), Buffer.concat([bytes, Buffer.from('x')]));
    const { status, out } = runShell('sh check.sh', folder);
    writeFileSync(join(folder, path), bytes);
    expect(status).toBe(1);
    expect(out).toContain(`FAILED data: ${path}\n`);
    expect(out).toContain('RESULT: FAILED');
  });
});

describe('no zip is written, and no incomplete zip is left', () => {
  /** A copy of the store, so that it can be damaged. */
  function copyStore(): string {
    const cwd = createFolder();
    for (const [key, bytes] of readTree(join(world.cwd, 'lake'))) {
      const path = join(cwd, 'lake', key);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    }
    return cwd;
  }

  test('for one changed byte in each object that would be packed: exit code 5, and the object is named', async () => {
    const cwd = copyStore();
    const keys = [...readTree(folder).keys()].filter((key) => key.includes('/'));
    for (const key of someCases(keys)) {
      const path = join(cwd, 'lake', key);
      const bytes = readFileSync(path);
      const changed = Buffer.from(bytes);
      changed[50] = (changed[50] as number) ^ 1;
      writeFileSync(path, changed);
      const args = [world.snapshots[1] ?? '', '--store', 'file:./lake', '--out', 'x.zip', '--json'];
      const ended = await runEvidence({ cwd }, ...args);
      expectCode(ended, 5);
      const [error] = readJson<{ errors: { message: string; hint: string }[] }>(ended).errors;
      expect(error?.message).toContain(key);
      expect(error?.hint, key).toContain('No zip was written. Run `cgs-export verify`');
      expect(readdirSync(cwd), key).toEqual(['lake']);
      writeFileSync(path, bytes);
    }
  });

  test('over a file that exists: exit code 2', async () => {
    const cwd = copyStore();
    writeFileSync(join(cwd, 'x.zip'), 'mine');
    const ended = await runEvidence(
      { cwd },
      ...[world.snapshots[1] ?? '', '--store', 'file:./lake', '--out', 'x.zip'],
    );
    expectCode(ended, 2);
    expect(ended.err).toContain('x.zip exists already');
    expect(readFileSync(join(cwd, 'x.zip'), 'utf8')).toBe('mine');
  });

  test('into a folder that cannot be written: exit code 2', async () => {
    const cwd = copyStore();
    const args = [world.snapshots[1] ?? '', '--store', 'file:./lake', '--out', 'none/x.zip'];
    const ended = await runEvidence({ cwd }, ...args);
    expectCode(ended, 2);
    expect(ended.err).toContain('none/x.zip cannot be written (ENOENT)');
    expect(existsSync(join(cwd, 'none'))).toBe(false);
  });
});
