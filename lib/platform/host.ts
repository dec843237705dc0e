// Responsible for the identity of a process, so that another process on the same host can find out that it is gone.

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Host } from '../core/ports.ts';

/**
 * The identity is boot id, PID namespace, PID and start time. A PID alone is not enough: the system uses it again, and each
 * container has its own. Without /proc no process counts as gone; its lease then ends by itself.
 */
export function describeHost(random: () => number): Host {
  const host = readBoot();
  const started = readStart(process.pid);
  const known = host !== null && started !== null ? host : null;
  const namespace = known && `${known.boot}.${known.pidNamespace}`;
  return {
    identity:
      namespace === null
        ? `unknown.${process.pid}.${Math.floor(random() * 2 ** 48).toString(36)}`
        : `${namespace}.${process.pid}.${started}`,
    name: `process ${process.pid} on ${hostname()}`,
    boot: known?.boot ?? null,
    isGone(other) {
      if (namespace === null || !other.startsWith(`${namespace}.`)) return false;
      const [, pid, start] = /^(\d+)\.(\d+)$/.exec(other.slice(namespace.length + 1)) ?? [];
      if (pid === undefined || readStart(Number(pid)) === start) return false;
      return !isHidden(Number(pid));
    },
  };
}

/**
 * The inode of the time namespace that Linux starts in. In another one, the monotonic clock and the start times of
 * processes are shifted. Source: Linux, include/linux/proc_ns.h, PROC_TIME_INIT_INO.
 */
const firstTimeNamespace = '4026531834';

/** Null where this cannot be known: not Linux, a sandbox without /proc, or a time namespace of its own. */
function readBoot(): { boot: string; pidNamespace: string } | null {
  try {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    const boot = bootId.replaceAll('-', '').slice(0, 12);
    const pidNamespace = readNamespace('pid');
    const isShifted = (readNamespace('time') ?? firstTimeNamespace) !== firstTimeNamespace;
    if (!/^[0-9a-f]{12}$/.test(boot) || pidNamespace === null || isShifted) return null;
    return { boot, pidNamespace };
  } catch {
    return null;
  }
}

/** Null if the kernel has no namespaces of this kind. */
function readNamespace(kind: 'pid' | 'time'): string | null {
  try {
    return /\d+/.exec(readlinkSync(`/proc/self/ns/${kind}`))?.[0] ?? null;
  } catch {
    return null;
  }
}

/** True: the process exists, but is another user's, and /proc is mounted with `hidepid`. It can be any process. */
function isHidden(pid: number): boolean {
  try {
    readFileSync(`/proc/${pid}/stat`);
    return false;
  } catch {
    return isForbidden(pid);
  }
}

/** Whether a process exists that this one may not send signals to. Signal 0 only asks. */
function isForbidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** The start time of a process, in clock ticks since boot; null if there is no such process or it is a zombie. */
function readStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in brackets. It can contain spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    return state === 'Z' || state === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
