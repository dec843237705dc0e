// Responsible for the command `simulate`: runs the local endpoint on loopback until it is stopped.

import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import { datasets } from '../datasets/index.ts';
import { parseDrift } from '../simulator/drift.ts';
import { parseFault } from '../simulator/faults.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import type { SimulatorOptions } from '../simulator/simulator-options.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { type CommonOptions, choice, collectValues, readNumber } from './options.ts';
import type { Session } from './session.ts';
import { buildConfiguration, writeConfiguration } from './simulated-config.ts';

interface SimulateOptions extends CommonOptions {
  port: string;
  nodes: string;
  /** Undefined: not given. */
  clusters?: string;
  flavour: 'cgs' | 'hss';
  /** False: --no-quota was given. */
  quota: boolean;
  quotaRequests: string;
  quotaWindowSeconds: string;
  quotaMode: 'sliding' | 'fixed';
  latency: string;
  drift?: string;
  fault?: string[];
  seed: string;
  accounts: string;
  projects?: string;
  writeConfig?: string;
  region?: string[];
  project?: string;
  ak?: string;
  sk?: string;
  token?: string;
}

export const simulateCommand: CommandDefinition<SimulateOptions> = {
  name: 'simulate',
  summary: 'run a local endpoint for CGS/HSS and IAM with made-up nodes',
  description:
    'Runs a local endpoint for CGS/HSS and IAM with made-up nodes, on 127.0.0.1 only, until it is stopped with ctrl-C. It checks signatures and enforces the quota of each key. With options, it has many accounts and projects, changes the lists between requests and answers with faults.',
  addOptions,
  configHelp: 'accepted but not used: the endpoint has no configuration',
  writes: 'nothing, or the file of --write-config',
  codes: [0, 1, 2],
  examples: [
    'cgs-export simulate --nodes 5000 --quota-window-seconds 10',
    'cgs-export simulate --drift insert=2,delete=1 --fault 429@3 --fault slow:0.05',
    'cgs-export simulate --drift offline=1,closed=0.5   # agents go offline, protection is closed',
    'cgs-export simulate --json --port 8080   # prints url, ak, sk and projectId as JSON',
    'cgs-export simulate --accounts 50 --projects 4 --write-config sim.yml   # 200 targets',
  ],
  note: [
    'Reports of the endpoint, without a key, for tests (choose a project with ?project_id=):',
    '  GET /simulator/statistics  counts of requests, pages and changes; the nodes of each project',
    '  GET /simulator/changes     each change of a list: one line of JSON; the newest 100000',
    '  GET /simulator/nodes       the list as it is now: one line of JSON for each node',
    '  GET /simulator/clusters    the same for the clusters',
    'Requests for clusters are numbered apart: --fault, --drift and the quota apply to each list alone.',
  ].join('\n'),
  run: runSimulate,
};

const flavourHelp = 'fields that nodes have: cgs (API of 2021) or hss (API of today)';
const clustersDefault = '20';
const driftHelp =
  'mean changes of the list per request: insert, delete, reorder; offline, online (agent), closed, opened (protection); and a seed. For example insert=2,delete=1,offline=0.5,seed=7';
const modeHelp = 'sliding: any window of that length; fixed: one after another';

