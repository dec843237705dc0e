// Responsible for a memory limit enforced by the kernel with a control group. Needs Linux and root; without them there is
// no limit, and the caller checks the peak afterwards.

import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface MemoryLimit {
  /** The file to which a process writes its id to join the group. */
  procs: string;
  remove(): void;
}

let count = 0;

/** The kernel kills a process that needs more than `bytes`. Swap is off. Null: no control group can be created. */
export function openMemoryLimit(bytes: number): MemoryLimit | null {
  const name = `cgs-export-${process.pid}-${count++}`;
  for (const [parent, file, swapFile] of [
    // Control groups version 1, then version 2.
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max', 'memory.swap.max'],
  ] as const) {
    const folder = join(parent, name);
    const remove = () => {
      // The kernel may hold an ended process a little longer. An empty group that stays behind does no harm.
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
