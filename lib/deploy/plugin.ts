// Owns the commands that Serverless gives to this provider. Wiring only: settings, bundle, changes and API are their files'.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { readConfig } from '../config/load.ts';
import type { Config } from '../config/model.ts';
import { ConfigError, ProtocolError } from '../core/errors.ts';
import { VERSION } from '../core/version.ts';
import { createScrubber } from '../platform/scrubber.ts';
import { readArchived, writeArchive } from './archive.ts';
import { buildBundles, bundleOf, collectFiles, configName } from './bundle.ts';
import { type Secrets, takeSecrets } from './configuration-diff.ts';
import { findPlace, type Place, readAccess } from './deploy-account.ts';
import { type Deployment, deployFunction, urnOf } from './deployment.ts';
import { type FunctionGraph, openFunctionGraph } from './function-graph.ts';
import { tellsStage } from './function-selection.ts';
import { createLocalContext, createTimerEvent } from './local-invocation.ts';
import { removeFunction } from './removal.ts';
import {
  type FunctionSection,
  type FunctionSettings,
  type ProviderSection,
  readSettings,
} from './settings.ts';
import { eventSchema, functionSchema, providerSchema } from './settings-schema.ts';
import type { Extent } from './steps.ts';
import {
  describeDeployment,
  describeFunction,
  describeInvocation,
  describeInvocations,
  describeRemoval,
} from './summary.ts';
import { findWrittenSecrets } from './written-secrets.ts';

/** What is used of Serverless. Source: osls 4.3.1, lib/classes, read 2026-11-24. */
interface Serverless {
  serviceDir: string;
  configurationFilename: string;
  service: {
    service: string;
    provider: ProviderSection & { name: string };
    functions: Record<string, FunctionSection & { package?: { artifact?: string } }>;
    package: { path?: string };
  };
  configSchemaHandler: {
    schema: {
      properties: {
        functions: {
          patternProperties: Record<
            string,
            { properties: { events: { items: { anyOf: unknown[] } } } }
          >;
        };
      };
    };
    defineProvider(name: string, parts: object): void;
  };
  classes: { Error: new (message: string, code: string) => Error };
  setProvider(name: string, provider: object): void;
}

interface Options {
  function?: string;
  stage?: string;
  package?: string;
  data?: string;
  path?: string;
  /** NAME=value, of `invoke local`. */
  env?: string | string[];
  'update-config'?: boolean;
}

/** What Serverless takes for other providers: said to be of no effect, rather than taken silently. */
const foreignOptions = [
  ...['qualifier', 'type', 'raw', 'context', 'contextPath', 'docker', 'docker-arg', 'skip-package'],
  ...['tail', 'startTime', 'filter', 'interval', 'verify', 'aws-s3-accelerate'],
];

interface Tools {
  log: { notice(text: string): void; success(text: string): void };
  progress: { get(name: string): { update(text: string): void; remove(): void } };
  writeText(text: string): void;
}

/** The process, handed in by the file that Serverless loads. */
interface World {
  env: Record<string, string | undefined>;
  nodePath: string;
  nowMs: () => number;
}

const providerName = 'huawei';

