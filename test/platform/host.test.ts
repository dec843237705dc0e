// Tests that a process counts as gone only when it is certainly gone. Method: real processes that run, end, and become zombies; then
// identities that are not from this host. Only Linux has this information.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { describeHost } from '../../lib/platform/host.ts';

const own = describeHost(() => 0.5);
const module = new URL('../../lib/platform/host.ts', import.meta.url).href;
const root = fileURLToPath(new URL('../..', import.meta.url));
const script = `
  import { describeHost } from ${JSON.stringify(module)};
  console.log(describeHost(Math.random).identity);
  if (process.argv[1] === 'stay') setInterval(() => {}, 60_000);
`;
const args = ['--import', 'tsx', '--input-type=module', '-e', script];

/** Not every machine lets its users make namespaces. */
const mayMakeNamespaces =
  process.platform === 'linux' &&
  spawnSync('unshare', ['--user', '--map-root-user', '--pid', '--time', '--fork', 'true'])
    .status === 0;

async function readLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('no stdout');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('the process printed nothing');
}

async function until(isTrue: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 200 && !isTrue(); tries += 1) await sleep(20);
  return isTrue();
}

describe.runIf(process.platform === 'linux')('on Linux', () => {
  test('another process is not gone while it runs, and gone after it was killed', async () => {
    const child = spawn(process.execPath, [...args, 'stay'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const identity = await readLine(child);
    expect(identity).toContain(`.${child.pid}.`);
    expect(identity.split('.')[0]).toBe(own.boot);
    expect(own.isGone(identity)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(own.isGone(identity)).toBe(true);
  });

  test('a zombie is gone', async () => {
    // The shell becomes `sleep`, which never waits for the child process.
    const parent = spawn('sh', ['-c', '"$0" "$@" & exec sleep 30', process.execPath, ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const identity = await readLine(parent);
    expect(await until(() => own.isGone(identity))).toBe(true);
    const [pid = ''] = identity.split('.').slice(2);
    // The process still has an entry: kill(pid, 0) would call it alive.
    expect(() => process.kill(Number(pid), 0)).not.toThrow();
  });

  /** As the user nobody, who sees only own processes: `mount -o hidepid` is usual on hardened hosts. */
  function isGoneForOthers(identity: string): boolean {
    const judge = `
      import { describeHost } from ${JSON.stringify(module)};
      console.log(describeHost(Math.random).isGone(process.argv[1]));
    `;
    const mount =
      'mount -t proc -o hidepid=invisible proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"';
    const command = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', judge];
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['--mount', 'sh', '-c', mount, 'sh', ...command, identity],
      { cwd: root, encoding: 'utf8', env: { PATH: process.env.PATH, TMPDIR: '/tmp' } },
    );
    if (!/^(true|false)\n$/.test(stdout)) throw new Error(stderr);
    return stdout === 'true\n';
  }

  test.runIf(process.getuid?.() === 0)(
    "a process that /proc hides, because it is another user's, is gone only after it ended",
    async () => {
      const child = spawn(process.execPath, [...args, 'stay'], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      const identity = await readLine(child);
      expect(isGoneForOthers(identity)).toBe(false);
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(isGoneForOthers(identity)).toBe(true);
    },
  );

  test('this process is not gone', () => {
    expect(own.isGone(own.identity)).toBe(false);
    expect(describeHost(() => 0.1).identity).toBe(own.identity);
  });

  /** The identity of an earlier process with the same PID. */
  const gone = own.identity.replace(/\d+$/, (start) => String(Number(start) - 1));

  test('an earlier process with the same PID is gone', () => {
    expect(own.isGone(gone)).toBe(true);
  });

  test.each([
    ['another boot', gone.replace(/^[^.]+/, '000000000000')],
    [
      'another PID namespace: another container, whose first process is 1 too',
      gone.replace(/^([^.]+)\.\d/, '$1.0'),
    ],
    [
      'a namespace with the same beginning',
      `${own.identity.split('.').slice(0, 2).join('.')}1.1.1`,
    ],
    ['no start time', own.identity.split('.').slice(0, 3).join('.')],
    ['no PID', own.identity.replace(/\.\d+\.\d+$/, '.self.1')],
    ['a path', own.identity.replace(/\.\d+\.\d+$/, '.1/../self.1')],
    ['an identity from a host without /proc', 'unknown.1.abc'],
    ['an empty text', ''],
  ])('%s: not gone', (_name, identity) => {
    expect(own.isGone(identity)).toBe(false);
  });

  test('the boot is twelve hex digits, and the name says process and host', () => {
    expect(own.boot).toMatch(/^[0-9a-f]{12}$/);
    expect(own.name).toBe(`process ${process.pid} on ${hostname()}`);
  });

  test.runIf(mayMakeNamespaces)(
    'in a PID namespace of its own, every first process is 1, but no two identities are equal',
    async () => {
      const inNamespace = [
        '--user',
        '--map-root-user',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount-proc',
      ];
      const identities = await Promise.all(
        [1, 2].map(async () => {
          const child = spawn('unshare', [...inNamespace, process.execPath, ...args, 'stay'], {
            cwd: root,
            stdio: ['ignore', 'pipe', 'inherit'],
          });
          onTestFinished(() => void child.kill('SIGKILL'));
          return readLine(child);
        }),
      );
      const [first = '', second = ''] = identities;
      expect(first).toContain('.1.');
      expect(first.split('.')[0]).toBe(own.boot);
      expect(first.split('.')[1]).not.toBe(second.split('.')[1]);
      expect(own.isGone(first)).toBe(false);
    },
  );
});

test.runIf(mayMakeNamespaces)(
  'in a time namespace of its own, whose clocks are shifted, the boot is not known',
  async () => {
    const child = spawn(
      'unshare',
      ['--user', '--map-root-user', '--time', '--boottime', '86400', process.execPath, ...args],
      { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    const identity = await readLine(child);
    expect(identity).toMatch(/^unknown\./);
    expect(own.isGone(identity)).toBe(false);
  },
);
