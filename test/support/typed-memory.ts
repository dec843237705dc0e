// Responsible for measuring how many bytes typed arrays need.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** The bytes of all typed arrays that are in use. Arrays that nothing refers to do not count. */
export function countTypedBytes(): number {
  // V8 frees the memory of arrays in the background. The second collection waits for the end of the first one.
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}
