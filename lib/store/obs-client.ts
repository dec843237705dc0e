// Responsible for setting up the S3 client and its connection: addressing, TLS, proxy, time-outs. Not responsible for retries.

import type { Agent } from 'node:http';
import { isIP } from 'node:net';
import { pipeline, Readable, Transform } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
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
  bucket: string;
  /** Opens an agent for the requests to one address: scheme, host and port. */
  openAgent: (address: string) => Promise<Agent>;
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
  const agent = await options.openAgent(addressOf(options));
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
    // By default the SDK warns on stderr when a request with a stream fails. The error says more.
    logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
    requestHandler: {
      connectionTimeout: options.timeouts.connectMs,
      requestTimeout: options.timeouts.requestMs,
      socketTimeout: options.timeouts.requestMs,
      throwOnRequestTimeout: true,
      httpAgent: agent,
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

/** Of an answer that is not an object. A list of 1,000 objects with the longest keys has 4 MB. */
const documentBytesMax = 8 * 1024 * 1024;

/** Ends with EMSGSIZE if the document is too long: the SDK reads a document whole, also one of another server. */
function limitDocument(body: Readable): Readable {
  let bytes = 0;
  const limit = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      const error = Object.assign(new Error('The answer is too long'), { code: 'EMSGSIZE' });
      done(bytes > documentBytesMax ? error : null, chunk);
    },
  });
  // The reader of the limited body gets the error of either stream.
  return pipeline(body, limit, () => {});
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
    (next, { commandName }) =>
      async (args) => {
        const sentMonotonicMs = clock.monotonicMs();
        const result = await next(args);
        const exchange = { sentMonotonicMs, receivedMonotonicMs: clock.monotonicMs() };
        const dateMs = Date.parse(headersOf(result.response).date ?? '');
        if (!Number.isNaN(dateMs)) storeClock.observe(exchange, dateMs, 1_000);
        const response = result.response as { statusCode: number; body?: unknown };
        const isObject = commandName === 'GetObjectCommand' && response.statusCode < 300;
        if (!isObject && response.body instanceof Readable) {
          response.body = limitDocument(response.body);
        }
        return result;
      },
    // The innermost step sees every answer, also those that outer steps turn into errors.
    { step: 'deserialize', priority: 'low', name: 'observeAnswer' },
  );
}

/** `message`: a request or response of the SDK. */
function headersOf(message: unknown): Record<string, string> {
  return (message as { headers?: Record<string, string> }).headers ?? {};
}

/** Where requests for the bucket go: the SDK puts its name before the host name, unless that is an IP address. */
export function addressOf({
  endpoint,
  bucket,
  pathStyle,
}: Pick<ClientOptions, 'endpoint' | 'bucket' | 'pathStyle'>): string {
  const { protocol, hostname, host } = new URL(endpoint);
  const isAddress = isIP(hostname.replace(/^\[(.*)\]$/, '$1')) > 0;
  return pathStyle || isAddress ? endpoint : `${protocol}//${bucket}.${host}`;
}
