// Responsible for an independent CGS and IAM endpoint in its own process. Written from the API references without code of
// lib/. It records requests but does not enforce a quota.
// biome-ignore-all lint/correctness/noVoidTypeReturn: each case sends a response and ends; nothing is returned
// Run as `tsx plain-endpoint.ts SCRIPT` with a script as JSON. It prints {"url"}. POST /_control takes {"change": …} and
// returns the report.

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createRandom } from './moving-list.ts';
import { createNodes, type PlainNode } from './plain-nodes.ts';
import { findSignatureFault } from './plain-signature.ts';

/** What is sent instead of a page. `slow`: the page, after `slowMs`. */
export type Fault =
  | '401'
  | '403'
  | '429'
  | '500'
  | '503'
  | 'html502'
  | 'html200'
  | 'reset'
  | 'truncated'
  | 'brokenJson'
  | 'null'
  | 'wrongShape'
  | 'otherJson'
  | 'slow';

export interface Script {
  ak: string;
  sk: string;
  /** Null: the key is permanent. */
  securityToken: string | null;
  projectId: string;
  region: string;
  /** The user that may sign in, and the tokens that it gets, in this order. The last token is used again. */
  signIn: { user: string; password: string; domain: string; tokens: string[] } | null;
  nodes: number;
  seed: number;
  /** Each serving of a node changes the node, so that a row shows which serving it comes from. */
  mutating: boolean;
  /** Rows inserted and deleted at random places after each page. */
  inserts: number;
  deletes: number;
  /** Rows moved to random places after each page. */
  moves: number;
  /** By the number of the request for nodes, from 1. `always` applies to all other requests. */
  faults: Record<number, Fault>;
  always: Fault | null;
  /** Records without a host_id among the nodes. */
  keyless: number;
  /** Sent instead of the true total. Null: the true total is sent. */
  totalNum: number | null;
  /** From this request for nodes on, counted from 1, the list is empty. Null: never. */
  emptyFrom: number | null;
  /** Second records of nodes, with another host_status: which node (index in the list), and where it is listed again. */
  copies: { of: number; to: number }[];
  latencyMs: { min: number; max: number };
  slowMs: number;
  /** How far this endpoint's clock is ahead of the host's. */
  clockOffsetMs: number;
  /** Further projects, which have the same list. */
  moreProjects: string[];
  /** Projects whose list the key may not read: 403. */
  deniedProjects: string[];
  /** The first nodes of the list are container nodes. They are listed only with container_node=true. Null: no difference. */
  containerNodes: number | null;
  /** What the node statistics say. Null: the endpoint has no statistics. */
  statistics: { protected_num: number; unprotected_num: number } | null;
  /** Error responses contain every secret of both sides and the request. */
  echo: boolean;
}

export interface Serving {
  /** The arrival time on the endpoint's monotonic clock. */
  atMs: number;
  offset: number;
  limit: number;
  query: Record<string, string>;
  /** Why the page was not sent normally: a fault of the script or a rejection. Null: neither. */
  fault: string | null;
  /** The page. Null: no complete page was sent. */
  body: string | null;
}

export interface Report {
  servings: Serving[];
  /** Requests to IAM, such as `POST /v3/auth/tokens`. */
  iam: string[];
  /** host_id of each node that was in the list from the first page to the last. */
  survivors: string[];
  inserted: number;
  deleted: number;
}

export const defaults: Script = {
  ak: 'PLAINENDPOINTAK00001',
  sk: 'plain-endpoint-secret-key-that-opens-nothing',
  securityToken: null,
  projectId: '0c2af3b16e5d4f0e9d1a7b8c9d0e1f2a',
  region: 'cn-south-4',
  signIn: null,
  nodes: 300,
  seed: 1,
  mutating: false,
  inserts: 0,
  deletes: 0,
  moves: 0,
  faults: {},
  always: null,
  keyless: 0,
  totalNum: null,
  emptyFrom: null,
  copies: [],
  latencyMs: { min: 0, max: 0 },
  slowMs: 1_500,
  clockOffsetMs: 0,
  moreProjects: [],
  deniedProjects: [],
  containerNodes: null,
  statistics: null,
  echo: false,
};

