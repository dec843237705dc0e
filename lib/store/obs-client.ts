// Owns how the S3 client is set up and how it reaches the store: addressing, TLS, proxy, time-outs. Refuses to know keys and retries.

import { Agent } from 'node:https';
import type { S3Client } from '@aws-sdk/client-s3';
import { usesProxy } from '../core/network-host.ts';

/** Milliseconds. */
export interface ObsTimeouts {
  /** Until a connection stands, TLS included. */
  connectMs: number;
  /** One call with its answer, bodies up to `bytesASecond` of it aside. */
  requestMs: number;
  /** One operation with all its tries: no new try begins later. */
  wholeMs: number;
}

export interface ClientOptions {
  endpoint: string;
  region: string;
  pathStyle: boolean;
  proxy: { url: string | null; noProxy: string | null };
  timeouts: ObsTimeouts;
  /** The key to sign the next request with. */
  key: () => { ak: string; sk: string; securityToken?: string };
  monotonicMs: () => number;
  /** Told of every answer's Date header, and between which monotonic times it was written. */
  onDate: (date: string, sentMonotonicMs: number, receivedMonotonicMs: number) => void;
}

export type S3 = typeof import('@aws-sdk/client-s3');

/** The SDK is loaded here and not before: who writes to a folder does not wait for it. */
export async function openClient(
  options: ClientOptions,
): Promise<{ client: S3Client; s3: S3; close: () => void }> {
  const s3 = await import('@aws-sdk/client-s3');
  const agent = await openAgent(options);
  // Whatever is not set here, the SDK looks for in AWS_* and ~/.aws: so everything is.
  const client = new s3.S3Client({
    endpoint: options.endpoint,
    region: options.region,
    forcePathStyle: options.pathStyle,
    credentials: async () => {
      const { ak, sk, securityToken } = options.key();
      return {
        accessKeyId: ak,
        secretAccessKey: sk,
        ...(securityToken === undefined ? {} : { sessionToken: securityToken }),
        // Long over, so that the SDK asks anew for every request instead of keeping a key that has ended.
        expiration: new Date(0),
      };
    },
    // Newer checksums are trailers that OBS does not know.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Tries are counted in obs.ts, where an unknown outcome is looked into first.
    maxAttempts: 1,
    retryMode: 'standard',
    defaultsMode: 'standard',
    authSchemePreference: ['sigv4'],
    sigv4aSigningRegionSet: [options.region],
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    useAccelerateEndpoint: false,
    useArnRegion: false,
    disableMultiregionAccessPoints: true,
    disableS3ExpressSessionAuth: true,
    followRegionRedirects: false,
    expectContinueHeader: false,
    userAgentAppId: 'cgs-export',
    requestHandler: {
      connectionTimeout: options.timeouts.connectMs,
      requestTimeout: options.timeouts.requestMs,
      socketTimeout: options.timeouts.requestMs,
      throwOnRequestTimeout: true,
      httpsAgent: agent,
    },
  });
  client.middlewareStack.add(
    (next) => (args) => {
      // Content-MD5 and TLS keep the bytes; OBS knows this form of the signature (OBS API Reference, "Authentication").
      headersOf(args.request)['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'unsignedPayload' },
  );
  client.middlewareStack.add(
    (next) => async (args) => {
      const sentMonotonicMs = options.monotonicMs();
      const result = await next(args);
      const { date } = headersOf(result.response);
      if (date !== undefined) options.onDate(date, sentMonotonicMs, options.monotonicMs());
      return result;
    },
    // Innermost: sees every answer, also those that become errors.
    { step: 'deserialize', priority: 'low', name: 'observeDate' },
  );
  return {
    client,
    s3,
    close() {
      client.destroy();
      agent.destroy();
    },
  };
}

/** Of a request or a response of the SDK's. */
function headersOf(message: unknown): Record<string, string> {
  return (message as { headers?: Record<string, string> }).headers ?? {};
}

const agentOptions = {
  keepAlive: true,
  maxSockets: 16,
  // Said, and not left to the default, which NODE_TLS_REJECT_UNAUTHORIZED=0 switches off.
  rejectUnauthorized: true,
};

async function openAgent({ endpoint, proxy }: ClientOptions): Promise<Agent> {
  const { url, noProxy } = proxy;
  if (url === null || !usesProxy(endpoint, noProxy)) return new Agent(agentOptions);
  const { HttpsProxyAgent } = await import('https-proxy-agent');
  const agent = new HttpsProxyAgent(url, agentOptions);
  // It keeps these for the way to the proxy; Node merges `options` into those of the connection through it.
  Object.assign(agent.options, agentOptions);
  return agent as unknown as Agent;
}
