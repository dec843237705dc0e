// Tests, on the built CLI, what networks, proxies, certificates and broken servers do: exit code, hint, number of requests, memory.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { basename, join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sendJson, startServer } from '../api/answering-server.ts';
import {
  createFolder,
  expectCode,
  readJson,
  root,
  runCli,
  startCli,
  startProcess,
  until,
} from '../e2e/processes.ts';
import { someCases } from '../support/cases.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { type Certificate, caFile, startTlsServer } from '../support/tls-server.ts';

const key = { HUAWEICLOUD_SDK_AK: 'NETWORKTESTKEY', HUAWEICLOUD_SDK_SK: 'network-test-secret' };
const ample = ['--quota-requests', '1000', '--quota-window-seconds', '1'];
const project = 'a'.repeat(32);
const onePage = { total_num: 1, data_list: [{ host_id: 'h1', host_name: 'one' }] };

/** Arguments for an export of one list. */
function listArgs(endpoint: string, store = 'file:./lake'): string[] {
  const target = ['--region', 'cn-south-4', '--project', project];
  return ['export', '--json', ...target, '--endpoint', endpoint, '--store', store, ...ample];
}

function run(args: readonly string[], env: Record<string, string> = {}) {
  return runCli(args, { cwd: createFolder(), env: { ...key, ...env } });
}

/** How often `text` is in `all`. */
const count = (all: string, text: string) => all.split(text).length - 1;

/** The three services that a run connects to, each at `url`. */
const services = {
  API: (url: string) => listArgs(url),
  IAM: (url: string) => [
    ...['export', '--json', '--region', 'cn-south-4', '--store', 'file:./lake', ...ample],
    ...['--endpoint', 'http://127.0.0.1:1', '--iam-endpoint', url],
  ],
  store: (url: string) => [
    ...listArgs('http://127.0.0.1:1', 'obs://lake/x'),
    ...['--obs-endpoint', url, '--path-style'],
  ],
};
const serviceNames = Object.keys(services) as (keyof typeof services)[];

describe.each(someCases(serviceNames))(
  '%s: a connection that needs a person fails once, exit 3',
  (service) => {
    test.each(
      someCases([
        ['self-signed', '', 'not trusted', 'NODE_EXTRA_CA_CERTS'],
        ['localhost', '', 'not trusted', 'NODE_EXTRA_CA_CERTS'],
        ['expired', caFile, 'not valid at this time', 'clock'],
        ['other-host', caFile, 'for another host name', 'https://localhost'],
      ] as const),
    )('certificate %s', async (name: Certificate, ca, words, hint) => {
      const server = await startTlsServer(name);
      const ended = await run(services[service](server.url), { NODE_EXTRA_CA_CERTS: ca });
      expectCode(ended, 3);
      const [error, ...others] = readJson(ended).errors;
      expect(others).toEqual([]);
      expect(error?.code).toBe('CERTIFICATE_REFUSED');
      expect(error?.message).toContain(words);
      expect(error?.hint).toContain(hint);
      expect(server.connections()).toBe(1);
    });

    test('https to a port for plain http', async () => {
      const { url } = await startServer((response) => response.end('{}'));
      const ended = await run(
        services[service](url.replace('http://127.0.0.1', 'https://localhost')),
      );
      expectCode(ended, 3);
      expect(readJson(ended).errors).toMatchObject([
        { code: 'TLS_FAILED', hint: expect.stringContaining('plain http') },
      ]);
    });

    test.each(
      someCases([
        ['whose name does not exist', 'nosuchproxy.invalid:3128', 'there is no such host name'],
        ['whose port is closed', '127.0.0.1:1', 'connection refused'],
      ]),
    )('a proxy %s is named by export and by doctor, with one exit code', async (_, host, words) => {
      const args = services[service]('https://hss.example');
      const env = { ...key, HTTPS_PROXY: `http://${host}` };
      const [doctor, exported] = await Promise.all([
        runCli(['doctor', ...args.slice(1)], { cwd: createFolder(), env }),
        // A closed port is tried for minutes.
        words === 'connection refused' ? null : runCli(args, { cwd: createFolder(), env }),
      ]);
      const checks = (JSON.parse(doctor.out) as { checks: Record<string, string>[] }).checks;
      const failed = checks.filter(({ status }) => status === 'failed');
      const told = failed.find(({ message }) => message?.includes(`the proxy ${host}`));
      expect(told?.message).toContain(`no connection to the proxy ${host}: ${words}`);
      expect(told?.hint).toMatch(/HTTPS_PROXY.*NO_PROXY/);
      if (exported === null) return;
      expect(readJson(exported).errors).toMatchObject([
        { code: 'HOST_NOT_FOUND', message: expect.stringContaining(`the proxy ${host}`) },
      ]);
      expectCode(exported, 3);
      expectCode(doctor, 3);
    });

    test('a proxy that refuses the login', async () => {
      const proxy = await startConnectProxy('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n');
      const ended = await run(services[service]('https://hss.example'), { HTTPS_PROXY: proxy.url });
      expectCode(ended, 3);
      expect(readJson(ended).errors).toMatchObject([{ code: 'PROXY_REFUSED' }]);
      expect(proxy.connects).toHaveLength(1);
      expect(ended.out + ended.err).not.toContain('user:pass');
    });
  },
);

