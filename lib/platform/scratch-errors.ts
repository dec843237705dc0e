// Responsible for what a failed call on a temporary file means: the error with its hint.

import { ScratchError } from '../core/errors.ts';

const largerHint =
  'Free space there, or set TMPDIR to a folder on a larger file system. In FunctionGraph the folder is /tmp: raise the ephemeral storage of the function. Then start again: the run continues where it stopped.';
const folderHint =
  'Create this folder if it does not exist and let the user that runs cgs-export write to it, or set TMPDIR to such a folder.';
const otherHint =
  'Check this folder and the system log, then start again. If a program cleans this folder, set TMPDIR to another one.';

/** System errors that do not pass by themselves, if they prevent the creation of the folder. */
const unusableCodes = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EINVAL', 'ENOSYS'];

/**
 * `parent`: the folder that TMPDIR names. `isFirst`: the call created the first folder in it. Returns an error that is not of
 * the file system unchanged, because it is a bug.
 */
export function describeScratchFault(parent: string, error: unknown, isFirst = false): unknown {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return error;
  const [code, hint] = describe(String(error.code), isFirst);
  // The name of a folder that could not be made is random.
  const cause = error.message.replace(/, mkdtemp .*$/s, '');
  const message = `cannot use ${parent} for temporary files: ${cause}`;
  return new ScratchError(code, message, hint, { cause: error });
}

function describe(systemCode: string, isFirst: boolean): [code: string, hint: string] {
  if (['ENOSPC', 'EDQUOT'].includes(systemCode)) return ['DISK_FULL', largerHint];
  if (['EACCES', 'EPERM', 'EROFS'].includes(systemCode)) return ['TEMP_UNUSABLE', folderHint];
  if (isFirst && unusableCodes.includes(systemCode)) return ['TEMP_UNUSABLE', folderHint];
  if (systemCode === 'EFBIG') {
    const hint =
      'The file is larger than the file system or the limit of this process (ulimit -f) allows: raise the limit, or set TMPDIR to a folder on another file system.';
    return ['TEMP_UNUSABLE', hint];
  }
  if (['EMFILE', 'ENFILE'].includes(systemCode)) {
    const hint = 'Too many files are open: raise the limit (ulimit -n), then start again.';
    return ['TEMP_FAILED', hint];
  }
  return ['TEMP_FAILED', otherHint];
}

/** `fault`: why there is no file. `roomBytes`: what fits into memory. */
export function noRoom(fault: ScratchError, roomBytes: number): ScratchError {
  const { code, message, hint } = fault;
  const excess = `the temporary data is more than the ${roomBytes / 1e6} MB that are kept in memory instead`;
  return new ScratchError(code, `${message}, and ${excess}`, hint, { cause: fault });
}

/** The file has other bytes than were written. */
export function changedFile(path: string, what: string): ScratchError {
  const message = `the temporary file ${path} was changed by another program or a failing disk: ${what}`;
  return new ScratchError('TEMP_FAILED', message, otherHint);
}
