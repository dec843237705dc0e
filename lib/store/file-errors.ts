// Responsible for what a failed file system call means to a store: the error with its hint.

import { StoreError } from '../core/errors.ts';

/** The system error code such as ENOENT; empty if the error has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** For `catch`. Null if no object has the path: nothing is or can be there, or a folder is. Otherwise throws `error`. */
export function nullIfAbsent(error: unknown): null {
  if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EISDIR'].includes(codeOf(error))) return null;
  throw error;
}

/**
 * Runs `act`. Throws an error of the file system as a StoreError, and any other error unchanged, because it is a bug in
 * this program.
 */
export async function withStoreErrors<T>(
  verb: 'write' | 'read' | 'list' | 'delete',
  path: string,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const systemCode = codeOf(error);
    if (!(error instanceof Error) || systemCode === '') throw error;
    const isLink = 'syscall' in error && error.syscall === 'link';
    const [code, hint] = describe(systemCode, isLink);
    throw new StoreError(code, `cannot ${verb} ${path}: ${error.message}`, hint, { cause: error });
  }
}

function describe(systemCode: string, isLink: boolean): [code: string, hint: string] {
  if (isLink && ['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(systemCode)) {
    return ['STORE_FAILED', noLinksHint];
  }
  if (['ENOSPC', 'EDQUOT'].includes(systemCode)) return ['DISK_FULL', diskFullHint];
  if (['EACCES', 'EPERM', 'EROFS'].includes(systemCode)) return ['STORE_DENIED', deniedHint];
  return ['STORE_FAILED', failedHints[systemCode] ?? otherHint];
}

const noLinksHint =
  'The file system does not support hard links, which the lease needs: choose a store on another file system.';
const diskFullHint =
  'Free space on the disk or raise its quota, then start again: the run continues where it stopped.';
const deniedHint =
  'Give the user that runs cgs-export permission to read and write there, or choose another store.';
const misplacedHint =
  'There is a file where a folder is needed, or a folder where a file is needed: move it away, or choose another store.';
const failedHints: Record<string, string> = {
  ENOTDIR: misplacedHint,
  EEXIST: misplacedHint,
  EISDIR: misplacedHint,
  EXDEV: 'All folders of a store must be on one file system: mount it at the root of the store.',
  EMFILE: 'This process has too many open files: raise its limit (ulimit -n), then start again.',
  ENAMETOOLONG: 'The path is too long for this file system: choose a store with a shorter path.',
};
const otherHint = 'Check that path and the system log, then start again.';
