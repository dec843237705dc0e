// Owns the proof of the commands as a person gives them: `npx serverless …` in a checkout, the double over http, the simulator behind
// the deployed code. Refuses to look inside: what is printed, what is written and what the double was told.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../lib/simulator/simulator.ts';
import { readArchive } from '../support/archive-reader.ts';
import { type Checkout, createCheckout } from '../support/deploy-checkout.ts';
import { agency, writeConfig } from '../support/exporting-config.ts';
import { type FunctionGraphDouble, startFunctionGraph } from '../support/function-graph.ts';

const quota = { requests: 5, windowSeconds: 1 };
const nodes = 2_500;
const secret = 'prod-secret-key-that-opens-nothing';

let checkout: Checkout;
let double: FunctionGraphDouble;
let simulator: Simulator;
let folder: string;
let deployer: Record<string, string>;

beforeAll(async () => {
  checkout = await createCheckout();
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
  await Promise.all([double.stop(), simulator.stop(), checkout.remove()]);
  await rm(folder, { recursive: true, force: true });
});

const outputs: string[] = [];
async function say(...args: string[]) {
  const outcome = await checkout.serverless(args, deployer);
  outputs.push(outcome.output);
  return outcome;
}
/** Files, at any depth: Serverless makes an empty folder too. */
async function listWritten(): Promise<string[]> {
  const entries = await readdir(join(checkout.root, '.serverless'), {
    recursive: true,
    withFileTypes: true,
  });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
const zip = () => readFile(join(checkout.root, '.serverless/collect.zip'));

describe('package', () => {
  test('needs no credentials, variables or configuration, and writes one zip a function', async () => {
    const { exitCode, output } = await checkout.serverless(['package']);
    expect(output).toMatch(/\.serverless\/collect\.zip: \d+ bytes, sha-256 [0-9a-f]{64}/);
    expect(exitCode).toBe(0);
    expect(await listWritten()).toEqual(['collect.zip']);
    const paths = readArchive(await zip()).map(({ path }) => path);
    expect(paths).toEqual(['index.js', 'index.js.LEGAL.txt']);
  });

  test('the configuration goes in if it is there; another checkout gives the same bytes', async () => {
    const config = writeConfig(simulator, folder, quota);
    const other = await createCheckout();
    for (const one of [checkout, other]) await one.write('cgs-export.yml', config);
    const [first, second] = await Promise.all([
      checkout.serverless(['package'], { TZ: 'Asia/Tokyo' }),
      other.serverless(['package'], { TZ: 'America/Lima' }),
    ]);
    expect([first.exitCode, second.exitCode]).toEqual([0, 0]);
    const bytes = await zip();
    expect(bytes.equals(await readFile(join(other.root, '.serverless/collect.zip')))).toBe(true);
    await other.remove();
    const entries = readArchive(bytes);
    expect(String(entries.find(({ path }) => path === 'cgs-export.yml')?.bytes)).toBe(config);
  });
});

describe('a file with a fault in it', () => {
  const original = () => readFile(join(import.meta.dirname, '../../serverless.yml'), 'utf8');
  test.each([
    ['memorySize: 256', 'memorysize: 256', "unrecognized property 'memorysize'"],
    ['memorySize: 256', 'memorySize: 200', 'functions.collect.memorySize: 200 MB is no size'],
    ['runtime: Node.js20.15', 'runtime: Node.js99', "'provider.runtime'"],
    ['scheduleType: Rate', 'scheduleTyp: Rate', 'Did you mean scheduleType?'],
    ['eventData:', 'eventDat:', 'functions.collect.events.0.eventDat: is no key of an event'],
    ['name: huawei', 'name: huawie', 'provider.name: "huawie"'],
    [
      'handler: index.handler',
      'handler: index.handle',
      '"index.handle" is nothing that the zip has',
    ],
    [
      'schedule: 1m',
      'schedule: 1s',
      'functions.collect.events.0.eventData.schedule: "1s" is no rate',
    ],
    ['  collect:', '  colect:', 'functions/colect.ts gives no bundle'],
  ])('%s → %s is told precisely', async (right, wrong, said) => {
    const text = await original();
    expect(text).toContain(right);
    await checkout.write('serverless.yml', text.replace(right, wrong));
    const { exitCode, output } = await checkout.serverless(['package']);
    await checkout.write('serverless.yml', text);
    expect(output).toContain(said);
    expect(output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    expect(exitCode).toBe(1);
  });
});

describe('a command with a fault in it', () => {
  test.each<[string[], string]>([
    [
      ['invoke', '-f', 'colect'],
      '--function: there is no function colect\nserverless.yml has collect.',
    ],
    [['remove', '--stage', 'test'], 'cgs-export-collect does not tell the stage'],
    [['remove', '--stage', 'collect'], 'cgs-export-collect does not tell the stage'],
    [['deploy', '--package', 'nowhere'], '--package: nowhere/collect.zip cannot be read (ENOENT)'],
    [['logs', '-f', 'collect', '--tail'], '--tail: has no effect with this provider'],
    [['package', '--package', 'package.json'], 'EEXIST'],
    [['invoke', '-f', 'collect', '--data', '{bad'], '--data: gives no event'],
    [['invoke', '-f', 'collect', '--path', '/nowhere.json'], '--path: gives no event'],
    [['invoke', 'local', '-f', 'collect', '--env', 'A'], '--env: "A" is no variable'],
  ])('%j is refused before anything is sent', async (args, said) => {
    const before = double.requests.length;
    const { exitCode, output } = await say(...args);
    expect(output).toContain(said);
    expect(output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    expect(exitCode).toBe(1);
    expect(double.requests.length).toBe(before);
  });

  test('a stage that the name tells is one of its own', async () => {
    const text = await readFile(join(checkout.root, 'serverless.yml'), 'utf8');
    const staged = text.replace(
      'name: cgs-export-collect',
      'name: cgs-export-${sls:stage}-collect',
    );
    await checkout.write('serverless.yml', staged);
    const { output } = await say('info', '--stage', 'prod');
    await checkout.write('serverless.yml', text);
    expect(output).toContain('cgs-export-prod-collect: not deployed');
  });

  test('a key that is written out is not packed, one that is missing is asked for where it belongs', async () => {
    const config = (sk: string) =>
      `store: obs://lake\naccounts: [{ name: prod, credentials: { ak: A, sk: ${sk} }, targets: [{ region: cn-south-4 }] }]\n`;
    await checkout.write('cgs-export.yml', config('literal-secret-key'));
    const packed = await say('package');
    expect(packed.output).toContain('accounts.0.credentials.sk: is written out');
    expect(packed.output).not.toContain('literal-secret-key');
    expect(packed.exitCode).toBe(1);
    await checkout.write('cgs-export.yml', config('${PROD_SK}'));
    const { output } = await say('deploy');
    expect(output).toContain('the environment variable PROD_SK is not set');
    expect(output).toContain('Name it under secrets');
    await checkout.write('cgs-export.yml', writeConfig(simulator, folder, quota));
  });
});

describe('from deploy to remove', () => {
  test('deploy needs a key and a configuration that the function can use', async () => {
    const without = await checkout.serverless(['deploy'], { FUNCTIONGRAPH_ENDPOINT: double.url });
    expect(without.output).toContain('HUAWEICLOUD_SDK_AK: is not set');
    // One thing to do for two faults is said once.
    expect(without.output.split('of whoever deploys')).toHaveLength(2);
    await checkout.write('cgs-export.yml', 'store: file:/x\nacounts: []\n');
    const { output, exitCode } = await say('deploy');
    expect(output).toContain('acounts');
    expect(exitCode).toBe(1);
    expect(double.functions.size).toBe(0);
    await checkout.write('cgs-export.yml', writeConfig(simulator, folder, quota));
  });

  test('what is checked is what is sent: the configuration in the zip', async () => {
    await checkout.write('cgs-export.yml', 'nonsense: 1\n');
    expect((await say('package', '--package', 'packed')).exitCode).toBe(0);
    await checkout.write('cgs-export.yml', writeConfig(simulator, folder, quota));
    const { output, exitCode } = await say('deploy', '--package', 'packed');
    expect(output).toContain('nonsense');
    expect(exitCode).toBe(1);
    await rm(join(checkout.root, 'packed'), { recursive: true });
    expect(double.functions.size).toBe(0);
  });

  test('a file that the environment names is the one in the zip, if it is called so', async () => {
    const text = await readFile(join(checkout.root, 'serverless.yml'), 'utf8');
    const named = text.replace(
      '    # environment: { CGS_EXPORT_LOG_LEVEL: debug }',
      '    environment: { CGS_EXPORT_CONFIG: /opt/function/code/cgs-export.yml }',
    );
    expect(named).not.toBe(text);
    await checkout.write('serverless.yml', named);
    await checkout.write('cgs-export.yml', 'store: file:/x\nacounts: []\n');
    const { output, exitCode } = await say('deploy');
    await checkout.write('serverless.yml', text);
    await checkout.write('cgs-export.yml', writeConfig(simulator, folder, quota));
    expect(output).toContain('acounts');
    expect(exitCode).toBe(1);
  });

  test('an agency that the configuration needs is asked for', async () => {
    const text = await readFile(join(checkout.root, 'serverless.yml'), 'utf8');
    await checkout.write('serverless.yml', text.replace('  agencyName: cgs-export\n', ''));
    const { output, exitCode } = await say('deploy');
    await checkout.write('serverless.yml', text);
    expect(output).toContain('functions.collect.agencyName: is missing');
    expect(exitCode).toBe(1);
  });

  test('no configuration is told before anything is sent', async () => {
    await rm(join(checkout.root, 'cgs-export.yml'));
    const { output } = await say('deploy');
    await checkout.write('cgs-export.yml', writeConfig(simulator, folder, quota));
    expect(output).toContain('cgs-export.yml is not in .serverless/collect.zip');
  });

  test('deploy, then timers, until a snapshot is sealed over several invocations', async () => {
    const text = await readFile(join(checkout.root, 'serverless.yml'), 'utf8');
    const withSecret = text
      .replace('# secrets: [PROD_AK, PROD_SK]', 'secrets: [PROD_SK]')
      .replace(
        "# onFailure: { destination: SMN, topicUrn: 'urn:smn:cn-south-4:<project>:cgs-export' }",
        "onFailure: { destination: SMN, topicUrn: 'urn:smn:t' }",
      );
    expect(withSecret).toMatch(/^ +secrets[\s\S]*/m);
    await checkout.write('serverless.yml', withSecret);
    const { output, exitCode } = await say('deploy');
    expect(output).toContain('cgs-export-collect: deployed');
    expect(output).toContain('timer every-minute created (1m)');
    expect(exitCode).toBe(0);

    const statuses: string[] = [];
    for (let tick = 0; tick < 20 && statuses.at(-1) !== 'sealed'; tick += 1) {
      const [outcome] = await double.fireTimers();
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
    const [idle] = await double.fireTimers();
    expect(idle?.result).toMatchObject({ status: 'idle', requests: 0 });
    expect(double.delivered).toEqual([]);
  });

  test('info, invoke, invoke local, logs', async () => {
    expect((await say('info')).output).toContain('trigger     TIMER every-minute Rate 1m ACTIVE');
    const invoked = await say('invoke', '-f', 'collect');
    expect(invoked.output).toContain('"status":"idle"');
    expect(invoked.exitCode).toBe(0);
    const local = await checkout.serverless(['invoke', 'local', '-f', 'collect'], {
      HUAWEICLOUD_SDK_AK: agency.ak,
      HUAWEICLOUD_SDK_SK: agency.sk,
      HUAWEICLOUD_SDK_SECURITY_TOKEN: agency.securityToken,
    });
    expect(local.output).toContain('"status": "idle"');
    expect((await say('logs', '-f', 'collect')).output).toContain('SUCCESS');
  });

  test('a second deploy says that nothing changed, and changes nothing', async () => {
    const before = double.requests.length;
    const { output } = await say('deploy');
    expect(output).toContain('cgs-export-collect: no change');
    const since = double.requests.slice(before);
    expect(since.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  test('deploy function sends the code, or with --update-config the settings', async () => {
    const text = await readFile(join(checkout.root, 'serverless.yml'), 'utf8');
    await checkout.write('serverless.yml', text.replace('memorySize: 256', 'memorySize: 512'));
    const code = await say('deploy', 'function', '-f', 'collect');
    expect(code.output).toContain('no change');
    const settings = await say('deploy', 'function', '-f', 'collect', '--update-config');
    expect(settings.output).toContain('done: configuration (memorySize)');
    await checkout.write('serverless.yml', text);
  });

  test('a deploy that fails says what was done and what was not, and the old function runs on', async () => {
    double.fail = (method, path) =>
      method === 'PUT' && path.endsWith('/config')
        ? { status: 403, code: 'FSS.0403', message: 'Forbidden' }
        : null;
    const { output, exitCode } = await say('deploy');
    double.fail = () => null;
    expect(exitCode).toBe(1);
    expect(output).toContain('failed; the code that was deployed before runs on');
    expect(output).toContain('not done: configuration (memorySize)');
    expect(output).toMatch(/UpdateFunctionConfig: FSS\.0403 Forbidden \(request id [\w-]+\)/);
    expect((await double.fireTimers())[0]?.ok).toBe(true);
  });

  test('remove', async () => {
    expect((await say('remove')).output).toContain('cgs-export-collect: removed');
    expect(double.functions.size).toBe(0);
    expect((await say('remove')).output).toContain('was not deployed');
  });

  test('no secret was printed or written', async () => {
    const written = await Promise.all(
      (await listWritten()).map((name) =>
        readFile(join(checkout.root, '.serverless', name), 'latin1'),
      ),
    );
    const unpacked = readArchive(await zip()).map(({ bytes }) => bytes.toString('latin1'));
    const all = [...outputs, ...written, ...unpacked].join('\n');
    for (const one of [secret, double.key.sk, double.key.ak, agency.sk, agency.securityToken]) {
      expect(all.includes(one)).toBe(false);
    }
  });
});
