// Responsible for `init`: a commented configuration to start from, and its JSON Schema. Never overwrites a file.

import { writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { exampleConfig } from '../config/example.ts';
import { exitCodes } from '../core/error-policy.ts';
import { ConfigError } from '../core/errors.ts';
import { addCommonOptions, addHelp, type CommonOptions, outputVariables } from './options.ts';
import type { Outcome } from './outcome.ts';
import { formatSchema, schemaFileName } from './schema.ts';
import type { Session } from './session.ts';

interface InitOptions extends CommonOptions {
  out?: string;
}

export function addInit(program: Command): Command {
  const command = program
    .command('init')
    .summary('write a commented configuration')
    .description(
      `Writes a commented configuration to start from and, in the same folder, ${schemaFileName}, with which editors check it. Never overwrites a file.`,
    )
    .option(
      '--out <file>',
      'file to write; - prints the configuration (default: ./cgs-export.yml)',
    );
  addCommonOptions(command, 'the same as --out');
  return addHelp(command, {
    writes: `./cgs-export.yml, or the given file, and ${schemaFileName} in the same folder`,
    codes: [0, 1, 2],
    variables: outputVariables,
    examples: ['cgs-export init', 'cgs-export init --out - | less'],
  });
}

export async function runInit(options: InitOptions, { world }: Session): Promise<Outcome> {
  const asked = options.out ?? options.config ?? 'cgs-export.yml';
  const result = { exitCode: exitCodes.complete, errors: [] };
  if (asked === '-') {
    const json = { status: 'printed', configuration: exampleConfig, errors: [] };
    return { ...result, json, text: exampleConfig };
  }
  const file = resolve(world.cwd, asked);
  const schemaFile = join(dirname(file), schemaFileName);
  if (!(await writeNew(file, exampleConfig))) throw refusal(`${file} exists already`);
  const isSchemaNew = await writeNew(schemaFile, formatSchema());
  const { program } = world;
  return {
    ...result,
    json: { status: 'written', file, schema: schemaFile, errors: [] },
    text: [
      `wrote ${file}`,
      isSchemaNew
        ? `wrote ${schemaFile}: editors check the configuration with it`
        : `kept ${schemaFile}; \`${program} schema\` prints the current one`,
      `next: edit the configuration, then run \`${program} plan\``,
      '',
    ].join('\n'),
  };
}

/** False if the file exists. Throws ConfigError if it cannot be written. */
async function writeNew(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: 'wx' });
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'EEXIST') return false;
    throw code === '' ? error : refusal(`${file} cannot be written (${code})`);
  }
}

function refusal(message: string): ConfigError {
  const hint = 'Give another name with --out, or - to print the configuration.';
  return new ConfigError([{ path: '--out', message, hint }]);
}
