// Owns an endpoint of another make: one file, no code of this project, run as a process of its own. It checks signatures from
// the published algorithm, counts arrivals, moves its list and fails on request. Options come as JSON in argv; GET /report tells.

import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';

const options = {
  nodes: 1_000,
  inserts: 0,
  deletes: 0,
  moves: 0,
  /** By the node request's number, from 0: a kind below. */
  faults: {},
  /** The whole answer to every node request instead: status, headers, body. */
  always: null,
  /** Error bodies repeat the request's headers. */
  echo: false,
  ak: 'AK',
  sk: 'SK',
  clockSkewMs: 0,
  totalNum: null,
  ...JSON.parse(process.argv[2] ?? '{}'),
};

let seed = 42;
function random() {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
}
const below = (count) => Math.floor(random() * count);

let made = 0;
const texts = ['web', '数据库', 'ｃａｃｈｅ', 'бд', '🚀🚀', 'é"\\\n', '\u0001', ''];
function makeNode() {
  made += 1;
  const id = createHash('sha256').update(`node ${made}`).digest('hex').slice(0, 32);
  const node = {
    host_id: id,
    host_name: `${texts[below(texts.length)]}-${made}`,
    host_status: ['ACTIVE', 'SHUTOFF'][below(2)],
    agent_status: ['online', 'offline', 'not_register', 'brand_new'][below(4)],
    protect_status: ['opened', 'closed'][below(2)],
    protect_interrupt: random() < 0.5,
    private_ip: `10.0.${below(256)}.${below(256)}`,
    asset: below(1_000),
  };
  if (made % 7 === 0) node.public_ip = null;
  if (made % 11 === 0) node.vulnerability = '12';
  if (made % 13 === 0) node.new_field = { deep: [12345678901234567890n, 'x'] };
  return node;
}
/** JSON with the one big number as digits, which JSON.stringify has no way to write. */
function toJson(value) {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'bigint' ? `big:${inner}` : inner,
  ).replaceAll(/"big:(\d+)"/g, '$1');
}

const list = Array.from({ length: options.nodes }, makeNode);
const arrivals = [];
const offsets = [];
const served = new Map();
let survivors = null;

const hex = (data) => createHash('sha256').update(data).digest('hex');
const encode = (text) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );

function isSigned(request, url) {
  const match =
    /^SDK-HMAC-SHA256 Access=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    );
  if (!match) return false;
  const [, access, names, signature] = match;
  const path = url.pathname
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/');
  const query = [...url.searchParams].sort(([a], [b]) => (a < b ? -1 : 1));
  const canonical = [
    request.method,
    path.endsWith('/') ? path : `${path}/`,
    query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&'),
    ...names.split(';').map((name) => `${name}:${(request.headers[name] ?? '').trim()}`),
    '',
    names,
    hex(''),
  ].join('\n');
  const date = request.headers['x-sdk-date'] ?? '';
  const wanted = createHmac('sha256', options.sk)
    .update(`SDK-HMAC-SHA256\n${date}\n${hex(canonical)}`)
    .digest('hex');
  return access === options.ak && signature === wanted && names.split(';').includes('host');
}

function answer(response, status, body, headers = {}) {
  const date = new Date(Date.now() + options.clockSkewMs).toUTCString();
  response.writeHead(status, { 'content-type': 'application/json', date, ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function move() {
  for (let count = options.inserts; count > 0; count -= 1) {
    list.splice(below(list.length + 1), 0, makeNode());
  }
  for (let count = options.deletes; count > 0 && list.length > 0; count -= 1) {
    const [gone] = list.splice(below(list.length), 1);
    survivors?.delete(gone.host_id);
  }
  for (let count = options.moves; count > 0 && list.length > 0; count -= 1) {
    const [node] = list.splice(below(list.length), 1);
    list.splice(below(list.length + 1), 0, node);
  }
}

const faults = {
  429: (response) =>
    answer(response, 429, {
      error_msg:
        'The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 second',
      error_code: 'APIGW.0308',
      request_id: 'r',
    }),
  500: (response) =>
    answer(response, 500, { error_code: 'HSS.0041', error_msg: 'Query host extend info error' }),
  503: (response) =>
    answer(response, 503, { error_code: 'APIGW.0613', error_msg: 'busy' }, { 'retry-after': '1' }),
  html: (response) =>
    answer(response, 502, '<html>bad gateway</html>', { 'content-type': 'text/html' }),
  reset: (response) => response.socket.destroy(),
  truncated: (response, body) => {
    response.writeHead(200, { 'content-length': Buffer.byteLength(body) });
    response.write(body.slice(0, 100));
    setTimeout(() => response.socket.destroy(), 20);
  },
  broken: (response, body) => answer(response, 200, body.slice(0, -20)),
  null: (response) => answer(response, 200, 'null'),
  shape: (response) => answer(response, 200, { nodes: [] }),
  slow: (response, body) => setTimeout(() => answer(response, 200, body), 1_500),
};

const server = createServer((request, response) => {
  const atMs = performance.now();
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/report') {
    const report = { arrivals, offsets, survivors: [...(survivors ?? [])], served: [...served] };
    return answer(response, 200, toJson(report));
  }
  if (options.always)
    return answer(response, options.always.status, options.always.body, options.always.headers);
  if (url.pathname === '/v3/projects') {
    return answer(response, 200, {
      projects: [{ id: 'p1', name: url.searchParams.get('name'), enabled: true }],
    });
  }
  if (!/^\/v5\/[^/]+\/container\/nodes$/.test(url.pathname)) return answer(response, 404, {});
  const number = arrivals.length;
  arrivals.push(atMs);
  const offset = Number(url.searchParams.get('offset'));
  const limit = Number(url.searchParams.get('limit'));
  offsets.push(offset);
  if (!isSigned(request, url)) {
    const error_msg = `Incorrect IAM authentication information${options.echo ? JSON.stringify(request.headers) : ''}`;
    return answer(response, 401, { error_msg, error_code: 'APIGW.0301', request_id: 'r' });
  }
  const page = list.slice(offset, offset + limit);
  const body = toJson({ total_num: options.totalNum ?? list.length, data_list: page });
  const fault = options.faults[number];
  if (options.echo && fault) {
    const echoed = { error_code: 'HSS.0041', error_msg: JSON.stringify(request.headers) };
    answer(response, 500, echoed);
  } else if (fault) {
    faults[fault](response, body);
  } else {
    answer(response, 200, body);
  }
  if (!fault || fault === 'slow') {
    survivors ??= new Set(list.map((node) => node.host_id));
    for (const node of page) served.set(node.host_id, node);
    move();
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