function addOptions(command: Command): void {
  command
    .option('--port <n>', 'port to listen on; 0 takes any free port', '0')
    .option(
      '--nodes <n>',
      'how many nodes each project has; with commas, as in 300,5000: the projects in turn',
      '300',
    )
    .option(
      '--clusters <n>',
      `how many clusters each project has; only hss lists them; if given, the configuration exports them too (default: ${clustersDefault})`,
    )
    .addOption(choice('--flavour <name>', flavourHelp, ['cgs', 'hss']).default('hss'))
    .option('--seed <n>', 'seed of the made-up nodes', '1')
    .optionsGroup('Quota of the endpoint:')
    .option('--quota-requests <n>', 'requests per window', '5')
    .option('--quota-window-seconds <s>', 'length of the window', '60')
    .addOption(choice('--quota-mode <mode>', modeHelp, ['sliding', 'fixed']).default('sliding'))
    .option('--no-quota', 'no limit')
    .optionsGroup('Behaviour of the endpoint:')
    .option('--latency <ms>', 'delay of each response, for example 50 or 20-80', '0')
    .option('--drift <changes>', driftHelp)
    .option(
      '--fault <fault>',
      'a fault to answer with, for example 429@3 (request 3) or slow:0.05 (each request with probability 0.05); repeatable',
      collectValues,
    )
    .optionsGroup('Accounts and projects of the endpoint:')
    .option('--accounts <n>', 'how many accounts, each with a key and a quota of its own', '1')
    .option('--projects <n>', 'projects of each account (default: one in each region)')
    .option(
      '--region <region>',
      'region of projects, and name of its first project; repeatable (default: cn-south-4)',
      collectValues,
    )
    .option('--write-config <file>', 'write a configuration with all accounts and projects')
    .optionsGroup('Identity of the first account (default: fixed demo values):')
    .option('--project <id>', 'project id')
    .option('--ak <key>', 'access key')
    .option('--sk <key>', 'secret key')
    .option('--token <token>', 'security token; makes all keys temporary ones');
}

async function runSimulate(options: SimulateOptions, session: Session): Promise<Outcome> {
  const { runtime, json, log, signal } = session;
  const simulator = await startSimulator(toSimulatorOptions(options));
  try {
    const configuration = buildConfiguration(simulator, options.quota ? quotaOf(options) : null, {
      api: options.flavour,
      datasets: datasetsOf(options),
    });
    const file = options.writeConfig && resolve(runtime.cwd, options.writeConfig);
    if (file) await writeConfiguration(file, configuration);
    // Not scrubbed: the user needs the demo key, and it opens nothing but this endpoint.
    runtime.stdout.write(
      json
        ? `${JSON.stringify(describeAsJson(simulator, file))}\n`
        : describeSimulator(simulator, options, { program: runtime.program, configuration }),
    );
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await simulator.stop();
  }
  log('info', 'simulator stopped', { ...simulator.stats() });
  return { exitCode: exitCodes.complete, json: null, text: '' };
}

/** Throws ConfigError for the first value that is not valid. */
function toSimulatorOptions(options: SimulateOptions): SimulatorOptions {
  const { flavour, drift, fault, region, project, projects, ak, sk, token } = options;
  return {
    port: readNumber('--port', options.port, 0),
    nodes: options.nodes.split(',').map((count) => readNumber('--nodes', count, 0)),
    clusters: readNumber('--clusters', options.clusters ?? clustersDefault, 0),
    accounts: readNumber('--accounts', options.accounts, 1),
    ...(projects === undefined ? {} : { projects: readNumber('--projects', projects, 1) }),
    seed: readNumber('--seed', options.seed, 0),
    flavour,
    quota: options.quota ? { ...quotaOf(options), mode: options.quotaMode } : null,
    latencyMs: readRange('--latency', options.latency),
    ...(drift === undefined ? {} : { drift: parseDrift(drift) }),
    ...(fault === undefined ? {} : { faults: fault.map(parseFault) }),
    ...(region === undefined ? {} : { regions: region }),
    ...(project === undefined ? {} : { projectId: project }),
    ...(ak === undefined ? {} : { ak }),
    ...(sk === undefined ? {} : { sk }),
    ...(token === undefined ? {} : { securityToken: token }),
  };
}

function quotaOf(options: SimulateOptions): { requests: number; windowSeconds: number } {
  return {
    requests: readNumber('--quota-requests', options.quotaRequests, 1),
    windowSeconds: readNumber('--quota-window-seconds', options.quotaWindowSeconds, 0.001),
  };
}

