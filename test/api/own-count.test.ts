// Tests, over real sockets, the request for the service's own count: one try, reported to the gate.

import { expect, test } from 'vitest';
import { fetchOwnCount } from '../../lib/api/own-count.ts';
import { createFetch } from '../../lib/api/transport.ts';
import type { OwnCount, RequestGate, Sent } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { sendJson, startServer } from './answering-server.ts';

const ownCount = containerNodes.ownCount as OwnCount;

function ask(url: string, isAdmitted = true) {
  const sent: Sent[] = [];
  const gate: RequestGate = {
    admit: async () => isAdmitted,
    sent: async (outcome) => void sent.push(outcome),
    mayWait: () => true,
    timeLeftMs: () => 60_000,
    signal: new AbortController().signal,
  };
  const clock = { nowMs: Date.now, monotonicMs: () => performance.now(), sleep: async () => {} };
  const options = {
    ...{ dataset: containerNodes, endpoint: url, region: 'cn-south-4', projectId: '0f1e2d' },
    scope: { api: 'hss' as const, enterpriseProjectId: 'all_granted_eps', filters: {} },
    credentials: async () => ({ kind: 'aksk' as const, ak: 'TESTAK01', sk: 'test-secret' }),
    fetch: createFetch(openConnections({ httpsProxy: null, noProxy: null })),
    ...{ clock, scrubber: createScrubber(), log: () => {}, backoffMs: 0, windowMs: 1 },
  };
  return { sent, count: fetchOwnCount(options, ownCount, gate) };
}

test('returns the count, and asks for the enterprise projects of the target', async () => {
  const { url, received } = await startServer((response) =>
    sendJson(response, 200, { unprotected_num: 7, protected_num: 5, new_num: 1 }),
  );
  const { sent, count } = ask(url);
  expect(await count).toBe(12);
  expect(received.map((request) => request.url)).toEqual([
    '/v5/0f1e2d/container/node-statistics?enterprise_project_id=all_granted_eps',
  ]);
  expect(received[0]?.headers.authorization).toContain('TESTAK01');
  expect(sent).toMatchObject([{ error: null }]);
});

test.each([
  [404, { error_code: 'APIGW.0101' }, 'NO_SUCH_API'],
  [503, {}, 'SERVER'],
  [403, {}, 'NOT_PERMITTED'],
  [200, { total_num: 3, data_list: [] }, 'NOT_A_PAGE'],
  [200, { unprotected_num: '7', protected_num: 5 }, 'NOT_A_PAGE'],
  [200, null, 'NOT_A_PAGE'],
])('an answer %i %j is an error after one try', async (status, body, code) => {
  const { url, received } = await startServer((response) => sendJson(response, status, body));
  const { sent, count } = ask(url);
  await expect(count).rejects.toMatchObject({ code });
  expect(received).toHaveLength(1);
  expect(sent).toMatchObject([{ error: { code } }]);
});

test('sends nothing if the gate admits no request', async () => {
  const { url, received } = await startServer((response) => void response.end());
  expect(await ask(url, false).count).toBe('paused');
  expect(received).toEqual([]);
});
