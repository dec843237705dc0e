// Responsible for using the real store that test/support/rgw.sh started: buckets, keys, and pausing, killing and
// restarting the gateway.

import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../lib/platform/clock.ts';
import { openConnections } from '../../lib/platform/connections.ts';
import { type ObsStore, openObsStore } from '../../lib/store/obs.ts';
import type { ObsStoreOptions } from '../../lib/store/obs-location.ts';
import { type PlainKey, signedFetch } from './signed-fetch.ts';

const run = promisify(execFile);
const port = Number(process.env.RGW_PORT ?? 7480);
const folder = join(process.env.OUTER_TMPDIR ?? tmpdir(), 'cgs-export-rgw');
const conf = join(folder, 'ceph.conf');

export const rgw = {
  url: `http://127.0.0.1:${port}`,
  /** For requests with the bucket in the host name. */
  tlsUrl: `https://s3.localhost:${port + 1}`,
  caFile: join(folder, 'tls/ca.pem'),
  otherCaFile: join(folder, 'tls/other-ca.pem'),
  key: { ak: 'rgw-test-key', sk: 'rgw-test-secret' },
  limitedKey: { ak: 'rgw-limited-key', sk: 'rgw-limited-secret' },
};

/** A new bucket. */
export async function createBucket(): Promise<string> {
  const bucket = `test-${randomBytes(6).toString('hex')}`;
  const answer = await signedFetch(rgw.key, {
    method: 'PUT',
    origin: rgw.url,
    path: `/${bucket}`,
  });
  if (answer.status !== 200)
    throw new Error(`cannot create a bucket: ${answer.status} ${await answer.text()}`);
  return bucket;
}

/** Allows `rgw.limitedKey` these S3 actions only. */
export async function allow(bucket: string, actions: readonly string[]): Promise<void> {
  const policy = {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: ['arn:aws:iam:::user/limited'] },
        Action: actions,
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
    ],
  };
  const answer = await signedFetch(rgw.key, {
    method: 'PUT',
    origin: rgw.url,
    path: `/${bucket}`,
    query: { policy: '' },
    body: JSON.stringify(policy),
  });
  if (!answer.ok) throw new Error(`cannot set the policy: ${answer.status} ${await answer.text()}`);
}

/** Opened as in lib/app/connect.ts, except for `options`. */
export function openStore(bucket: string, options: Partial<ObsStoreOptions> = {}): ObsStore {
  return openObsStore({
    bucket,
    prefix: 'lake',
    endpoint: rgw.url,
    region: 'cn-south-4',
    pathStyle: true,
    kmsKeyId: null,
    credentials: async () => rgw.key,
    acl: null,
    openAgent: openConnections({ httpsProxy: null, noProxy: null }),
    clock: systemClock,
    random: Math.random,
    scrub: (text) => text,
    log: () => {},
    ...options,
  });
}

let hasRole = false;

/** A temporary key from the store's STS. It expires by the store's clock. */
export async function assumeRole(
  seconds: number,
): Promise<PlainKey & { securityToken: string; endsAtMs: number }> {
  const call = async (query: Record<string, string>, service: string) => {
    const body = new URLSearchParams(query).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const request = { method: 'POST', origin: rgw.url, path: '/', body, headers, service };
    const answer = await signedFetch(rgw.key, request);
    return { status: answer.status, text: await answer.text() };
  };
  if (!hasRole) {
    const trust = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: ['arn:aws:iam:::user/test'] },
          Action: ['sts:AssumeRole'],
        },
      ],
    };
    const rights = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::*' }],
    };
    // Both may exist from an earlier run.
    await call(
      {
        Action: 'CreateRole',
        RoleName: 'exporter',
        AssumeRolePolicyDocument: JSON.stringify(trust),
      },
      'iam',
    );
    const put = await call(
      {
        Action: 'PutRolePolicy',
        RoleName: 'exporter',
        PolicyName: 'all',
        PolicyDocument: JSON.stringify(rights),
      },
      'iam',
    );
    if (put.status !== 200) throw new Error(`cannot create the role: ${put.text}`);
    hasRole = true;
  }
  const { status, text } = await call(
    {
      Action: 'AssumeRole',
      RoleArn: 'arn:aws:iam:::role/exporter',
      RoleSessionName: 'test',
      DurationSeconds: String(seconds),
    },
    'sts',
  );
  const read = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '';
  const securityToken = read('SessionToken');
  if (status !== 200 || securityToken === '')
    throw new Error(`cannot get a temporary key: ${text}`);
  return {
    ak: read('AccessKeyId'),
    sk: read('SecretAccessKey'),
    securityToken,
    endsAtMs: Date.parse(read('Expiration')),
  };
}

function gatewayPid(): number {
  return Number(readFileSync(join(folder, 'rgw.pid'), 'utf8'));
}

/** Until resumeGateway(), the gateway accepts connections but does not answer. */
export function pauseGateway(): void {
  process.kill(gatewayPid(), 'SIGSTOP');
}

export function resumeGateway(): void {
  process.kill(gatewayPid(), 'SIGCONT');
}

export async function killGateway(): Promise<void> {
  const pid = gatewayPid();
  process.kill(pid, 'SIGKILL');
  for (let alive = true; alive; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    // A zombie process is dead, even if its parent has not collected it yet.
    const { stdout } = await run('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => ({
      stdout: 'Z',
    }));
    alive = !stdout.startsWith('Z');
  }
}

export async function startGateway(): Promise<void> {
  const child = spawn('radosgw', ['-c', conf, '-n', 'client.rgw', '-f'], {
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
  writeFileSync(join(folder, 'rgw.pid'), `${child.pid}\n`);
  for (;;) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
