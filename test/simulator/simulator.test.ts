// Tests that the simulator behaves over HTTP as the service's documents say.
// Method: requests with fetch, signed by the vendor's signer; the test controls the clock.

import { connect } from 'node:net';
import { AKSKSigner } from '@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner.js';
import { afterEach, describe, expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import { enterpriseProjectIdOf, type NodeRecord } from '../../lib/simulator/nodes.ts';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import type { SimulatorOptions } from '../../lib/simulator/simulator-options.ts';

const running: Simulator[] = [];
afterEach(async () => {
  for (const simulator of running.splice(0)) await simulator.stop();
});

/** Without a quota by default, because most tests are not about it. */
async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ quota: null, ...options });
  running.push(simulator);
  return simulator;
}

function createTestClock(startMs = Date.UTC(2026, 10, 24, 6)) {
  let passedMs = 0;
  let asleep = 0;
  return {
    asleep: () => asleep,
    advance(ms: number) {
      passedMs += ms;
    },
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    /** Never resolves; rejects when the signal aborts. */
    sleep: (_delayMs: number, signal?: AbortSignal) =>
      new Promise<void>((_resolve, reject) => {
        asleep += 1;
        signal?.addEventListener('abort', () => {
          asleep -= 1;
          reject(signal.reason as Error);
        });
      }),
  };
}

interface Ask {
  path?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  ak?: string;
  sk?: string;
  /** The client's clock. Default now. */
  atMs?: number;
}

function sign(simulator: Simulator, ask: Ask): { url: string; headers: Record<string, string> } {
  const path = ask.path ?? `/v5/${simulator.projectId}/container/nodes`;
  const query = ask.query ?? {};
  const date = new Date(ask.atMs ?? Date.now()).toISOString().replace(/[-:]|\.\d+/g, '');
  const headers = AKSKSigner.sign(
    {
      method: 'GET',
      endpoint: simulator.url + path,
      queryParams: query,
      headers: { 'X-Sdk-Date': date, ...ask.headers },
    } as never,
    { getAk: () => ask.ak ?? simulator.ak, getSk: () => ask.sk ?? simulator.sk } as never,
  ) as Record<string, string>;
  const search = new URLSearchParams(query).toString();
  return { url: `${simulator.url}${path}${search && '?'}${search}`, headers };
}

async function get(simulator: Simulator, ask: Ask = {}): Promise<Response> {
  const { url, headers } = sign(simulator, ask);
  return fetch(url, { headers });
}

