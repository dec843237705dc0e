// Owns `simulate`: the local endpoint from a command line, until it is stopped. Refuses any address but loopback.

import { type Command, Option } from 'commander';
import { exitCodes } from '../core/error-policy.ts';
import { ConfigError } from '../core/errors.ts';
import { type Drift, parseDrift } from '../simulator/drift.ts';
import { type FaultRule, parseFault } from '../simulator/faults.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import type { SimulatorOptions } from '../simulator/simulator-options.ts';
import {
  addCommonOptions,
  addHelp,
  type CommonOptions,
  outputVariables,
  readNumber,
} from './options.ts';
import type { Outcome } from './outcome.ts';
import type { Session } from './session.ts';

interface SimulateOptions extends CommonOptions {
  port: string;
  nodes: string;
  flavour: 'cgs' | 'hss';
  /** False: --no-quota. */
  quota: boolean;
  quotaRequests: string;
  quotaWindowSeconds: string;
  quotaMode: 'sliding' | 'fixed';
  latency: string;
  drift?: Drift;
  fault?: FaultRule[];
  seed: string;
  region?: string;
  project?: string;
  ak?: string;
  sk?: string;
  token?: string;
}

export function addSimulate(program: Command): Command {
  const command = program.command('simulate');
  addCommonOptions(command, 'accepted, not used: the endpoint has no configuration');
  command
    .summary('a local CGS + IAM endpoint')
    .description(
      'Runs a local endpoint for CGS/HSS and IAM with made-up nodes: it checks signatures, holds the quota, and drifts and fails on request. On 127.0.0.1 only. Runs until ctrl-C.',
    )
    .option('--port <n>', '0: any free one', '0')
    .option('--nodes <n>', 'how many nodes to make up', '300')
    .addOption(
      new Option('--flavour <name>', 'fields as of 2021 (cgs) or of today (hss)')
        .choices(['cgs', 'hss'])
        .default('hss'),
    )
    .option('--seed <n>', 'of the made-up nodes', '1')
    .optionsGroup('Its quota:')
    .option('--quota-requests <n>', 'requests a window', '5')
    .option('--quota-window-seconds <s>', 'length of the window', '60')
    .addOption(
      new Option('--quota-mode <mode>', 'how the window moves')
        .choices(['sliding', 'fixed'])
        .default('sliding'),
    )
    .option('--no-quota', 'none')
    .optionsGroup('What it does to its callers:')
    .option('--latency <ms>', 'of each answer, as 50 or 20-80', '0')
    .option(
      '--drift <changes>',
      'mean changes a request, as insert=2,delete=1,reorder=0.5,seed=7',
      (text) => parseDrift(text),
    )
    .option(
      '--fault <fault>',
      'as 429@3 (request 3) or slow:0.05 (each with that probability); repeatable',
      (text, faults: FaultRule[] | undefined) => [...(faults ?? []), parseFault(text)],
    )
    .optionsGroup('Whom it knows (fixed demo values by default):')
    .option('--region <region>')
    .option('--project <id>')
    .option('--ak <key>')
    .option('--sk <key>')
    .option('--token <token>', 'makes the key a temporary one that needs this security token');
  return addHelp(command, {
    writes: 'nothing',
    codes: [0, 1, 2],
    variables: outputVariables,
    examples: [
      'cgs-export simulate --nodes 5000 --quota-window-seconds 10',
      'cgs-export simulate --drift insert=2,delete=1 --fault 429@3 --fault slow:0.05',
      'cgs-export simulate --json --port 8080   # {"url","ak","sk","projectId"} when it listens',
    ],
  });
}

export async function runSimulate(options: SimulateOptions, session: Session): Promise<Outcome> {
  const { world, json, log, signal } = session;
  const simulator = await startSimulator(toSimulatorOptions(options));
  try {
    const { url, ak, sk, projectId } = simulator;
    // Not scrubbed: the demo key opens nothing but this endpoint, and saying it is the point.
    world.stdout.write(
      json
        ? `${JSON.stringify({ url, ak, sk, projectId })}\n`
        : describeSimulator(simulator, options, world.program),
    );
    await aborted(signal);
  } finally {
    await simulator.stop();
  }
  log('info', 'served', { ...simulator.stats() });
  return { exitCode: exitCodes.complete, json: null, text: '', errors: [] };
}

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
    ...(drift === undefined ? {} : { drift }),
    ...(fault === undefined ? {} : { faults: fault }),
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
  throw new ConfigError([
    { path, message: `"${text}" is no time`, hint: 'Write milliseconds, as in 50 or 20-80.' },
  ]);
}

function describeSimulator(
  { url, ak, sk, projectId, region }: Simulator,
  options: SimulateOptions,
  program: string,
): string {
  const quota = options.quota
    ? `${options.quotaRequests} requests in ${options.quotaWindowSeconds} s, ${options.quotaMode}`
    : 'none';
  // The caller must keep the quota that is held here, and speak the same api.
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
    'ctrl-C stops it.',
    '',
  ].join('\n');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
