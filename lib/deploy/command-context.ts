// Responsible for what every command works with: its options, the selected functions and the output.

import { parse } from 'yaml';
import { configFault } from '../core/errors.ts';
import type { Environment, Scrubber } from '../core/ports.ts';
import { asRecord } from '../core/value-shape.ts';
import type { FunctionSettings } from './settings.ts';
import type { ProviderSection } from './settings-schema.ts';

/** Options of the command line, as Serverless passes them. */
export interface CommandOptions {
  function?: string;
  stage?: string;
  package?: string;
  'update-config'?: boolean;
}

export interface CommandContext {
  /** The folder of serverless.yml, an absolute path. */
  root: string;
  env: Environment;
  /** The folder that has the built functions, each in a folder of its name. An absolute path. */
  bundles: string;
  provider: ProviderSection;
  scrubber: Scrubber;
  /** Throws ConfigError that lists every fault in serverless.yml or in the options. */
  selectFunctions(): FunctionSettings[];
  /** Absolute. `key`: the function's name in serverless.yml. */
  zipPath(key: string): string;
  /** Prints lines without secrets; adds the last line feed. */
  print(text: string): void;
  progress(text: string): void;
}

/** Serverless accepts these options for other providers. */
const unsupportedOptions = [
  ...['qualifier', 'type', 'raw', 'context', 'contextPath', 'docker', 'docker-arg', 'skip-package'],
  ...['tail', 'startTime', 'filter', 'interval', 'verify', 'aws-s3-accelerate'],
  // The functions ignore their event.
  ...['data', 'path'],
];

/** `readText` returns the text of serverless.yml. Throws ConfigError. */
export function selectFunctions(
  all: readonly FunctionSettings[],
  options: CommandOptions,
  readText: () => string,
): FunctionSettings[] {
  const { function: wanted, stage } = options;
  if (all.length === 0) {
    const hint = 'Add one, for example collect: the serverless.yml of cgs-export has all of them.';
    throw configFault('functions', 'serverless.yml has no functions', hint);
  }
  const selected = all.filter(({ key }) => wanted === undefined || key === wanted);
  if (selected.length === 0) {
    const hint = `serverless.yml has ${all.map(({ key }) => key).join(', ')}.`;
    throw configFault('--function', `there is no function ${wanted}`, hint);
  }
  const unsupported = unsupportedOptions.find((name) => asRecord(options)[name] !== undefined);
  if (unsupported) {
    throw configFault(`--${unsupported}`, 'has no effect with this provider', 'Leave it out.');
  }
  if (stage !== undefined) checkStage(selected, stage, readText());
  return selected;
}

/** Two stages with the same function name would overwrite and remove each other. */
function checkStage(selected: readonly FunctionSettings[], stage: string, text: string): void {
  const fixed = selected.find((one) => !hasStageInName(one, stage, text));
  if (fixed === undefined) return;
  throw configFault(
    `functions.${fixed.key}.name`,
    `${fixed.name} does not contain the stage, so --stage ${stage} would change the function of another stage`,
    `Write name: cgs-export-\${sls:stage}-${fixed.key}, and use a different store for each stage.`,
  );
}

/**
 * `name` is the resolved name, `text` the file serverless.yml. A name that is written without the variable for the stage is the same
 * in every stage, so it does not count. If `text` does not show how the name is written (a script, another file), only `name` counts.
 */
export function hasStageInName(
  { key, name }: { key: string; name: string },
  stage: string,
  text: string,
): boolean {
  const written = findWrittenName(text, key);
  if (written !== null && !/\$\{[^}]*\bstage\b/.test(written)) return false;
  // As a whole part: `cgs-export-production` does not contain the stage `prod`.
  return `-${name}-`.replaceAll('_', '-').includes(`-${stage.replaceAll('_', '-')}-`);
}

function findWrittenName(text: string, key: string): string | null {
  try {
    const functions = asRecord(asRecord(parse(text, { merge: true })).functions);
    const section = Object.hasOwn(functions, key) ? functions[key] : null;
    // A text instead of a section: the function is in another file.
    if (typeof section !== 'object' || section === null) return null;
    return String(asRecord(section).name ?? key);
  } catch {
    return null;
  }
}
