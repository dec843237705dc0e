// Responsible for setting up the S3 client and its connection: addressing, TLS, proxy, time-outs. Not responsible for retries.

import { Agent } from 'node:https';
import type { S3Client } from '@aws-sdk/client-s3';
import { usesProxy } from '../core/network-host.ts';
import type { Clock } from '../core/ports.ts';
import type { AccessKey } from './obs-access-key.ts';
import type { StoreClock } from './obs-clock.ts';

/** Milliseconds. */
export interface ObsTimeouts {
  /** Until a connection is open, TLS included. */
  connectMs: number;
  /** One request with its answer, without the time for a large body. */
  requestMs: number;
  /** One operation with all its tries. No try starts later. */
  operationMs: number;
}

export interface ClientOptions {
  endpoint: string;
  region: string;
  pathStyle: boolean;
  /** `url` null: no proxy. `noProxy` has the format of NO_PROXY. */
  proxy: { url: string | null; noProxy: string | null };
  timeouts: ObsTimeouts;
  /** Called before each request: the key to sign it with. */
  accessKey: () => AccessKey;
  clock: Pick<Clock, 'monotonicMs'>;
  /** Learns the store's time from the Date header of every answer. */
  storeClock: StoreClock;
}

export type OpenedClient = Awaited<ReturnType<typeof openClient>>;

/** Loads the SDK only when it is called, so that a program with a file store does not wait for it. */
export async function openClient(options: ClientOptions) {
  const s3 = await import('@aws-sdk/client-s3');
  const agent = await openAgent(options);
  // The SDK reads settings that are missing here from AWS_* variables and ~/.aws, so all of them are set.
  const client = new s3.S3Client({
    endpoint: options.endpoint,
    region: options.region,
    forcePathStyle: options.pathStyle,
    credentials: async () => {
      const { ak, sk, securityToken } = options.accessKey();
      return {
        accessKeyId: ak,
        secretAccessKey: sk,
        ...(securityToken === undefined ? {} : { sessionToken: securityToken }),
        // In the past, so that the SDK calls this function before every request and never uses an expired key.
        expiration: new Date(0),
      };
    },
    // OBS does not support the newer checksums, which the SDK sends as trailers.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Retries are made in obs-operation.ts: after a write with an unknown outcome, the object is read before a retry.
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
  addMiddleware(client, options);
  return {
    client,
    s3,
    /** Ends the connections. */
    close(): void {
      client.destroy();
      agent.destroy();
    },
  };
}

function addMiddleware(client: S3Client, { clock, storeClock }: ClientOptions): void {
  client.middlewareStack.add(
    (next) => (args) => {
      // Content-MD5 and TLS protect the body, so the signature does not need its hash. Source: OBS API Reference,
      // "Authentication".
      headersOf(args.request)['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'unsignedPayload' },
  );
  client.middlewareStack.add(
    (next) => async (args) => {
      const sentMonotonicMs = clock.monotonicMs();
      const result = await next(args);
      const exchange = { sentMonotonicMs, receivedMonotonicMs: clock.monotonicMs() };
      const dateMs = Date.parse(headersOf(result.response).date ?? '');
      if (!Number.isNaN(dateMs)) storeClock.observe(exchange, dateMs, 1_000);
      return result;
    },
    // The innermost step sees every answer, also those that outer steps turn into errors.
    { step: 'deserialize', priority: 'low', name: 'observeDate' },
  );
}

/** `message`: a request or response of the SDK. */
function headersOf(message: unknown): Record<string, string> {
  return (message as { headers?: Record<string, string> }).headers ?? {};
}

const agentOptions = {
  keepAlive: true,
  maxSockets: 16,
  // Set explicitly, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes the default.
  rejectUnauthorized: true,
};

async function openAgent({ endpoint, proxy }: ClientOptions): Promise<Agent> {
  const { url, noProxy } = proxy;
  if (url === null || !usesProxy(endpoint, noProxy)) return new Agent(agentOptions);
  const { HttpsProxyAgent } = await import('https-proxy-agent');
  const agent = new HttpsProxyAgent(url, agentOptions);
  // The constructor uses agentOptions for the connection to the proxy only. Node takes the options of the connection
  // through the proxy from `agent.options`.
  Object.assign(agent.options, agentOptions);
  return agent as unknown as Agent;
}
