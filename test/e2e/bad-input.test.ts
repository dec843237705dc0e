// Tests that the CLI names every fault of its input and of the service, exits with the documented code and gives a hint.
// Method: the built file, one fault at a time. test/scenarios/damaged-store.test.ts does so with faults of the store.

import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { someCases } from '../support/cases.ts';
import type { Script } from '../support/plain-endpoint.ts';
import {
  createFolder,
  expectCode,
  exportTo,
  findObject,
  readError,
  readJson,
  readTree,
  runCli,
  startEndpoint,
} from './processes.ts';

describe.concurrent('a wrong command line or configuration', () => {
  test('reports every fault of a configuration at once, each with its path and a hint', async () => {
    const cwd = createFolder();
    const text = `store: s3://lake
schedule: 7h
formats: [parquet, csv]
quota: { requests: 0 }
colour: red
accounts:
  - name: prod
    credentials: { ak: "\${NOT_SET_AK}", sk: "\${NOT_SET_SK}" }
    targets:
      - { region: cn-south-4, projectId: abc, table: nodes_ndjson }
      - { region: cn-south-4, projectId: abc, filters: { hostName: web } }
      - { endpoint: "http://example.com" }
`;
    writeFileSync(join(cwd, 'cgs-export.yml'), text);
    const ended = await runCli(['export', '--json'], { cwd });
    expectCode(ended, 2);
    const { errors, status } = readJson(ended);
    expect(status).toBe('failed');
    const expected = [
      ...['store', 'schedule', 'formats.1', 'quota.requests', 'colour'],
      ...['accounts.0.credentials.ak', 'accounts.0.credentials.sk', 'accounts.0.targets.0.table'],
      ...['accounts.0.targets.1.table', 'accounts.0.targets.2.region'],
      'accounts.0.targets.2.endpoint',
    ];
    const paths = errors.map(({ message }) => message.split(': ')[0]);
    expect(expected.filter((path) => !paths.includes(path))).toEqual([]);
    expect(errors.every(({ code, hint }) => code === 'CONFIG' && hint !== '')).toBe(true);
  });

  test.each(
    someCases([
      ['an unknown command', ['exprot', '--json']],
      ['an unknown option', ['export', '--json', '--regoin', 'x']],
      ['an option without its value', ['export', '--json', '--region']],
      ['an extra argument', ['export', '--json', 'now']],
      ['no configuration', ['export', '--json']],
      [
        '--config together with target flags',
        ['export', '--json', '--config', 'a.yml', '--region', 'cn-south-4'],
      ],
      ['no access key', ['export', '--json', '--region', 'cn-south-4', '--store', 'file:./lake']],
      ['an unknown log level', ['export', '--json', '--log-level', 'loud']],
      ['an invalid time limit', ['tick', '--json', '--time-limit', 'soon']],
      ['verify without a store', ['verify', '--json', '--store', 'file:./nowhere']],
    ]),
  )('exits with 2 for %s', async (_name, args) => {
    const cwd = createFolder();
    const ended = await runCli(args, { cwd });
    expectCode(ended, 2);
    const { status, errors } = readJson(ended);
    expect(status).toBe('failed');
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.every(({ message, hint }) => message !== '' && hint !== '')).toBe(true);
    expect([...readTree(cwd).keys()]).toEqual([]);
  });
});

