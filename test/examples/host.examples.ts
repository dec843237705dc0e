// Tests of examples/systemd and examples/cron without systemd and without cron. Method: the package is installed in a folder that
// stands for a host, with a user of its own. There systemd's checker reads the units, and their commands run as that user.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../lib/simulator/simulator.ts';
import { createFolder, type Ended, root } from '../e2e/processes.ts';
import { findBadSchedules, makeKeys, packInto, pointAt, readKeys } from './packed.ts';
import { createRootFolder, type Mount, type RootFolder } from './root-folder.ts';

/** The users that docs/deploy-elsewhere.md adds. The second one is in the group of the first. */
const group = 4567;
const users: Readonly<Record<string, number>> = { 'cgs-export': group, 'cgs-export-audit': 4568 };
const { PATH = '' } = process.env;
let host: RootFolder;
beforeAll(async () => {
  host = await createRootFolder();
  const packed = packInto(createFolder());
  await host.install(['npm', 'install', '--global', '--no-audit', '--no-fund', packed]);
  await host.install(['groupadd', '--gid', String(group), 'cgs-export']);
  for (const [name, id] of Object.entries(users)) {
    const ids = ['--uid', String(id), '--gid', 'cgs-export'];
    await host.install(['useradd', '--system', ...ids, name]);
  }
});

/** A folder that the user may write to and the group may read, as a StateDirectory= is. */
function createOwnFolder(owner: string): string {
  const folder = createFolder();
  chmodSync(folder, 0o750);
  chownSync(folder, users[owner] ?? 0, group);
  return folder;
}

