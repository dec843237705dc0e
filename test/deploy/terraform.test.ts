// Tests that the Terraform example parses, uses only arguments of its provider, and has the same settings as serverless.yml.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@cdktf/hcl2json';
import { expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';

const root = join(import.meta.dirname, '../..');
const path = 'examples/terraform/main.tf';

type Blocks = Record<string, Record<string, Record<string, unknown>[]>>;
const parsed = (await parse(path, readFileSync(join(root, path), 'utf8'))) as {
  resource: Blocks;
  variable: Record<string, Record<string, unknown>[]>;
};

/** The arguments that the example may use. Source: terraform-provider-huaweicloud, docs/resources, read 2026-11-24. */
const known: Record<string, string> = {
  huaweicloud_fgs_function:
    'name app description functiongraph_version runtime handler memory_size timeout agency max_instance_num code_type code_filename func_code encrypted_user_data user_data log_group_id log_stream_id vpc_id network_id',
  huaweicloud_fgs_function_trigger: 'function_urn type status event_data depends_on',
  huaweicloud_fgs_async_invoke_configuration:
    'function_urn max_async_event_age_in_seconds max_async_retry_attempts on_failure on_success',
};

const one = (type: string, name: string) => parsed.resource[type]?.[name]?.[0] ?? {};

test('uses only resources and arguments that the provider has', () => {
  expect(Object.keys(parsed.resource).sort()).toEqual(Object.keys(known).sort());
  for (const [type, blocks] of Object.entries(parsed.resource)) {
    const unknown = Object.values(blocks)
      .flatMap(([block]) => Object.keys(block ?? {}))
      .filter((name) => !known[type]?.split(' ').includes(name));
    expect(unknown).toEqual([]);
  }
});

test('declares every variable that it uses', () => {
  const used = [...JSON.stringify(parsed.resource).matchAll(/var\.(\w+)/g)].map(([, name]) => name);
  expect(used.length).toBeGreaterThan(3);
  expect(used.filter((name) => !parsed.variable[name ?? '']?.[0])).toEqual([]);
});

const { provider, functions } = parseYaml(readFileSync(join(root, 'serverless.yml'), 'utf8')) as {
  provider: Record<string, unknown>;
  functions: Record<string, Record<string, unknown> & { events: { eventData: object }[] }>;
};

test('has every function of serverless.yml', () => {
  expect(Object.keys(parsed.resource.huaweicloud_fgs_function ?? {})).toEqual(
    Object.keys(functions),
  );
});

test.each(Object.entries(functions))(
  '%s has the same settings as in serverless.yml and uses the same zip',
  (key, settings) => {
    expect(one('huaweicloud_fgs_function', key)).toMatchObject({
      name: settings.name,
      description: settings.description,
      handler: settings.handler,
      runtime: provider.runtime,
      memory_size: settings.memorySize ?? provider.memorySize,
      timeout: settings.timeout ?? provider.timeout,
      max_instance_num: String(provider.maxInstances),
      code_type: 'zip',
      func_code: `\${filebase64("\${var.zips}/${key}.zip")}`,
    });
    for (const name of ['agency', 'prune_agency', 'report_agency', 'verify_agency']) {
      expect(parsed.variable[name]?.[0]?.default).toBe(provider.agencyName);
    }
    expect(parsed.variable.zips?.[0]?.default).toBe('../../.serverless');
    expect(one('huaweicloud_fgs_async_invoke_configuration', key)).toMatchObject({
      max_async_retry_attempts: provider.asyncRetries,
    });
    const event = settings.events[0]?.eventData as Record<string, string>;
    const trigger = `${key}_${event.name?.replaceAll('-', '_')}`;
    const data = String(one('huaweicloud_fgs_function_trigger', trigger).event_data);
    for (const value of [event.name, event.scheduleType, event.schedule]) {
      expect(data).toContain(`"${value}"`);
    }
  },
);
