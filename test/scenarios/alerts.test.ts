// Tests alerts with the built program and the built function, and a receiver that checks every signature: an export that fails
// and then succeeds, receivers that misbehave, and that no secret is shown.

import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleOf, invoke } from '../e2e/invocations.ts';
import {
  createFolder,
  type Ended,
  type Endpoint,
  expectCode,
  keyOf,
  readJson,
  readTree,
  runCli,
  startCli,
  startEndpoint,
  until,
} from '../e2e/processes.ts';
import { type AlertReceiver, answerText, startAlertReceiver } from '../support/alert-receiver.ts';
import { someCases } from '../support/cases.ts';

let endpoint: Endpoint;
let receiver: AlertReceiver;
beforeAll(async () => {
  endpoint = await startEndpoint({ nodes: 20 });
  receiver = await startAlertReceiver(endpoint.script);
});
afterAll(() => receiver.close());

const urnOf = ({ script }: Endpoint) => `urn:smn:${script.region}:${script.projectId}:alerts`;

function createProject(options: { smn?: boolean; rules?: string; receiver?: AlertReceiver } = {}) {
  const { smn = false, rules, receiver: to = receiver } = options;
  const { url, script } = endpoint;
  const cwd = createFolder();
  const topic = `\n  smn: { topicUrn: "${urnOf(endpoint)}", endpoint: "${to.origin}" }`;
  writeFileSync(
    join(cwd, 'cgs-export.yml'),
    `store: file:./lake
mounted: true
quota: { requests: 1000, windowSeconds: 1 }
alerts:
  webhook: { url: "\${HOOK_URL}", secret: "\${HOOK_SECRET}" }${smn ? topic : ''}${rules === undefined ? '' : `\n  rules: ${rules}`}
accounts:
  - name: prod
    targets: [{ region: ${script.region}, projectId: ${script.projectId}, endpoint: "${url}" }]
`,
  );
  const env = { ...keyOf(endpoint), HOOK_URL: to.url, HOOK_SECRET: to.secret };
  const texts: string[] = [];
  return {
    cwd,
    env,
    texts,
    async run(...args: string[]): Promise<Ended> {
      const ended = await runCli([...args, '--log-level', 'debug'], { cwd, env });
      texts.push(ended.out, ended.err);
      return ended;
    },
  };
}

/** Neither output nor stored objects may show the address, its path, the secret, or what the receiver answered. */
function expectNoSecret(
  { texts, cwd }: ReturnType<typeof createProject>,
  { url, secret: hmacKey } = receiver,
): void {
  const stored = [...readTree(cwd)].filter(([path]) => path.startsWith('lake/_'));
  const all = [...texts, ...stored.map(([, bytes]) => String(bytes))].join('\n');
  const { pathname, host } = new URL(url);
  for (const secret of [url, pathname, hmacKey, answerText, host, endpoint.script.sk]) {
    expect(all).not.toContain(secret);
  }
}

const brief = ({ rule, state }: { rule: string; state: string }) => `${rule} ${state}`;

test('a failed export fires, the next one resolves; a node that is gone is named; each sealed snapshot is an event', async () => {
  const project = createProject({
    smn: true,
    rules: '{ snapshotFailed: true, nodeGone: true, unprotectedShareAbove: 0, onSnapshot: true }',
  });
  receiver.accepted.length = 0;
  receiver.published.length = 0;
  await endpoint.change({ always: '403' });
  expectCode(await project.run('export'), 3);
  expect(receiver.accepted.map(brief)).toEqual(['snapshotFailed firing']);
  // Nothing changed: nothing is sent.
  expectCode(await project.run('export'), 3);
  expect(receiver.accepted).toHaveLength(1);
  // The list loses a node after its page is read.
  await endpoint.change({ always: null, deletes: 1 });
  const ended = await project.run('export', '--json');
  expectCode(ended, 0);
  const [sealed] = readJson(ended).snapshots;
  expect(receiver.accepted.slice(1).map(brief)).toEqual([
    ...['snapshotFailed resolved', 'unprotectedShareAbove firing', 'onSnapshot event'],
  ]);
  expect(receiver.accepted.at(-1)).toMatchObject({
    snapshot: sealed?.snapshot,
    target: { account: 'prod', projectId: endpoint.script.projectId },
    values: {
      ...{ verdict: 'complete', rows: 20 },
      manifest: sealed?.manifest,
      manifestSha256: sealed?.manifestSha256,
    },
  });
  expect(receiver.accepted[0]).toMatchObject({
    alertVersion: 1,
    values: { kind: 'held', code: 'NOT_PERMITTED' },
    hint: expect.stringContaining('hss:containers:list'),
  });
  await endpoint.change({ deletes: 0 });
  expectCode(await project.run('export'), 0);
  expect(receiver.accepted.slice(4).map(brief)).toEqual(['nodeGone event', 'onSnapshot event']);
  expect(receiver.accepted[4]).toMatchObject({
    message: expect.stringContaining('1 node is gone'),
    values: { count: 1, nodes: [{ hostId: expect.any(String), hostName: expect.any(String) }] },
  });
  for (const { sentAt, noticedAt } of receiver.accepted) {
    expect(Math.abs(Date.parse(sentAt) - Date.now())).toBeLessThan(60_000);
    expect(Date.parse(sentAt)).toBeGreaterThanOrEqual(Date.parse(noticedAt) - 1_000);
  }
  // The topic got the same alerts: the last line of each message is the JSON.
  const published = receiver.published.map(({ message }) =>
    JSON.parse(message.split('\n').at(-1) ?? ''),
  );
  expect(published.map(({ id }) => id)).toEqual(receiver.accepted.map(({ id }) => id));
  expect(receiver.published[0]?.path).toBe(
    `/v2/${endpoint.script.projectId}/notifications/topics/${urnOf(endpoint)}/publish`,
  );
  expect(receiver.faults).toEqual([]);
  expectNoSecret(project);
});

