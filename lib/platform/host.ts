// Responsible for the identity of a process, so that another process on the same host can find out that it is gone.

import { readFileSync, readlinkSync } from 'node:fs';
import type { Host } from '../core/ports.ts';

/**
 * The identity is boot id, PID namespace, PID and start time. A PID alone is not enough: the system uses it again, and each
 * container has its own. Without /proc no process counts as gone; its lease then ends by itself.
 */
export function describeHost(random: () => number): Host {
  const namespace = readNamespace();
  const started = readStart(process.pid);
  const identity =
    namespace === null || started === null
      ? `unknown:${process.pid}:${Math.floor(random() * 2 ** 48).toString(36)}`
      : `${namespace}:${process.pid}:${started}`;
  return {
    identity,
    isGone(other) {
      if (namespace === null || !other.startsWith(`${namespace}:`)) return false;
      const [, pid, start] = /^(\d+):(\d+)$/.exec(other.slice(namespace.length + 1)) ?? [];
      return pid !== undefined && readStart(Number(pid)) !== start;
    },
  };
}

/** `<boot id>:<PID namespace>`, or null where there is no /proc: not Linux, or a sandbox. */
function readNamespace(): string | null {
  try {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const number = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
    return number === undefined ? null : `${bootId}:${number}`;
  } catch {
    return null;
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
