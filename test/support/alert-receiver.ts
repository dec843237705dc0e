// Responsible for a receiver of alerts: a webhook that checks the HMAC of the raw body, and an SMN topic that checks the request's
// signature. Uses no code of lib/ for either check.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { findSignatureFault } from './plain-signature.ts';

/**
 * What the webhook does with a request. A number is the status that it answers. `huge`: 1 GB with status 200. `drip`: status 200
 * with a body that does not end. `silent`: it takes the alert, but does not answer.
 */
export type Behaviour = number | 'hang' | 'close' | 'redirect' | 'huge' | 'drip' | 'silent';

export interface ReceivedAlert {
  id: string;
  rule: string;
  state: string;
  target: { account: string; table: string; region: string; projectId: string | null } | null;
  snapshot: string | null;
  message: string;
  values: Record<string, unknown>;
  hint: string;
  noticedAt: string;
  sentAt: string;
}

export interface AlertReceiver {
  /** Of the webhook: a secret as a whole. */
  url: string;
  origin: string;
  secret: string;
  /** Alerts that the webhook has accepted: their HMAC is right. */
  accepted: ReceivedAlert[];
  /** Messages that the topic has accepted. */
  published: { subject: string; message: string; path: string }[];
  /** Why requests were rejected. */
  faults: string[];
  /** Requests to any other path, such as the target of a redirect. */
  others: string[];
  behave(behaviour: Behaviour): void;
  close(): Promise<void>;
}

const path = '/services/T0SECRET/B1SECRET/webhook-path-that-no-log-shows';
/** Shown by no log: the answer of a webhook can be anything. */
export const answerText = 'answer-text-that-no-log-shows';

/** `key`: what requests to the topic must be signed with. */
export async function startAlertReceiver(key: { ak: string; sk: string }): Promise<AlertReceiver> {
  const secret = 'hmac-secret-that-no-log-shows';
  let behaviour: Behaviour = 200;
  const receiver = { accepted: [], published: [], faults: [], others: [] } as Pick<
    AlertReceiver,
    'accepted' | 'published' | 'faults' | 'others'
  >;
  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy());
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const target = request.url ?? '';
    if (request.method === 'POST' && target === path) return receive(request, response, body);
    if (request.method === 'POST' && target.endsWith('/publish')) {
      return publish(request, response, body);
    }
    receiver.others.push(`${request.method} ${target}`);
    response.writeHead(200).end();
  }

  function receive(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const expected = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
    const given = String(request.headers['x-cgs-export-signature']);
    const isRight =
      given.length === expected.length &&
      timingSafeEqual(Buffer.from(given), Buffer.from(expected));
    if (!isRight) {
      receiver.faults.push(`wrong signature ${given}`);
      response.writeHead(401).end();
      return;
    }
    if (behaviour === 'hang') return;
    if (behaviour === 'close') return void request.socket.destroy();
    if (behaviour === 'redirect') {
      response.writeHead(307, { location: '/elsewhere' }).end(answerText);
      return;
    }
    const status = typeof behaviour === 'number' ? behaviour : 200;
    if (status === 200) receiver.accepted.push(JSON.parse(String(body)) as ReceivedAlert);
    if (behaviour === 'silent') return;
    response.writeHead(status, { 'content-type': 'text/plain' });
    if (behaviour === 'huge') sendMuch(response);
    else if (behaviour === 'drip') response.write('.');
    else response.end(answerText);
  }

  function publish(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const fault = findSignatureFault(
      {
        method: 'POST',
        url: request.url ?? '',
        headers: request.headers,
        body,
      },
      { ...key, securityToken: null },
      Date.now(),
    );
    if (fault !== null) {
      receiver.faults.push(fault);
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error_code: 'APIGW.0301', error_msg: 'Incorrect IAM' }));
      return;
    }
    const { subject, message } = JSON.parse(String(body)) as { subject: string; message: string };
    receiver.published.push({ subject, message, path: request.url ?? '' });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ request_id: 'r', message_id: 'm' }));
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...receiver,
    ...{ url: `${origin}${path}`, origin, secret },
    behave(next) {
      behaviour = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** 1 GB, as fast as the reader takes it. */
function sendMuch(response: ServerResponse): void {
  const block = Buffer.alloc(2 ** 20, answerText);
  let left = 1_024;
  const write = () => {
    while (left > 0 && !response.destroyed) {
      left -= 1;
      if (!response.write(block)) return void response.once('drain', write);
    }
    response.end();
  };
  write();
}
