// Responsible for an OBS store whose server gives scripted answers and records the requests.

import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../lib/platform/clock.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { openObsStore } from '../../lib/store/obs.ts';
import type { ObsStoreOptions } from '../../lib/store/obs-location.ts';

export interface ScriptedAnswer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** The connection ends after so many bytes of the body. */
  cutAfter?: number;
  /** True: no answer. */
  isSilent?: boolean;
}

interface ReceivedRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export const utf8 = (text: string) => Buffer.from(text);
export const md5 = (text: string) => createHash('md5').update(text).digest('hex');

export const refusal = (status: number, code: string): ScriptedAnswer => ({
  status,
  body: `<Error><Code>${code}</Code><Message>text of the store</Message></Error>`,
});

/** The answer to a PUT of `text`. */
export const stored = (text: string): ScriptedAnswer => ({ headers: { etag: `"${md5(text)}"` } });

/** The server gives `answers` in turn, and then 599. */
export async function openScriptedStore(
  answers: readonly ScriptedAnswer[],
  options: Partial<ObsStoreOptions> = {},
) {
  const requests: ReceivedRequest[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const answer = answers[requests.length] ?? { status: 599 };
      requests.push({ method, url, headers, body });
      if (answer.isSilent) return;
      const content = Buffer.from(answer.body ?? '');
      const length = { 'content-length': String(content.length) };
      response.writeHead(answer.status ?? 200, { ...length, ...answer.headers });
      response.flushHeaders();
      if (answer.cutAfter === undefined) response.end(method === 'HEAD' ? undefined : content);
      else {
        response.write(content.subarray(0, answer.cutAfter), () => request.socket.destroy());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const store = openObsStore({
    bucket: 'lake',
    prefix: 'cgs',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'cn-south-4',
    pathStyle: true,
    kmsKeyId: null,
    credentials: async () => ({ ak: 'test-ak', sk: 'test-sk' }),
    acl: null,
    openAgent: openConnections({ httpsProxy: null, noProxy: null }),
    clock: { ...systemClock, sleep: async () => {} },
    random: () => 0,
    scrub: (text) => text,
    log: () => {},
    ...options,
  });
  onTestFinished(() => {
    store.close();
    server.closeAllConnections();
    server.close();
  });
  return { store, requests, methods: () => requests.map(({ method }) => method).join(' ') };
}
