// Tests which targets the options select, and how options define one target.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pickOf, readConfig, toConfigFlags } from '../../lib/cli/target-options.ts';
import { ConfigError } from '../../lib/core/errors.ts';
import { createFolder, createTestRuntime } from './test-runtime.ts';

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

function createConfigured() {
  const cwd = createFolder();
  writeFileSync(join(cwd, 'cgs-export.yml'), file);
  return createTestRuntime({ cwd, env: key });
}

async function issuesOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConfigError))
    throw new Error(`expected a ConfigError, got ${String(error)}`);
  return error.issues.map(({ path, message, hint }) => `${path} ${message} ${hint}`).join('\n');
}

describe('--account and --table', () => {
  test('select targets of the configuration', async () => {
    const options = { account: ['prod'], table: ['web_nodes', 'container_nodes'] };
    await expect(readConfig(options, createConfigured())).resolves.toMatchObject({});
    expect(pickOf(options)).toEqual({ accounts: options.account, tables: options.table });
  });

  test('report every unknown name at once, with the known ones', async () => {
    const options = { account: ['prd', 'prod'], table: ['x'] };
    const text = await issuesOf(readConfig(options, createConfigured()));
    expect(text).toContain(
      '--account the configuration has no account "prd"; did you mean "prod"?',
    );
    expect(text).toContain('Choose one of: prod, staging.');
    expect(text).toContain('--table the configuration has no table "x"');
    expect(text).toContain('Choose one of: container_nodes, web_nodes.');
  });

  test('report an account and a table that no target has together', async () => {
    const options = { account: ['staging'], table: ['web_nodes'] };
    const text = await issuesOf(readConfig(options, createConfigured()));
    expect(text).toContain('no target has both this account and this table');
    expect(text).toContain('prod web_nodes');
  });
});

describe('options without a configuration file', () => {
  test('define the only target, so --account and --table name it and select nothing', () => {
    const options = {
      region: 'cn-south-4',
      account: ['prod'],
      table: ['t'],
      formats: 'parquet, ndjson',
    };
    expect(toConfigFlags(options)).toMatchObject({
      region: 'cn-south-4',
      account: 'prod',
      table: 't',
      formats: ['parquet', 'ndjson'],
    });
    expect(pickOf(options)).toEqual({});
  });

  test('reject two names for one target', () => {
    const options = { store: 'file:x', account: ['a', 'b'], table: ['t', 'u'] };
    expect(() => toConfigFlags(options)).toThrow(
      /--account: is given twice.*\n--table: is given twice/,
    );
  });
});