test('a proxy that takes a token gets it for the API and for the store alike', async () => {
  for (const service of ['API', 'store'] as const) {
    const proxy = await startConnectProxy('HTTP/1.1 403 No\r\n\r\n');
    const HTTPS_PROXY = proxy.url.replace('user:pass', 'token12345');
    const ended = await run(services[service]('https://hss.example'), { HTTPS_PROXY });
    expectCode(ended, 3);
    expect(new Set(proxy.logins)).toEqual(
      new Set([`Basic ${Buffer.from('token12345:').toString('base64')}`]),
    );
    expect(ended.out + ended.err).not.toContain('token12345');
  }
});

test('a % in the login of the proxy is a fault of the configuration, with the way to write it', async () => {
  const ended = await run(services.API('https://hss.example'), {
    HTTPS_PROXY: 'http://user:100%off@proxy.example:3128',
  });
  expectCode(ended, 2);
  const [error] = readJson(ended).errors;
  expect(error?.message).toContain('HTTPS_PROXY');
  expect(error?.hint).toContain('Write %25');
  expect(ended.out + ended.err).not.toContain('100%off');
});

test('NO_PROXY with a bare IPv6 address and with a range is honoured for the API and for the store', async () => {
  for (const service of ['API', 'store'] as const) {
    for (const [address, noProxy] of [
      ['https://[::1]:1', '::1'],
      ['https://127.0.0.1:1', '127.0.0.0/8'],
    ] as const) {
      const proxy = await startConnectProxy('HTTP/1.1 407 No\r\n\r\n');
      const env = { ...key, HTTPS_PROXY: proxy.url, NO_PROXY: noProxy };
      const cwd = createFolder();
      const args = [...services[service](address), '--log-level', 'debug'];
      const { child, ended, texts } = startCli(args, { cwd, env });
      await until(() => /retry 2 of|PROXY_REFUSED/.test(texts.err), 'the first failure');
      child.kill('SIGKILL');
      await ended;
      expect(proxy.connects, `${service} ${address}`).toEqual([]);
    }
  }
});

describe('answers of the API', () => {
  test.each(
    someCases([
      ['202 with an empty body', (response: ServerResponse) => response.writeHead(202).end()],
      ['202 with JSON', (response: ServerResponse) => sendJson(response, 202, { job: 'x' })],
      ['204', (response: ServerResponse) => response.writeHead(204).end()],
    ]),
  )('%s is asked for again', async (_name, busy) => {
    const { url, received } = await startServer((response, _request, n) => {
      if (n === 0) busy(response);
      else sendJson(response, 200, onePage);
    });
    const ended = await run(listArgs(url));
    expectCode(ended, 0);
    expect(readJson(ended).snapshots).toMatchObject([{ rows: 1, verdict: 'complete' }]);
    expect(received).toHaveLength(2);
    expect(ended.err).toMatch(/retry 2 of 10/);
  });

  test('an error in the body of a 200 is shown, without the key', async () => {
    const { url } = await startServer((response) =>
      sendJson(response, 200, {
        error_code: 'HSS.4711',
        error_msg: `no quota for ${key.HUAWEICLOUD_SDK_AK}`,
      }),
    );
    const ended = await run(listArgs(url));
    expectCode(ended, 1);
    const [error] = readJson(ended).errors;
    expect(error?.message).toContain('HSS.4711: "no quota for [redacted]"');
    expect(ended.out + ended.err).not.toContain(key.HUAWEICLOUD_SDK_AK);
  });

  test('an interim answer that was not asked for is skipped', async () => {
    const body = JSON.stringify(onePage);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      });
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ended = await run(listArgs(`http://127.0.0.1:${port}`));
    expectCode(ended, 0);
    expect(ended.err).not.toContain('retry');
  });

  test.each([503, 429])('a %i that asks for a day ends the run, resumable', async (status) => {
    const { url, received } = await startServer((response) =>
      sendJson(response, status, {}, { 'retry-after': '86400' }),
    );
    const cwd = createFolder();
    const ended = await runCli(listArgs(url), { cwd, env: key });
    expectCode(ended, 4);
    expect(readJson(ended).errors).toMatchObject([
      { message: expect.stringContaining('asked to wait for at least 24 hours') },
    ]);
    expect(received).toHaveLength(1);
    if (status === 503) return;
    // The next run waits too, and reports it.
    const again = await runCli(listArgs(url), { cwd, env: key });
    expectCode(again, 4);
    expect(readJson(again).errors[0]?.message).toMatch(/asked this key to wait until 20\d\d-/);
    expect(received).toHaveLength(1);
  });
});

