// Responsible for finding secrets that cgs-export.yml contains as plain text: the file goes into the zip.

import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import { asRecord } from '../core/value-shape.ts';
import { parseUnfilled, placeholder } from './unfilled-config.ts';

const secretKeys = ['sk', 'securityToken', 'iamPassword'];

/** A key and its value in YAML, JSON or a shell command. */
const keyAndValue =
  /(?:^|[^A-Za-z])(?:sk|secret|secret[-_ ]?key|secret[-_ ]?access[-_ ]?key|security[-_]?token|iam[-_]?password|password)\b["']?[ \t]*[:=][ \t]*["']?([^\s"'{}]+)/gi;
/** The start of a PEM, and of the base64 text of an Ed25519 private key: RFC 8410, section 7. */
const keyText = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|MC4CAQAwBQYDK2VwBCIEI/;
const passwordInUrl = /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:([^\s/@]+)@/gi;

/** Throws ConfigError that lists every secret, without its value, or the faults of a text that does not parse. */
export function checkWrittenSecrets(text: string, fileName: string): void {
  const { obs, signing, verify, alerts, accounts } = parseUnfilled(text, fileName);
  const issues = [
    ...findInCredentials('obs', obs),
    ...findInCredentials('verify.obs', asRecord(verify).obs),
  ];
  const { privateKey } = asRecord(signing);
  if (isWritten(privateKey))
    issues.push(describe('signing.privateKey', 'is written as plain text'));
  const webhook = asRecord(asRecord(alerts).webhook);
  for (const key of ['url', 'secret']) {
    if (isWritten(webhook[key]))
      issues.push(describe(`alerts.webhook.${key}`, 'is written as plain text'));
  }
  for (const [index, account] of Array.isArray(accounts) ? accounts.entries() : []) {
    issues.push(...findInCredentials(`accounts.${index}`, account));
  }
  // Otherwise the search in the text would report the same secrets again.
  if (issues.length === 0) issues.push(...findInText(text, fileName));
  if (issues.length > 0) throw new ConfigError(issues);
}

function findInCredentials(path: string, section: unknown): ConfigIssue[] {
  const credentials = asRecord(asRecord(section).credentials);
  return secretKeys
    .filter((key) => isWritten(credentials[key]))
    .map((key) => describe(`${path}.credentials.${key}`, 'is written as plain text'));
}

/** False for a value that is made of variables only. */
function isWritten(value: unknown): boolean {
  return String(value ?? '').replaceAll(placeholder, '') !== '';
}

/** Finds secrets in comments and under misspelt names. */
function findInText(text: string, fileName: string): ConfigIssue[] {
  return text.split('\n').flatMap((line, index) => {
    const place = `${fileName}:${index + 1}`;
    if (keyText.test(line)) return [describe(place, 'a private key is written as plain text')];
    return [...line.matchAll(keyAndValue), ...line.matchAll(passwordInUrl)]
      .filter(([, value = '']) => looksLikeSecret(value))
      .map(() => describe(place, 'a secret is written as plain text'));
  });
}

/** False for a variable and for a word in a comment. */
function looksLikeSecret(value: string): boolean {
  if (/^\$\{?\w/.test(value)) return false;
  return /^[A-Za-z0-9+/=_]{16,}/.test(value) || (value.length >= 8 && /\d/.test(value));
}

function describe(path: string, fault: string): ConfigIssue {
  return {
    path,
    message: `${fault}: a person who can read the function could read it in the zip`,
    hint: 'Write ${NAME} here, add NAME to `secrets:` in serverless.yml, and set it in the shell that deploys. Or use the agency.',
  };
}