/** What an administrator writes: the configuration and the keys. */
async function createConfigFolder() {
  const simulator = await startSimulator({ nodes: 420, quota: null });
  onTestFinished(() => simulator.stop());
  // As docs/deploy-elsewhere.md shows it.
  const page = readFileSync(join(root, 'docs/deploy-elsewhere.md'), 'utf8');
  const [, text = ''] = /```yaml config\n(store: file:\/var\/lib[^`]*)```/.exec(page) ?? [];
  const folder = createFolder();
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'cgs-export.yml'), pointAt(simulator, text), { mode: 0o644 });
  const keys = makeKeys(simulator);
  copyFileSync(join(keys, 'keys/signing-public.pem'), join(folder, 'signing-public.pem'));
  copyFileSync(join(keys, 'keys.env'), join(folder, 'keys.env'));
  return { simulator, folder };
}

describe('systemd', () => {
  const folder = join(root, 'examples/systemd');
  const shared = 'cgs-export-.service.d/shared.conf';
  const names = readdirSync(folder)
    .filter((name) => !name.endsWith('.d'))
    .sort();
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  /** The values of a setting of a service: those of its own file, then those that it shares. */
  const valuesOf = (name: string, setting: string) =>
    [...`${read(name)}${read(shared)}`.matchAll(new RegExp(`^${setting}=(.*)$`, 'gm'))].map(
      ([, value]) => value ?? '',
    );
  const services = ['tick', 'check', 'verify', 'report', 'prune'].map(
    (name) => `cgs-export-${name}.service`,
  );

  /** Writes the units to where an administrator puts them, and returns what the checker says. */
  async function verifyUnits(change = (text: string) => text): Promise<Ended> {
    const place = '/etc/systemd/system';
    mkdirSync(host.pathOf(join(place, dirname(shared))), { recursive: true });
    for (const name of [...names, shared]) {
      writeFileSync(host.pathOf(join(place, name)), change(read(name)));
    }
    const units = names.map((name) => join(place, name.replace('@.', '@test.')));
    // Not as process 1: systemd's programs would write to the kernel's log.
    const command = [
      'sh',
      '-c',
      'systemd-analyze "$@"; exit $?',
      'sh',
      'verify',
      '--man=no',
      ...units,
    ];
    const options = { user: '0', group: '0', env: { PATH }, cwd: '/', mounts: [] };
    return (await host.start(command, options)).ended;
  }

  test('systemd-analyze verify finds nothing wrong with the units', async () => {
    expect(names).toHaveLength(11);
    expect(await verifyUnits()).toMatchObject({ code: 0, out: '', err: '' });
    // It does find faults.
    const { err } = await verifyUnits((text) => text.replace('ProtectSystem', 'ProtectSystems'));
    expect(err).toContain('ProtectSystems');
  });

  test('all services have the sandbox of the shared file, with the score that it states', () => {
    const [, stated = ''] =
      /Score of `systemd-analyze security`: (\S+) OK/.exec(read(shared)) ?? [];
    for (const name of services) {
      const args = ['security', '--offline=yes', '--no-pager', join(folder, name)];
      const printed = execFileSync('systemd-analyze', args, { encoding: 'utf8' });
      const [, score] = /Overall exposure level for \S+: (\S+) OK/.exec(printed) ?? [];
      expect(Number(score), name).toBeLessThanOrEqual(Number(stated));
    }
  });

  test('the alert has no sandbox, which would prevent that it sends mail', () => {
    const args = ['security', '--offline=yes', '--no-pager', join(folder, 'cgs-alert@.service')];
    const printed = execFileSync('systemd-analyze', args, { encoding: 'utf8' });
    expect(printed).toContain('UNSAFE');
    // What a service and the shared file both set would be that of the shared file.
    const settingsOf = (name: string) =>
      [...read(name).matchAll(/^(\w+)=/gm)].map(([, setting]) => setting);
    const common = settingsOf(shared);
    const isList = ['Environment', 'SystemCallFilter'];
    for (const name of services) {
      const both = settingsOf(name).filter((one) => common.includes(one));
      expect(
        both.filter((one) => !isList.includes(one ?? '')),
        name,
      ).toEqual([]);
    }
  });

  test('each timer starts a service of its name', () => {
    const timers = names.filter((name) => name.endsWith('.timer'));
    expect(timers.map((name) => name.replace('.timer', '.service')).sort()).toEqual(
      [...services].sort(),
    );
  });

  /** Runs the command of a unit with its user, environment and folders. The sandbox is a read-only file system without capabilities. */
  async function runUnit(
    name: string,
    config: string,
    folders: Map<string, string>,
  ): Promise<Ended> {
    const [owner = ''] = valuesOf(name, 'User');
    const [given = ''] = valuesOf(name, 'EnvironmentFile');
    const file = given.replace(/^-?\/etc\/cgs-export/, config);
    const isMissing = given.startsWith('-') && !existsSync(file);
    const lines = isMissing ? [] : readFileSync(file, 'utf8').split('\n');
    const variables = [...lines, ...valuesOf(name, 'Environment')].filter((line) => line !== '');
    const env = Object.fromEntries(variables.map((line) => line.split(/=(.*)/).slice(0, 2)));
    for (const state of valuesOf(name, 'StateDirectory')) {
      folders.set(`/var/lib/${state}`, folders.get(`/var/lib/${state}`) ?? createOwnFolder(owner));
    }
    const mounts: Mount[] = [
      { folder: config, place: '/etc/cgs-export', isReadOnly: true },
      // PrivateTmp=yes gives each service one of its own.
      { folder: createOwnFolder(owner), place: '/var/tmp' },
    ];
    const own = valuesOf(name, 'StateDirectory').map((state) => `/var/lib/${state}`);
    for (const [place, one] of folders) {
      mounts.push({ folder: one, place, isReadOnly: !own.includes(place) });
    }
    const command = (valuesOf(name, 'ExecStart')[0] ?? '').split(' ');
    const [asGroup = ''] = valuesOf(name, 'Group');
    const options = { user: owner, group: asGroup, env: { PATH, ...env }, cwd: '/', mounts };
    return (await host.start(command, options)).ended;
  }

  test('the services run as written: tick, check, verify, report, prune', async () => {
    const { simulator, folder: config } = await createConfigFolder();
    // systemd takes such values as they are: it would treat quotes, backslashes and spaces in its own way.
    for (const value of Object.values(readKeys(config))) expect(value).toMatch(/^[\w+/-]+$/);
    const folders = new Map<string, string>();
    for (const name of services) {
      const ended = await runUnit(name, config, folders);
      expect(ended.code, `${name} ${ended.out}${ended.err}`).toBe(0);
    }
    expect(simulator.requests()).toHaveLength(3);
    expect(readdirSync(folders.get('/var/lib/cgs-export-report') ?? '')).toContain('report.html');
    const pins = join(folders.get('/var/lib/cgs-export-verify') ?? '', 'pins.jsonl');
    // The user of the exporter cannot change the pins.
    expect(statSync(pins)).toMatchObject({ uid: users['cgs-export-audit'], mode: 0o100640 });
  });
});

describe('cron', () => {
  const isVariable = (line: string) => /^[A-Z_]+=/.test(line);
  const tabs = ['cgs-export', 'cgs-export-audit'].map((owner) => {
    const lines = readFileSync(join(root, `examples/cron/${owner}.crontab`), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    const env = Object.fromEntries(lines.filter(isVariable).map((line) => line.split('=')));
    const jobs = lines
      .filter((line) => !isVariable(line))
      .map((line) => {
        const [, schedule = '', command = ''] = /^((?:\S+ ){4}\S+) (.+)$/.exec(line) ?? [];
        return { owner, env, schedule, command };
      });
    return { owner, jobs };
  });
  const jobs = tabs.flatMap((tab) => tab.jobs);

  test('schedules are those of cron, and no command has a % that cron would cut', () => {
    expect(jobs).toHaveLength(5);
    expect(findBadSchedules([...jobs.map(({ schedule }) => schedule), '61 * * * *'])).toEqual([
      '61 * * * *',
    ]);
    expect(jobs.filter(({ command }) => /(?<!\\)%/.test(command))).toEqual([]);
  });

  /** A host with the folders that docs/deploy-elsewhere.md makes. */
  async function createCronHost() {
    const { simulator, folder: config } = await createConfigFolder();
    const keysFile = join(config, 'keys.env');
    chmodSync(keysFile, 0o400);
    chownSync(keysFile, users['cgs-export'] ?? 0, group);
    const folders = {
      store: createOwnFolder('cgs-export'),
      log: createOwnFolder('cgs-export'),
      pins: createOwnFolder('cgs-export-audit'),
      reports: createOwnFolder('cgs-export-audit'),
    };
    const mounts: Mount[] = [
      { folder: config, place: '/etc/cgs-export', isReadOnly: true },
      { folder: folders.store, place: '/var/lib/cgs-export' },
      { folder: folders.log, place: '/var/log/cgs-export' },
      { folder: folders.pins, place: '/var/lib/cgs-export-verify' },
      { folder: folders.reports, place: '/var/lib/cgs-export-report' },
    ];
    const run = async (word: string) => {
      const job = jobs.find(({ command }) => command.includes(`cgs-export ${word}`));
      const user = job?.owner ?? '';
      const env = { SHELL: '/bin/sh', LOGNAME: user, HOME: '/', ...job?.env };
      const options = { user, group: 'cgs-export', env, cwd: '/', mounts };
      return (await host.start(['/bin/sh', '-c', job?.command ?? ''], options)).ended;
    };
    return { simulator, folders, keysFile, run };
  }

  test('each command runs as cron runs it, and prints something only if it fails', async () => {
    const { simulator, folders, run } = await createCronHost();
    // Nothing was exported yet: a mail.
    expect((await run('status')).out).toMatch(/does not exist|never sealed|no snapshot/);
    for (const word of ['tick', 'status', 'verify', 'report', 'prune']) {
      expect(await run(word), word).toMatchObject({ code: 0, out: '', err: '' });
    }
    expect(simulator.requests()).toHaveLength(3);
    expect(readdirSync(folders.reports)).toContain('report.html');
    expect(readdirSync(folders.pins)).toEqual(['pins.jsonl']);
  });

  test('without keys.env, tick sends no mail every minute, and prune sends one a day', async () => {
    const { folders, keysFile, run } = await createCronHost();
    rmSync(keysFile);
    expect(await run('tick')).toMatchObject({ out: '', err: '' });
    expect(readFileSync(join(folders.log, 'tick.log'), 'utf8')).toContain('keys.env');
    expect((await run('prune')).err).toContain('keys.env');
  });
});
