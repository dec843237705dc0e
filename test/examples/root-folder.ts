// Responsible for folders that stand for an installed host or a container: the files of this machine, and what was installed above
// them. Not responsible for what is installed. Needs Linux and root: mounts, PID namespaces, other users.

import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createFolder, type Ended, type Started, startProcess } from '../e2e/processes.ts';

/** Mounts are private to the process, and end with it. */
const enter = ['--mount', '--pid', '--fork', '--kill-child'];

/** `$1`: the folder of the layers. The rest is run in the file system as process 1. Only one process at a time may do it. */
const writable = `set -eu
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/merged"
mount --rbind /dev "$1/merged/dev"
mount -t proc proc "$1/merged/proc"
root="$1/merged"; shift
exec chroot "$root" "$@"`;

/** The same, but read-only. `$2`: lines of folder, place and options of a bind mount. /tmp is empty. */
const readOnly = `set -eu
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/merged"
mount -o remount,bind,ro "$1/merged"
mount --rbind /dev "$1/merged/dev"
mount -t proc proc "$1/merged/proc"
printf '%s' "$2" | while read -r folder place options; do
  mount --bind "$folder" "$1/merged$place"
  mount -o "remount,bind,$options" "$1/merged$place"
done
mount -t tmpfs tmpfs "$1/merged/tmp"
root="$1/merged"; shift 2
exec chroot "$root" "$@"`;

export interface Mount {
  /** A folder of this machine. */
  folder: string;
  place: string;
  isReadOnly?: boolean;
}

export interface RunOptions {
  /** A number or a name. */
  user: string;
  group: string;
  /** All variables of the process. */
  env: Readonly<Record<string, string>>;
  cwd: string;
  mounts: readonly Mount[];
}

export interface RootFolder {
  /** Where a file that was installed as `path` is on this machine. Changes of it are seen by later processes. */
  pathOf(path: string): string;
  /** Runs as root, and may change everything in the folder. Throws if it fails. */
  install(command: readonly string[], env?: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Starts a process that is process 1, on a read-only file system, without capabilities, and without a way to get some. It
   * can write to /tmp and to mounts. It shares the network of this machine. One at a time: overlay file systems share no layer.
   */
  start(command: readonly string[], options: RunOptions): Promise<Started>;
}

export async function createRootFolder(): Promise<RootFolder> {
  const base = createFolder();
  for (const name of ['upper', 'work', 'merged']) await mkdir(join(base, name));
  const pathOf = (path: string) => join(base, 'upper', path);
  return {
    pathOf,

    async install(command, env = {}) {
      const ended = await startProcess(
        'unshare',
        [...enter, 'sh', '-c', writable, 'sh', base, ...command],
        { env: { HOME: '/root', ...env } },
      ).ended;
      if (ended.code !== 0) throw new Error(`${command.join(' ')}: ${ended.err}${ended.out}`);
    },

    async start(command, { user, group, env, cwd, mounts }) {
      for (const { place } of mounts) await mkdir(pathOf(place), { recursive: true });
      const lines = mounts.map(
        ({ folder, place, isReadOnly }) => `${folder} ${place} ${isReadOnly ? 'ro' : 'rw'}\n`,
      );
      const rights = ['--clear-groups', '--bounding-set=-all', '--no-new-privs'];
      const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      const inFolder = ['sh', '-c', 'cd "$0" && exec "$@"', cwd, ...command];
      return startProcess(
        'unshare',
        [
          ...[...enter, 'sh', '-c', readOnly, 'sh', base, lines.join('')],
          ...['setpriv', `--reuid=${user}`, `--regid=${group}`, ...rights],
          ...['env', '-i', ...variables, ...inFolder],
        ],
        {},
      );
    },
  };
}

/** Sends SIGTERM to process 1, as `docker stop` does. Only a process that listens for the signal notices it. */
export async function stop({ child, ended }: Started): Promise<Ended & { seconds: number }> {
  const startedMs = performance.now();
  process.kill(await firstProcess(child.pid ?? 0), 'SIGTERM');
  return { ...(await ended), seconds: (performance.now() - startedMs) / 1000 };
}

/** `unshare` itself ignores signals, and is the parent of process 1. */
async function firstProcess(parent: number): Promise<number> {
  for (;;) {
    const [child] = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ');
    if (child) return Number(child);
    await delay(20);
  }
}
