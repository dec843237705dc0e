// Owns the real clock. Refuses to be used by the core directly: it is handed in.

import type { Clock } from '../core/ports.ts';

/** setTimeout fires up to a millisecond early and takes no delay beyond 2^31 ms: slept in turns until it is really time. */
const turnMaxMs = 2 ** 30;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(delayMs, signal) {
    const endMs = performance.now() + delayMs;
    for (let restMs = delayMs; restMs > 0; restMs = endMs - performance.now()) {
      await turn(Math.min(Math.ceil(restMs), turnMaxMs), signal);
    }
    signal?.throwIfAborted();
  },
};

function turn(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
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
