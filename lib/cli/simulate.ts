// Responsible for the command `simulate`: runs the local endpoint on loopback until it is stopped.

import { once } from 'node:events';
import type { Command } from 'commander';
import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import { parseDrift } from '../simulator/drift.ts';
import { parseFault } from '../simulator/faults.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import type { SimulatorOptions } from '../simulator/simulator-options.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { type CommonOptions, choice, collectValues, readNumber } from './options.ts';
import type { Session } from './session.ts';

interface SimulateOptions extends CommonOptions {
  port: string;
  nodes: string;
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
  region?: string;
  project?: string;
  ak?: string;
  sk?: string;
  token?: string;
}

export const simulateCommand: CommandDefinition<SimulateOptions> = {
  name: 'simulate',
  summary: 'run a local endpoint for CGS/HSS and IAM with made-up nodes',
  description:
    'Runs a local endpoint for CGS/HSS and IAM with made-up nodes, on 127.0.0.1 only, until it is stopped with ctrl-C. It checks signatures and enforces the quota. On request, it changes the list between requests and answers with faults.',
  addOptions,
  configHelp: 'accepted but not used: the endpoint has no configuration',
  writes: 'nothing',
  codes: [0, 1, 2],
  examples: [
    'cgs-export simulate --nodes 5000 --quota-window-seconds 10',
    'cgs-export simulate --drift insert=2,delete=1 --fault 429@3 --fault slow:0.05',
    'cgs-export simulate --json --port 8080   # prints url, ak, sk and projectId as JSON',
  ],
  run: runSimulate,
};

const flavourHelp = 'fields that nodes have: cgs (API of 2021) or hss (API of today)';
const modeHelp = 'sliding: any window of that length; fixed: one after another';

function addOptions(command: Command): void {
  command
    .option('--port <n>', 'port to listen on; 0 takes any free port', '0')
    .option('--nodes <n>', 'how many nodes to make up', '300')
    .addOption(choice('--flavour <name>', flavourHelp, ['cgs', 'hss']).default('hss'))
    .option('--seed <n>', 'seed of the made-up nodes', '1')
    .optionsGroup('Quota of the endpoint:')
    .option('--quota-requests <n>', 'requests per window', '5')
    .option('--quota-window-seconds <s>', 'length of the window', '60')
    .addOption(choice('--quota-mode <mode>', modeHelp, ['sliding', 'fixed']).default('sliding'))
    .option('--no-quota', 'no limit')
    .optionsGroup('Behaviour of the endpoint:')
    .option('--latency <ms>', 'delay of each response, for example 50 or 20-80', '0')
    .option(
      '--drift <changes>',
      'mean changes of the list per request, for example insert=2,delete=1,reorder=0.5,seed=7',
    )
    .option(
      '--fault <fault>',
      'a fault to answer with, for example 429@3 (request 3) or slow:0.05 (each request with probability 0.05); repeatable',
      collectValues,
    )
    .optionsGroup('Identity that the endpoint accepts (default: fixed demo values):')
    .option('--region <region>', 'region, and name of its project')
    .option('--project <id>', 'project id')
    .option('--ak <key>', 'access key')
    .option('--sk <key>', 'secret key')
    .option('--token <token>', 'security token; makes the key a temporary one');
}

async function runSimulate(options: SimulateOptions, session: Session): Promise<Outcome> {
  const { runtime, json, log, signal } = session;
  const simulator = await startSimulator(toSimulatorOptions(options));
  try {
    const { url, ak, sk, projectId } = simulator;
    // Not scrubbed: the user needs the demo key, and it opens nothing but this endpoint.
    runtime.stdout.write(
      json
        ? `${JSON.stringify({ url, ak, sk, projectId })}\n`
        : describeSimulator(simulator, options, runtime.program),
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
  const { flavour, drift, fault, region, project, ak, sk, token } = options;
  return {
    port: readNumber('--port', options.port, 0),
    nodes: readNumber('--nodes', options.nodes, 0),
    seed: readNumber('--seed', options.seed, 0),
    flavour,
    quota: options.quota
      ? {
          requests: readNumber('--quota-requests', options.quotaRequests, 1),
          windowSeconds: readNumber('--quota-window-seconds', options.quotaWindowSeconds, 0.001),
          mode: options.quotaMode,
        }
      : null,
    latencyMs: readRange('--latency', options.latency),
    ...(drift === undefined ? {} : { drift: parseDrift(drift) }),
    ...(fault === undefined ? {} : { faults: fault.map(parseFault) }),
    ...(region === undefined ? {} : { region }),
    ...(project === undefined ? {} : { projectId: project }),
    ...(ak === undefined ? {} : { ak }),
    ...(sk === undefined ? {} : { sk }),
    ...(token === undefined ? {} : { securityToken: token }),
  };
}

/** `50` or `20-80`. */
function readRange(path: string, text: string): { min: number; max: number } {
  const [, min = '', max = min] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (min !== '' && Number(max) >= Number(min)) return { min: Number(min), max: Number(max) };
  const hint = 'Write milliseconds, for example 50 or 20-80.';
  throw configFault(path, `"${text}" is not a delay`, hint);
}

function describeSimulator(
  { url, ak, sk, projectId, region }: Simulator,
  options: SimulateOptions,
  program: string,
): string {
  const quota = options.quota
    ? `${options.quotaRequests} requests in ${options.quotaWindowSeconds} s, ${options.quotaMode}`
    : 'none';
  // The exporter must keep the quota of this endpoint and use the same API.
  const pace = options.quota
    ? `--quota-requests ${options.quotaRequests} --quota-window-seconds ${options.quotaWindowSeconds}`
    : '--quota-requests 50 --quota-window-seconds 1';
  const flags = [...(options.flavour === 'cgs' ? ['--api cgs'] : []), pace].join(' ');
  const token =
    options.token === undefined ? [] : [`HUAWEICLOUD_SDK_SECURITY_TOKEN=${options.token}`];
  return [
    `listening on ${url} (CGS and IAM), ${options.flavour}, ${options.nodes} nodes, quota: ${quota}`,
    '',
    'In another shell:',
    `  export ${[`HUAWEICLOUD_SDK_AK=${ak}`, `HUAWEICLOUD_SDK_SK=${sk}`, ...token].join(' ')}`,
    `  ${program} export --region ${region} --project ${projectId} --endpoint ${url} ${flags} --store file:./export`,
    '',
    'Press ctrl-C to stop it.',
    '',
  ].join('\n');
}
