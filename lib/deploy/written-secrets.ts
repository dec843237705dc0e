// Owns finding secrets that are written out in cgs-export.yml, which goes into the zip as it stands. Refuses to check anything else of it.

import { parseConfigText } from '../config/text.ts';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import { isLoopback } from '../core/network-host.ts';
import { asRecord } from '../core/value-shape.ts';

const secretKeys = new Set(['sk', 'securityToken', 'iamPassword']);
/** What every variable is taken for: what is made of nothing else is not written out. */
const standIn = '\u{f0000}';
const variables = new Proxy({}, { get: () => standIn, has: () => true });

/** A key as it is written in YAML, JSON or a shell, whatever the case. */
const writtenSecret =
  /(?:^|[^A-Za-z])(?:sk|secret[-_ ]?key|secret[-_ ]?access[-_ ]?key|security[-_]?token|iam[-_]?password|password)\b["']?[ \t]*[:=][ \t]*["']?([^\s"'{}]+)/gi;
const writtenPassword = /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:([^\s/@]+)@/gi;

/** Rather than a word of a comment, or a variable. */
function looksLikeSecret(value: string): boolean {
  if (/^\$\{?\w/.test(value)) return false;
  return /^[A-Za-z0-9+/=_]{16,}/.test(value) || (value.length >= 8 && /\d/.test(value));
}

/** One issue for each, and for what keeps the text from being read; none for keys of an endpoint on this host, which open nothing. */
export function findWrittenSecrets(text: string, name: string): ConfigIssue[] {
  const { issues, harmless } = readSecrets(text, name);
  return issues.length > 0 ? issues : findInText(text, name, harmless);
}

/** Wherever it stands, in a comment or under a misspelt name: the file goes into the zip as it is. */
function findInText(text: string, name: string, harmless: ReadonlySet<string>): ConfigIssue[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(writtenSecret), ...line.matchAll(writtenPassword)]
        .filter(
          ([, value = '']) => looksLikeSecret(value) && !harmless.has(value.replace(/,$/, '')),
        )
        .map(() => describe(`${name}:${index + 1}`, 'a key is written out')),
    );
}

function readSecrets(text: string, name: string): { issues: ConfigIssue[]; harmless: Set<string> } {
  const issues: ConfigIssue[] = [];
  const harmless = new Set<string>();
  let config: Readonly<Record<string, unknown>>;
  try {
    config = parseConfigText(text, name, variables).value;
  } catch (error) {
    // Nobody can say what it holds.
    if (!(error instanceof ConfigError)) throw error;
    return { issues: [...error.issues], harmless };
  }
  for (const { credentials, path, opens } of listCredentials(config)) {
    if (opens) issues.push(...findIn(credentials, path));
    else for (const value of Object.values(asRecord(credentials))) harmless.add(String(value));
  }
  return { issues, harmless };
}

/** `opens`: something that is not on this host. */
function listCredentials(config: Readonly<Record<string, unknown>>) {
  const obs = asRecord(config.obs);
  const store = String(config.store);
  const isBucket =
    (store.startsWith('obs://') || store.includes(standIn)) && !isLocal(obs.endpoint);
  const accounts = Array.isArray(config.accounts) ? config.accounts.map(asRecord) : [];
  return [
    { credentials: obs.credentials, path: 'obs.credentials', opens: !isLocal(obs.endpoint) },
    ...accounts.map(({ credentials, targets }, index) => {
      const all = Array.isArray(targets) ? targets.map(asRecord) : [];
      const isHere =
        all.length > 0 &&
        all.every(
          ({ endpoint, iamEndpoint = endpoint }) => isLocal(endpoint) && isLocal(iamEndpoint),
        );
      // The first account's key is also the bucket's, unless the bucket has one of its own.
      const opensBucket = index === 0 && isBucket && obs.credentials === undefined;
      return { credentials, path: `accounts.${index}.credentials`, opens: !isHere || opensBucket };
    }),
  ];
}

function findIn(credentials: unknown, path: string): ConfigIssue[] {
  return Object.entries(asRecord(credentials))
    .filter(
      ([key, value]) => secretKeys.has(key) && String(value ?? '').replaceAll(standIn, '') !== '',
    )
    .map(([key]) => describe(`${path}.${key}`, 'is written out'));
}

function describe(path: string, fault: string): ConfigIssue {
  return {
    path,
    message: `${fault}, and would go into the zip for whoever may read the function`,
    hint: 'Write ${NAME} here and NAME under `secrets:` in serverless.yml, and set it in the shell that deploys. Or use the agency.',
  };
}

function isLocal(endpoint: unknown): boolean {
  if (typeof endpoint !== 'string' || !URL.canParse(endpoint)) return false;
  return isLoopback(new URL(endpoint).hostname);
}
