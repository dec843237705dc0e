// Responsible for the configuration of everything that the local endpoint serves: its text and its file.

import { readFile, writeFile } from 'node:fs/promises';
import { ownerOnly } from '../config/rules.ts';
import { configFault } from '../core/errors.ts';
import type { Simulator } from '../simulator/simulator.ts';

/** The first line. A file that does not start with it is never overwritten. */
const mark =
  '# Written by `simulate`, for the local endpoint only. It is replaced by the next `simulate`.';
/** For an endpoint without a quota: the exporter always needs one. */
const ample = { requests: 50, windowSeconds: 1 };

/** `quota`: the endpoint's; null if it has none. `datasets`: of each target; null: the default. */
export function buildConfiguration(
  { url, accounts }: Pick<Simulator, 'url' | 'accounts'>,
  quota: { requests: number; windowSeconds: number } | null,
  { api, datasets }: { api: 'cgs' | 'hss'; datasets: readonly string[] | null },
): string {
  const { requests, windowSeconds } = quota ?? ample;
  const list = datasets === null ? '' : `, datasets: [${datasets.join(', ')}]`;
  const lines = accounts.flatMap(({ name, ak, sk, securityToken, projects }) => {
    const token = securityToken === null ? '' : `, securityToken: ${quote(securityToken)}`;
    return [
      `  - name: ${quote(name)}`,
      `    credentials: { ak: ${quote(ak)}, sk: ${quote(sk)}${token} }`,
      '    targets:',
      ...projects.map(
        ({ region, id }) =>
          `      - { region: ${quote(region)}, projectId: ${quote(id)}, endpoint: ${quote(url)}, iamEndpoint: ${quote(url)}, api: ${api}${list} }`,
      ),
    ];
  });
  return [
    mark,
    'store: file:./export',
    `quota: { requests: ${requests}, windowSeconds: ${windowSeconds} }`,
    'accounts:',
    ...lines,
    '',
  ].join('\n');
}

/** A JSON string is a YAML string too, whatever it contains, except variables. */
function quote(text: string): string {
  return JSON.stringify(text);
}

/** Throws ConfigError if the file cannot be written, or exists and was not written by this function. */
export async function writeConfiguration(file: string, text: string): Promise<void> {
  const earlier = await readFile(file, 'utf8').catch(() => '');
  if (earlier !== '' && !earlier.startsWith(mark)) throw refusal(`${file} exists already`);
  await writeFile(file, text, { mode: ownerOnly }).catch((cause: NodeJS.ErrnoException) => {
    throw refusal(`${file} cannot be written (${cause.code ?? cause.message})`);
  });
}

function refusal(message: string) {
  return configFault('--write-config', message, 'Give another name with --write-config.');
}
