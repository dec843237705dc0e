// Tests that no key, token or password is printed or stored, at debug level, with an endpoint that repeats every secret.
// Method: secrets with every character that an encoding changes; a search for every encoding in all printed and stored bytes.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  createFolder,
  type Ended,
  type Endpoint,
  expectCode,
  flagsFor,
  keyOf,
  readJson,
  readTree,
  runCli,
  startEndpoint,
} from '../e2e/processes.ts';
import { someCases } from '../support/cases.ts';
import type { Fault, Script } from '../support/plain-endpoint.ts';

const canary = {
  ak: 'CANARYAK8F3K2M9QX7ZT',
  sk: 'c4nary/sk+with=signs"and\\more%25~k3y',
  securityToken: `c4naryT0ken${'qJ9/Zx+w'.repeat(40)}==`,
  password: 'c4nary pässwörd "☃" <&>\'/\\',
  signInToken: `MIIc4naryS1gn1n${'b7+T/'.repeat(60)}=`,
  nextToken: `MIIc4naryS3c0nd${'k2-Q_'.repeat(60)}`,
};

/** The secret in every encoding: escaped, in a URL, in base64 at each of the three offsets. */
function listForms(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const uri = encodeURIComponent(secret);
  const uris = [uri, encodeURI(secret), uri.replaceAll('%20', '+')];
  const strict = uri.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  const base64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)]).toString('base64');
    // The first and last characters also encode bits of the neighbouring bytes.
    return text.slice([0, 2, 3][before]).replace(/=+$/, '').slice(0, -1);
  });
  return [
    ...[secret, json, JSON.stringify(json).slice(1, -1), json.replaceAll('/', '\\/')],
    ...[...uris, strict, strict.toUpperCase()],
    ...uris.map((one) => one.replace(/%[0-9A-F]{2}/g, (sign) => sign.toLowerCase())),
    ...base64.flatMap((one) => [one, one.replaceAll('+', '-').replaceAll('/', '_')]),
  ];
}

/** Everything printed and stored, with its place. Compressed objects also uncompressed. */
function listTexts(ended: Ended, folder: string): [place: string, text: string][] {
  const stored = [...readTree(folder)].flatMap(([path, bytes]): [string, Buffer][] =>
    path.endsWith('.gz')
      ? [
          [path, bytes],
          [`${path} unpacked`, gunzipSync(bytes)],
        ]
      : [[path, bytes]],
  );
  return [
    ['stdout', ended.out],
    ['stderr', ended.err],
    ...stored.map(([path, bytes]): [string, string] => [
      path,
      `${path}\n${bytes.toString('utf8')}`,
    ]),
  ];
}

function findCanaries(ended: Ended, folder: string): string[] {
  const texts = listTexts(ended, folder);
  return Object.entries(canary).flatMap(([name, secret]) =>
    listForms(secret).flatMap((form) =>
      texts.filter(([, text]) => text.includes(form)).map(([place]) => `${name} in ${place}`),
    ),
  );
}

test('the search finds secrets in every encoding', () => {
  for (const secret of Object.values(canary)) {
    const hidden = [
      JSON.stringify({ deep: JSON.stringify({ secret }) }),
      `https://host/?q=${encodeURIComponent(secret)}`,
      Buffer.from(`xx${secret} and more`).toString('base64'),
      Buffer.from(`x${secret} and more`).toString('base64url'),
      Buffer.from(secret).toString('base64'),
    ];
    for (const out of hidden) {
      const ended = { code: 0, signal: null, out, err: '' };
      expect(findCanaries(ended, createFolder()), out).not.toEqual([]);
    }
  }
});

const retried: Fault[] = [
  ...(['429', '500', '503', 'html502', 'reset'] as const),
  ...(['truncated', 'brokenJson', 'null', 'wrongShape', 'slow'] as const),
];
const echoing: Partial<Script> = { nodes: 2_500, echo: true, slowMs: 100 };
const echoingKey: Partial<Script> = {
  ...echoing,
  ak: canary.ak,
  sk: canary.sk,
  securityToken: canary.securityToken,
};
const debug = ['--json', '--log-level', 'debug'];

async function exportWithKey(endpoint: Endpoint, cwd: string): Promise<Ended> {
  const ended = await runCli(['export', ...debug, ...flagsFor(endpoint)], {
    cwd,
    env: keyOf(endpoint),
  });
  // Without output, the search would prove nothing.
  expect(ended.err.length).toBeGreaterThan(200);
  return ended;
}

