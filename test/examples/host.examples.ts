// Tests of examples/systemd and examples/cron without systemd and without cron. Method: the package is installed in a folder that
// stands for a host, with a user of its own. There systemd's checker reads the units, and their commands run as that user.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../lib/simulator/simulator.ts';
import { createFolder, type Ended, root } from '../e2e/processes.ts';
import { findBadSchedules, packInto, pointAt } from './packed.ts';
import { createRootFolder, type Mount, type RootFolder } from './root-folder.ts';

const user = 4567;
const { PATH = '' } = process.env;
let host: RootFolder;
beforeAll(async () => {
  host = await createRootFolder();
  const packed = packInto(createFolder());
  await host.install(['npm', 'install', '--global', '--no-audit', '--no-fund', packed]);
  const add = ['--system', '--user-group', '--uid', String(user), 'cgs-export'];
  await host.install(['useradd', ...add]);
});

/** A folder of the user. */
function createOwnFolder(): string {
  const folder = createFolder();
  chownSync(folder, user, user);
  return folder;
}

/** What an administrator writes: the configuration and the keys. */
async function createConfigFolder(store: string) {
  const simulator = await startSimulator({ nodes: 420, quota: null });
  onTestFinished(() => simulator.stop());
  const text = `store: ${store}\nquota: { requests: 1000, windowSeconds: 1 }\naccounts: [{ name: prod, targets: [{ region: cn-south-4 }] }]\n`;
  const folder = createFolder();
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'cgs-export.yml'), pointAt(simulator, text));
  const { ak, sk } = simulator;
  return { simulator, folder, keys: { HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk } };
}

describe('systemd', () => {
  const folder = join(root, 'examples/systemd');
  const names = readdirSync(folder).sort();
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  /** The values of a setting of a unit. */
  const valuesOf = (name: string, setting: string) =>
    [...read(name).matchAll(new RegExp(`^${setting}=(.*)$`, 'gm'))].map(([, value]) => value ?? '');
  const services = ['cgs-export.service', 'cgs-export-check.service', 'cgs-export-report.service'];

  /** Writes the units to where an administrator puts them, and returns what the checker says. */
  async function verifyUnits(change = (text: string) => text): Promise<Ended> {
    const place = '/etc/systemd/system';
    mkdirSync(host.pathOf(place), { recursive: true });
    for (const name of names) writeFileSync(host.pathOf(join(place, name)), change(read(name)));
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
    expect(names).toHaveLength(7);
    expect(await verifyUnits()).toMatchObject({ code: 0, out: '', err: '' });
    // It does find faults.
    const { err } = await verifyUnits((text) => text.replace('ProtectSystem', 'ProtectSystems'));
    expect(err).toContain('ProtectSystems');
  });

  test('the sandbox of the services has the score that the file states', () => {
    const [, stated = ''] =
      /Score of `systemd-analyze security`: (\S+) OK/.exec(read(services[0] ?? '')) ?? [];
    for (const name of services) {
      const args = ['security', '--offline=yes', '--no-pager', join(folder, name)];
      const printed = execFileSync('systemd-analyze', args, { encoding: 'utf8' });
      const [, score] = /Overall exposure level for \S+: (\S+) OK/.exec(printed) ?? [];
      expect(Number(score), name).toBeLessThanOrEqual(Number(stated));
    }
    const sandboxes = services.map((name) =>
      read(name).slice(read(name).indexOf('\nCapabilityBoundingSet=')),
    );
    expect(new Set(sandboxes).size).toBe(1);
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
    const [group = ''] = valuesOf(name, 'Group');
    const [given = ''] = valuesOf(name, 'EnvironmentFile');
    const file = given.replace(/^-?\/etc\/cgs-export/, config);
    const lines = readFileSync(file, 'utf8').split('\n');
    const variables = [...lines, ...valuesOf(name, 'Environment')].filter((line) => line !== '');
    const env = Object.fromEntries(variables.map((line) => line.split(/=(.*)/).slice(0, 2)));
    for (const state of valuesOf(name, 'StateDirectory')) {
      folders.set(`/var/lib/${state}`, folders.get(`/var/lib/${state}`) ?? createOwnFolder());
    }
    const mounts: Mount[] = [{ folder: config, place: '/etc/cgs-export', isReadOnly: true }];
    const own = valuesOf(name, 'StateDirectory').map((state) => `/var/lib/${state}`);
    for (const [place, one] of folders) {
      mounts.push({ folder: one, place, isReadOnly: !own.includes(place) });
    }
    const command = (valuesOf(name, 'ExecStart')[0] ?? '').split(' ');
    const options = { user: owner, group, env: { PATH, ...env }, cwd: '/', mounts };
    return (await host.start(command, options)).ended;
  }

  test('the services run as written: tick, check, report', async () => {
    const {
      simulator,
      folder: config,
      keys,
    } = await createConfigFolder('file:/var/lib/cgs-export');
    const lines = Object.entries(keys).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(config, 'keys.env'), lines.join(''), { mode: 0o600 });
    const folders = new Map<string, string>();
    for (const name of ['', '-check', '-report']) {
      const ended = await runUnit(`cgs-export${name}.service`, config, folders);
      expect(ended.code, `${name} ${ended.out}${ended.err}`).toBe(0);
    }
    expect(simulator.requests()).toHaveLength(3);
    expect(readdirSync(folders.get('/var/lib/cgs-export-report') ?? '')).toContain('report.html');
  });
});

