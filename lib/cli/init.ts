// Responsible for the command `init`: a commented configuration to start from, and its JSON Schema. Never overwrites a file.

import { dirname, join, resolve } from 'node:path';
import { exampleConfig } from '../config/example.ts';
import { ownerOnly } from '../config/rules.ts';
import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { quoteForShell } from './format.ts';
import { createFile } from './new-file.ts';
import type { CommonOptions } from './options.ts';
import { formatSchema, schemaFileName } from './schema.ts';
import type { Session } from './session.ts';

const defaultFile = 'cgs-export.yml';
const refusalHint = 'Give another name with --out, or - to print the configuration.';

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
  const about = { mode: ownerOnly, hint: refusalHint };
  if (!(await createFile(file, exampleConfig, about))) {
    throw configFault('--out', `${file} exists already`, refusalHint);
  }
  const isSchemaNew = await createFile(schemaFile, formatSchema(), about);
  const { program } = runtime;
  const isDefault = file === resolve(runtime.cwd, defaultFile);
  const plan = isDefault ? `${program} plan` : `${program} plan --config ${quoteForShell(asked)}`;
  return {
    exitCode,
    json: { status: 'written', file, schema: schemaFile, errors: [] },
    text: [
      `wrote ${file}`,
      isSchemaNew
        ? `wrote ${schemaFile}: editors check the configuration with it`
        : `kept ${schemaFile}; \`${program} schema\` prints the current one`,
      'next: edit the configuration, and set the key: export HUAWEICLOUD_SDK_AK=… HUAWEICLOUD_SDK_SK=…',
      `then run \`${plan}\`; for a function, which uses its agency, \`npx serverless package\` checks the file`,
      '',
    ].join('\n'),
  };
}
