// Responsible for the connections that every request uses, to the API, IAM and the store alike: proxy, TLS, and how long one
// address may take. Not responsible for requests.

import { type ClientRequest, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import * as net from 'node:net';
import { markProxy } from '../core/network-code.ts';
import { usesProxy } from '../core/network-host.ts';

/** Longer than a slow connection takes, and long enough for one lost packet, which is sent again after 1 s. */
const addressTimeoutMs = 2_500;

/**
 * To be called once when the process starts. A host name can have several addresses, and Node gives each of them but the last
 * 250 ms by default: less than a connection to another continent takes.
 */
export function allowSlowConnections(): void {
  // Node 18.15 does not have this function. It tries one address only, without this limit.
  const { setDefaultAutoSelectFamilyAttemptTimeout: setTimeoutMs } = net as Partial<typeof net>;
  setTimeoutMs?.(addressTimeoutMs);
}

const agentOptions = {
  keepAlive: true,
  maxSockets: 16,
  // How long an unused connection is kept, milliseconds. Servers close theirs after 5 s or more.
  timeout: 4_000,
};
const tlsOptions = {
  ...agentOptions,
  // Set explicitly, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes the default.
  rejectUnauthorized: true,
};

/** Opens an agent for the requests to one address: scheme, host and port. The caller may destroy it. */
type OpenAgent = (address: string) => Promise<HttpAgent>;

/** `httpsProxy` null: no proxy. `noProxy` has the format of NO_PROXY; null: empty. */
export function openConnections({
  httpsProxy,
  noProxy,
}: {
  httpsProxy: string | null;
  noProxy: string | null;
}): OpenAgent {
  return async (address) => {
    if (new URL(address).protocol === 'http:') return new HttpAgent(agentOptions);
    const isProxied = httpsProxy !== null && usesProxy(address, noProxy);
    return isProxied ? openProxyAgent(httpsProxy) : new HttpsAgent(tlsOptions);
  };
}

async function openProxyAgent(url: string): Promise<HttpAgent> {
  // Imported here, so that a process without a proxy does not load it.
  const { HttpsProxyAgent } = await import('https-proxy-agent');
  const agent = new HttpsProxyAgent(url, tlsOptions);
  // The constructor uses tlsOptions for the connection to the proxy only. Node takes the options of the connection
  // through the proxy from `agent.options`.
  Object.assign(agent.options, tlsOptions);
  const { host } = agent.proxy;
  // It ends when the proxy has answered CONNECT: each of its errors is about the proxy, not about the server.
  const connect = agent.connect.bind(agent);
  agent.connect = (request, options) =>
    connect(request, options).catch((error: Error) => {
      throw markProxy(error, host);
    });
  // Without this, the agent passes the proxy's answer on as if the server had sent it.
  agent.on('proxyConnect', ({ statusCode }: { statusCode: number }, request: ClientRequest) => {
    if (statusCode === 200) return;
    const error = new Error(`The proxy answered ${statusCode}`);
    request.destroy(markProxy(Object.assign(error, { code: `PROXY_${statusCode}` }), host));
  });
  return agent;
}
