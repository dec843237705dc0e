// Owns a memory limit that the kernel keeps, as a function's platform sets one: a control group of its own. Refuses to be had where it
// may not be made (no Linux, no root): then there is none, and the caller looks at the peak instead.

import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface MemoryLimit {
  /** What a process writes its id to, before anything else. */
  procs: string;
  remove(): void;
}

let count = 0;

/** Null: it cannot be had. `bytes`: beyond it the kernel kills, as nothing may be swapped out. */
export function openMemoryLimit(bytes: number): MemoryLimit | null {
  const name = `cgs-export-${process.pid}-${count++}`;
  for (const [parent, file, swapFile] of [
    // Version 1, then version 2 of control groups.
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max', 'memory.swap.max'],
  ] as const) {
    const folder = join(parent, name);
    const remove = () => {
      // The kernel may take a moment to let go of a process that has ended; a group without processes costs nothing.
      try {
        rmdirSync(folder);
      } catch {}
    };
    if (!existsSync(join(parent, 'cgroup.procs'))) continue;
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, file), String(bytes));
      if (existsSync(join(folder, swapFile))) {
        writeFileSync(join(folder, swapFile), swapFile === 'memory.swap.max' ? '0' : String(bytes));
      }
      return { procs: join(folder, 'cgroup.procs'), remove };
    } catch {
      remove();
    }
  }
  return null;
}
