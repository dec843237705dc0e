// Responsible for the flat list of all settings, taken from the schema.

import * as v from 'valibot';
import { type About, configSchema } from './schema.ts';
import { joinPath } from './text.ts';

export interface Setting extends About {
  /** From the root, with `*` for the items of a list: `accounts.*.targets.*.region`. Empty for the root. */
  path: string;
  kind: 'section' | 'list' | 'number' | 'flag' | 'choice' | 'text';
  isRequired: boolean;
  /** As it would be written; undefined if there is none, or if it is not one value. */
  default: unknown;
  /** The settings of a section, or the values of a choice. */
  names: readonly string[];
}

/** The properties of valibot's schemas that describe settings. */
interface Schema {
  type: string;
  pipe?: readonly Schema[];
  wrapped?: Schema;
  default?: unknown;
  entries?: Record<string, Schema>;
  item?: Schema;
  options?: readonly (Schema | string)[];
  getter?: (input: unknown) => Schema;
}

/** All settings, each section before what it contains. */
export const settings: readonly Setting[] = [...walk(configSchema as unknown as Schema, '')];

const settingByPath = new Map(settings.map((setting) => [setting.path, setting]));

/** `path` as in a fault, with numbers for the items of lists. Undefined: there is no such setting. */
export function findSetting(path: string): Setting | undefined {
  return settingByPath.get(path.replaceAll(/(^|\.)\d+(?=\.|$)/g, '$1*'));
}

/** The setting at `path`, and every section and list that contains it, from the inside out. */
export function listAbove(path: string): Setting[] {
  const keys = path === '' ? [] : path.split('.');
  return Array.from({ length: keys.length + 1 }, (_, index) =>
    findSetting(keys.slice(0, keys.length - index).join('.')),
  ).filter((setting) => setting !== undefined);
}

function* walk(entry: Schema, path: string): Generator<Setting> {
  const schema = entry.wrapped ?? entry;
  const parts = listParts(schema);
  const children = new Map(parts.flatMap(({ entries = {} }) => Object.entries(entries)));
  const item = parts.find((part) => part.item)?.item;
  const values = parts.flatMap(({ options = [] }) => options);
  const names = [...values.filter((value) => typeof value === 'string'), ...children.keys()];
  yield {
    ...v.getMetadata(schema as unknown as v.GenericSchema),
    path,
    kind: nameKind(parts, names),
    isRequired: entry.wrapped === undefined,
    default: entry.default,
    names,
  };
  if (item) yield* walk(item, joinPath(path, '*'));
  for (const [key, child] of children) yield* walk(child, joinPath(path, key));
}

/** The schema and the steps and alternatives that it consists of. */
function listParts(schema: Schema): Schema[] {
  if (schema.pipe) return schema.pipe.flatMap(listParts);
  if (schema.getter) return listParts(schema.getter(undefined));
  const alternatives = (schema.options ?? []).filter((option) => typeof option !== 'string');
  return [schema, ...alternatives.flatMap(listParts)];
}

function nameKind(parts: readonly Schema[], names: readonly string[]): Setting['kind'] {
  const has = (type: string) => parts.some((part) => part.type === type);
  if (has('strict_object')) return 'section';
  if (has('array')) return 'list';
  if (has('number')) return 'number';
  if (has('boolean')) return 'flag';
  return names.length > 0 ? 'choice' : 'text';
}
