// Responsible for the JSON Schema of cgs-export.yml, for editors: it accepts all that the program accepts, and rejects most
// of what the program rejects. Only the command line may import it: the functions do without the package that it needs.

import { type ConversionConfig, type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import { type About, anyCredentials, configSchema } from './schema.ts';

/** In a text with `${NAME}` the program replaces the variable before it checks the value. */
const variable = '\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}';

function orVariable(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'string', pattern: variable }] };
}

type Override<Name extends keyof ConversionConfig> = NonNullable<ConversionConfig[Name]>;

const overrideSchema: Override<'overrideSchema'> = ({ valibotSchema: { type }, jsonSchema }) =>
  type === 'picklist' || type === 'literal' ? orVariable(jsonSchema) : null;

const overrideAction: Override<'overrideAction'> = ({ valibotAction, jsonSchema }) => {
  const { pattern: _pattern, ...others } = jsonSchema;
  const { requirement } = valibotAction as { requirement?: unknown };
  switch (valibotAction.type) {
    case 'regex':
      // A schema has one pattern only, so each becomes a schema.
      return {
        ...others,
        allOf: [
          ...(others.allOf ?? []),
          { pattern: `${variable}|${(requirement as RegExp).source}` },
        ],
      };
    case 'max_code_points':
      return { ...jsonSchema, maxLength: requirement as number };
    case 'includes':
      return { ...others, contains: orVariable({ const: requirement as string }) };
    case 'metadata': {
      const { hint, defaultText, isApiOnly, ...rest } = jsonSchema as JsonSchema & About;
      const texts = [rest.description, hint, defaultText && `Default: ${defaultText}.`];
      return { ...rest, description: texts.filter(Boolean).join(' ') };
    }
    default:
      return null;
  }
};

/** Draft-07, which all editors know. */
export function createJsonSchema(): JsonSchema {
  const { $schema = '', ...schema } = toJsonSchema(configSchema, {
    target: 'draft-07',
    // Checks and transformations have no counterpart. Without them the schema accepts more than the program.
    errorMode: 'ignore',
    // Whole pipes: `input` would stop after the first of the two steps that check a section.
    typeMode: 'ignore',
    definitions: { credentials: anyCredentials },
    overrideSchema,
    overrideAction,
  });
  return { $schema, title: 'cgs-export.yml', ...schema };
}
