// Responsible for the command `schema`: the JSON Schema of the configuration, for editors.

import { createJsonSchema } from '../config/json-schema.ts';
import { exitCodes } from '../core/error-policy.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import type { CommonOptions } from './options.ts';

/** The name that the first line of the example configuration refers to. */
export const schemaFileName = 'cgs-export.schema.json';

export const schemaCommand: CommandDefinition<CommonOptions> = {
  name: 'schema',
  summary: 'print the JSON Schema of the configuration',
  description:
    'Prints the JSON Schema (draft-07) of cgs-export.yml. With it, editors complete and check the file while you type.',
  configHelp: 'accepted but not used: the schema is always the same',
  writes: 'nothing',
  codes: [0, 1, 2],
  examples: [`cgs-export schema > ${schemaFileName}`],
  run: runSchema,
};

export function formatSchema(): string {
  return `${JSON.stringify(createJsonSchema(), null, 2)}\n`;
}

async function runSchema(): Promise<Outcome> {
  return {
    exitCode: exitCodes.complete,
    json: { status: 'printed', schema: createJsonSchema(), errors: [] },
    text: formatSchema(),
  };
}
