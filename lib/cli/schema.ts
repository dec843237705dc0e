// Responsible for `schema`: the JSON Schema of the configuration, for editors.

import type { Command } from 'commander';
import { createJsonSchema } from '../config/json-schema.ts';
import { exitCodes } from '../core/error-policy.ts';
import { addCommonOptions, addHelp, outputVariables } from './options.ts';
import type { Outcome } from './outcome.ts';

/** The name that the first line of the example configuration refers to. */
export const schemaFileName = 'cgs-export.schema.json';

export function addSchema(program: Command): Command {
  const command = program
    .command('schema')
    .summary('print the JSON Schema of the configuration')
    .description(
      'Prints the JSON Schema (draft-07) of cgs-export.yml. With it, editors complete and check the file while you type.',
    );
  addCommonOptions(command, 'accepted, not used: the schema is always the same');
  return addHelp(command, {
    writes: 'nothing',
    codes: [0, 1, 2],
    variables: outputVariables,
    examples: [`cgs-export schema > ${schemaFileName}`],
  });
}

export function formatSchema(): string {
  return `${JSON.stringify(createJsonSchema(), null, 2)}\n`;
}

export async function runSchema(): Promise<Outcome> {
  return {
    exitCode: exitCodes.complete,
    json: { status: 'printed', schema: createJsonSchema(), errors: [] },
    text: formatSchema(),
    errors: [],
  };
}
