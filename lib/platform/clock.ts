// Responsible for the real clock. The core does not import it: it receives a Clock as an argument.

import type { Clock } from '../core/ports.ts';

/** setTimeout cannot take a delay of 2^31 ms or more. */
const timerMaxMs = 2 ** 30;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  // Not performance.now(), which starts with the process. On Linux this is CLOCK_MONOTONIC, which starts with the host.
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  async sleep(delayMs, signal) {
    const endMs = performance.now() + delayMs;
    // A loop, because setTimeout can also fire up to a millisecond early.
    for (let restMs = delayMs; restMs > 0; restMs = endMs - performance.now()) {
      await waitForTimer(Math.min(Math.ceil(restMs), timerMaxMs), signal);
    }
    signal?.throwIfAborted();
  },
};

function waitForTimer(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
