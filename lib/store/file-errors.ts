// Responsible for what a failed file system call means to a store: the error with its hint.

import { ExportError, StoreError } from '../core/errors.ts';

/** The system error code such as ENOENT; empty if the error has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** For `catch`. Null if no object has the path: nothing is or can be there, or a folder is. Otherwise throws `error`. */
export function nullIfAbsent(error: unknown): null {
  if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EISDIR'].includes(codeOf(error))) return null;
  throw error;
}

type Verb = 'write' | 'read' | 'list' | 'delete';

/**
 * Runs `act`. Throws an error of the file system as a StoreError, and any other error unchanged, because it is a bug in
 * this program.
 */
export async function withStoreErrors<T>(
  verb: Verb,
  path: string,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const systemCode = codeOf(error);
    if (!(error instanceof Error) || error instanceof ExportError || systemCode === '') throw error;
    const isLink = 'syscall' in error && error.syscall === 'link';
    const [code, hint] = describe(systemCode, isLink, verb);
    throw new StoreError(code, `cannot ${verb} ${path}: ${error.message}`, hint, { cause: error });
  }
}

function describe(systemCode: string, isLink: boolean, verb: Verb): [code: string, hint: string] {
  if (isLink && ['EPERM', ...missingFeatureCodes].includes(systemCode)) {
    return ['STORE_UNUSABLE', noLinksHint];
  }
  if (['ENOSPC', 'EDQUOT'].includes(systemCode)) return ['DISK_FULL', diskFullHint];
  if (['EACCES', 'EPERM', 'EROFS'].includes(systemCode)) {
    return ['STORE_DENIED', describeDenied(verb)];
  }
  const unusableHint = unusableHints[systemCode];
  if (unusableHint !== undefined) return ['STORE_UNUSABLE', unusableHint];
  return ['STORE_FAILED', failedHints[systemCode] ?? otherHint];
}

/** For something that a store must not contain. A retry does not help. */
export function unusable(path: string, message: string, hint: string): StoreError {
  return new StoreError('STORE_UNUSABLE', `${path} ${message}`, hint);
}

/** An open file that has fewer bytes than when it was opened. */
export function shortened(path: string, found: number, bytes: number): StoreError {
  const message = `cannot read ${path}: it has ${found} of the ${bytes} bytes that it had when it was opened`;
  const hint =
    'Another program changes files of the store: find it and stop it, restore the file from a backup, then start again.';
  return new StoreError('STORE_FAILED', message, hint);
}

export function linkFound(path: string): StoreError {
  const hint =
    'Links in a store are not followed: put the folder or file itself there, or mount it. The folder of the store itself may be a link.';
  return unusable(path, 'is a symbolic link', hint);
}

const missingFeatureCodes = ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];
const noLinksHint =
  'The file system does not support hard links, which the lease needs: choose a store on another file system.';
const diskFullHint =
  'Free space on the disk or raise its quota, then start again: the run continues where it stopped.';
/** Commands that only read need no permission to write. */
function describeDenied(verb: Verb): string {
  const right =
    verb === 'read' || verb === 'list'
      ? 'permission to read there (an export also needs to write)'
      : 'permission to read and write there';
  return `Give the user that runs cgs-export ${right}, or choose another store.`;
}
const misplacedHint =
  'There is a file where a folder is needed, or a folder where a file is needed: move it away, or choose another store.';
const noFeatureHint =
  'The file system does not support this: choose a store on another file system.';
const shorterHint =
  'The path is too long for this file system: choose a store with a shorter path.';

/** System errors that do not pass by themselves. */
const unusableHints: Readonly<Record<string, string>> = {
  ENOENT: 'The folder cannot be created there: choose a store on a file system that allows it.',
  ENOTDIR: misplacedHint,
  EEXIST: misplacedHint,
  EISDIR: misplacedHint,
  ENOTEMPTY: misplacedHint,
  ELOOP:
    'The path of the store has links that lead back to themselves: correct them, or choose another store.',
  EXDEV: 'All folders of a store must be on one file system: mount it at the root of the store.',
  ENAMETOOLONG: shorterHint,
  EILSEQ: 'The file system does not accept this name: choose a store on another file system.',
  EINVAL: noFeatureHint,
  EFBIG:
    'The file is larger than this file system or the limit of this process (ulimit -f) allows: raise the limit, or choose another store.',
  EOVERFLOW: noFeatureHint,
  ENODEV: noFeatureHint,
  ENXIO: 'There is a pipe, a socket or a device in place of a file: move it away.',
  ...Object.fromEntries(missingFeatureCodes.map((code) => [code, noFeatureHint])),
};

/** System errors that can pass by themselves. */
const failedHints: Readonly<Record<string, string>> = {
  EMFILE: 'This process has too many open files: raise its limit (ulimit -n), then start again.',
  ESTALE: 'The file server has lost the folder: mount it again, then start again.',
  ENOTCONN: 'The file system is not connected: mount it again, then start again.',
};
const otherHint = 'Check that path and the system log, then start again.';
