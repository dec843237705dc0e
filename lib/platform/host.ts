// Owns how a process is named, so that another one on the same host can tell that it is gone. Refuses to guess.

import { readFileSync, readlinkSync } from 'node:fs';
import type { Host } from '../core/ports.ts';

/**
 * Boot id, pid namespace, pid and start time: a pid alone is used again, and means nothing in another container.
 * Where /proc tells none of it, a process is never taken for gone, and its lease ends by itself.
 */
export function describeHost(random: () => number): Host {
  const place = readPlace();
  const started = place === null ? null : readStart(process.pid);
  const identity =
    place === null || started === null
      ? `unknown:${process.pid}:${Math.floor(random() * 2 ** 48).toString(36)}`
      : `${place}:${process.pid}:${started}`;
  return {
    identity,
    isGone(other) {
      if (place === null || !other.startsWith(`${place}:`)) return false;
      const [pid = '', start = ''] = other.slice(place.length + 1).split(':');
      if (!/^\d+$/.test(pid) || !/^\d+$/.test(start)) return false;
      return readStart(Number(pid)) !== start;
    },
  };
}

function readPlace(): string | null {
  try {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
    return namespace === undefined ? null : `${bootId}:${namespace}`;
  } catch {
    // No Linux, or a sandbox without /proc.
    return null;
  }
}

/** Clock ticks since boot at which the process began; null if there is no such process, or it is a zombie. */
function readStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in brackets and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
