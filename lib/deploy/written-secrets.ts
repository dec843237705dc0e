// Owns finding secrets that are written out in cgs-export.yml, which goes into the zip as it stands. Refuses to check anything else of it.

import type { ConfigIssue } from '../errors.ts';
import { parseConfigText } from '../runtime/config-text.ts';
import { isLoopback } from '../runtime/config-values.ts';
import { asRecord } from '../source/answers.ts';

const secretKeys = new Set(['sk', 'securityToken', 'iamPassword']);
/** What every variable is taken for: what is made of nothing else is not written out. */
const standIn = '\u{f0000}';
const variables = new Proxy({}, { get: () => standIn, has: () => true });

/** One issue for each; none for keys of an endpoint on this host, which open nothing, and for a text that is no configuration. */
export function findWrittenSecrets(text: string, name: string): ConfigIssue[] {
  let config: Readonly<Record<string, unknown>>;
  try {
    config = parseConfigText(text, name, variables).value;
  } catch {
    // Told where it is loaded.
    return [];
  }
  const obs = asRecord(config.obs);
  const isBucket = String(config.store).startsWith('obs://') && !isLocal(obs.endpoint);
  const accounts = Array.isArray(config.accounts) ? config.accounts.map(asRecord) : [];
  return [
    ...(isLocal(obs.endpoint) ? [] : findIn(obs.credentials, 'obs.credentials')),
    ...accounts.flatMap(({ credentials, targets }, index) => {
      const all = Array.isArray(targets) ? targets.map(asRecord) : [];
      // The first account's key is also the bucket's, unless the bucket has one of its own.
      const opensBucket = index === 0 && isBucket && obs.credentials === undefined;
      const isHarmless = all.length > 0 && all.every(({ endpoint }) => isLocal(endpoint));
      if (isHarmless && !opensBucket) return [];
      return findIn(credentials, `accounts.${index}.credentials`);
    }),
  ];
}

function findIn(credentials: unknown, path: string): ConfigIssue[] {
  return Object.entries(asRecord(credentials))
    .filter(
      ([key, value]) => secretKeys.has(key) && String(value ?? '').replaceAll(standIn, '') !== '',
    )
    .map(([key]) => ({
      path: `${path}.${key}`,
      message: 'is written out, and would go into the zip for whoever may read the function',
      hint: 'Write ${NAME} here and NAME under `secrets:` in serverless.yml, and set it in the shell that deploys. Or use the agency.',
    }));
}

function isLocal(endpoint: unknown): boolean {
  if (typeof endpoint !== 'string' || !URL.canParse(endpoint)) return false;
  return isLoopback(new URL(endpoint).hostname);
}