interface Page {
  total_num: number;
  data_list: NodeRecord[];
}
async function getPage(simulator: Simulator, query: Record<string, string> = {}): Promise<Page> {
  const response = await get(simulator, {
    query: { enterprise_project_id: 'all_granted_eps', ...query },
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

async function getAll(simulator: Simulator, query: Record<string, string> = {}) {
  const nodes: NodeRecord[] = [];
  for (;;) {
    const page = await getPage(simulator, { ...query, limit: '200', offset: `${nodes.length}` });
    nodes.push(...page.data_list);
    if (nodes.length >= page.total_num || page.data_list.length === 0) return nodes;
  }
}

async function postToken(simulator: Simulator, change: (auth: TokenRequest) => void = () => {}) {
  const auth: TokenRequest = {
    identity: {
      methods: ['password'],
      password: {
        user: {
          name: simulator.iamUser,
          password: simulator.iamPassword,
          domain: { name: simulator.iamDomain },
        },
      },
    },
    scope: { project: { name: simulator.region } },
  };
  change(auth);
  return fetch(`${simulator.url}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ auth }),
  });
}
interface TokenRequest {
  identity: {
    methods: string[];
    password: { user: { name: string; password: string; domain: { name: string } } };
  };
  scope: { project: { name?: string; id?: string } };
}

function getByToken(simulator: Simulator, token: string): Promise<Response> {
  const url = `${simulator.url}/v5/${simulator.projectId}/container/nodes`;
  return fetch(url, { headers: { 'X-Auth-Token': token } });
}

describe('pages', () => {
  test('all pages together are the list, in the same order', async () => {
    const simulator = await start({ nodes: 423 });
    expect(await getAll(simulator)).toEqual(simulator.nodes());
    expect(simulator.stats()).toMatchObject({ requests: 3, nodeRequests: 3, pages: 3, faults: 0 });
  });

  test('limit is 10 by default and 10 to 200; offset is 0 to 2,000,000', async () => {
    const simulator = await start({ nodes: 30 });
    expect((await getPage(simulator)).data_list).toEqual(simulator.nodes().slice(0, 10));
    expect(await getPage(simulator, { offset: '2000000' })).toEqual({
      total_num: 30,
      data_list: [],
    });
    const wrong = [
      { limit: '9' },
      { limit: '201' },
      { limit: '' },
      { limit: '1e2' },
      { offset: '-1' },
      { offset: '2000001' },
      { offset: 'x' },
      { agent_status: 'sleeping' },
      { protect_status: 'open' },
      { container_tags: 'docker' },
      { version: 'enterprise' },
      { container_node: 'yes' },
      { host_name: 'x'.repeat(129) },
    ];
    for (const query of wrong) {
      const response = await get(simulator, { query });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error_code: 'HSS.0001' });
    }
  });

  test('filters by name, agent status, protection status and tags', async () => {
    const simulator = await start({ nodes: 400 });
    const all = simulator.nodes();
    const where = (matches: (node: NodeRecord) => boolean) => all.filter(matches);
    expect(await getAll(simulator, { host_name: '节点' })).toEqual(
      where((node) => String(node.host_name).includes('节点')),
    );
    expect(await getAll(simulator, { agent_status: 'not_installed' })).toEqual(
      where((node) => node.agent_status === 'not_installed'),
    );
    expect(await getAll(simulator, { agent_status: 'installed' })).toEqual(
      where((node) => node.agent_status !== 'not_installed'),
    );
    const both = { protect_status: 'closed', container_tags: 'self' };
    const found = await getAll(simulator, both);
    expect(found.length).toBeGreaterThan(0);
    expect(found).toEqual(
      where((node) => node.protect_status === 'closed' && node.container_tags === 'self'),
    );
  });

  test('filters by edition and by container node; cgs ignores both', async () => {
    const simulator = await start({ nodes: 400 });
    const all = simulator.nodes();
    const edition = 'hss.version.container.enterprise';
    const protectedNodes = await getAll(simulator, { version: edition });
    expect(protectedNodes.length).toBeGreaterThan(0);
    expect(protectedNodes).toEqual(all.filter((node) => node.version === edition));
    const yes = await getAll(simulator, { container_node: 'true' });
    const no = await getAll(simulator, { container_node: 'false' });
    expect(yes).toEqual(all.filter((node) => node.is_container_node === true));
    expect(no.map((node) => node.is_container_node)).toContain(false);
    expect(yes.length + no.length).toBe(400);
    const cgs = await start({ flavour: 'cgs', nodes: 30 });
    expect(await getAll(cgs, { container_node: 'true', version: edition })).toHaveLength(30);
  });

  test('hss lists only the default enterprise project unless the query names another', async () => {
    const simulator = await start({ nodes: 400 });
    const byDefault = (await (await get(simulator, { query: { limit: '200' } })).json()) as Page;
    expect(byDefault.total_num).toBeGreaterThan(0);
    expect(byDefault.total_num).toBeLessThan(400);
    for (const node of byDefault.data_list) {
      expect([undefined, null, '', 'default']).toContain(node.enterprise_project_name);
    }
    const one = await getAll(simulator, { enterprise_project_id: enterpriseProjectIdOf('生产') });
    expect(new Set(one.map((node) => node.enterprise_project_name))).toEqual(new Set(['生产']));
  });

  test('the statistics count the nodes of the list, with a quota of their own', async () => {
    const simulator = await start({ nodes: 90, quota: { requests: 1, windowSeconds: 60 } });
    const path = `/v5/${simulator.projectId}/container/node-statistics`;
    const query = { enterprise_project_id: 'all_granted_eps' };
    expect((await get(simulator, { query })).status).toBe(200);
    const response = await get(simulator, { path, query });
    expect(response.status).toBe(200);
    const counts = (await response.json()) as Record<string, number>;
    const open = simulator.nodes().filter((node) => node.protect_status === 'opened').length;
    expect(counts).toMatchObject({ protected_num: open, unprotected_num: 90 - open });
    expect((await get(simulator, { path, query })).status).toBe(429);
    expect((await get(await start(), { path, query, sk: 'another' })).status).toBe(401);
    expect((await get(await start({ flavour: 'cgs' }), { path })).status).toBe(404);
    const inDefault = await (await get(await start({ nodes: 90 }), { path })).json();
    expect(inDefault.protected_num + inDefault.unprotected_num).toBeLessThan(90);
  });

  test('cgs ignores enterprise projects and returns not_register for not_installed', async () => {
    const simulator = await start({ flavour: 'cgs', nodes: 100 });
    const page = await (await get(simulator, { query: { enterprise_project_id: 'x' } })).json();
    expect(page).toMatchObject({ total_num: 100 });
    const missing = await getAll(simulator, { agent_status: 'not_installed' });
    expect(missing.length).toBeGreaterThan(0);
    expect(new Set(missing.map((node) => node.agent_status))).toEqual(new Set(['not_register']));
  });
});

describe('routes', () => {
  test('answers 403 for another project and 404 for another path or method, with a request id', async () => {
    const simulator = await start();
    const forbidden = await get(simulator, { path: '/v5/other/container/nodes' });
    expect(forbidden.status).toBe(403);
    const missing = await get(simulator, { path: '/v5/x/y' });
    expect(missing.status).toBe(404);
    const posted = await fetch(sign(simulator, {}).url, { method: 'POST' });
    expect(posted.status).toBe(404);
    for (const response of [forbidden, missing, posted]) {
      const body = (await response.json()) as Record<string, string>;
      expect(body.error_code).toMatch(/^APIGW\.0(302|101)$/);
      expect(body.request_id).toMatch(/^[0-9a-f]{32}$/);
      expect(response.headers.get('x-request-id')).toBe(body.request_id);
    }
    expect((await get(simulator)).headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
  });

  test('lists projects by name for signed requests only', async () => {
    const simulator = await start({ region: 'eu-west-101', projectId: 'abc' });
    const ask = { path: '/v3/projects', query: { name: 'eu-west-101' } };
    expect(await (await get(simulator, ask)).json()).toMatchObject({
      projects: [{ id: 'abc', name: 'eu-west-101', enabled: true }],
      links: { next: null },
    });
    const other = await get(simulator, { ...ask, query: { name: 'cn-north-1' } });
    expect(await other.json()).toMatchObject({ projects: [] });
    expect((await fetch(`${simulator.url}/v3/projects`)).status).toBe(401);
  });

  test('listens only on 127.0.0.1 and throws ConfigError when the port is in use', async () => {
    const simulator = await start();
    expect(simulator.url).toBe(`http://127.0.0.1:${simulator.port}`);
    await expect(startSimulator({ port: simulator.port })).rejects.toThrow(ConfigError);
    const isRefused = await new Promise<boolean>((resolve) => {
      // Another loopback address of this host. A server that listens on all addresses would accept this.
      const socket = connect(simulator.port, '127.0.0.2');
      socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
      socket.once('close', () => socket.destroy());
    });
    expect(isRefused).toBe(true);
  });

  test('reports all invalid options at once', async () => {
    const options: SimulatorOptions = {
      port: 70_000,
      nodes: -1,
      quota: { requests: 0, windowSeconds: 60 },
      latencyMs: { min: 2, max: 1 },
      faults: [{ at: 0, kind: '500' }],
      accounts: 0,
      projects: 1,
      regions: ['cn-north-4', 'cn-east-3'],
    };
    const paths = await startSimulator(options).catch((error: unknown) =>
      error instanceof ConfigError ? error.issues.map((issue) => issue.path) : error,
    );
    const problems = ['--port', '--nodes', '--accounts', '--projects', '--quota', '--latency'];
    expect(paths).toEqual([...problems, '--fault']);
  });
});

describe('signatures', () => {
  async function refusal(response: Response): Promise<string> {
    expect(response.status).toBe(401);
    const body = (await response.json()) as Record<string, string>;
    expect(body.error_code).toBe('APIGW.0301');
    return body.error_msg ?? '';
  }

  test('rejects a wrong secret, an unknown key and a request without a key', async () => {
    const simulator = await start();
    const text = await refusal(await get(simulator, { sk: 'wrong' }));
    expect(text).toContain('verify aksk signature fail, canonicalRequest:GET|/v5/');
    expect(text).not.toContain(simulator.sk);
    expect(await refusal(await get(simulator, { ak: 'X' }))).toContain('ak not exist');
    expect(await refusal(await fetch(sign(simulator, {}).url))).toContain('not found');
    expect(simulator.requests().map((entry) => entry.status)).toEqual([401, 401, 401]);
  });

  test('checks the date against the server clock, which the Date header shows', async () => {
    const clock = createTestClock();
    const simulator = await start({ clock });
    const late = await get(simulator, { atMs: clock.nowMs() - 16 * 60_000 });
    expect(Date.parse(late.headers.get('date') ?? '')).toBe(clock.nowMs());
    expect(await refusal(late)).toContain('15 minutes');
    expect((await get(simulator, { atMs: clock.nowMs() })).status).toBe(200);
  });

  test('rejects a temporary key without its token', async () => {
    const simulator = await start({ securityToken: 'temporary' });
    const good = { headers: { 'X-Security-Token': 'temporary' } };
    expect((await get(simulator, good)).status).toBe(200);
    expect(await refusal(await get(simulator))).toContain('x-security-token');
  });

  test('five failures in a row lock the key for five minutes', async () => {
    const clock = createTestClock();
    const simulator = await start({ clock });
    const ask = async (sk = simulator.sk) =>
      (await get(simulator, { sk, atMs: clock.nowMs() })).status;
    // A success in between resets the count.
    for (const _twice of [1, 2]) {
      for (let round = 0; round < 4; round += 1) expect(await ask('wrong')).toBe(401);
      expect(await ask()).toBe(200);
    }
    for (let round = 0; round < 5; round += 1) expect(await ask('wrong')).toBe(401);
    const locked = await get(simulator, { atMs: clock.nowMs() });
    expect(await refusal(locked)).toContain('AK access failed to reach the limit,forbidden');
    clock.advance(299_999);
    expect(await ask()).toBe(401);
    clock.advance(1);
    expect(await ask()).toBe(200);
  });

  test('failures of an unknown key do not lock the known key', async () => {
    const simulator = await start();
    for (let round = 0; round < 6; round += 1) await get(simulator, { ak: 'UNKNOWN' });
    expect((await get(simulator)).status).toBe(200);
  });
});

describe('tokens', () => {
  test('are issued by project name or id and are valid for nodes until they expire', async () => {
    const clock = createTestClock();
    const simulator = await start({ clock });
    const response = await postToken(simulator);
    expect(response.status).toBe(201);
    const token = response.headers.get('x-subject-token') ?? '';
    expect(await response.json()).toMatchObject({
      token: {
        issued_at: '2026-11-24T06:00:00.000000Z',
        expires_at: '2026-11-25T06:00:00.000000Z',
        project: { id: simulator.projectId, name: simulator.region },
      },
    });
    const byId = await postToken(simulator, (auth) => {
      auth.scope.project = { id: simulator.projectId };
    });
    expect(byId.status).toBe(201);
    clock.advance(24 * 3_600_000 - 1);
    expect((await getByToken(simulator, token)).status).toBe(200);
    clock.advance(1);
    const expired = await getByToken(simulator, token);
    expect(expired.status).toBe(401);
    expect(await expired.text()).toContain('token expires');
  });

  test('an unknown token is rejected', async () => {
    const response = await getByToken(await start(), 'made-up');
    expect(response.status).toBe(401);
    expect(await response.text()).toContain('decrypt token fail');
  });

  test.each<[string, number, (auth: TokenRequest) => void]>([
    ['password', 401, (auth) => Object.assign(auth.identity.password.user, { password: 'no' })],
    ['user', 401, (auth) => Object.assign(auth.identity.password.user, { name: 'no' })],
    ['domain', 401, (auth) => Object.assign(auth.identity.password.user.domain, { name: 'no' })],
    ['project', 401, (auth) => Object.assign(auth.scope, { project: { name: 'mars-1' } })],
    ['method', 400, (auth) => Object.assign(auth.identity, { methods: ['totp'] })],
  ])('rejects a wrong %s with an error in Keystone form', async (_what, status, change) => {
    const simulator = await start();
    const response = await postToken(simulator, change);
    expect(response.status).toBe(status);
    expect(response.headers.get('x-subject-token')).toBeNull();
    expect(await response.json()).toMatchObject({
      error: { code: status, message: expect.any(String), title: expect.any(String) },
    });
  });
});

describe('quota', () => {
  test('answers the sixth request in a minute with 429 and the message of the gateway', async () => {
    const clock = createTestClock();
    const simulator = await start({ clock, quota: { requests: 5, windowSeconds: 60 } });
    const ask = () => get(simulator, { atMs: clock.nowMs() });
    for (let round = 0; round < 5; round += 1) expect((await ask()).status).toBe(200);
    const rejected = await ask();
    expect(rejected.status).toBe(429);
    expect(rejected.headers.get('retry-after')).toBeNull();
    expect(await rejected.json()).toMatchObject({
      error_code: 'APIGW.0308',
      error_msg:
        'The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 minute',
    });
    // For the gateway, a token belongs to another user than the key. IAM has no such quota.
    const token = (await postToken(simulator)).headers.get('x-subject-token') ?? '';
    expect((await getByToken(simulator, token)).status).toBe(200);
    clock.advance(60_000);
    expect((await ask()).status).toBe(200);
    expect(simulator.stats()).toMatchObject({ throttled: 1, pages: 7 });
    expect(simulator.requests()[5]).toEqual({ atMs: 0, offset: 0, status: 429, fault: null });
    expect(simulator.requests()[7]).toEqual({ atMs: 60_000, offset: 0, status: 200, fault: null });
  });

  test('a wrong signature does not use the quota, a planned fault uses one request', async () => {
    const simulator = await start({
      quota: { requests: 2, windowSeconds: 60 },
      faults: [
        { at: 2, kind: '500' },
        { at: 4, kind: '500' },
      ],
    });
    const statuses = [];
    for (const sk of ['wrong', simulator.sk, simulator.sk, simulator.sk]) {
      statuses.push((await get(simulator, { sk })).status);
    }
    // A fault was planned for request 4, but the quota rejects it first.
    expect(statuses).toEqual([401, 500, 200, 429]);
    expect(simulator.requests().map((entry) => entry.fault)).toEqual([null, '500', null, null]);
  });
});

describe('drift', () => {
  test('a page shows the list before its drift, and the same seed gives the same drift', async () => {
    const options: SimulatorOptions = {
      nodes: 50,
      drift: { insertsPerRequest: 2, deletesPerRequest: 1, reordersPerRequest: 1, seed: 5 },
    };
    const simulator = await start(options);
    const before = simulator.nodes();
    expect((await getPage(simulator, { limit: '200' })).data_list).toEqual(before);
    expect(simulator.nodes()).toHaveLength(51);
    expect(await getAll(simulator)).not.toEqual(before);
    expect(simulator.stats()).toMatchObject({ inserted: 4, deleted: 2, reordered: 2 });
    const ids = simulator.nodes().map((node) => node.host_id);
    expect(new Set(ids).size).toBe(ids.length);

    const twin = await start(options);
    await getAll(twin);
    await getAll(twin);
    expect(twin.nodes()).toEqual(simulator.nodes());
  });

  test('beforePage is called for pages only and changes the list', async () => {
    const calls: unknown[] = [];
    const simulator = await start({
      nodes: 30,
      beforePage: ({ index, offset, list }) => {
        calls.push([index, offset]);
        if (index === 1) list.shift();
      },
      faults: [{ at: 2, kind: '500' }],
    });
    const [first] = simulator.nodes();
    expect((await getPage(simulator)).data_list[0]).toEqual(first);
    expect((await get(simulator)).status).toBe(500);
    const page = await getPage(simulator, { offset: '10' });
    expect(page.total_num).toBe(29);
    expect(calls).toEqual([
      [0, 0],
      [1, 10],
    ]);
  });
});

describe('accounts and projects', () => {
  const options: SimulatorOptions = {
    accounts: 3,
    projects: 3,
    regions: ['cn-north-4', 'cn-east-3'],
    nodes: [12, 40],
  };

  test('each key reads the projects of its account only, and IAM lists these', async () => {
    const simulator = await start(options);
    const ids = simulator.accounts.flatMap(({ projects }) => projects.map(({ id }) => id));
    expect(ids.filter((id) => /^[0-9a-f]{32}$/.test(id))).toHaveLength(9);
    expect(new Set(ids).size).toBe(9);
    const totals: number[] = [];
    for (const { ak, sk, projects } of simulator.accounts) {
      expect(projects.map(({ region }) => region)).toEqual([
        ...['cn-north-4', 'cn-east-3', 'cn-north-4'],
      ]);
      for (const id of ids) {
        const path = `/v5/${id}/container/nodes`;
        const query = { enterprise_project_id: 'all_granted_eps', limit: '200' };
        const response = await get(simulator, { ak, sk, path, query });
        const isOwn = projects.some((project) => project.id === id);
        expect(response.status).toBe(isOwn ? 200 : 403);
        if (!isOwn) continue;
        const page = (await response.json()) as Page;
        expect(page.data_list).toEqual(simulator.nodes(id));
        totals.push(page.total_num);
      }
      const ask = { ak, sk, path: '/v3/projects' };
      const named = (await (await get(simulator, { ...ask, query: { name: 'cn-east-3' } })).json())
        .projects as { id: string }[];
      expect(named.map(({ id }) => id)).toEqual([projects[1]?.id]);
      const all = (await (await get(simulator, ask)).json()).projects as { name: string }[];
      expect(all.map(({ name }) => name)).toEqual([
        ...['cn-north-4', 'cn-east-3', 'cn-north-4_project-2'],
      ]);
    }
    expect(totals).toEqual([12, 40, 12, 40, 12, 40, 12, 40, 12]);
    const hostIds = ids.flatMap((id) => simulator.nodes(id).map((node) => node.host_id));
    expect(new Set(hostIds).size).toBe(hostIds.length);
  });

  test('each key has a quota and a lock of its own', async () => {
    const simulator = await start({ ...options, quota: { requests: 2, windowSeconds: 60 } });
    const [first, second] = simulator.accounts.map(({ ak, sk, projects }) => {
      return { ak, sk, path: `/v5/${projects[0]?.id}/container/nodes` };
    }) as [Ask, Ask];
    const statuses = [];
    for (const ask of [first, first, first, second, second, second]) {
      statuses.push((await get(simulator, ask)).status);
    }
    expect(statuses).toEqual([200, 200, 429, 200, 200, 429]);
    for (let round = 0; round < 5; round += 1) await get(simulator, { ...first, sk: 'wrong' });
    expect((await get(simulator, first)).status).toBe(401);
    expect((await get(simulator, second)).status).toBe(429);
  });

  test('a token is for one project of the account that signs in', async () => {
    const simulator = await start(options);
    const other = simulator.accounts[2] as Simulator['accounts'][number];
    const signIn = (auth: TokenRequest, id: string | undefined) => {
      const { iamUser, iamPassword, iamDomain } = other;
      auth.identity.password.user = {
        ...{ name: iamUser, password: iamPassword, domain: { name: iamDomain } },
      };
      auth.scope.project = { id: id as string };
    };
    const id = other.projects[1]?.id as string;
    const response = await postToken(simulator, (auth) => signIn(auth, id));
    expect(await response.json()).toMatchObject({
      token: { project: { id, name: 'cn-east-3' }, user: { name: other.iamUser } },
    });
    const headers = { 'X-Auth-Token': response.headers.get('x-subject-token') ?? '' };
    const askFor = (project: string) =>
      fetch(`${simulator.url}/v5/${project}/container/nodes`, { headers });
    expect((await askFor(id)).status).toBe(200);
    expect((await askFor(simulator.projectId)).status).toBe(403);
    const refused = await postToken(simulator, (auth) => signIn(auth, simulator.projectId));
    expect(refused.status).toBe(401);
  });

  test('the first identity and its nodes are the same with any number of accounts', async () => {
    const one = await start({ nodes: 30 });
    const many = await start({ nodes: 30, accounts: 4, projects: 2 });
    for (const name of ['region', 'projectId', 'ak', 'sk', 'iamUser'] as const) {
      expect(many[name]).toBe(one[name]);
    }
    expect(many.nodes()).toEqual(one.nodes());
  });
});

describe('reports', () => {
  async function getLines(simulator: Simulator, path: string) {
    const response = await fetch(`${simulator.url}/simulator/${path}`);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  test('the changes explain the difference between two readings of a list', async () => {
    const simulator = await start({
      ...{ nodes: 300, accounts: 2 },
      drift: {
        ...{ insertsPerRequest: 1, deletesPerRequest: 1, reordersPerRequest: 1, seed: 3 },
        ...{ offlinePerRequest: 2, closedPerRequest: 1.5 },
      },
    });
    const before = new Map(simulator.nodes().map((node) => [node.host_id, node]));
    await getAll(simulator);
    await getAll(simulator);
    const changes = await getLines(simulator, 'changes');
    expect(changes.map((change) => change.request)).toEqual(
      changes.map((change) => change.request).sort(),
    );
    expect(changes[0]).toMatchObject({ projectId: simulator.projectId, request: 1 });
    for (const { change, host_id, before: from, after } of changes) {
      const node = before.get(host_id);
      if (change === 'deleted') before.delete(host_id);
      if (change === 'offline') expect(node?.agent_status).toBe(from);
      if (node && change === 'offline') node.agent_status = after;
      if (node && change === 'closed') node.protect_status = after;
    }
    const after = simulator.nodes();
    const added = changes.filter(({ change }) => change === 'inserted').map((one) => one.host_id);
    const isAdded = (node: NodeRecord) => added.includes(node.host_id);
    const survivors = after.filter((node) => !isAdded(node));
    expect(new Map(survivors.map((node) => [node.host_id, node]))).toEqual(before);
    expect(after.filter(isAdded)).toHaveLength(4);
    const { offline, closed } = simulator.stats();
    expect(offline).toBe(8);
    expect(closed).toBeGreaterThanOrEqual(4);
    const other = simulator.accounts[1]?.projects[0]?.id;
    expect(await getLines(simulator, `changes?project_id=${other}`)).toEqual([]);
  });

  test('the list and the counts need no key, use no quota and are not counted', async () => {
    const simulator = await start({ nodes: 700, quota: { requests: 1, windowSeconds: 60 } });
    for (let round = 0; round < 3; round += 1) {
      expect(await getLines(simulator, 'nodes')).toEqual(simulator.nodes());
    }
    const response = await fetch(`${simulator.url}/simulator/statistics`);
    expect(await response.json()).toMatchObject({
      ...{ requests: 0, nodeRequests: 0, throttled: 0, deleted: 0, changesDropped: 0 },
      projects: [{ projectId: simulator.projectId, region: simulator.region, nodes: 700 }],
    });
    expect((await get(simulator)).status).toBe(200);
    for (const path of ['other', 'nodes?project_id=unknown']) {
      expect((await fetch(`${simulator.url}/simulator/${path}`)).status).toBe(404);
    }
  });
});

describe('faults', () => {
  test('each kind has its status and body', async () => {
    const simulator = await start({
      nodes: 10,
      faults: [
        { at: 1, kind: '429', retryAfterSeconds: 7 },
        { at: 2, kind: '500' },
        { at: 3, kind: '503', retryAfterSeconds: 2 },
        { at: 4, kind: '502html' },
        { at: 5, kind: 'null' },
        { at: 6, kind: 'wrongShape' },
        { at: 7, kind: 'brokenJson' },
      ],
    });
    const seen: [number, string | null, string][] = [];
    for (let request = 1; request <= 8; request += 1) {
      const response = await get(simulator);
      seen.push([response.status, response.headers.get('retry-after'), await response.text()]);
    }
    const [throttled, failed, unavailable, gateway, empty, shape, broken, good] = seen;
    expect(throttled).toEqual([429, '7', expect.stringContaining('limit:5,time:1 minute')]);
    expect(failed).toEqual([500, null, expect.stringContaining('"HSS.0041"')]);
    expect(unavailable).toEqual([503, '2', expect.stringContaining('"APIGW.0613"')]);
    expect(gateway).toEqual([502, null, expect.stringMatching(/^<html>/)]);
    expect(empty).toEqual([200, null, 'null']);
    expect(JSON.parse(shape?.[2] ?? '')).toEqual({ total_num: 'many', data_list: {} });
    expect(broken?.[0]).toBe(200);
    expect(() => JSON.parse(broken?.[2] ?? '') as unknown).toThrow(SyntaxError);
    expect(JSON.parse(good?.[2] ?? '')).toHaveProperty('data_list');
    expect(simulator.stats()).toMatchObject({ faults: 7, pages: 2 });
  });

  test('reset closes the connection before the response, truncated in the middle of it', async () => {
    const simulator = await start({
      faults: [
        { at: 1, kind: 'reset' },
        { at: 2, kind: 'truncated' },
      ],
    });
    await expect(get(simulator)).rejects.toThrow('fetch failed');
    const truncated = await get(simulator);
    expect(truncated.status).toBe(200);
    await expect(truncated.text()).rejects.toThrow('terminated');
    expect((await get(simulator)).status).toBe(200);
    expect(simulator.requests().map(({ status, fault }) => [status, fault])).toEqual([
      [null, 'reset'],
      [200, 'truncated'],
      [200, null],
    ]);
  });

  test('a slow response ends early when the client disconnects or the server stops', async () => {
    const clock = createTestClock();
    const simulator = await start({ clock, faults: [{ rate: 1, kind: 'slow' }] });
    const { url, headers } = sign(simulator, { atMs: clock.nowMs() });
    const abandoned = fetch(url, { headers, signal: AbortSignal.timeout(50) });
    await expect(abandoned).rejects.toThrow(/timeout/);
    const pending = fetch(url, { headers });
    const outcome = expect(pending).rejects.toThrow('fetch failed');
    while (clock.asleep() === 0 || simulator.requests().length < 2) await new Promise(setImmediate);
    await simulator.stop();
    await outcome;
    // A remaining timer would keep the process alive.
    expect(clock.asleep()).toBe(0);
    expect(simulator.requests().map((entry) => entry.status)).toEqual([null, null]);
    await simulator.stop();
  });

  test('a slow response is the correct page', async () => {
    const simulator = await start({ nodes: 10, faults: [{ at: 1, kind: 'slow', slowMs: 30 }] });
    const startMs = performance.now();
    expect((await getPage(simulator)).data_list).toEqual(simulator.nodes());
    expect(performance.now() - startMs).toBeGreaterThan(25);
  });

  test('latency stays within its bounds', async () => {
    const delays: number[] = [];
    const clock = {
      ...createTestClock(Date.now()),
      sleep: async (ms: number) => void delays.push(ms),
    };
    const simulator = await start({ clock, latencyMs: { min: 20, max: 40 } });
    for (let round = 0; round < 5; round += 1) await get(simulator);
    expect(delays).toHaveLength(5);
    expect(new Set(delays).size).toBe(5);
    for (const delay of delays) {
      expect(delay).toBeGreaterThanOrEqual(20);
      expect(delay).toBeLessThanOrEqual(40);
    }
  });

  test('an error in a hook does not look like an error of the service', async () => {
    const simulator = await start({
      beforePage: () => {
        throw new Error('in the hook');
      },
    });
    const response = await get(simulator);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('the simulator itself failed: in the hook');
  });
});
