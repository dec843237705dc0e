import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pickOf, readConfig, readNumber, toConfigFlags } from '../../lib/cli/options.ts';
import { ConfigError } from '../../lib/core/errors.ts';
import { createFolder, createTestWorld } from './world.ts';

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
  return createTestWorld({ cwd, env: key });
}

async function issuesOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConfigError)) throw new Error(`no ConfigError but ${String(error)}`);
  return error.issues.map(({ path, message, hint }) => `${path} ${message} ${hint}`).join('\n');
}

describe('a choice of targets', () => {
  test('that names known ones', async () => {
    const options = { account: ['prod'], table: ['web_nodes', 'container_nodes'] };
    await expect(readConfig(options, createConfigured())).resolves.toMatchObject({});
    expect(pickOf(options)).toEqual({ accounts: options.account, tables: options.table });
  });

  test('that matches nothing tells what is known, all at once', async () => {
    const options = { account: ['prd', 'prod'], table: ['x'] };
    const text = await issuesOf(readConfig(options, createConfigured()));
    expect(text).toContain(
      '--account the configuration has no account "prd"; did you mean "prod"?',
    );
    expect(text).toContain('Known: prod, staging.');
    expect(text).toContain('--table the configuration has no table "x"');
    expect(text).toContain('Known: container_nodes, web_nodes.');
  });

  test('whose halves do not meet', async () => {
    const options = { account: ['staging'], table: ['web_nodes'] };
    const text = await issuesOf(readConfig(options, createConfigured()));
    expect(text).toContain('no target has both');
    expect(text).toContain('prod web_nodes');
  });
});

describe('flags instead of a file', () => {
  test('name the one target, and choose nothing', () => {
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

  test('give one name each', () => {
    const options = { store: 'file:x', account: ['a', 'b'], table: ['t', 'u'] };
    expect(() => toConfigFlags(options)).toThrow(
      /--account: stands twice.*\n--table: stands twice/,
    );
  });
});

test.each(['', ' ', 'x', '-1', '1e999', '4 s'])('"%s" is no number from 0 on', (text) => {
  expect(() => readNumber('--nodes', text, 0)).toThrow(ConfigError);
});