test('a refused connection is retried, and each retry is reported with its cause and wait', async () => {
  const cwd = createFolder();
  const { child, ended, texts } = startCli(listArgs('http://127.0.0.1:1'), { cwd, env: key });
  await until(() => texts.err.includes('retry 3 of 10'), 'the second retry');
  child.kill('SIGTERM');
  await ended;
  expect(texts.err).toMatch(/retry 2 of 10 in \d+ s: connection refused/);
});

describe('a refused key', () => {
  const regions = Array.from({ length: 8 }, (_, index) => `cn-test-${index}`);
  /** Two accounts with the same key. */
  function writeConfig(cwd: string, url: string, withProjects: boolean): void {
    const targetsOf = (from: number) =>
      regions.slice(from, from + 4).map((region) => ({
        ...{ region, endpoint: url, iamEndpoint: url },
        ...(withProjects ? { projectId: project } : {}),
      }));
    const credentials = { ak: key.HUAWEICLOUD_SDK_AK, sk: key.HUAWEICLOUD_SDK_SK };
    const accounts = [0, 4].map((from) => ({
      name: `a${from}`,
      credentials,
      targets: targetsOf(from),
    }));
    const config = { store: 'file:./lake', quota: { requests: 1000, windowSeconds: 1 }, accounts };
    writeFileSync(join(cwd, 'cgs-export.yml'), JSON.stringify(config));
  }

  test.each(
    someCases([
      ['export', true],
      ['export', false],
      ['plan --probe', true],
      ['plan --probe', false],
    ]),
  )(
    'is used once by %s (project ids configured: %s); the other targets are named',
    async (command, withProjects) => {
      const { url, received } = await startServer((response) =>
        sendJson(response, 401, {
          error_code: 'APIGW.0301',
          error_msg: 'Incorrect IAM information',
        }),
      );
      const cwd = createFolder();
      writeConfig(cwd, url, withProjects);
      const ended = await runCli([...command.split(' '), '--json'], { cwd });
      expectCode(ended, 3);
      expect(received).toHaveLength(1);
      const { errors } = readJson(ended);
      expect(errors.map(({ code }) => code)).toEqual(['REFUSED', ...Array(7).fill('NOT_TRIED')]);
      for (const [index, { message }] of errors.entries()) {
        expect(message).toContain(`cn-test-${index}`);
        if (index > 0) expect(message).toMatch(/not tried: the key was refused \(REFUSED\)$/);
      }
      expect(count(ended.err, 'Incorrect IAM information')).toBe(1);
    },
  );

  test('is not a missing permission for one project: the others are exported', async () => {
    const { url, received } = await startServer((response, _request, n) =>
      n === 0
        ? sendJson(response, 403, { error_code: 'APIGW.0302', error_msg: 'no permission' })
        : sendJson(response, 200, onePage),
    );
    const cwd = createFolder();
    writeConfig(cwd, url, true);
    const ended = await runCli(['export', '--json'], { cwd });
    expectCode(ended, 3);
    expect(readJson(ended).errors.map(({ code }) => code)).toEqual(['NOT_PERMITTED']);
    expect(readJson(ended).snapshots).toHaveLength(7);
    expect(received).toHaveLength(8);
  });
});

