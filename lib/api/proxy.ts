// Owns the way out: Node's fetch, or undici's through a proxy. Refuses to read the environment.

/**
 * Node 20's fetch knows no proxy. Null: none, and Node's own fetch. `noProxy` as in NO_PROXY.
 * Only https:// goes through it: plain http is for loopback.
 */
export function createFetch(options: {
  proxyUrl: string | null;
  noProxy: string | null;
}): typeof fetch {
  const { proxyUrl, noProxy } = options;
  if (proxyUrl === null) return (input, init) => fetch(input, init);
  let proxied: Promise<typeof fetch> | null = null;
  return async (input, init) => {
    proxied ??= loadProxiedFetch(proxyUrl, noProxy ?? '');
    return (await proxied)(input, init);
  };
}

async function loadProxiedFetch(httpsProxy: string, noProxy: string): Promise<typeof fetch> {
  // Only here, so that who has no proxy does not load it.
  const undici = await import('undici');
  // Its constructor says once on stderr that it is experimental; stderr is for log lines.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  let dispatcher: InstanceType<typeof undici.EnvHttpProxyAgent>;
  try {
    // '' and not left out: then it would read the environment itself.
    dispatcher = new undici.EnvHttpProxyAgent({
      httpProxy: '',
      httpsProxy,
      noProxy,
    });
  } finally {
    process.emitWarning = emitWarning;
  }
  type Init = Parameters<typeof undici.fetch>[1];
  const proxied = (input: string, init?: Init) => undici.fetch(input, { ...init, dispatcher });
  // undici's own Response and Node's are one shape, declared twice.
  return proxied as unknown as typeof fetch;
}