/** What the exporter shall export. Null: its default, the nodes. */
function datasetsOf({ clusters, flavour }: SimulateOptions): readonly string[] | null {
  const isAsked = flavour === 'hss' && clusters !== undefined && Number(clusters) > 0;
  return isAsked ? datasets.map(({ name }) => name) : null;
}

/** `50` or `20-80`. */
function readRange(path: string, text: string): { min: number; max: number } {
  const [, min = '', max = min] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (min !== '' && Number(max) >= Number(min)) return { min: Number(min), max: Number(max) };
  const hint = 'Write milliseconds, for example 50 or 20-80.';
  throw configFault(path, `"${text}" is not a delay`, hint);
}

/** `file`: the configuration that was written. */
function describeAsJson({ url, ak, sk, projectId, accounts }: Simulator, file?: string) {
  const isOne = accounts.length === 1 && accounts[0]?.projects.length === 1;
  const all = accounts.map(({ name, ak, sk, projects }) => ({
    ...{ name, ak, sk },
    projects: projects.map(({ region, id, nodes }) => ({ region, projectId: id, nodes })),
  }));
  return { url, ak, sk, projectId, ...(isOne ? {} : { accounts: all }), ...(file && { file }) };
}

function describeSimulator(
  simulator: Simulator,
  options: SimulateOptions,
  { program, configuration }: { program: string; configuration: string },
): string {
  const { url, accounts } = simulator;
  const projects = accounts.reduce((sum, account) => sum + account.projects.length, 0);
  const isOne = projects === 1;
  const held = accounts.length === 1 ? 'quota' : 'quota of each key';
  const quota = options.quota
    ? `${options.quotaRequests} requests in ${options.quotaWindowSeconds} s, ${options.quotaMode}`
    : 'none';
  const size = isOne ? `${options.nodes} nodes` : describeSize(accounts.length, projects, options);
  const { writeConfig } = options;
  const isWritten = writeConfig !== undefined;
  return [
    `listening on ${url} (CGS and IAM), ${options.flavour}, ${size}, ${held}: ${quota}`,
    '',
    ...(isOne && !isWritten
      ? ['In another shell:', ...describeFlags(simulator, options, program)]
      : isWritten
        ? [
            `wrote ${writeConfig}: ${projects} ${projects === 1 ? 'target' : 'targets'}`,
            '',
            'In another shell:',
            `  ${program} export --config ${writeConfig}`,
          ]
        : ['Write this to a file, or use --write-config FILE:', '', configuration]),
    '',
    'Press ctrl-C to stop it.',
    '',
  ].join('\n');
}

function describeSize(accounts: number, projects: number, { nodes }: SimulateOptions): string {
  const each = nodes.includes(',') ? `${nodes} nodes in turn` : `${nodes} nodes each`;
  return `${accounts} ${accounts === 1 ? 'account' : 'accounts'}, ${projects} projects with ${each}`;
}

/** For one project: the exporter needs no configuration. */
function describeFlags(
  { url, ak, sk, projectId, region }: Simulator,
  options: SimulateOptions,
  program: string,
): string[] {
  // The exporter must keep the quota of this endpoint and use the same API.
  const pace = options.quota
    ? `--quota-requests ${options.quotaRequests} --quota-window-seconds ${options.quotaWindowSeconds}`
    : '--quota-requests 50 --quota-window-seconds 1';
  const asked = datasetsOf(options);
  const flags = [
    ...(options.flavour === 'cgs' ? ['--api cgs'] : []),
    ...(asked === null ? [] : [`--datasets ${asked.join(',')}`]),
    pace,
  ].join(' ');
  const token =
    options.token === undefined ? [] : [`HUAWEICLOUD_SDK_SECURITY_TOKEN=${options.token}`];
  return [
    `  export ${[`HUAWEICLOUD_SDK_AK=${ak}`, `HUAWEICLOUD_SDK_SK=${sk}`, ...token].join(' ')}`,
    `  ${program} export --region ${region} --project ${projectId} --endpoint ${url} ${flags} --store file:./export`,
  ];
}
