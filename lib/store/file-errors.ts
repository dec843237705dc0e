// Responsible for what a failed file system call means to a store: the error with its hint.

import { StoreError } from '../core/errors.ts';

/** The system error code such as ENOENT; empty if the error has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** True if no file has this path or can have it. */
export function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes(codeOf(error));
}

type Description = [code: 'DISK_FULL' | 'STORE_DENIED' | 'STORE_FAILED', hint: string];

const diskFull: Description = [
  'DISK_FULL',
  'Free space on the disk or raise its quota, then start again: the run continues where it stopped.',
];
const denied: Description = [
  'STORE_DENIED',
  'Give the user that runs cgs-export permission to read and write there, or choose another store.',
];

const descriptions: Record<string, Description> = {
  ENOSPC: diskFull,
  EDQUOT: diskFull,
  EACCES: denied,
  EPERM: denied,
  EROFS: denied,
  ENOTDIR: [
    'STORE_FAILED',
    'There is a file where a folder is needed: move the file away, or choose another store.',
  ],
  EEXIST: [
    'STORE_FAILED',
    'There is a file where a folder is needed, or a folder where a file is needed: move it away.',
  ],
  EISDIR: [
    'STORE_FAILED',
    'There is a folder where a file is needed: move the folder away, or choose another store.',
  ],
  EXDEV: [
    'STORE_FAILED',
    'All folders of a store must be on one file system: mount it at the root of the store.',
  ],
  EMFILE: [
    'STORE_FAILED',
    'This process has too many open files: raise its limit (ulimit -n), then start again.',
  ],
  ENAMETOOLONG: [
    'STORE_FAILED',
    'The path is too long for this file system: choose a store with a shorter path.',
  ],
};

type Verb = 'write' | 'read' | 'list' | 'delete';

/** Runs `act` and describes its error of the file system as toStoreError does. */
export async function withStoreErrors<T>(
  verb: Verb,
  path: string,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toStoreError(error, verb, path);
  }
}

/**
 * Describes an error of the file system. Returns any other error unchanged, because it is a bug in
 * this program.
 */
export function toStoreError(error: unknown, verb: Verb, path: string): unknown {
  const systemCode = codeOf(error);
  if (!(error instanceof Error) || systemCode === '') return error;
  const isLink = 'syscall' in error && error.syscall === 'link';
  const hasNoLinks = isLink && ['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(systemCode);
  const [code, hint]: Description = hasNoLinks
    ? [
        'STORE_FAILED',
        'The file system does not support hard links, which the lease needs: choose a store on another file system.',
      ]
    : (descriptions[systemCode] ?? [
        'STORE_FAILED',
        'Check that path and the system log, then start again.',
      ]);
  return new StoreError(code, `cannot ${verb} ${path}: ${error.message}`, hint, { cause: error });
}
