// Responsible for asking the service for its own count of a target's records, with one request and without retries.
// Not responsible for the quota: the caller's RequestGate admits the request.

import type { ExportError } from '../core/errors.ts';
import type { OwnCount, RequestGate } from '../core/ports.ts';
import { describeShape, parseBody, unexpectedBody } from './answers.ts';
import { createPeer, openSession, type SourceOptions } from './pages.ts';

/** `paused`: the gate admits no request now. Throws the errors of a page request. */
export async function fetchOwnCount(
  options: SourceOptions,
  ownCount: OwnCount,
  gate: RequestGate,
): Promise<number | 'paused'> {
  const { dataset, scope } = options;
  const peer = { ...createPeer(options), name: `the count of ${dataset.noun}` };
  const atItsPath = { ...options, dataset: { ...dataset, path: ownCount.path } };
  const session = openSession(atItsPath, peer);
  const identity = await session.signIn(gate.signal);
  if (gate.timeLeftMs() <= 0 || !(await gate.admit())) return 'paused';
  const outcome = await session.send(identity, ownCount.query(scope), gate);
  let error: ExportError | null = outcome.error;
  let count: number | null = null;
  try {
    if (error === null) {
      const body = parseBody(peer, outcome.answer?.body ?? '');
      count = ownCount.read(body);
      if (count === null) error = unexpectedBody(peer, describeShape(peer, body));
    }
  } catch (caught) {
    error = caught as ExportError;
  }
  await gate.sent({ atMonotonicMs: outcome.sentAtMonotonicMs, error });
  if (outcome.thrown) throw outcome.thrown.value;
  if (error) throw error;
  return count as number;
}
