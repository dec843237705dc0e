// Responsible for reading the public keys that the user trusts, from files and from the configuration.

import { readFile } from 'node:fs/promises';
import type { PublicKeySource } from '../config/model.ts';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import { type PublicKey, readPublicKeyList } from '../snapshots/signature.ts';

const hint =
  'Give an Ed25519 public key: PEM ("BEGIN PUBLIC KEY") or its base64 in one line; a file can have several. The exporter writes its own to _keys/ in the store; get the key from a person whom you trust instead.';

/** Throws ConfigError with every source that has no public key. */
export async function readPublicKeys(sources: readonly PublicKeySource[]): Promise<PublicKey[]> {
  const issues: ConfigIssue[] = [];
  const keys: PublicKey[] = [];
  for (const source of sources) {
    const read = await readSource(source);
    if (typeof read === 'string') issues.push({ path: source.name, message: read, hint });
    else keys.push(...read);
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return keys;
}

/** The keys, or what is wrong. The text is in no message: it may be a private key. */
async function readSource(source: PublicKeySource): Promise<readonly PublicKey[] | string> {
  if (source.kind === 'text') {
    return readPublicKeyList(source.text) ?? 'is not an Ed25519 public key';
  }
  const { path, text, code } = await readFirst(source.paths);
  if (text === null) return `cannot read ${path} (${code})`;
  const keys = readPublicKeyList(text);
  if (keys) return keys;
  return text.includes('PRIVATE KEY')
    ? `${path} is a private key: give only its public half to those who verify`
    : `${path} is not an Ed25519 public key, or not only such keys`;
}

/** The first file that exists. `text` null: it cannot be read, or there is none; then `path` is the last one. */
async function readFirst(paths: readonly string[]) {
  const tried: { path: string; text: string | null; code: string }[] = [];
  for (const path of paths) {
    try {
      return { path, text: await readFile(path, 'utf8'), code: '' };
    } catch (error) {
      const { code = 'unknown error' } = error as NodeJS.ErrnoException;
      tried.push({ path, text: null, code });
      if (code !== 'ENOENT') break;
    }
  }
  return tried.at(-1) ?? { path: '', text: null, code: 'ENOENT' };
}
