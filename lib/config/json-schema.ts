// Responsible for the JSON Schema of cgs-export.yml, for editors: it accepts all that the program accepts, and rejects most
// of what the program rejects. Only the command line may import it: the functions do without the package that it needs.

import { type ConversionConfig, type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import { descriptions } from './descriptions.ts';
import { type About, anyCredentials, configSchema } from './schema.ts';
import { joinPath } from './text.ts';

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
    case 'regex': {
      // A schema has one pattern only, so each becomes a schema.
      const pattern = `${variable}|${(requirement as RegExp).source}`;
      return { ...others, allOf: [...(others.allOf ?? []), { pattern }] };
    }
    case 'max_code_points':
      return { ...jsonSchema, maxLength: requirement as number };
    case 'includes':
      return { ...others, contains: orVariable({ const: requirement as string }) };
    case 'check_items': // The only such check: no item twice.
      return { ...jsonSchema, uniqueItems: true };
    case 'metadata': {
      const {
        hint,
        isApiOnly: _api,
        isStoreOnly: _store,
        ...rest
      } = jsonSchema as JsonSchema & About;
      return hint === undefined ? rest : { ...rest, description: hint };
    }
    default:
      return null;
  }
};

/** Adds to every setting in the section or list at `path`, whose description is its hint so far, what else it is about. */
function describe(schema: JsonSchema, path: string): void {
  for (const [name, setting] of Object.entries(schema.properties ?? {}) as [string, JsonSchema][]) {
    const about = descriptions[path]?.[name];
    const defaultText = about?.defaultText && `Default: ${about.defaultText}.`;
    setting.description = [about?.text, setting.description, defaultText].filter(Boolean).join(' ');
    describe(setting, joinPath(path, name));
  }
  if (schema.items) describe(schema.items as JsonSchema, joinPath(path, '*'));
}

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
  describe(schema, '');
  const forms = schema.$defs?.credentials as JsonSchema;
  for (const form of forms.anyOf ?? []) describe(form as JsonSchema, 'accounts.*.credentials');
  const description = 'What cgs-export exports, from where, and where to.';
  return { $schema, title: 'cgs-export.yml', description, ...schema };
}
