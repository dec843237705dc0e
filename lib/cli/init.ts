// Responsible for the command `init`: writes a commented configuration to start from.

import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { exampleConfig } from '../config/example.ts';
import { exitCodes } from '../core/error-policy.ts';
import { ConfigError } from '../core/errors.ts';
import { type CommandDefinition, outputVariables } from './command.ts';
import type { CommonOptions } from './options.ts';
import type { Outcome } from './outcome.ts';
import type { Session } from './session.ts';

interface InitOptions extends CommonOptions {
  out?: string;
}

export const initCommand: CommandDefinition<InitOptions> = {
  name: 'init',
  summary: 'write a commented configuration',
  description: 'Writes a commented configuration to start from. Never overwrites a file.',
  addOptions: (command) =>
    command.option('--out <file>', 'where to; - prints it (default: ./cgs-export.yml)'),
  configHelp: 'the same as --out',
  help: {
    writes: './cgs-export.yml, or the file given',
    codes: [0, 1, 2],
    variables: outputVariables,
    examples: ['cgs-export init', 'cgs-export init --out - | less'],
  },
  run: runInit,
};

async function runInit(options: InitOptions, { runtime }: Session): Promise<Outcome> {
  const asked = options.out ?? options.config ?? 'cgs-export.yml';
  const result = { exitCode: exitCodes.complete, errors: [] };
  if (asked === '-') {
    const json = { status: 'printed', configuration: exampleConfig, errors: [] };
    return { ...result, json, text: exampleConfig };
  }
  const file = resolve(runtime.cwd, asked);
  await writeFile(file, exampleConfig, { flag: 'wx' }).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === '') throw error;
    throw new ConfigError([
      {
        path: '--out',
        message:
          code === 'EEXIST' ? `${file} exists already` : `${file} cannot be written (${code})`,
        hint: 'Give another name with --out, or - to print it.',
      },
    ]);
  });
  return {
    ...result,
    json: { status: 'written', file, errors: [] },
    text: `wrote ${file}\nnext: edit it, then \`${runtime.program} plan\`\n`,
  };
}