describe.concurrent('leaks nothing', () => {
  test('of a key and a security token, with every fault that is retried', async () => {
    const endpoint = await startEndpoint({
      ...echoingKey,
      faults: Object.fromEntries(retried.map((fault, index) => [1 + 2 * index, fault])),
    });
    const cwd = createFolder();
    // Without --project, the CLI also asks IAM for the project.
    const flags = flagsFor(endpoint).filter(
      (flag, index, all) => flag !== '--project' && all[index - 1] !== '--project',
    );
    const ended = await runCli(['export', ...debug, ...flags], { cwd, env: keyOf(endpoint) });
    expectCode(ended, 0);
    const report = await endpoint.report();
    expect(new Set(report.servings.map(({ fault }) => fault))).toEqual(new Set([...retried, null]));
    expect(report.iam).toEqual(['GET /v3/projects']);
    // The endpoint's text is in the log, without the secrets.
    expect(ended.err).toContain('you sent [redacted]');
    expect(findCanaries(ended, cwd)).toEqual([]);
  });

  test.each(someCases(['401', '403', 'wrongShape', 'otherJson', 'html200'] as const))(
    'of a key and a security token, when every response is %s',
    async (always) => {
      const endpoint = await startEndpoint({ ...echoingKey, always });
      const cwd = createFolder();
      const ended = await exportWithKey(endpoint, cwd);
      expectCode(ended, always.startsWith('40') ? 3 : 1);
      expect(readJson(ended).errors).toHaveLength(1);
      expect(findCanaries(ended, cwd)).toEqual([]);
    },
  );

  test('of a key whose signature is rejected', async () => {
    const endpoint = await startEndpoint({ ...echoingKey, sk: 'another secret key' });
    const cwd = createFolder();
    const ended = await runCli(['export', ...debug, ...flagsFor(endpoint)], {
      cwd,
      env: { ...keyOf(endpoint), HUAWEICLOUD_SDK_SK: canary.sk },
    });
    expectCode(ended, 3);
    expect(readJson(ended).errors[0]?.message).toContain('signature does not match');
    expect(findCanaries(ended, cwd)).toEqual([]);
  });

  const signIn = {
    user: 'exporter',
    password: canary.password,
    domain: 'acme',
    tokens: [canary.signInToken, canary.nextToken],
  };

  function writeConfig(cwd: string, { url, script }: Endpoint, quota: string): void {
    writeFileSync(
      join(cwd, 'cgs-export.yml'),
      `store: file:./lake
quota: ${quota}
accounts:
  - name: prod
    credentials: { iamUser: exporter, iamPassword: "\${CANARY_PASSWORD}", iamDomain: acme }
    targets:
      - { region: ${script.region}, endpoint: "${url}" }
`,
    );
  }

  async function exportRejected(endpoint: Endpoint) {
    const cwd = createFolder();
    writeConfig(cwd, endpoint, '{ requests: 1000, windowSeconds: 1 }');
    const ended = await runCli(['export', ...debug], {
      cwd,
      env: { CANARY_PASSWORD: canary.password },
    });
    expectCode(ended, 3);
    return { ended, cwd };
  }

  test('of a password and its tokens, and signs in again once when the token becomes invalid', async () => {
    const endpoint = await startEndpoint({ ...echoing, signIn, faults: { 2: '500', 4: '403' } });
    const cwd = createFolder();
    writeConfig(cwd, endpoint, '{ requests: 2, windowSeconds: 1 }');
    const options = { cwd, env: { CANARY_PASSWORD: canary.password } };
    const running = runCli(['export', ...debug], options);
    // The token becomes invalid during the run.
    while ((await endpoint.report()).servings.filter(({ body }) => body !== null).length < 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await endpoint.endTokens();
    const rejected = await running;
    // The 401 led to a new token. The 403 is final.
    expectCode(rejected, 3);
    const report = await endpoint.report();
    expect(report.servings.map(({ fault }) => fault)).toContain('unknown token');
    // The first sign-in failed with 500 and was retried.
    expect(report.iam).toEqual(Array(3).fill('POST /v3/auth/tokens'));
    expect(findCanaries(rejected, cwd)).toEqual([]);

    await endpoint.change({ faults: {} });
    const ended = await runCli(['export', ...debug], options);
    expectCode(ended, 0);
    expect(readJson(ended).snapshots).toMatchObject([{ rows: 2_500, verdict: 'complete' }]);
    expect(findCanaries(ended, cwd)).toEqual([]);
  });

  test('does not renew a new token that is rejected at once: one sign-in, one request, exit 3', async () => {
    const endpoint = await startEndpoint({ ...echoing, echo: false, signIn, always: '401' });
    await exportRejected(endpoint);
    const report = await endpoint.report();
    expect(report.servings).toHaveLength(1);
    expect(report.iam).toHaveLength(1);
  });

  test('of a wrong password: one sign-in, exit 3', async () => {
    const endpoint = await startEndpoint({ ...echoing, signIn: { ...signIn, password: 'other' } });
    const { ended, cwd } = await exportRejected(endpoint);
    expect(readJson(ended).errors[0]?.hint).toContain('iamPassword');
    const report = await endpoint.report();
    expect(report.iam).toHaveLength(1);
    expect(report.servings).toHaveLength(0);
    expect(findCanaries(ended, cwd)).toEqual([]);
  });
});
