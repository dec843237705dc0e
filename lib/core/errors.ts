// Owns every deliberate error, grouped by what helps against it. Refuses to decide what a command exits with (cli) or who is told (runtime).

/**
 * The one base. `code` is stable and machine readable (UPPER_SNAKE), `message` says what happened,
 * `hint` what the operator does next. None of them may carry a key, token or password.
 */
export class ExportError extends Error {
  /** Written out: the built file's class names are shortened. */
  override readonly name: string = 'ExportError';
  readonly code: string;
  readonly hint: string;
  /** Whom it is about, once that is known: target, account, run. Null: nobody, or the message says so. */
  subject: string | null = null;
  constructor(code: string, message: string, hint: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

/** What happened, and to whom. */
export function tellError({ subject, message }: ExportError): string {
  return subject === null ? message : `${subject}: ${message}`;
}

/** The configuration or the command line is wrong. Nothing was sent. Exit 2. */
export class ConfigError extends ExportError {
  override readonly name: string = 'ConfigError';
  /** Every fault found, so that one run tells all of them. */
  readonly issues: readonly ConfigIssue[];
  constructor(issues: readonly ConfigIssue[]) {
    const lines = issues.map((issue) => `${issue.path || '(configuration)'}: ${issue.message}`);
    super('CONFIG', lines.join('\n'), [...new Set(issues.map((issue) => issue.hint))].join('\n'));
    this.issues = issues;
  }
}
export interface ConfigIssue {
  /** Dotted path from the root, such as `accounts.0.targets.1.region`. */
  path: string;
  message: string;
  hint: string;
}

/** The service or the store refuses the identity. Never retried: five failures lock the key for five minutes. Exit 3. */
export class AuthError extends ExportError {
  override readonly name: string = 'AuthError';
}

/** Somebody else shares the quota (429, APIGW.0308). Retried after `retryAfterMs`, milliseconds from now. */
export class RateLimitedError extends ExportError {
  override readonly name: string = 'RateLimitedError';
  readonly retryAfterMs: number;
  constructor(message: string, hint: string, retryAfterMs: number) {
    super('RATE_LIMITED', message, hint);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Passes by itself: network, time-out, 408, 5xx, a body cut short. Retried; when retries are used up, exit 4. */
export class TransientError extends ExportError {
  override readonly name: string = 'TransientError';
  /** What the server asked for in Retry-After, milliseconds from now; null if it did not. */
  readonly retryAfterMs: number | null;
  constructor(
    code: string,
    message: string,
    hint: string,
    options: { retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super(code, message, hint, options);
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** The other side answers what the protocol does not allow. A few tries, then given up. Exit 1. */
export class ProtocolError extends ExportError {
  override readonly name: string = 'ProtocolError';
}

/** Something we stored does not parse or does not match its hash. Nothing is overwritten. Exit 5. */
export class CorruptError extends ExportError {
  override readonly name: string = 'CorruptError';
  /** The object's key, relative to the store's root. */
  readonly key: string;
  constructor(key: string, message: string, hint: string, options?: { cause?: unknown }) {
    super('CORRUPT', `${key}: ${message}`, hint, options);
    this.key = key;
  }
}

/** The store could not do what it was asked. `DISK_FULL` exits 1, `STORE_DENIED` exits 3, the rest 4. */
export class StoreError extends ExportError {
  override readonly name: string = 'StoreError';
}

/** A finished snapshot that could not be shown to be complete. Exit 6. */
export class DriftedError extends ExportError {
  override readonly name: string = 'DriftedError';
}

/** Stopped on purpose, by a signal or a deadline, at a point that can be resumed. Exit 4. */
export class StoppedError extends ExportError {
  override readonly name: string = 'StoppedError';
}