describe('a body of 60 MB', () => {
  /** Loaded before the program: writes its peak memory in kB into a file when it ends. */
  const measure = `process.on('exit', () => require('node:fs').writeFileSync(process.env.PEAK_FILE, String(process.resourceUsage().maxRSS)));`;

  async function peakOf(args: (url: string) => readonly string[], character: string, status = 200) {
    const megabyte = Buffer.alloc(1024 * 1024, character);
    const { url, received } = await startServer((response) => {
      response.writeHead(status);
      pipeline(Readable.from(Array(60).fill(megabyte)), response, () => {});
    });
    const folder = createFolder();
    writeFileSync(join(folder, 'measure.cjs'), measure);
    const PEAK_FILE = join(folder, 'peak');
    const env = { PEAK_FILE, NODE_OPTIONS: `--require ${join(folder, 'measure.cjs')}` };
    const ended = await run(args(url), env);
    return { ended, received, peakMb: Number(readFileSync(PEAK_FILE, 'utf8')) / 1024 };
  }

  test.each(
    someCases([
      ['API', '['],
      ['API', 'x'],
      ['IAM', '['],
    ] as const),
  )(
    'of the %s, all "%s", is not read to its end and ends the run with one clear error',
    async (service, character) => {
      const { ended, received, peakMb } = await peakOf(services[service], character);
      expectCode(ended, 1);
      expect(readJson(ended).errors).toMatchObject([
        { code: 'BODY_TOO_LARGE', message: expect.stringContaining('more than 8 MiB') },
      ]);
      expect(received).toHaveLength(1);
      expect(peakMb).toBeLessThan(200);
    },
  );

  test('of an error of the store is not kept in memory', async () => {
    const { ended, peakMb } = await peakOf(services.store, '<', 403);
    expectCode(ended, 3);
    expect(readJson(ended).errors[0]?.message).toContain('access denied (403)');
    expect(peakMb).toBeLessThan(200);
  });

  test('of an error leaves the meaning of its status', async () => {
    const { ended, peakMb } = await peakOf(services.API, '[', 401);
    expectCode(ended, 3);
    expect(readJson(ended).errors).toMatchObject([{ code: 'REFUSED' }]);
    expect(peakMb).toBeLessThan(200);
  });
});

describe('the time for one address of a host name', () => {
  const report = `process.on('exit', () => process.stderr.write('limit ' + require('node:net').getDefaultAutoSelectFamilyAttemptTimeout()));`;
  test('is raised by the command line', async () => {
    const file = join(createFolder(), 'report.cjs');
    writeFileSync(file, report);
    const ended = await run(['--help'], { NODE_OPTIONS: `--require ${file}` });
    expect(ended.err).toBe('limit 2500');
  });
  test.each(readdirSync(join(root, 'functions')))('is raised by functions/%s', async (file) => {
    const bundle = join(root, 'dist', 'functions', basename(file, '.ts'), 'index.js');
    const program = `${report} require(${JSON.stringify(bundle)})`;
    const ended = await startProcess(process.execPath, ['-e', program], {}).ended;
    expect(ended.err).toContain('limit 2500');
  });
});

describe('the address of a store', () => {
  test.each(
    someCases([
      'obs://lake/x?AccessKeyId=TOPSECRET&Signature=TOPSECRET',
      'obs://lake/x#TOPSECRET',
      'obs://lake?AccessKeyId=TOPSECRET',
      'obs://TOPSECRET:TOPSECRET@lake/x',
      'file:./lake?AccessKeyId=TOPSECRET',
    ]),
  )('with a query, fragment or user is refused and not shown: %s', async (store) => {
    for (const args of [
      listArgs('http://127.0.0.1:1', store),
      ['verify', '--store', store],
      ['status', '--json', '--store', store],
    ]) {
      const ended = await run(args);
      expectCode(ended, 2);
      expect(ended.out + ended.err).not.toContain('TOPSECRET');
    }
  });

  test.each(['https://obs.example?AccessKeyId=TOPSECRET', 'https://TOPSECRET@obs.example'])(
    'as an endpoint likewise: %s',
    async (endpoint) => {
      for (const flag of ['--obs-endpoint', '--iam-endpoint', '--endpoint']) {
        const args = listArgs('http://127.0.0.1:1', 'obs://lake/x');
        const ended = await run([...args, flag, endpoint]);
        expectCode(ended, 2);
        expect(ended.out + ended.err).not.toContain('TOPSECRET');
      }
    },
  );
});

test('a store that wants its own region in the signature is named in the hint', async () => {
  const { url, received } = await startServer((response) => {
    response.writeHead(400, { 'content-type': 'application/xml' });
    response.end(
      '<?xml version="1.0"?><Error><Code>AuthorizationHeaderMalformed</Code><Message>Authorization header malformed, unexpected scope: 20261125/cn-south-4/s3/aws4_request, expected: 20261125/garage/s3/aws4_request</Message></Error>',
    );
  });
  const ended = await run(services.store(url));
  expectCode(ended, 3);
  expect(readJson(ended).errors[0]?.hint).toContain('Set obs.region: garage');
  expect(received[0]?.headers.authorization).toContain('/cn-south-4/s3/');
  await run([...services.store(url), '--obs-region', 'garage']);
  expect(received.at(-1)?.headers.authorization).toContain('/garage/s3/');
});
