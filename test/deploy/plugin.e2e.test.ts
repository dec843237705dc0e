// Tests the commands of the plugin as a user runs them: `npx serverless …` in a folder that has serverless.yml and the package.
// Method: the FunctionGraph double over http; the deployed code reads from the simulator. Only output, files and requests are checked.

import { readdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import { readArchive } from '../support/archive-reader.ts';
import { createService, type Service } from '../support/deploy-service.ts';
import { agency, writeConfig } from '../support/exporting-config.ts';
import { type FunctionGraphDouble, startFunctionGraph } from '../support/function-graph.ts';
import { createKeyPair } from '../support/signing-keys.ts';

const quota = { requests: 5, windowSeconds: 1 };
const nodes = 2_500;
const { publicPem } = createKeyPair().signer;
const secret = 'prod-secret-key-that-opens-nothing';

let service: Service;
let double: FunctionGraphDouble;
let simulator: Simulator;
let folder: string;
let deployer: Record<string, string>;

beforeAll(async () => {
  service = await createService();
  folder = await mkdtemp(join(tmpdir(), 'lake-'));
  simulator = await startSimulator({ ...agency, nodes, quota });
  double = await startFunctionGraph({ agency });
  deployer = {
    HUAWEICLOUD_SDK_AK: double.key.ak,
    HUAWEICLOUD_SDK_SK: double.key.sk,
    FUNCTIONGRAPH_ENDPOINT: double.url,
    IAM_ENDPOINT: double.url,
    PROD_SK: secret,
  };
});
afterAll(async () => {
  await Promise.all([double.stop(), simulator.stop(), service.remove()]);
  await rm(folder, { recursive: true, force: true });
});

/** One per file in functions/. */
const functionNames = readdirSync(join(import.meta.dirname, '../../functions'))
  .map((name) => name.replace(/\.ts$/, ''))
  .sort();

const outputs: string[] = [];
async function run(...args: string[]) {
  const outcome = await service.serverless(args, deployer);
  outputs.push(outcome.output);
  return outcome;
}
/** Files at any depth, without folders: Serverless creates an empty one. */
async function listWritten(): Promise<string[]> {
  const entries = await readdir(join(service.root, '.serverless'), {
    recursive: true,
    withFileTypes: true,
  });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
const zip = (name = 'collect', { root } = service) =>
  readFile(join(root, `.serverless/${name}.zip`));

describe('package', () => {
  test('needs no credentials, variables or configuration, and writes one zip for each function', async () => {
    const { exitCode, output } = await service.serverless(['package']);
    expect(exitCode).toBe(0);
    expect((await listWritten()).sort()).toEqual(functionNames.map((name) => `${name}.zip`));
    for (const name of functionNames) {
      expect(output).toMatch(
        new RegExp(`\\.serverless/${name}\\.zip: \\d+ bytes, sha-256 [0-9a-f]{64}`),
      );
      const paths = readArchive(await zip(name)).map(({ path }) => path);
      expect(paths).toEqual(['index.js', 'index.js.LEGAL.txt']);
    }
  });

  // The tests beside packed-store.ts and packed-keys.ts have more faults.
  test('rejects a folder as the store, which a function loses', async () => {
    const config = 'store: file:/tmp/lake\naccounts: [{ name: a, targets: [{ region: x }] }]\n';
    await service.write('cgs-export.yml', config);
    const packed = await service.serverless(['package']);
    expect(packed.output).toContain('store: is a folder, which a function loses');
    expect(packed.output).toContain('mounted: true');
    expect(packed.exitCode).toBe(1);
  });

  test('adds the configuration if it exists, and public keys for verify and report; another folder gives the same bytes', async () => {
    const config = `${writeConfig(simulator, folder, quota)}verify: { publicKeys: [auditor.pem] }\n`;
    const other = await createService();
    for (const one of [service, other]) {
      await one.write('cgs-export.yml', config);
      await one.write('auditor.pem', publicPem);
    }
    const settings = await readFile(join(other.root, 'serverless.yml'), 'utf8');
    const handler = '    handler: index.handler\n';
    await other.write(
      'serverless.yml',
      settings.replace(handler, `${handler}    secrets: [HUAWEI_SK]\n`),
    );
    const [first, second] = await Promise.all([
      service.serverless(['package'], { TZ: 'Asia/Tokyo' }),
      other.serverless(['package'], { TZ: 'America/Lima' }),
    ]);
    expect([first.exitCode, second.exitCode]).toEqual([0, 0]);
    const warning = 'serverless.yml gives HUAWEI_SK to collect, but no setting in cgs-export.yml';
    expect([first, second].map(({ output }) => output.includes(warning))).toEqual([false, true]);
    for (const name of functionNames) {
      const bytes = await zip(name);
      expect(bytes.equals(await zip(name, other))).toBe(true);
      const verifies = ['report', 'verify'];
      const entries = new Map(readArchive(bytes).map(({ path, bytes }) => [path, String(bytes)]));
      expect(entries.get('cgs-export.yml')).toBe(config);
      expect(entries.get('auditor.pem')).toBe(verifies.includes(name) ? publicPem : undefined);
    }
    await other.remove();
  });
});

describe('a fault in serverless.yml', () => {
  /** Each of a group is wrong in one serverless.yml; all must be reported. */
  const faults: Record<string, [right: string | RegExp, wrong: string, message: string][]> = {
    'that Serverless finds': [
      ['memorySize: 256', 'memorysize: 256', "unrecognized property 'memorysize'"],
      ['runtime: Node.js20.15', 'runtime: Node.js99', "'provider.runtime'"],
      [
        'handler: index.handler',
        'handler: index.handle',
        "'functions.collect.handler': must be equal to one of the allowed values [index.handler]",
      ],
    ],
    // The tests beside settings.ts have more faults.
    'that the plugin finds': [
      ['memorySize: 256', 'memorySize: 200', 'functions.collect.memorySize: 200 MB is not a size'],
      ['scheduleType: Rate', 'scheduleTyp: Rate', 'Did you mean scheduleType?'],
      [
        'schedule: 1d',
        'schedule: 1s',
        'functions.prune.events.0.eventData.schedule: "1s" is not a valid rate',
      ],
      [
        /(?<= {2}verify:[\s\S]*)eventData:/,
        'eventDat:',
        'functions.verify.events.0.eventDat: is not a key of an event',
      ],
    ],
    'of a function': [
      ['  collect:', '  colect:', 'functions.colect: is not a function of cgs-export'],
    ],
  };
  test.each(Object.entries(faults))('%s is reported exactly', async (_kind, group) => {
    const path = join(import.meta.dirname, '../../serverless.yml');
    const original = await readFile(path, 'utf8');
    let text = original;
    for (const [right, wrong] of group) {
      expect(text).toMatch(right);
      text = text.replace(right, wrong);
    }
    await service.write('serverless.yml', text);
    const { exitCode, output } = await service.serverless(['package']);
    await service.write('serverless.yml', original);
    for (const [, , message] of group) expect(output).toContain(message);
    expect(output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    expect(exitCode).toBe(1);
  });
});

describe('a fault on the command line', () => {
  // plugin.test.ts has more of them.
  test.each<[string[], string]>([
    [
      ['invoke', '-f', 'colect'],
      `--function: there is no function colect\nserverless.yml has ${functionNames.join(', ')}.`,
    ],
    [['deploy', '--package', 'nowhere'], '--package: nowhere/collect.zip cannot be read (ENOENT)'],
    [['package', '--package', 'serverless.yml'], 'EEXIST'],
  ])('%j is rejected before anything is sent', async (args, message) => {
    const before = double.requests.length;
    const { exitCode, output } = await run(...args);
    expect(output).toContain(message);
    expect(output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    expect(exitCode).toBe(1);
    expect(double.requests.length).toBe(before);
  });

  test('accepts a stage that the function name contains', async () => {
    const text = await readFile(join(service.root, 'serverless.yml'), 'utf8');
    const staged = text.replaceAll('name: cgs-export-', 'name: cgs-export-${sls:stage}-');
    await service.write('serverless.yml', staged);
    const { output } = await run('info', '--stage', 'prod');
    await service.write('serverless.yml', text);
    expect(output).toContain('cgs-export-prod-collect: not deployed');
  });

  test('rejects a plain-text key in the zip', async () => {
    const config = (sk: string) =>
      `store: obs://lake\nsigning: { privateKey: ${sk} }\naccounts: [{ name: prod, credentials: { ak: A, sk: ${sk} }, targets: [{ region: cn-south-4 }] }]\n`;
    await service.write('cgs-export.yml', config('literal-secret-key'));
    const packed = await run('package');
    expect(packed.output).toContain('accounts.0.credentials.sk: is written as plain text');
    expect(packed.output).toContain('signing.privateKey: is written as plain text');
    expect(packed.output).not.toContain('literal-secret-key');
    expect(packed.exitCode).toBe(1);
    await service.write('cgs-export.yml', writeConfig(simulator, folder, quota));
  });
});

describe('from deploy to remove', () => {
  test('deploy needs a key', async () => {
    const without = await service.serverless(['deploy'], { FUNCTIONGRAPH_ENDPOINT: double.url });
    expect(without.output).toContain('HUAWEICLOUD_SDK_AK: is not set');
    // Two faults with the same hint print it once.
    expect(without.output.split('of the user who deploys')).toHaveLength(2);
    expect(double.functions.size).toBe(0);
  });

  test('checks the configuration in the zip, because this is what deploy sends', async () => {
    await service.write('cgs-export.yml', 'nonsense: 1\n');
    expect((await run('package', '--package', 'packed')).exitCode).toBe(0);
    await service.write('cgs-export.yml', writeConfig(simulator, folder, quota));
    const { output, exitCode } = await run('deploy', '--package', 'packed');
    expect(output).toContain('nonsense');
    expect(exitCode).toBe(1);
    await rm(join(service.root, 'packed'), { recursive: true });
    expect(double.functions.size).toBe(0);
  });

  test('deploys, and timers seal a snapshot in several invocations', async () => {
    const text = await readFile(join(service.root, 'serverless.yml'), 'utf8');
    const withSecret = text
      .replace('# secrets: [PROD_AK, PROD_SK]', 'secrets: [PROD_SK]')
      .replace(
        "# onFailure: { destination: SMN, topicUrn: 'urn:smn:cn-south-4:<project>:cgs-export' }",
        "onFailure: { destination: SMN, topicUrn: 'urn:smn:t' }",
      );
    expect(withSecret).toMatch(/^ +secrets[\s\S]*/m);
    await service.write('serverless.yml', withSecret);
    const { output, exitCode } = await run('deploy');
    expect(output).toContain('cgs-export-collect: deployed');
    expect(output).toContain('create timer every-minute (1m)');
    expect(exitCode).toBe(0);

    const statuses: string[] = [];
    for (let tick = 0; tick < 20 && statuses.at(-1) !== 'sealed'; tick += 1) {
      const [outcome] = await double.fireTimers('every-minute');
      expect(outcome?.error).toBeNull();
      statuses.push((outcome?.result as { status?: string } | undefined)?.status ?? 'none');
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    expect(statuses.at(-1)).toBe('sealed');
    expect(statuses.length).toBeGreaterThanOrEqual(3);
    expect(simulator.stats().throttled).toBe(0);
    const latest = JSON.parse(
      await readFile(
        join(
          folder,
          `_latest/container_nodes/rgn=${simulator.region}/prj=${simulator.projectId}.json`,
        ),
        'utf8',
      ),
    );
    const manifest = JSON.parse(await readFile(join(folder, latest.manifest), 'utf8'));
    expect(manifest).toMatchObject({ rows: nodes, verdict: 'complete' });
    const [idle] = await double.fireTimers('every-minute');
    expect(idle?.result).toMatchObject({ status: 'idle', requests: 0 });
    const [pruned, verified] = await double.fireTimers('every-day');
    expect(pruned?.result).toMatchObject({ status: 'idle' });
    expect(verified?.result).toMatchObject({ status: 'verified', manifests: 1, parts: 2 });
    const [reported] = await double.fireTimers('every-week');
    expect(reported?.result).toMatchObject({ status: 'written', targets: 1, errors: [] });
    const { page } = (reported?.result ?? {}) as { page?: string };
    expect(await readFile(join(folder, page ?? ''), 'utf8')).toContain('<!DOCTYPE html>');
    expect(double.delivered).toEqual([]);
  });

  test('info, invoke and logs print their results', async () => {
    expect((await run('info')).output).toContain('trigger     TIMER every-minute Rate 1m ACTIVE');
    const invoked = await run('invoke', '-f', 'collect');
    expect(invoked.output).toContain('"status":"idle"');
    expect(invoked.exitCode).toBe(0);
    expect((await run('logs', '-f', 'collect')).output).toContain('SUCCESS');
  });

  test('a second deploy reports no change and sends only reads', async () => {
    const before = double.requests.length;
    const { output } = await run('deploy');
    expect(output).toContain('cgs-export-collect: no change');
    const since = double.requests.slice(before);
    expect(since.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  test('deploy function updates the code, or the configuration with --update-config', async () => {
    const text = await readFile(join(service.root, 'serverless.yml'), 'utf8');
    await service.write('serverless.yml', text.replace('memorySize: 256', 'memorySize: 512'));
    const code = await run('deploy', 'function', '-f', 'collect');
    expect(code.output).toContain('no change');
    const settings = await run('deploy', 'function', '-f', 'collect', '--update-config');
    expect(settings.output).toContain('done: update configuration (memorySize)');
    await service.write('serverless.yml', text);
  });

  test('a failed deploy reports done and missing steps, and the old function still runs', async () => {
    double.fail = (method, path) =>
      method === 'PUT' && path.endsWith('/config')
        ? { status: 403, code: 'FSS.0403', message: 'Forbidden' }
        : null;
    const { output, exitCode } = await run('deploy');
    double.fail = () => null;
    expect(exitCode).toBe(1);
    expect(output).toContain('failed; the previous code is still running');
    expect(output).toContain('not done: update configuration (memorySize)');
    expect(output).toMatch(/UpdateFunctionConfig: FSS\.0403 Forbidden \(request id [\w-]+\)/);
    expect((await double.fireTimers('every-minute'))[0]?.ok).toBe(true);
  });

  test('remove deletes the functions', async () => {
    expect((await run('remove')).output).toContain('cgs-export-collect: removed');
    expect(double.functions.size).toBe(0);
  });

  test('no command printed or wrote a secret', async () => {
    const written = await Promise.all(
      (await listWritten()).map((name) =>
        readFile(join(service.root, '.serverless', name), 'latin1'),
      ),
    );
    const unpacked = readArchive(await zip()).map(({ bytes }) => bytes.toString('latin1'));
    const all = [...outputs, ...written, ...unpacked].join('\n');
    for (const one of [secret, double.key.sk, double.key.ak, agency.sk, agency.securityToken]) {
      expect(all.includes(one)).toBe(false);
    }
  });
});
