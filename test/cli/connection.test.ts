// Tests which targets and which store the options lead to, and that an export shows its progress.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { connectStore, connectTargets } from '../../lib/cli/connection.ts';
import type { TargetOptions } from '../../lib/cli/options.ts';
import { type CommandRuntime, openSession } from '../../lib/cli/session.ts';
import { ConfigError } from '../../lib/core/errors.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import {
  call,
  createFolder,
  createTestRuntime,
  flagsFor,
  keyOf,
  simulate,
} from './test-runtime.ts';

const key = { HUAWEICLOUD_SDK_AK: 'AKAKAKAK', HUAWEICLOUD_SDK_SK: 'sksksksk' };
const file = `
store: file:./lake
accounts:
  - name: prod
    targets:
      - { region: cn-south-4, projectId: p1 }
      - { region: cn-south-4, projectId: p1, table: web_nodes, filters: { hostName: web } }
  - name: staging
    targets: [{ region: cn-south-4, projectId: p2 }]
`;

function openTestSession(runtime: CommandRuntime) {
  return openSession(runtime, createScrubber(), { json: false });
}

/** In a folder with the configuration above. */
function openConfigured() {
  const cwd = createFolder();
  writeFileSync(join(cwd, 'cgs-export.yml'), file);
  return openTestSession(createTestRuntime({ cwd, env: key }));
}

/** As `account table`. */
async function targetsOf(options: TargetOptions): Promise<string[]> {
  const { targets } = await connectTargets(options, openConfigured());
  return targets.map(({ account, table }) => `${account} ${table}`);
}

async function issuesOf(options: TargetOptions): Promise<string> {
  const error = await connectTargets(options, openConfigured()).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConfigError))
    throw new Error(`expected a ConfigError, got ${String(error)}`);
  return error.issues.map(({ path, message, hint }) => `${path} ${message} ${hint}`).join('\n');
}

describe('--account and --table', () => {
  test('select targets of the configuration', async () => {
    expect(await targetsOf({})).toEqual([
      'prod container_nodes',
      'prod web_nodes',
      'staging container_nodes',
    ]);
    expect(await targetsOf({ account: ['prod'] })).toEqual([
      'prod container_nodes',
      'prod web_nodes',
    ]);
    const both = { account: ['prod', 'staging'], table: ['web_nodes'] };
    expect(await targetsOf(both)).toEqual(['prod web_nodes']);
  });

  test('report every unknown name at once, with the known ones', async () => {
    const text = await issuesOf({ account: ['prd', 'prod'], table: ['x'] });
    expect(text).toContain(
      '--account the configuration has no account "prd"; did you mean "prod"?',
    );
    expect(text).toContain('Choose one of: prod, staging.');
    expect(text).toContain('--table the configuration has no table "x"');
    expect(text).toContain('Choose one of: container_nodes, web_nodes.');
  });

  test('report an account and a table that no target has together', async () => {
    const text = await issuesOf({ account: ['staging'], table: ['web_nodes'] });
    expect(text).toContain('no target has both this account and this table');
    expect(text).toContain('prod web_nodes');
  });
});

describe('options without a configuration file', () => {
  const target = { region: 'cn-south-4', store: 'file:x' };

  test('define the only target, so --account and --table name it and select nothing', async () => {
    const options = { ...target, account: ['mine'], table: ['t'], formats: 'ndjson, parquet' };
    expect(await targetsOf(options)).toEqual(['mine t']);
  });

  test('separate datasets by commas: each is a target with a table of its own', async () => {
    const options = { ...target, api: 'hss', datasets: 'container_nodes, container_clusters' };
    expect(await targetsOf(options)).toEqual([
      ...['default container_nodes', 'default container_clusters'],
    ]);
    expect(await issuesOf({ ...target, datasets: 'container_nodes,pods' })).toMatch(
      /^--datasets .*: container_nodes, container_clusters\.$/,
    );
  });

  test('separate formats by commas', async () => {
    expect(await issuesOf({ ...target, formats: 'parquet, xml' })).toMatch(
      /^--formats .*\bparquet, ndjson\.$/,
    );
  });

  test('reject two names for one target', async () => {
    const text = await issuesOf({ ...target, account: ['a', 'b'], table: ['t', 'u'] });
    expect(text).toMatch(/^--account is given twice.*\n--table is given twice/);
  });
});

describe('--store of a command that only reads the store', () => {
  test('opens a folder without a key, and redacts nothing', async () => {
    const session = openTestSession(createTestRuntime());
    const { store } = await connectStore({ store: 'file:./lake' }, session);
    expect(store.url).toBe(`file:${session.runtime.cwd}/lake`);
    expect(session.scrubber.scrub('a - b -- c')).toBe('a - b -- c');
  });

  test('rejects a bucket if the environment has no key', async () => {
    const session = openTestSession(createTestRuntime());
    await expect(connectStore({ store: 'obs://lake/cgs' }, session)).rejects.toThrow(
      /HUAWEICLOUD_SDK_AK/,
    );
  });

  test('cannot be combined with --config', async () => {
    const options = { store: 'file:./lake', config: 'cgs-export.yml' };
    await expect(connectStore(options, openConfigured())).rejects.toThrow(
      '--config: cannot be combined with --store',
    );
  });
});

test('shows the progress of an export on a terminal', async () => {
  const simulator = await simulate({ nodes: 450 });
  const { code, runtime } = await call(['export', ...flagsFor(simulator)], {
    env: keyOf(simulator),
    terminal: true,
    every(_intervalMs, work) {
      const timer = setInterval(work, 1);
      return () => clearInterval(timer);
    },
  });
  expect(code).toBe(0);
  expect(runtime.err()).toMatch(/\/450 rows/);
});