/** Encodings in which a secret may come back. */
const echoForms: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => Buffer.from(text).toString('base64'),
  (text) => Buffer.from(`x${text}`).toString('base64url'),
  (text) => encodeURIComponent(text),
  (text) => JSON.stringify(text),
  // Matches only after invisible characters are removed.
  (text) => `${text.slice(0, 5)}\u200b${text.slice(5, 9)}\r\n${text.slice(9)}`,
];

function serve(given: Partial<Script>): void {
  const script: Script = { ...defaults, ...given };
  const random = createRandom(script.seed);
  const below = (end: number) => Math.floor(random() * end);
  const nodes = createNodes(script.seed);
  let list: PlainNode[] = Array.from({ length: script.nodes }, () => nodes.next());
  for (let index = 0; index < script.keyless; index += 1) {
    list.splice(below(list.length + 1), 0, nodes.nextKeyless());
  }
  for (const { of, to } of script.copies) {
    const { hostId, serve: serveNode } = list[of] as PlainNode;
    const status = /("host_status":)"[A-Z]+"/;
    list.splice(to, 0, {
      hostId,
      serve: (mutating) => serveNode(mutating).replace(status, '$1"COPY"'),
    });
  }
  let idsAtFirst: string[] | null = null;
  const report: Report = { servings: [], iam: [], survivors: [], inserted: 0, deleted: 0 };
  /** The valid tokens. */
  const tokens: string[] = [];
  let requests = 0;
  let echoes = 0;

  function drift(): void {
    for (let index = 0; index < script.inserts; index += 1) {
      list.splice(below(list.length + 1), 0, nodes.next());
      report.inserted += 1;
    }
    for (let index = 0; index < script.deletes && list.length > 0; index += 1) {
      list.splice(below(list.length), 1);
      report.deleted += 1;
    }
    for (let index = 0; index < script.moves && list.length > 1; index += 1) {
      const [moved] = list.splice(below(list.length), 1);
      list.splice(below(list.length + 1), 0, moved as PlainNode);
    }
  }

  function send(response: ServerResponse, status: number, body: string, type = 'json'): void {
    response.writeHead(status, {
      'Content-Type': type === 'json' ? 'application/json' : `text/${type}`,
      Date: new Date(Date.now() + script.clockOffsetMs).toUTCString(),
    });
    response.end(body);
  }

  /** The worst possible error text: every secret that both sides know, each time in another encoding. */
  function quoteRequest(request: IncomingMessage, body: string): string {
    if (!script.echo) return '';
    const { authorization = '' } = request.headers;
    const secrets = [
      ...[script.sk, script.ak, script.securityToken, script.signIn?.password],
      ...[request.headers['x-auth-token']],
    ].filter((secret): secret is string => typeof secret === 'string');
    const form = echoForms[echoes % echoForms.length] as (text: string) => string;
    echoes += 1;
    // The secrets come first, because a client cuts long texts.
    const headers = JSON.stringify(request.headers);
    return ` you sent ${secrets.map(form).join(' ')} ${form(authorization)} ${headers} ${body}`;
  }

  function sendError(
    response: ServerResponse,
    status: number,
    [code, message]: readonly [code: string, message: string],
    quoted: string,
  ): void {
    if (quoted !== '') response.setHeader('X-Debug', encodeURIComponent(quoted).slice(0, 4_000));
    send(
      response,
      status,
      JSON.stringify({
        error_msg: `${message}${quoted}`,
        error_code: code,
        request_id: randomBytes(8).toString('hex'),
      }),
    );
  }

  function filterList({ container_node: asked }: Serving['query']): PlainNode[] {
    const { containerNodes } = script;
    if (containerNodes === null) return list;
    return asked === 'true' ? list.slice(0, containerNodes) : list.slice(containerNodes);
  }

  /** Builds the page and counts a serving of each of its nodes. */
  function makePage({ offset, limit, query }: Serving): string {
    const found = filterList(query);
    const shown = found.slice(offset, offset + limit);
    const texts = shown.map((node) => node.serve(script.mutating));
    return `{"total_num":${script.totalNum ?? found.length},"data_list":[${texts.join(',')}]}`;
  }

  function answerNodes(
    request: IncomingMessage,
    response: ServerResponse,
    serving: Serving,
    fault: Fault | null,
  ) {
    const quoted = quoteRequest(request, '');
    if (requests >= (script.emptyFrom ?? Number.POSITIVE_INFINITY)) list = [];
    switch (fault) {
      case '401':
        return sendError(response, 401, ['APIGW.0301', 'Incorrect IAM authentication'], quoted);
      case '403':
        return sendError(response, 403, ['APIGW.0302', 'The IAM user is not authorized'], quoted);
      case '429': {
        response.setHeader('Retry-After', '1');
        const message =
          'The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 minute';
        return sendError(response, 429, ['APIGW.0308', message], quoted);
      }
      case '500':
        return sendError(response, 500, ['HSS.0041', 'query host extend info failed'], quoted);
      case '503':
        response.setHeader('Retry-After', '1');
        return sendError(response, 503, ['APIGW.0613', 'Service unavailable'], quoted);
      case 'html502':
      case 'html200':
        return send(
          response,
          fault === 'html502' ? 502 : 200,
          `<!DOCTYPE html><html><body>Welcome${quoted}</body></html>`,
          'html',
        );
      case 'reset':
        request.socket.resetAndDestroy();
        break;
      case 'brokenJson':
        return send(response, 200, `${makePage(serving).slice(0, -40)}`);
      case 'null':
        return send(response, 200, 'null');
      case 'wrongShape':
        return send(response, 200, JSON.stringify({ [`data${quoted}`]: [], total: 3 }));
      case 'otherJson':
        return send(response, 200, JSON.stringify({ projects: [], links: { self: quoted } }));
      case 'truncated': {
        const page = Buffer.from(makePage(serving));
        response.writeHead(200, { 'Content-Length': page.length });
        response.write(page.subarray(0, Math.floor(page.length / 2)), () => {
          request.socket.destroy();
        });
        break;
      }
      default: {
        const body = makePage(serving);
        serving.body = body;
        const ids = new Set(list.map(({ hostId }) => hostId));
        idsAtFirst ??= [...ids].filter((id) => id !== null);
        report.survivors = idsAtFirst.filter((id) => ids.has(id));
        send(response, 200, body);
        drift();
      }
    }
  }

  /** For a request without a body. */
  function findKeyFault({ method = '', url = '', headers }: IncomingMessage): string | null {
    const nowMs = Date.now() + script.clockOffsetMs;
    return findSignatureFault({ method, url, headers, body: '' }, script, nowMs);
  }

  function findRejection(request: IncomingMessage): string | null {
    const token = request.headers['x-auth-token'];
    if (token !== undefined) return tokens.includes(String(token)) ? null : 'unknown token';
    return findKeyFault(request);
  }

  async function handleNodes(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    atMs: number,
  ): Promise<void> {
    requests += 1;
    const fault = script.faults[requests] ?? script.always;
    const query = Object.fromEntries(url.searchParams);
    const [offset, limit] = [Number(query.offset ?? 0), Number(query.limit ?? 10)];
    const serving: Serving = { atMs, offset, limit, query, fault, body: null };
    report.servings.push(serving);
    const { min, max } = script.latencyMs;
    const delayMs = fault === 'slow' ? script.slowMs : min + random() * (max - min);
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const rejection = findRejection(request);
    if (rejection !== null) {
      serving.fault = rejection;
      const error = [
        'APIGW.0301',
        `Incorrect IAM authentication information: ${rejection}`,
      ] as const;
      return sendError(response, 401, error, quoteRequest(request, ''));
    }
    if (script.deniedProjects.some((project) => url.pathname.includes(`/${project}/`))) {
      serving.fault = 'denied';
      return sendError(response, 403, ['APIGW.0302', 'The IAM user is not authorized'], '');
    }
    if (!(limit >= 10 && limit <= 200 && offset >= 0 && offset <= 2_000_000)) {
      serving.fault = 'parameters';
      return sendError(response, 400, ['HSS.0001', 'Invalid parameter'], '');
    }
    answerNodes(request, response, serving, fault);
  }

  async function handleIam(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    body: string,
  ): Promise<void> {
    report.iam.push(`${request.method} ${url.pathname}`);
    const quoted = quoteRequest(request, body);
    const keystone = (code: number, message: string) =>
      send(response, code, JSON.stringify({ error: { code, message, title: 'Error' } }));
    if (request.method === 'GET') {
      const rejection = findKeyFault(request);
      if (rejection !== null) return keystone(401, `${rejection}${quoted}`);
      const projects = [{ id: script.projectId, name: script.region, enabled: true }];
      const asked = url.searchParams.get('name');
      const found = projects.filter(({ name }) => name === asked);
      return send(response, 200, JSON.stringify({ projects: found, links: {} }));
    }
    const { identity, scope } = JSON.parse(body).auth;
    const { user } = identity.password;
    const { signIn } = script;
    const isKnown =
      signIn !== null &&
      user.name === signIn.user &&
      user.password === signIn.password &&
      user.domain.name === signIn.domain &&
      (scope.project.id === script.projectId || scope.project.name === script.region);
    if (!isKnown) return keystone(401, `The username or password is wrong.${quoted}`);
    // The first sign-in fails with 500.
    if (script.echo && report.iam.length === 1) return keystone(500, `out of order${quoted}`);
    const token = signIn.tokens.length > 1 ? signIn.tokens.shift() : signIn.tokens[0];
    // A new token replaces the previous one.
    tokens.splice(0, tokens.length, String(token));
    response.setHeader('X-Subject-Token', String(token));
    const expires_at = new Date(Date.now() + 86_400_000).toISOString();
    const project = { id: script.projectId, name: script.region };
    send(response, 201, JSON.stringify({ token: { expires_at, project, methods: ['password'] } }));
  }

  function handleControl(body: string, response: ServerResponse): void {
    const { change = {}, endTokens = false } = body === '' ? {} : JSON.parse(body);
    Object.assign(script, change);
    if (endTokens) tokens.length = 0;
    if (change.nodes !== undefined) {
      list = Array.from({ length: script.nodes }, () => nodes.next());
      idsAtFirst = null;
    }
    send(response, 200, JSON.stringify(report));
  }

  const server = createServer((request, response) => {
    const atMs = performance.now();
    const url = new URL(request.url ?? '/', 'http://endpoint');
    void (async () => {
      const [, project, api] = /^\/v5\/([^/]+)\/container\/(.+)$/.exec(url.pathname) ?? [];
      const known = [script.projectId, ...script.moreProjects, ...script.deniedProjects];
      const isKnown = known.includes(project ?? '');
      if (request.method === 'GET' && isKnown && api === 'nodes') {
        return handleNodes(request, response, url, atMs);
      }
      if (isKnown && api === 'node-statistics' && script.statistics !== null) {
        const rejection = findRejection(request);
        if (rejection === null) return send(response, 200, JSON.stringify(script.statistics));
        return sendError(response, 401, ['APIGW.0301', rejection], '');
      }
      const body = await text(request);
      if (url.pathname === '/_control') return handleControl(body, response);
      if (/^\/v3\/(projects|auth\/tokens)$/.test(url.pathname)) {
        return handleIam(request, response, url, body);
      }
      sendError(response, 404, ['APIGW.0101', 'The API does not exist'], '');
    })().catch((error: unknown) => {
      console.error(error);
      process.exitCode = 1;
      server.close();
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    console.log(JSON.stringify({ url: `http://127.0.0.1:${port}` }));
  });
  // Exits when stdin closes, so that it does not outlive a killed test process.
  process.stdin.on('end', () => process.exit(0)).resume();
}

const [, started = '', scriptText] = process.argv;
if (/plain-endpoint\.(ts|mjs)$/.test(started) && scriptText !== undefined) {
  serve(JSON.parse(scriptText));
}
