// Responsible for finding secrets that cgs-export.yml contains as plain text: the file goes into the zip. Not responsible for other checks.

import { parseConfigText } from '../config/text.ts';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import { isLoopback } from '../core/network-host.ts';
import { asRecord } from '../core/value-shape.ts';

const secretKeys = ['sk', 'securityToken', 'iamPassword'];

/** Replaces every variable, so that a value made of variables only can be recognised. */
const placeholder = '\u{f0000}';
const variables = new Proxy({}, { get: () => placeholder, has: () => true });

/** A key and its value in YAML, JSON or a shell command. */
const keyAndValue =
  /(?:^|[^A-Za-z])(?:sk|secret[-_ ]?key|secret[-_ ]?access[-_ ]?key|security[-_]?token|iam[-_]?password|password)\b["']?[ \t]*[:=][ \t]*["']?([^\s"'{}]+)/gi;
const passwordInUrl = /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:([^\s/@]+)@/gi;

/** False for a variable and for a word in a comment. */
function looksLikeSecret(value: string): boolean {
  if (/^\$\{?\w/.test(value)) return false;
  return /^[A-Za-z0-9+/=_]{16,}/.test(value) || (value.length >= 8 && /\d/.test(value));
}

/** Throws ConfigError if the text contains secrets. */
export function checkWrittenSecrets(text: string, fileName: string): void {
  const issues = findWrittenSecrets(text, fileName);
  if (issues.length > 0) throw new ConfigError(issues);
}

/**
 * One issue for each secret, or for each fault if the text does not parse. Keys for endpoints on this host are not reported: they give
 * access to nothing else.
 */
export function findWrittenSecrets(text: string, fileName: string): ConfigIssue[] {
  let config: Readonly<Record<string, unknown>>;
  try {
    config = parseConfigText(text, fileName, variables).value;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [...error.issues];
  }
  const all = listCredentials(config);
  const issues = all.filter(({ isLocal }) => !isLocal).flatMap(findInCredentials);
  if (issues.length > 0) return issues;
  const local = all.filter(({ isLocal }) => isLocal);
  const harmless = local.flatMap(({ credentials }) => Object.values(credentials).map(String));
  return findInText(text, fileName, harmless);
}

/** Finds secrets in comments and under misspelt names. */
function findInText(text: string, fileName: string, harmless: readonly string[]): ConfigIssue[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(keyAndValue), ...line.matchAll(passwordInUrl)]
        .filter(
          ([, value = '']) => looksLikeSecret(value) && !harmless.includes(value.replace(/,$/, '')),
        )
        .map(() => describe(`${fileName}:${index + 1}`, 'a secret is written as plain text')),
    );
}

/** `isLocal`: the credentials are for endpoints on this host only. */
function listCredentials(config: Readonly<Record<string, unknown>>) {
  const obs = asRecord(config.obs);
  const store = String(config.store);
  const isLocalObs = isLocalUrl(obs.endpoint);
  const mayBeBucket = store.startsWith('obs://') || store.includes(placeholder);
  // A bucket without credentials of its own uses those of the first account.
  const isAlsoForBucket = mayBeBucket && !isLocalObs && obs.credentials === undefined;
  const accounts = Array.isArray(config.accounts) ? config.accounts.map(asRecord) : [];
  return [
    { credentials: asRecord(obs.credentials), path: 'obs.credentials', isLocal: isLocalObs },
    ...accounts.map(({ credentials, targets }, index) => {
      const urls = (Array.isArray(targets) ? targets : []).map(asRecord).flatMap((target) => {
        const { endpoint, iamEndpoint = endpoint } = target;
        return [endpoint, iamEndpoint];
      });
      const isLocal = urls.length > 0 && urls.every(isLocalUrl);
      return {
        credentials: asRecord(credentials),
        path: `accounts.${index}.credentials`,
        isLocal: isLocal && !(index === 0 && isAlsoForBucket),
      };
    }),
  ];
}

function findInCredentials({
  credentials,
  path,
}: ReturnType<typeof listCredentials>[number]): ConfigIssue[] {
  return secretKeys
    .filter((key) => String(credentials[key] ?? '').replaceAll(placeholder, '') !== '')
    .map((key) => describe(`${path}.${key}`, 'is written as plain text'));
}

function describe(path: string, fault: string): ConfigIssue {
  return {
    path,
    message: `${fault}: everyone who can read the function could read it in the zip`,
    hint: 'Write ${NAME} here, add NAME to `secrets:` in serverless.yml, and set it in the shell that deploys. Or use the agency.',
  };
}

function isLocalUrl(url: unknown): boolean {
  return typeof url === 'string' && URL.canParse(url) && isLoopback(new URL(url).hostname);
}
