// Responsible for the type of what a command needs from its process. main.ts implements it with the real process.

import type { Environment } from '../core/ports.ts';

export interface Output {
  write(text: string): void;
  isTerminal: boolean;
  columns(): number;
}

export type SignalName = 'SIGINT' | 'SIGTERM';

/** Everything outside of the program that a command uses, except the file system and the network. */
export interface CommandRuntime {
  env: Environment;
  cwd: string;
  /** How the user calls this program, for commands to copy: `cgs-export` or `node dist/cli.js`. */
  program: string;
  stdout: Output;
  stderr: Output;
  nowMs(): number;
  monotonicMs(): number;
  /** Calls `work` repeatedly without keeping the process alive. The returned function stops it. */
  every(intervalMs: number, work: () => void): () => void;
  /** The returned function stops listening. */
  onSignal(listen: (name: SignalName) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}