export function createPlugin(serverless: Serverless, options: Options, tools: Tools, world: World) {
  const { service } = serverless;
  if (service.provider.name !== providerName) {
    const message = `provider.name: "${service.provider.name}" is not this project's provider\nWrite ${providerName}.`;
    throw new serverless.classes.Error(message, 'CONFIG');
  }
  defineSchema(serverless);
  const { serviceDir: root, configurationFilename: file } = serverless;
  const scrubber = createScrubber();
  const write = (text: string) => tools.writeText(scrubber.scrub(text));
  const progress = (text: string) => tools.progress.get('huawei').update(scrubber.scrub(text));

  /** Reads late: variables are resolved by then, and the schema has been checked. */
  function pickSettings(): FunctionSettings[] {
    const all = readSettings(service.provider, service.functions);
    const { function: wanted, stage } = options;
    const picked = wanted === undefined ? all : all.filter(({ key }) => key === wanted);
    if (picked.length === 0 && wanted !== undefined) {
      const hint = `serverless.yml has ${all.map(({ key }) => key).join(', ') || 'none'}.`;
      throw refusal('--function', `there is no function ${wanted}`, hint);
    }
    if (all.length === 0) {
      const hint = "Write one there, named as its file in functions/, as in the project's own.";
      throw refusal('functions', 'serverless.yml has none', hint);
    }
    const given = options as Readonly<Record<string, unknown>>;
    const foreign = foreignOptions.find((name) => given[name] !== undefined);
    if (foreign) throw refusal(`--${foreign}`, 'has no effect with this provider', 'Leave it out.');
    // Two stages under one name would overwrite, and remove, each other.
    const text = stage === undefined ? '' : readFileSync(join(root, file), 'utf8');
    const fixed = picked.find((one) => stage !== undefined && !tellsStage(one, stage, text));
    if (fixed) {
      const hint = `Write name: cgs-export-\${sls:stage}-${fixed.key}, and a store for each stage.`;
      throw refusal(
        `functions.${fixed.key}.name`,
        `${fixed.name} does not tell the stage, so --stage ${stage} would be the one that is deployed already`,
        hint,
      );
    }
    return picked;
  }

  const folder = () => resolve(root, options.package ?? service.package.path ?? '.serverless');
  const zipOf = ({ key }: FunctionSettings) => join(folder(), `${key}.zip`);

  /** Returns what was written, a line a zip. */
  async function pack(): Promise<string[]> {
    const settings = pickSettings();
    const packed: string[] = [];
    progress('building');
    await buildBundles(root, world.nodePath);
    await mkdir(folder(), { recursive: true });
    for (const one of settings) {
      const files = await collectFiles(root, one.key);
      const config = files.find(({ path }) => path === configName);
      if (config) checkWrittenSecrets(String(config.bytes));
      const zip = await writeArchive(files);
      await writeFile(zipOf(one), zip);
      const section = service.functions[one.key];
      if (section) section.package = { ...section.package, artifact: zipOf(one) };
      const hash = createHash('sha256').update(zip).digest('hex');
      packed.push(`${relative(root, zipOf(one))}: ${zip.length} bytes, sha-256 ${hash}\n`);
    }
    return packed;
  }

  /** Of this command, or with --package of an earlier one. */
  async function readZip(one: FunctionSettings): Promise<Buffer> {
    try {
      return await readFile(zipOf(one));
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      const path = relative(root, zipOf(one));
      const hint = 'Make it with `serverless package --package <folder>`, or leave --package out.';
      throw refusal('--package', `${path} cannot be read (${code})`, hint);
    }
  }

  function checkWrittenSecrets(text: string): void {
    const written = findWrittenSecrets(text, configName);
    if (written.length > 0) throw new ConfigError(written);
  }

  /** Everything that needs an account. */
  async function open(): Promise<{ api: FunctionGraph; place: Place }> {
    const access = readAccess(service.provider, world.env);
    for (const secret of access.secrets) scrubber.add(secret);
    progress('looking for the project');
    const place = await findPlace(access, { scrubber, nowMs: world.nowMs });
    const api = await openFunctionGraph({
      ...access,
      projectId: place.projectId,
      userAgent: `cgs-export/${VERSION}`,
      sleep: async (delayMs) => void (await sleep(delayMs)),
      scrub: scrubber.scrub,
    });
    return { api, place };
  }

  /** Of the zip, with what the function will know, and nothing else: a fault is told here and not once a minute by a timer. */
  async function checkConfig(
    settings: FunctionSettings,
    secrets: Secrets,
    zip: Buffer,
  ): Promise<void> {
    const { CGS_EXPORT_CONFIG: elsewhere = configName } = settings.environment;
    const file = relative(root, zipOf(settings));
    const bytes = await readArchived(zip, configName).catch((error: Error) => {
      throw refusal('package', `${file} is no zip: ${error.message}`, 'Package it again.');
    });
    if (bytes !== null) checkWrittenSecrets(String(bytes));
    // Another file's name is not of the zip.
    if (basename(elsewhere) !== configName) return;
    if (bytes === null) {
      const hint = 'Write it (`node dist/cli.js init` makes one to edit) and package again.';
      throw refusal('package', `${configName} is not in ${file}`, hint);
    }
    const env = { ...settings.environment, ...secrets };
    try {
      const options = { env, agencyPossible: true };
      const config = readConfig(String(bytes), join(root, configName), options);
      if (!settings.agency && !settings.executionAgency && needsAgency(config)) {
        const hint = 'Name the agency that the function is to be, or write credentials.';
        const message = `is missing: the credentials of ${configName} are \`agency\``;
        throw refusal(`functions.${settings.key}.agencyName`, message, hint);
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const hint = `Name it under secrets (or environment) of functions.${settings.key} in serverless.yml; a secret's value is taken from this shell.`;
      throw new ConfigError(
        error.issues.map((issue) =>
          issue.message.endsWith('is not set') ? { ...issue, hint } : issue,
        ),
      );
    }
  }

  async function deploy(extent: Extent): Promise<void> {
    const settings = pickSettings();
    // All of them before the first change: a missing one must not leave half a deployment.
    const secrets = settings.map((one) => takeSecrets(one, world.env));
    for (const value of secrets.flatMap((taken) => Object.values(taken))) scrubber.add(value);
    const zips = await Promise.all(settings.map(readZip));
    for (const [index, one] of settings.entries()) {
      await checkConfig(one, secrets[index] ?? {}, zips[index] ?? Buffer.alloc(0));
    }
    const { api, place } = await open();
    let failed: Deployment | null = null;
    for (const [index, one] of settings.entries()) {
      if (failed) {
        write(`${one.name}: not begun\n`);
        continue;
      }
      const urn = urnOf(place, one);
      const taken = secrets[index] ?? {};
      const zip = zips[index] ?? Buffer.alloc(0);
      const deployment = await deployFunction({ api, progress }, urn, one, taken, zip, extent);
      write(`${describeDeployment(one.name, deployment)}\n`);
      if (deployment.error) failed = deployment;
    }
    if (failed?.error) throw failed.error;
  }

  async function info(): Promise<void> {
    const settings = pickSettings();
    const { api, place } = await open();
    for (const one of settings) {
      const urn = urnOf(place, one);
      const deployed = await api.findFunction(urn);
      const triggers = deployed ? await api.listTriggers(urn) : [];
      const async = deployed ? await api.findAsync(urn) : null;
      write(`${describeFunction(one.name, deployed, triggers, async)}\n`);
    }
  }

  async function invoke(): Promise<void> {
    const settings = pickSettings();
    const events = await Promise.all(settings.map(readEvent));
    const { api, place } = await open();
    for (const [index, one] of settings.entries()) {
      progress(`${one.name}: running`);
      const invocation = await api.invoke(urnOf(place, one), events[index] ?? {});
      write(`${describeInvocation(invocation)}\n`);
      if (invocation.status === 200) continue;
      const hint = 'What it printed stands above; the same goes to its log.';
      throw new ProtocolError('INVOCATION_FAILED', `${one.name} failed.`, hint);
    }
  }

  async function invokeLocal(): Promise<void> {
    await pack();
    for (const one of pickSettings()) {
      // The configuration of the checkout, not a copy beside the bundle: relative paths start at its folder.
      const settings = {
        ...one,
        environment: {
          CGS_EXPORT_CONFIG: join(root, configName),
          ...one.environment,
          ...readVariables(),
        },
      };
      const context = createLocalContext(settings, world.env, world.nowMs);
      const load = createRequire(join(root, 'package.json'));
      const bundle = load(bundleOf(root, one.key)) as {
        handler: (event: unknown, context: unknown) => Promise<unknown>;
      };
      const result = await bundle.handler(await readEvent(one), context);
      write(`${JSON.stringify(result, null, 2)}\n`);
    }
  }

  /** Of --env. */
  function readVariables(): Record<string, string> {
    const pairs = [options.env ?? []].flat().map((text) => {
      const [, name, value = ''] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
      if (name !== undefined) return [name, value] as const;
      throw refusal('--env', `"${text}" is no variable`, 'Write --env NAME=value.');
    });
    return Object.fromEntries(pairs);
  }

  /** --data or --path, JSON or YAML, else a timer's event. */
  async function readEvent(settings: FunctionSettings): Promise<object> {
    const { data, path } = options;
    if (data === undefined && path === undefined) return createTimerEvent(settings, world.nowMs());
    const option = data === undefined ? '--path' : '--data';
    try {
      const event: unknown = parse(data ?? (await readFile(resolve(root, path ?? ''), 'utf8')));
      return typeof event === 'object' && event !== null ? event : { event };
    } catch (error) {
      const { message } = error as Error;
      throw refusal(option, `gives no event: ${message}`, 'Give JSON or YAML, or leave it out.');
    }
  }

  async function logs(): Promise<void> {
    const settings = pickSettings();
    const { api, place } = await open();
    for (const one of settings) {
      const urn = urnOf(place, one);
      const [invocations, log] = [await api.listInvocations(urn), await api.findLog(urn)];
      write(`${describeInvocations(one.name, invocations, log)}\n`);
    }
  }

  async function remove(): Promise<void> {
    const settings = pickSettings();
    const { api, place } = await open();
    for (const one of settings) {
      const removal = await removeFunction({ api, progress }, urnOf(place, one));
      write(`${describeRemoval(one.name, removal)}\n`);
      if (removal.error) throw removal.error;
    }
  }

  /** Serverless prints an error of its own class as a message, any other with its stack. */
  const guard = (work: () => Promise<unknown>) => async () => {
    try {
      await work();
    } catch (error) {
      // A bundle that ran here has error classes of its own.
      const { code, message, syscall, hint = '' } = error as Partial<Record<string, string>>;
      // Of the file system: its message says which file.
      if (code === undefined || (hint === '' && syscall === undefined)) throw error;
      // A function's alarm says it already.
      const text = message?.includes(hint) ? message : `${message}\n${hint}`;
      throw new serverless.classes.Error(scrubber.scrub(text), code);
    } finally {
      tools.progress.get('huawei').remove();
    }
  };

  const checked = async () => void pickSettings();
  const extentOfOne = (): Extent => (options['update-config'] ? 'config' : 'code');
  const plugin = {
    provider: providerName,
    hooks: {
      'before:package:createDeploymentArtifacts': guard(async () => {
        for (const line of await pack()) tools.log.notice(line.trimEnd());
      }),
      'deploy:deploy': guard(() => deploy('all')),
      'deploy:function:initialize': guard(checked),
      'deploy:function:packageFunction': guard(pack),
      'deploy:function:deploy': guard(() => deploy(extentOfOne())),
      'info:info': guard(info),
      'invoke:invoke': guard(invoke),
      'invoke:local:invoke': guard(invokeLocal),
      'logs:logs': guard(logs),
      'remove:remove': guard(remove),
    },
  };
  serverless.setProvider(providerName, plugin);
  return plugin;
}

function needsAgency({ accounts, store }: Config): boolean {
  const isAgency = ({ credentials }: { credentials: { kind: string } }) =>
    credentials.kind === 'agency';
  return accounts.some(isAgency) || (store.kind === 'obs' && isAgency(store));
}

function refusal(path: string, message: string, hint: string): ConfigError {
  return new ConfigError([{ path, message, hint }]);
}

function defineSchema({ configSchemaHandler }: Serverless): void {
  configSchemaHandler.defineProvider(providerName, {
    provider: providerSchema,
    function: functionSchema,
  });
  // defineFunctionEvent knows events of one key only, and these have three.
  for (const one of Object.values(
    configSchemaHandler.schema.properties.functions.patternProperties,
  )) {
    one.properties.events.items.anyOf.push(eventSchema);
  }
}
