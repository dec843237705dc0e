// Tests that the documents name only settings that exist: every YAML block, and every setting with a value in a sentence.

import { Ajv, type SchemaObject } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createJsonSchema } from '../../lib/config/json-schema.ts';
import { readConfig } from '../../lib/config/load.ts';
import { findSetting, settings } from '../../lib/config/setting-list.ts';
import { functionSchema, providerSchema } from '../../lib/deploy/settings-schema.ts';
import { pages } from './pages.ts';

const validate = new Ajv({ strict: true, allErrors: true }).compile(
  createJsonSchema() as SchemaObject,
);
/** The variables of keys and passwords are set, and the address of a webhook. */
const variable = (name: string) => {
  if (name === 'HOOK_URL') return 'https://hooks.example.com/1';
  return /_(?:AK|SK|TOKEN|PASSWORD|SECRET|SIGNING_KEY)$/.test(name) ? 'some-value' : undefined;
};
const env = new Proxy({}, { get: (_env, name) => variable(String(name)) });

/** What the program and the JSON Schema say is wrong with a configuration. */
function findFaults(text: string): string[] {
  validate(parse(text));
  const faults = (validate.errors ?? []).map(
    ({ instancePath, message }) => `${instancePath} ${message}`,
  );
  try {
    readConfig(text, '/cgs-export.yml', { env, inFunction: true });
  } catch (error) {
    faults.push(String(error));
  }
  return faults;
}

/** A configuration whose first account has this line. */
function inAccount(line: string): string {
  const account = { name: 'a', targets: [{ region: 'x' }], ...parse(line) };
  return JSON.stringify({ store: 'file:/mnt/lake', mounted: true, accounts: [account] });
}

const blocks = pages.flatMap(({ path, blocks: all }) =>
  all
    .filter(({ info }) => info.startsWith('yaml'))
    .map((block) => ({ ...block, place: `${path}:${block.line}` })),
);
const blocksOf = (info: string) =>
  blocks.filter((block) => block.info === info).map(({ place, text }) => [place, text] as const);

describe('YAML blocks', () => {
  test.each([...blocksOf('yaml config'), ...blocksOf('yaml file=cgs-export.yml')])(
    '%s is a valid configuration',
    (_place, text) => {
      // A folder as the store is right outside of a function.
      expect(findFaults(`${text}\nmounted: true`)).toEqual([]);
    },
  );

  test.each(blocksOf('yaml lines=accounts.0'))(
    '%s: each line is valid in an account',
    (_, text) => {
      const lines = text.split('\n');
      expect(lines.length).toBeGreaterThan(1);
      for (const line of lines) expect(findFaults(inAccount(line)), line).toEqual([]);
    },
  );

  test.each(blocksOf('yaml faults'))('%s has faults', (_place, text) => {
    expect(findFaults(text).length).toBeGreaterThan(1);
  });

  test.each(blocksOf('yaml comment'))('%s is a comment', (_place, text) => {
    expect(parse(text)).toBeNull();
  });

  test('each value has one of these kinds', () => {
    const kinds = ['config', 'file=cgs-export.yml', 'lines=accounts.0', 'faults', 'comment'];
    // Checked by promtool: test/engines/monitoring.engines.ts.
    kinds.push('file=cgs-export.rules.yml');
    const known = kinds.map((kind) => `yaml ${kind}`);
    expect([...new Set(blocks.map(({ info }) => info))].sort()).toEqual(known.sort());
  });

  test('a setting that does not exist is found', () => {
    expect(findFaults('store: obs://lake\nkeepPageDays: 7').join()).toContain('keepPageDays');
    expect(findFaults(inAccount('credential: agency'))).not.toEqual([]);
  });
});

describe('sentences', () => {
  /** Settings of serverless.yml and of Kubernetes, which some pages are about. */
  const ofOthers = [
    ...Object.keys(functionSchema.properties),
    ...Object.keys(providerSchema.properties),
    ...['concurrencyPolicy', 'backoffLimit', 'activeDeadlineSeconds', 'args'],
  ];
  const names = new Set(settings.map(({ path }) => path.split('.').at(-1)));

  test('a setting with a value exists: `name: value`, `section.name: value`', () => {
    const named = pages.flatMap(({ path, lines }) =>
      lines.flatMap((line) =>
        [...line.matchAll(/`([A-Za-z][\w.]*): [^`]*`/g)].map(([, name = '']) => ({ path, name })),
      ),
    );
    expect(named.length).toBeGreaterThan(10);
    const unknown = named.filter(({ name }) =>
      name.includes('.') ? !findSetting(name) : !names.has(name) && !ofOthers.includes(name),
    );
    expect(unknown).toEqual([]);
  });
});
