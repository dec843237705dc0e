// Tests the faults that a command reports before anything is sent, with a Serverless that only calls its hooks.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { CommandOptions } from '../../lib/deploy/command-context.ts';
import { createPlugin } from '../../lib/deploy/plugin.ts';

const root = mkdtempSync(join(tmpdir(), 'plugin-'));
writeFileSync(
  join(root, 'serverless.yml'),
  readFileSync(join(import.meta.dirname, '../../serverless.yml')),
);
afterAll(() => rmSync(root, { recursive: true }));

/** The error class whose message Serverless prints without a stack. */
class ReportedError extends Error {}

/** `warnings` gets what the plugin warns about. */
function create(
  options: CommandOptions & Record<string, unknown> = {},
  name = 'huawei',
  warnings: string[] = [],
) {
  const serverless = {
    ...{ serviceDir: root, configurationFilename: 'serverless.yml' },
    service: {
      provider: { name },
      functions: {
        collect: {
          ...{ name: 'cgs-export-collect', handler: 'index.handler' as const },
          secrets: ['HUAWEI_SK'],
        },
      },
      package: {},
    },
    configSchemaHandler: {
      schema: { properties: { functions: { patternProperties: {} } } },
      defineProvider() {},
    },
    classes: { Error: ReportedError },
    setProvider() {},
  };
  const tools = {
    log: { notice() {}, warning: (text: string) => warnings.push(text) },
    progress: { get: () => ({ update() {}, remove() {} }) },
    writeText() {},
  };
  return createPlugin(serverless, options, tools, { env: {}, bundles: root });
}

const commands = ['info:info', 'invoke:invoke', 'logs:logs', 'remove:remove', 'deploy:deploy'];

test.each<[Record<string, unknown>, string]>([
  [{ function: 'colect' }, '--function: there is no function colect\nserverless.yml has collect.'],
  [{ tail: true }, '--tail: has no effect with this provider\nLeave it out.'],
  [{ data: '{}' }, '--data: has no effect with this provider'],
  [{ path: 'x.json' }, '--path: has no effect with this provider'],
  [{ stage: 'test' }, 'cgs-export-collect does not contain the stage'],
  // The name contains it, but not as a variable.
  [{ stage: 'collect' }, 'cgs-export-collect does not contain the stage'],
])('%j is rejected by every command', async (options, message) => {
  const { hooks } = create(options);
  for (const [name, hook] of Object.entries(hooks)) {
    if (!commands.includes(name)) continue;
    const error = await hook().catch((thrown: unknown) => thrown);
    expect(error, name).toBeInstanceOf(ReportedError);
    expect((error as Error).message, name).toContain(message);
  }
});

test('invoke local names the command to run instead', async () => {
  const error = await create()
    .hooks['invoke:local:invoke']()
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ReportedError);
  expect((error as Error).message).toContain('Run `cgs-export tick` instead');
});

test.each(['before:package:createDeploymentArtifacts', 'deploy:function:packageFunction'] as const)(
  '%s warns about a variable that cgs-export.yml does not read',
  async (hook) => {
    mkdirSync(join(root, 'collect'), { recursive: true });
    for (const name of ['index.js', 'index.js.LEGAL.txt']) {
      writeFileSync(join(root, 'collect', name), '');
    }
    const config = 'store: obs://lake/cgs\naccounts: [{ name: a, targets: [{ region: x }] }]\n';
    writeFileSync(join(root, 'cgs-export.yml'), config);
    const warnings: string[] = [];
    await create({}, 'huawei', warnings).hooks[hook]();
    expect(warnings).toEqual([
      expect.stringMatching(/^serverless\.yml gives HUAWEI_SK to collect, but no setting/),
    ]);
  },
);

test('another provider is rejected', () => {
  expect(() => create({}, 'huawie')).toThrow(ReportedError);
  expect(() => create({}, 'huawie')).toThrow(/^provider\.name: "huawie"/);
});
