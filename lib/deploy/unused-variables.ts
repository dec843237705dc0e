// Responsible for finding the variables of a function that nothing reads: often one whose name is wrong in serverless.yml. It needs
// no values of variables: `package` has none.

import { suggest } from '../config/suggest.ts';
import { asRecord } from '../core/value-shape.ts';
import type { FunctionSettings } from './settings.ts';
import { parseUnfilled } from './unfilled-config.ts';

const keyNames = ['HUAWEICLOUD_SDK_AK', 'HUAWEICLOUD_SDK_SK', 'HUAWEICLOUD_SDK_SECURITY_TOKEN'];

/** Read by the functions of cgs-export also if cgs-export.yml does not name them. */
const ownNames = [
  ...keyNames,
  ...['CGS_EXPORT_CONFIG', 'CGS_EXPORT_LOG_LEVEL'],
  ...['HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy'],
];

/**
 * Read by Node.js, OpenSSL, the C library, the packages in the bundles or FunctionGraph (its own begin with RUNTIME_). The AWS SDK
 * gets its key from cgs-export, so variables with an AWS key are not read.
 */
const platformName =
  /^(?:NODE_\w+|UV_\w+|OPENSSL_\w+|SSL_CERT_(?:FILE|DIR)|LD_\w+|MALLOC_\w+|LC_\w+|RUNTIME_\w+|AWS_(?!ACCESS_KEY_ID$|SECRET_ACCESS_KEY$|SESSION_TOKEN$)\w+|TZ|LANG|LANGUAGE|PATH|HOME|TMPDIR|DEBUG|NO_COLOR|FORCE_COLOR|RES_OPTIONS)$/;

/**
 * One warning for each variable that neither the configuration nor its functions read: what is wrong and, in a second line, what to
 * do. `text`: the configuration that `functions` read. Throws ConfigError if it does not parse.
 */
export function describeUnusedVariables(
  text: string,
  fileName: string,
  functions: readonly Pick<FunctionSettings, 'key' | 'environment' | 'secrets'>[],
): string[] {
  const named = listNamedVariables(text, fileName);
  const functionsByName = new Map<string, string[]>();
  for (const { key, environment, secrets } of functions) {
    for (const name of [...Object.keys(environment), ...secrets]) {
      functionsByName.set(name, [...(functionsByName.get(name) ?? []), key]);
    }
  }
  const isRead = (name: string) =>
    named.has(name) || ownNames.includes(name) || platformName.test(name);
  const absent = [...named].filter((name) => !functionsByName.has(name));
  const candidates = [...absent, ...ownNames.filter((name) => !functionsByName.has(name))];
  return [...functionsByName]
    .filter(([name]) => !isRead(name))
    .map(([name, keys]) => {
      const message = `serverless.yml gives ${name} to ${keys.join(', ')}, but no setting in ${fileName} reads it`;
      return `${message}\n${describeFix(name, suggest(name, candidates), absent, fileName)}`;
    });
}

/** `near`: the name that was probably meant, or null. `absent`: names that the configuration reads and no function gets. */
function describeFix(
  name: string,
  near: string | null,
  absent: readonly string[],
  fileName: string,
): string {
  const otherwise = `write \${${name}} into the setting that needs its value, or remove it from serverless.yml.`;
  if (near !== null) return `Did you mean ${near}? Otherwise ${otherwise}`;
  if (absent.length === 0) return `Either ${otherwise}`;
  const names = absent.join(', ');
  return `${fileName} reads ${names}, which serverless.yml does not set: rename ${name} if you meant that. Otherwise ${otherwise}`;
}

/** Names in `${NAME}`, not in comments, and those of the default key if an account has no credentials. */
function listNamedVariables(text: string, fileName: string): Set<string> {
  const names = new Set<string>();
  const { accounts } = parseUnfilled(text, fileName, (name) => names.add(name));
  const usesDefaultKey = (account: unknown) => asRecord(account).credentials === undefined;
  if (Array.isArray(accounts) && accounts.some(usesDefaultKey)) {
    for (const name of keyNames.slice(0, 2)) names.add(name);
  }
  return names;
}
