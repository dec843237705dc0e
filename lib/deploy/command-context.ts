// Responsible for what all commands share: the checkout, the options, the selected functions and the output.

import type { Environment, Scrubber } from '../core/ports.ts';
import type { FunctionSettings } from './settings.ts';
import type { ProviderSection } from './settings-schema.ts';

/** Options of the command line, as Serverless passes them. */
export interface CommandOptions {
  function?: string;
  stage?: string;
  package?: string;
  data?: string;
  path?: string;
  /** For `invoke local`: NAME=value. */
  env?: string | string[];
  'update-config'?: boolean;
}

export interface CommandContext {
  /** The checkout, an absolute path. */
  root: string;
  options: CommandOptions;
  provider: ProviderSection;
  env: Environment;
  nodePath: string;
  nowMs: () => number;
  scrubber: Scrubber;
  /** Throws ConfigError that lists every fault in serverless.yml or in the options. */
  selectFunctions(): FunctionSettings[];
  /** Absolute. `key`: the function's name in serverless.yml. */
  zipPath(key: string): string;
  /** Prints lines without secrets; adds the last line feed. */
  print(text: string): void;
  progress(text: string): void;
}
