// Responsible for the fetch function that requests leave by: Node's own, or undici's through a proxy. Not responsible for
// reading the environment (config/environment.ts).

import { usesProxy } from '../core/network-host.ts';

/**
 * Node 20's fetch ignores HTTPS_PROXY. `proxyUrl` null: no proxy. `noProxy` as in NO_PROXY; null: empty.
 */
export function createFetch(options: {
  proxyUrl: string | null;
  noProxy: string | null;
}): typeof fetch {
  const { proxyUrl, noProxy } = options;
  if (proxyUrl === null) return (input, init) => fetch(input, init);
  let proxied: Promise<typeof fetch> | null = null;
  return async (input, init) => {
    const url = input instanceof Request ? input.url : input;
    if (!usesProxy(url, noProxy)) return fetch(input, init);
    proxied ??= loadProxiedFetch(proxyUrl);
    return (await proxied)(input, init);
  };
}

async function loadProxiedFetch(proxyUrl: string): Promise<typeof fetch> {
  // Imported here, so that a process without a proxy does not load it.
  const undici = await import('undici');
  const dispatcher = new undici.ProxyAgent(proxyUrl);
  type Init = Parameters<typeof undici.fetch>[1];
  const proxied = (input: string, init?: Init) => undici.fetch(input, { ...init, dispatcher });
  // The cast is needed because undici and Node declare the same Response type separately.
  return proxied as unknown as typeof fetch;
}
