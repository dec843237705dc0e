// Responsible for the command `init`: a commented configuration to start from, and its JSON Schema. Never overwrites a file.

import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { exampleConfig } from '../config/example.ts';
import { ownerOnly } from '../config/rules.ts';
import { exitCodes } from '../core/error-policy.ts';
import { type ConfigError, configFault } from '../core/errors.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import type { CommonOptions } from './options.ts';
import { formatSchema, schemaFileName } from './schema.ts';
import type { Session } from './session.ts';

const defaultFile = 'cgs-export.yml';

interface InitOptions extends CommonOptions {
  out?: string;
}

export const initCommand: CommandDefinition<InitOptions> = {
  name: 'init',
  summary: 'write a commented configuration',
  description: `Writes a commented configuration to start from. Editors check it with ${schemaFileName}, which is written to the same folder. Never overwrites a file.`,
  addOptions: (command) =>
    command.option(
      '--out <file>',
      'file to write; - prints the configuration (default: ./cgs-export.yml)',
    ),
  configHelp: 'the same as --out',
  writes: `./cgs-export.yml, or the given file, and ${schemaFileName} in the same folder`,
  codes: [0, 1, 2],
  examples: ['cgs-export init', 'cgs-export init --out - | less'],
  run: runInit,
};

async function runInit(options: InitOptions, { runtime }: Session): Promise<Outcome> {
  const asked = options.out ?? options.config ?? defaultFile;
  const exitCode = exitCodes.complete;
  if (asked === '-') {
    const json = { status: 'printed', configuration: exampleConfig, errors: [] };
    return { exitCode, json, text: exampleConfig };
  }
  const file = resolve(runtime.cwd, asked);
  const schemaFile = join(dirname(file), schemaFileName);
  if (!(await writeNew(file, exampleConfig))) throw refusal(`${file} exists already`);
  const isSchemaNew = await writeNew(schemaFile, formatSchema());
  const { program } = runtime;
  const isDefault = file === resolve(runtime.cwd, defaultFile);
  const plan = isDefault ? `${program} plan` : `${program} plan --config ${asked}`;
  return {
    exitCode,
    json: { status: 'written', file, schema: schemaFile, errors: [] },
    text: [
      `wrote ${file}`,
      isSchemaNew
        ? `wrote ${schemaFile}: editors check the configuration with it`
        : `kept ${schemaFile}; \`${program} schema\` prints the current one`,
      `next: edit the configuration, then run \`${plan}\``,
      '',
    ].join('\n'),
  };
}

/** False if the file exists. Throws ConfigError if it cannot be written. */
async function writeNew(file: string, text: string): Promise<boolean> {
  try {
    // The umask can take permissions away, but never adds one that the mode does not have.
    const created = await open(file, 'wx', ownerOnly);
    await created.writeFile(text).finally(() => created.close());
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'EEXIST') return false;
    throw code === '' ? error : refusal(`${file} cannot be written (${code})`);
  }
}

function refusal(message: string): ConfigError {
  const hint = 'Give another name with --out, or - to print the configuration.';
  return configFault('--out', message, hint);
}