describe.concurrent('a response of the service', () => {
  interface Answer {
    name: string;
    script: Partial<Script>;
    code: number;
    error: { code: string; message: RegExp; hint: RegExp };
    /** Requests for nodes. */
    requests: number;
  }
  const answers: Answer[] = [
    {
      name: '401',
      script: { always: '401' },
      code: 3,
      error: { code: 'REFUSED', message: /401 APIGW\.0301/, hint: /access key/ },
      requests: 1,
    },
    {
      name: '403',
      script: { always: '403' },
      code: 3,
      error: { code: 'NOT_PERMITTED', message: /403/, hint: /hss:containers:list/ },
      requests: 1,
    },
    {
      name: 'a clock that is 20 minutes wrong',
      script: { clockOffsetMs: 20 * 60_000 },
      code: 3,
      error: { code: 'CLOCK_SKEW', message: /expired/, hint: /clock is 20 min behind/ },
      requests: 1,
    },
    {
      name: 'an HTML page',
      script: { always: 'html200' },
      code: 1,
      error: { code: 'NOT_A_PAGE', message: /HTML page/, hint: /endpoint/ },
      requests: 3,
    },
    {
      name: 'the JSON of another service',
      script: { always: 'otherJson' },
      code: 1,
      error: { code: 'NOT_A_PAGE', message: /fields projects, links/, hint: /endpoint/ },
      requests: 3,
    },
    {
      name: 'null',
      script: { always: 'null' },
      code: 1,
      error: { code: 'NOT_A_PAGE', message: /JSON null/, hint: /endpoint/ },
      requests: 3,
    },
    {
      name: 'broken JSON each time',
      script: { always: 'brokenJson' },
      code: 1,
      error: {
        code: 'NOT_A_PAGE',
        message: /truncated or invalid JSON/,
        hint: /tries again by itself/,
      },
      requests: 3,
    },
    {
      name: 'HSS.0041 each time',
      script: { always: '500' },
      code: 4,
      error: { code: 'SERVER', message: /500 HSS\.0041/, hint: /request id/ },
      requests: 10,
    },
    {
      name: 'a connection reset each time',
      script: { always: 'reset' },
      code: 4,
      error: { code: 'NETWORK', message: /could not be reached/, hint: /network/ },
      requests: 10,
    },
    {
      name: '3,000,000 nodes',
      script: { totalNum: 3_000_000 },
      code: 1,
      error: { code: 'LIST_TOO_LONG', message: /3000000 nodes/, hint: /[Ss]plit/ },
      requests: 1,
    },
    {
      name: 'more than 1 % without a host_id',
      script: { nodes: 500, keyless: 20 },
      code: 1,
      error: {
        code: 'TOO_MANY_REJECTS',
        message: /At least \d+ of at most 600 records/,
        hint: /./,
      },
      requests: 3,
    },
  ];

  test.each(someCases(answers))(
    '$name: exits with $code and publishes nothing',
    async ({ script, code, error, requests }) => {
      const endpoint = await startEndpoint(script);
      const cwd = createFolder();
      const ended = await exportTo(endpoint, cwd);
      expectCode(ended, code);
      const shown = readError(ended);
      expect(shown.code).toBe(error.code);
      expect(shown.message).toMatch(error.message);
      expect(shown.hint).toMatch(error.hint);
      expect((await endpoint.report()).servings).toHaveLength(requests);
      // Readers see nothing, not even a part.
      const objects = [...readTree(join(cwd, 'lake')).keys()];
      expect(objects.filter((key) => !/^_(runs|quota|lease)\//.test(key))).toEqual([]);
    },
  );

  test('exits with 4 for a closed port', async () => {
    const endpoint = await startEndpoint();
    // Opened and closed again, so the port is free.
    const closed = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
      });
    });
    const url = `http://127.0.0.1:${closed}`;
    const ended = await exportTo({ ...endpoint, url }, createFolder());
    expectCode(ended, 4);
    const { code, message } = readError(ended);
    expect(code).toBe('NETWORK');
    expect(message).toMatch(/could not be reached: connection refused \(ECONNREFUSED\)$/);
  });

  test('seals an empty snapshot for an empty list and exits with 0', async () => {
    const endpoint = await startEndpoint({ nodes: 0 });
    const cwd = createFolder();
    const ended = await exportTo(endpoint, cwd);
    expectCode(ended, 0);
    const { snapshots } = readJson(ended);
    expect(snapshots).toMatchObject([{ rows: 0, verdict: 'complete' }]);
    // No file without lines, from which readers cannot infer columns.
    const manifest = readFileSync(join(cwd, 'lake', snapshots[0]?.manifest ?? ''), 'utf8');
    expect(JSON.parse(manifest).parts).toMatchObject([{ format: 'parquet', rows: 0 }]);
    expectCode(await runCli(['verify', '--store', 'file:./lake'], { cwd }), 0);
  });

  test('seals a reordered list as drifted, exits with 6 and does not move _latest', async () => {
    const endpoint = await startEndpoint({ nodes: 600 });
    const cwd = createFolder();
    const first = await exportTo(endpoint, cwd);
    expectCode(first, 0);
    await endpoint.change({ moves: 60 });
    const ended = await exportTo(endpoint, cwd);
    expectCode(ended, 6);
    const [sealed] = readJson(ended).snapshots;
    expect(sealed?.verdict).toBe('drifted');
    const lake = join(cwd, 'lake');
    const read = (pattern: RegExp) =>
      JSON.parse(readFileSync(join(lake, findObject(lake, pattern)), 'utf8')) as object;
    expect(read(/^_latest\//)).toMatchObject({
      snapshot: readJson(first).snapshots[0]?.snapshot,
    });
    expect(read(/^_head\//)).toMatchObject({ snapshot: sealed?.snapshot });
    expectCode(await runCli(['verify', '--store', 'file:./lake'], { cwd }), 0);
  });
});
