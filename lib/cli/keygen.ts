// Responsible for the command `keygen`: a new key pair for signatures, printed or written to a folder. Never overwrites a file.

import { generateKeyPairSync } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import { publicKeyKey } from '../core/object-keys.ts';
import { readSigningKey } from '../snapshots/signature.ts';
import { makeFolder } from '../store/file-write.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { createFile } from './new-file.ts';
import type { CommonOptions } from './options.ts';
import type { Session } from './session.ts';

const privateName = 'signing-private.pem';
const publicName = 'signing-public.pem';
const refusalHint =
  'Give another folder with --out. Keep the old files: manifests that are signed with the old key are checked with its public key.';

interface KeygenOptions extends CommonOptions {
  out?: string;
}

export const keygenCommand: CommandDefinition<KeygenOptions> = {
  name: 'keygen',
  summary: 'make a key pair that signs snapshots',
  description: `Makes a new Ed25519 key pair as PEM, and prints it, or writes it to a folder: ${privateName} (secret) and ${publicName}. The exporter signs every manifest with the private key, as the setting signing.privateKey says. Signatures are checked with the public key. Sends nothing, and never overwrites a file.`,
  addOptions: (command) =>
    command.option(
      '--out <folder>',
      'folder to write both keys to; it is created if it does not exist (default: print them)',
    ),
  configHelp: 'accepted but not used: a key pair depends on nothing',
  writes: `nothing; with --out ${privateName}, which only its owner can read, and ${publicName}`,
  codes: [0, 1, 2],
  examples: ['cgs-export keygen --out ./keys', 'cgs-export keygen --json | jq -r .publicKey'],
  note: `To change the key, make a new pair in another folder and set CGS_SIGNING_KEY to the new private key.
The next snapshot is signed with it. Keep every public key outside the store.`,
  run: runKeygen,
};

interface KeyPair {
  keyId: string;
  privateKey: string;
  publicKey: string;
}

async function runKeygen({ out }: KeygenOptions, { runtime }: Session): Promise<Outcome> {
  const pair = makePair();
  const { keyId, privateKey, publicKey } = pair;
  const exitCode = exitCodes.complete;
  const { program } = runtime;
  if (out === undefined) {
    const next = describeNext(pair, 'the private key above', program);
    const text = `key id: ${keyId}\n\n${privateKey}\n${publicKey}\n${next}`;
    return { exitCode, json: { status: 'printed', ...pair, errors: [] }, text };
  }
  const folder = resolve(runtime.cwd, out);
  const privateKeyFile = join(folder, privateName);
  const publicKeyFile = join(folder, publicName);
  await makeFolder(folder, 0o700).catch((error: NodeJS.ErrnoException) => {
    throw configFault('--out', `${folder} cannot be created (${error.code})`, refusalHint);
  });
  await writeNew(publicKeyFile, publicKey, 0o644);
  try {
    await writeNew(privateKeyFile, privateKey, 0o600);
  } catch (error) {
    // A public key without its private key is of no use.
    await rm(publicKeyFile, { force: true });
    throw error;
  }
  return {
    exitCode,
    json: { status: 'written', keyId, privateKeyFile, publicKeyFile, errors: [] },
    text: [
      `key id: ${keyId}`,
      `wrote ${privateKeyFile}: secret, only its owner can read it`,
      `wrote ${publicKeyFile}`,
      '',
      describeNext(pair, privateKeyFile, program),
    ].join('\n'),
  };
}

function makePair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const signer = readSigningKey(privateKey);
  if (signer === null) throw new Error('a key that was just made cannot be read');
  return { keyId: signer.keyId, privateKey, publicKey };
}

/** Throws ConfigError if the file exists or cannot be written. */
async function writeNew(file: string, text: string, mode: number): Promise<void> {
  const isNew = await createFile(file, text, { mode, hint: refusalHint });
  if (!isNew) throw configFault('--out', `${file} exists already`, refusalHint);
}

function describeNext({ keyId }: KeyPair, source: string, program: string): string {
  return `next:
1. Set CGS_SIGNING_KEY to the line between BEGIN and END of ${source},
   where the exporter runs. In a file of variables, for cron, systemd, Docker or Kubernetes:
     CGS_SIGNING_KEY=<that line>
   In functions: add CGS_SIGNING_KEY to \`secrets\` of collect and prune in serverless.yml.
2. Add this line to cgs-export.yml:
     signing: { privateKey: "\${CGS_SIGNING_KEY}" }
3. Give the public key to everyone who checks snapshots. They must keep it outside the store:
   a person who can write to the store can replace the copy in it, ${publicKeyKey(keyId)}.
4. Run \`${program} doctor\`: it checks the key.
`;
}