test('alerts test sends one marked alert to each destination, and says what to do if it fails', async () => {
  const project = createProject({ smn: true });
  receiver.accepted.length = 0;
  receiver.published.length = 0;
  const good = await project.run('alerts', 'test');
  expectCode(good, 0);
  expect(good.out).toBe('webhook: a test alert was delivered\nsmn: a test alert was delivered\n');
  expect(receiver.accepted.map(brief)).toEqual(['test event']);
  expect(receiver.published[0]?.subject).toBe('cgs-export: test event');
  for (const [behaviour, code] of [
    [403, 3],
    [500, 4],
    ['redirect', 1],
  ] as const) {
    receiver.behave(behaviour);
    const failed = await project.run('alerts', 'test', '--json');
    expectCode(failed, code);
    const json = readJson<{ destinations: object[]; errors: { hint: string }[] }>(failed);
    expect(json.destinations).toMatchObject([
      { destination: 'webhook', delivered: false },
      { destination: 'smn', delivered: true },
    ]);
    expect(json.errors).toHaveLength(1);
  }
  receiver.behave(200);
  expect(receiver.others).toEqual([]);
  // The address of nothing.
  const gone = await runCli(['alerts', 'test'], {
    cwd: project.cwd,
    env: { ...project.env, HOOK_URL: 'http://127.0.0.1:1/services/T0SECRET/never' },
  });
  expectCode(gone, 4);
  expect(gone.err + gone.out).toContain('connection refused (ECONNREFUSED)');
  expect(gone.err + gone.out).not.toMatch(/127\.0\.0\.1|T0SECRET/);
  expectCode(await project.run('alerts'), 2);
  expectCode(await project.run('alerts', 'tset'), 2);
  expect([...readTree(project.cwd).keys()]).toEqual(['cgs-export.yml']);
  expectNoSecret(project);
});

test('the function sends alerts too, and throws what it threw without them', async () => {
  const project = createProject();
  copyFileSync(bundleOf('collect'), join(project.cwd, 'index.js'));
  receiver.accepted.length = 0;
  const invokeOnce = async () => {
    const invoked = await invoke(project.cwd, 'r', { userData: project.env });
    project.texts.push(JSON.stringify(invoked));
    return invoked;
  };
  await endpoint.change({ always: '403' });
  receiver.behave(500);
  expect((await invokeOnce()).error?.message).toMatch(/^NOT_PERMITTED: /);
  receiver.behave(200);
  // The target is held: nothing is thrown again, and the alert of the first invocation arrives.
  expect(await invokeOnce()).toMatchObject({ error: null, result: { status: 'idle' } });
  expect(receiver.accepted.map(brief)).toEqual(['snapshotFailed firing']);
  await endpoint.change({ always: null });
  expectNoSecret(project);
});

test('a kill after the delivery and before its record repeats the alert, with the same id', async () => {
  const project = createProject({ rules: '{ onSnapshot: true }' });
  receiver.accepted.length = 0;
  // It has the alert, but does not answer.
  receiver.behave('silent');
  const { child, ended } = startCli(['export'], project);
  await until(() => receiver.accepted.length > 0, 'the first delivery');
  child.kill('SIGKILL');
  expect((await ended).signal).toBe('SIGKILL');
  receiver.behave(200);
  expectCode(await project.run('tick'), 0);
  expectCode(await project.run('tick'), 0);
  const [first, second, ...more] = receiver.accepted;
  expect(more).toEqual([]);
  expect(second).toEqual({ ...first, sentAt: expect.any(String) });
});

const misbehaviours = [
  // With a limit of 8 s, as a function that ends soon: the 10 s that deliveries may take are longer.
  ['hang', ['--time-limit', '8']],
  ['drip', []],
  ['redirect', []],
  [500, []],
  ['close', []],
  ['huge', []],
] as const;

// At the same time, because some of them wait for seconds.
describe.concurrent('a receiver that misbehaves changes neither result nor exit code, and takes bounded time', () => {
  test.each(someCases(misbehaviours))('%s', async (behaviour, limit) => {
    const own = await startAlertReceiver(endpoint.script);
    const rules = '{ unprotectedShareAbove: 0, onSnapshot: true }';
    const project = createProject({ rules, receiver: own });
    own.behave(behaviour);
    const startMs = performance.now();
    const first = await project.run('tick', '--json', ...limit);
    // The rest is the start of the process on a busy machine.
    expect(performance.now() - startMs).toBeLessThan(18_000);
    expectCode(first, 0);
    const { status, errors, snapshots } = readJson(first);
    expect({ status, errors, verdict: snapshots[0]?.verdict }).toEqual({
      ...{ status: 'sealed', errors: [], verdict: 'complete' },
    });
    own.behave(200);
    const acceptedBefore = own.accepted.length;
    const second = await project.run('tick', '--json');
    expectCode(second, 0);
    expect(readJson(second)).toMatchObject({ status: 'idle' });
    // What was taken is not sent again; what was not arrives with the next invocation.
    expect(acceptedBefore).toBe(behaviour === 'huge' || behaviour === 'drip' ? 2 : 0);
    expect(own.accepted.map(brief)).toEqual(['unprotectedShareAbove firing', 'onSnapshot event']);
    expect(own.others).toEqual([]);
    expectNoSecret(project, own);
    await own.close();
  });
});
