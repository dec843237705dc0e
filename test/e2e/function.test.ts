// Tests that the function's bundle makes a snapshot over several invocations without other files. Method: a new process per
// invocation with a context like FunctionGraph's, in a folder with only the bundle and its configuration.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { countMost } from '../support/busiest-window.ts';
import { writeConfig } from '../support/exporting-config.ts';
import { agencyOf, bundleOf, type Invoked, invoke, invokeAll } from './invocations.ts';
import {
  createFolder,
  type Endpoint,
  expectCode,
  readTree,
  runCli,
  startEndpoint,
} from './processes.ts';
import { expectServed, readSnapshot } from './served-rows.ts';

const bundle = bundleOf('collect');
/** The window is longer than an invocation takes, even on a busy machine, so that no slot becomes free during one. */
const quota = { requests: 3, windowSeconds: 10 };
const windowMs = quota.windowSeconds * 1_000;

function deploy(endpoint: Endpoint, credentials: string): string {
  const folder = createFolder();
  copyFileSync(bundle, join(folder, 'index.js'));
  const source = { url: endpoint.url, ...endpoint.script };
  writeFileSync(join(folder, 'cgs-export.yml'), writeConfig(source, './lake', quota, credentials));
  mkdirSync(join(folder, 'lake'));
  return folder;
}

/** Invokes once per window, like a timer, until a snapshot is sealed. */
async function invokeUntilSealed(
  folder: string,
  options: Parameters<typeof invoke>[2],
): Promise<Invoked[]> {
  const invocations: Invoked[] = [];
  for (let count = 1; count <= 12; count += 1) {
    const invoked = await invoke(folder, `request-${count}`, options);
    invocations.push(invoked);
    if (invoked.error) throw new Error(JSON.stringify(invoked.error));
    if (invoked.result?.status === 'sealed') return invocations;
    expect(invoked.result?.status).toBe('paused');
    await delay(windowMs);
  }
  throw new Error('never sealed');
}