describe('cron', () => {
  const lines = readFileSync(join(root, 'examples/cron/cgs-export.crontab'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const isVariable = (line: string) => /^[A-Z]+=/.test(line);
  const jobs = lines
    .filter((line) => !isVariable(line))
    .map((line) => {
      const [, schedule = '', command = ''] = /^((?:\S+ ){4}\S+) (.+)$/.exec(line) ?? [];
      return { schedule, command };
    });

  test('schedules are those of cron, and no command has a % that cron would cut', () => {
    expect(jobs).toHaveLength(3);
    expect(findBadSchedules([...jobs.map(({ schedule }) => schedule), '61 * * * *'])).toEqual([
      '61 * * * *',
    ]);
    expect(jobs.filter(({ command }) => /(?<!\\)%/.test(command))).toEqual([]);
  });

  test('each command runs as cron runs it, and prints something only if it fails', async () => {
    const { simulator, folder: config, keys } = await createConfigFolder('file:./store');
    const audit = createOwnFolder();
    cpSync(join(config, 'cgs-export.yml'), join(audit, 'cgs-export.yml'));
    const exported = Object.entries(keys).map(([name, value]) => `export ${name}=${value}\n`);
    writeFileSync(join(audit, 'keys.env'), exported.join(''));
    chownSync(join(audit, 'keys.env'), user, user);
    const given = Object.fromEntries(lines.filter(isVariable).map((line) => line.split('=')));
    const env = { SHELL: '/bin/sh', LOGNAME: 'cgs-export', HOME: '/srv/audit', ...given };
    const options = {
      ...{ user: 'cgs-export', group: 'cgs-export', env, cwd: '/' },
      mounts: [{ folder: audit, place: '/srv/audit' }],
    };
    const runJob = async ({ command = '' } = {}) =>
      (await host.start(['/bin/sh', '-c', command], options)).ended;
    const [tick, check, report] = jobs;
    // Nothing was exported yet: a mail.
    expect((await runJob(check)).out).toMatch(/does not exist|never sealed/);
    for (const job of [tick, check, report]) {
      expect(await runJob(job), job?.command).toMatchObject({ code: 0, out: '', err: '' });
    }
    expect(simulator.requests()).toHaveLength(3);
    expect(readdirSync(join(audit, 'report'))).toContain('report.html');
  });
});
