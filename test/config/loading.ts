// Responsible for what the tests of the configuration share: loading a text, and collecting its faults.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { loadConfig } from '../../lib/config/load.ts';
import type { Config, ConfigOptions } from '../../lib/config/model.ts';
import { ConfigError } from '../../lib/core/errors.ts';

export const key = { HUAWEICLOUD_SDK_AK: 'ENVAK', HUAWEICLOUD_SDK_SK: 'env-secret' };
type Env = Record<string, string>;

/** One for all test files of a worker: they share modules. It is in the temporary folder of the run, which is removed. */
export const folder = mkdtempSync(join(tmpdir(), 'config-'));

/** Loads `text` as ./cgs-export.yml. */
export async function load(text: string, env: Env = key, options: ConfigOptions = {}) {
  writeFileSync(join(folder, 'cgs-export.yml'), text);
  return loadConfig({ env, cwd: folder, ...options });
}

export async function failureOf(act: () => unknown): Promise<ConfigError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('no fault was found');
}

/** `path: message` of every fault; each must have a hint. */
export async function faultsOf(text: string, env: Env = key, options: ConfigOptions = {}) {
  const { issues } = await failureOf(() => load(text, env, options));
  for (const { hint } of issues) expect(hint).not.toBe('');
  return issues.map(({ path, message }) => `${path}: ${message}`);
}

export const minimal =
  'store: file:./export\naccounts: [{ name: a, targets: [{ region: cn-north-4 }] }]\n';

/** A configuration with the targets of this text, in flow style. */
export function withTarget(target: string, rest = ''): string {
  return `store: file:./x\naccounts: [{ name: a, targets: [${target}] }]\n${rest}`;
}

export function targetOf(config: Config) {
  const target = config.accounts[0]?.targets[0];
  if (!target) throw new Error('no target');
  return target;
}