describe.concurrent('the built function', () => {
  test('seals over several invocations with a key in variables; each uses the free quota and stops', async () => {
    const endpoint = await startEndpoint({ nodes: 1_500, latencyMs: { min: 10, max: 40 } });
    const folder = deploy(endpoint, '{ ak: "${PROD_AK}", sk: "${PROD_SK}" }');
    const { ak, sk } = endpoint.script;
    const invocations = await invokeUntilSealed(folder, {
      key: {},
      // Encrypted variables are available only through getUserData.
      userData: { PROD_AK: ak, PROD_SK: sk },
    });
    expect(invocations.length).toBeGreaterThanOrEqual(3);
    for (const [index, { result, lines, durationMs }] of invocations.entries()) {
      expect(result?.requests).toBeLessThanOrEqual(quota.requests);
      expect(result?.errors).toEqual([]);
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.every(({ requestId }) => requestId === `request-${index + 1}`)).toBe(true);
      // It does not wait for the next window: the first slot would become free later than this.
      expect(durationMs).toBeLessThan(windowMs);
    }
    const last = invocations[invocations.length - 1]?.result;
    const [sealed] = last?.snapshots ?? [];
    expect(sealed).toMatchObject({ rows: 1_500, verdict: 'complete' });
    // The name of a timer's snapshot is the time of its schedule slot.
    expect(sealed?.snapshot).toMatch(/T000000Z$/);
    const report = await endpoint.report();
    expect(report.servings).toHaveLength(Math.ceil(1_499 / 199));
    expect(countMost(report.servings, windowMs)).toBeLessThanOrEqual(quota.requests);
    expect(report.servings[0]?.query.enterprise_project_id).toBe('all_granted_eps');
    expectServed(await readSnapshot(join(folder, 'lake'), sealed?.manifest ?? ''), report);

    const idle = await invoke(folder, 'request-idle', {
      key: {},
      userData: { PROD_AK: ak, PROD_SK: sk },
    });
    expect(idle.result).toMatchObject({ status: 'idle', snapshots: [], requests: 0 });
    const verified = await runCli(['verify', '--store', 'file:./lake'], { cwd: folder });
    expectCode(verified, 0);
  }, 240_000);

  test("uses the agency's temporary key, which is different in each invocation", async () => {
    const first = {
      ak: 'AGENCYAK000000000001',
      sk: 'agency-sk-1',
      securityToken: 'agency-token-1',
    };
    const endpoint = await startEndpoint({ ...first, nodes: 700 });
    const folder = deploy(endpoint, 'agency');
    const paused = await invoke(folder, 'one', { key: agencyOf(endpoint) });
    expect(paused.result).toMatchObject({ status: 'paused', requests: 3 });
    const second = {
      ak: 'AGENCYAK000000000002',
      sk: 'agency-sk-2',
      securityToken: 'agency-token-2',
    };
    await endpoint.change(second);
    await delay(windowMs + 200);
    const sealed = await invoke(folder, 'two', {
      key: agencyOf({ ...endpoint, script: { ...endpoint.script, ...second } }),
    });
    expect(sealed.result).toMatchObject({ status: 'sealed', snapshots: [{ rows: 700 }] });
    const printed = JSON.stringify([paused, sealed]);
    const stored = [...readTree(join(folder, 'lake')).values()].map(String).join('\n');
    for (const secret of [...Object.values(first), ...Object.values(second)]) {
      expect(printed).not.toContain(secret);
      expect(stored).not.toContain(secret);
    }
  }, 240_000);

  test('throws once for a rejected key, then sends nothing', async () => {
    const endpoint = await startEndpoint({ always: '403', securityToken: 'agency-token-3' });
    const folder = deploy(endpoint, 'agency');
    const options = { key: agencyOf(endpoint) };
    const thrown = await invoke(folder, 'one', options);
    expect(thrown.error).toMatchObject({ name: 'AuthError', code: 'NOT_PERMITTED' });
    expect(thrown.error?.message).toMatch(/^NOT_PERMITTED: .*\n\S/);
    expect(thrown.lines.some(({ level }) => level === 'error')).toBe(true);
    expect(thrown.lines).toContainEqual(
      expect.objectContaining({ message: 'done', run: expect.stringMatching(/^[0-9a-f]{12}$/) }),
    );
    for (const requestId of ['two', 'three']) {
      const left = await invoke(folder, requestId, options);
      expect(left.error).toBeNull();
      expect(left.result).toMatchObject({ status: 'idle', requests: 0 });
    }
    expect((await endpoint.report()).servings).toHaveLength(1);
  });

  test('pauses without a request if no time is left, and throws with a hint if there is no configuration', async () => {
    const endpoint = await startEndpoint({ securityToken: 'agency-token-4' });
    const folder = deploy(endpoint, 'agency');
    const hurried = await invoke(folder, 'one', { key: agencyOf(endpoint), leftMs: 1_500 });
    expect(hurried.result).toMatchObject({ status: 'paused', requests: 0 });
    expect((await endpoint.report()).servings).toHaveLength(0);

    const bare = createFolder();
    copyFileSync(bundle, join(bare, 'index.js'));
    const thrown = await invoke(bare, 'two', { key: agencyOf(endpoint) });
    expect(thrown.error).toMatchObject({ name: 'ConfigError', code: 'CONFIG' });
    expect(thrown.error?.message).toContain('cgs-export.yml');
    expect(thrown.lines).toMatchObject([
      { level: 'error', requestId: 'two' },
      { message: 'done', status: 'failed', requestId: 'two' },
    ]);
  });

  test('each log line has the request id of its own invocation, also if invocations overlap', async () => {
    const endpoint = await startEndpoint({
      ...{ nodes: 500, latencyMs: { min: 400, max: 500 } },
      securityToken: 'agency-token-5',
    });
    const folder = deploy(endpoint, 'agency');
    const key = agencyOf(endpoint);
    const requestIds = ['first', 'second'];
    const { outcomes, lines } = await invokeAll(
      folder,
      requestIds.map((requestId, index) => ({ requestId, key, delayMs: index * 300 })),
    );
    expect(outcomes.map(({ error }) => error)).toEqual([null, null]);
    // One of them works while the other one finds the store in use, and ends.
    const worked = outcomes.findIndex(({ result }) => (result?.requests ?? 0) > 0);
    const [worker, idler] = [requestIds[worked], requestIds[1 - worked]];
    expect(outcomes[1 - worked]?.result).toMatchObject({ status: 'idle', requests: 0 });
    const done = lines.filter(({ message }) => message === 'done');
    expect(done).toMatchObject([
      { requestId: idler, status: 'idle' },
      { requestId: worker, status: outcomes[worked]?.result?.status },
    ]);
    const starts = lines.find(({ message }) => message === 'starting a new run');
    expect(starts).toMatchObject({ requestId: worker });
    const later = lines.slice(lines.indexOf(done[0] ?? {}) + 1);
    expect(new Set(later.map(({ requestId }) => requestId))).toEqual(new Set([worker]));
  });

  test.each<[string, unknown[], string]>([
    ['nothing', [], 'context: is missing'],
    ['null', [null, null], 'context: is missing'],
    ['a text', [{}, 'context'], 'context: is not an object'],
    ['an empty context', [{}, {}], 'context: has no getRemainingTimeInMilliSeconds()'],
    [
      'a context without functions',
      [{}, { getRemainingTimeInMilliSeconds: 60_000, getRequestID: 'x' }],
      'context: has no getRemainingTimeInMilliSeconds()',
    ],
  ])('called with %s, says that FunctionGraph must call it', async (_name, given, message) => {
    const folder = createFolder();
    copyFileSync(bundle, join(folder, 'index.js'));
    const { error, lines } = await invoke(folder, '', { arguments: given });
    expect(error).toMatchObject({ name: 'ConfigError', code: 'CONFIG' });
    expect(error?.message).toContain(message);
    expect(error?.message).toContain('FunctionGraph');
    expect(error?.message).toContain('cgs-export tick');
    expect(lines).toMatchObject([
      { level: 'error', requestId: null },
      { message: 'done', status: 'failed', requestId: null },
    ]);
  });

  test('rejects a folder as its store, relative or temporary, unless it is mounted', async () => {
    const endpoint = await startEndpoint({ nodes: 30, securityToken: 'agency-token-6' });
    const folder = deploy(endpoint, 'agency');
    const file = join(folder, 'cgs-export.yml');
    const mounted = readFileSync(file, 'utf8');
    const options = { key: agencyOf(endpoint) };
    for (const store of ['file:./lake', 'file:/tmp/cgs-export-never-written']) {
      writeFileSync(file, mounted.replace(/^store: .*\nmounted: true$/m, `store: ${store}`));
      const { error } = await invoke(folder, 'one', options);
      expect(error).toMatchObject({ name: 'ConfigError', code: 'CONFIG' });
      expect(error?.message).toContain('store: is a folder, which a function loses');
      expect(error?.message).toContain('mounted: true');
    }
    expect((await endpoint.report()).servings).toHaveLength(0);
    expect(readdirSync(join(folder, 'lake'))).toEqual([]);
    writeFileSync(file, mounted);
    const { result } = await invoke(folder, 'two', options);
    expect(result).toMatchObject({ status: 'sealed', snapshots: [{ rows: 30 }] });
  });
});
