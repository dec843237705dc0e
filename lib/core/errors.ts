// Responsible for every deliberate error, one class for each way to handle it. Not responsible for exit codes and alerts (error-policy.ts).

/**
 * The base of all deliberate errors. `code` is stable and for programs (UPPER_SNAKE). `message` says what happened. `hint` says
 * what the operator can do. None of them may contain an access key, token or password.
 */
export class ExportError extends Error {
  /** A literal, because the build shortens class names. */
  override readonly name: string = 'ExportError';
  readonly code: string;
  /** What to do. The code that catches the error may add to it. */
  hint: string;
  /**
   * What the error is about, for people, for example the target, account and run. Set by the code that catches the error and
   * knows it. Null: not known, or the message already contains it.
   */
  subject: string | null = null;
  constructor(code: string, message: string, hint: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

/** `<subject>: <message>`, or the message alone. */
export function messageWithSubject({ subject, message }: ExportError): string {
  return subject === null ? message : `${subject}: ${message}`;
}

/** The configuration or the command line is not valid. No request was sent. Exit 2. */
export class ConfigError extends ExportError {
  override readonly name: string = 'ConfigError';
  /** All faults, so that one run reports all of them. */
  readonly issues: readonly ConfigIssue[];
  constructor(issues: readonly ConfigIssue[]) {
    const lines = issues.map((issue) => `${issue.path || '(configuration)'}: ${issue.message}`);
    super('CONFIG', lines.join('\n'), [...new Set(issues.map((issue) => issue.hint))].join('\n'));
    this.issues = issues;
  }
}
export interface ConfigIssue {
  /** Dotted path from the root, such as `accounts.0.targets.1.region`; empty for the configuration as a whole. */
  path: string;
  message: string;
  hint: string;
}

/** A ConfigError with a single issue. */
export function configFault(path: string, message: string, hint: string): ConfigError {
  return new ConfigError([{ path, message, hint }]);
}

/** The rows that were asked for were deleted by retention. `PRUNED`, exit 2. */
export class PrunedError extends ExportError {
  override readonly name: string = 'PrunedError';
  /** The snapshots to read instead, which have their rows: one, or for a comparison two. Empty: there are none. */
  instead: readonly string[] = [];
}

/**
 * The service rejected the credentials, or a proxy its login. Never retried: five failures lock an access key for five minutes.
 * Exit 3.
 */
export class AuthError extends ExportError {
  override readonly name: string = 'AuthError';
}

/**
 * No connection can be made until a person acts: an unknown host name, a certificate that is not trusted, a proxy that refuses.
 * Retrying rarely helps. The key was not judged. Exit 3.
 */
export class ConnectionError extends ExportError {
  override readonly name: string = 'ConnectionError';
}

/** The service answered 429 or APIGW.0308: another client uses the same quota. Retried after `retryAfterMs`, from now. Exit 4. */
export class RateLimitedError extends ExportError {
  override readonly name: string = 'RateLimitedError';
  readonly retryAfterMs: number;
  constructor(message: string, hint: string, retryAfterMs: number) {
    super('RATE_LIMITED', message, hint);
    this.retryAfterMs = retryAfterMs;
  }
}

/** A temporary fault: network, time-out, 202, 408, 5xx, a truncated body. Retried; exit 4 after the last try. */
export class TransientError extends ExportError {
  override readonly name: string = 'TransientError';
  /** Retry-After of the answer, milliseconds from now; null if there is none. */
  readonly retryAfterMs: number | null;
  /** The cause in a few words, for progress: 'connection refused'. */
  readonly brief: string;
  constructor(
    code: string,
    message: string,
    hint: string,
    options: { retryAfterMs?: number | null; brief?: string; cause?: unknown } = {},
  ) {
    super(code, message, hint, options);
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.brief = options.brief ?? message;
  }
}

/** The answer does not follow the protocol. Retried a few times. Exit 1. */
export class ProtocolError extends ExportError {
  override readonly name: string = 'ProtocolError';
}

/** A stored object cannot be parsed or does not match its hash. It is not overwritten. Exit 5. */
export class CorruptError extends ExportError {
  override readonly name: string = 'CorruptError';
  /** The object's key, relative to the store's root. */
  readonly key: string;
  constructor(key: string, message: string, hint: string, options?: { cause?: unknown }) {
    super('CORRUPT', `${key}: ${message}`, hint, options);
    this.key = key;
  }
}

/** Working state that another version of cgs-export wrote. Nothing is damaged. */
export class OtherVersionError extends CorruptError {}

/**
 * An object that names a greater version than this program reads: a newer program wrote it, or another program altered it. Nothing
 * of it is proven, so it is CORRUPT all the same.
 */
export class NewerVersionError extends OtherVersionError {}

/** Working state that was stored with another signing key, as after a change of the key. Nothing is damaged. */
export class OtherKeyError extends OtherVersionError {}

/**
 * As CorruptError, but the export continues: earlier evidence was damaged, and the new snapshot is sealed all the same; or
 * working state was damaged, and was set aside and started again.
 */
export class EvidenceError extends CorruptError {}

/**
 * An operation of the store failed. `DISK_FULL`, `HEADERS_TOO_LARGE`: exit 1. `STORE_FAILED`: exit 4. `STORE_DENIED`,
 * `STORE_UNUSABLE`, and the codes of a connection that needs a person (network-fault.ts): exit 3.
 */
export class StoreError extends ExportError {
  override readonly name: string = 'StoreError';
}

/** The place of one object has something else: a link, a pipe, a device, or a file that is too large. `STORE_UNUSABLE`, exit 3. */
export class UnusableObjectError extends StoreError {
  override readonly name: string = 'UnusableObjectError';
  /** Relative to the store's root. */
  readonly key: string;
  constructor(key: string, { code, message, hint }: StoreError) {
    super(code, message, hint);
    this.key = key;
  }
}

/**
 * A temporary file of this host cannot be used, or another program changed it. Nothing is wrong with the store. `DISK_FULL`:
 * exit 1. `TEMP_UNUSABLE`: exit 3, a person must act. `TEMP_FAILED`: exit 4.
 */
export class ScratchError extends ExportError {
  override readonly name: string = 'ScratchError';
}

/** A snapshot is sealed, but its completeness cannot be shown. Exit 6. */
export class DriftedError extends ExportError {
  override readonly name: string = 'DriftedError';
}

/** Slots have passed without a snapshot of some targets. It fails nothing: the exporter continues. */
export class MissedSlotError extends ExportError {
  override readonly name: string = 'MissedSlotError';
}

/** Stopped on purpose, by a signal, a deadline or a lost lease, at a point where the run can be resumed. Exit 4. */
export class StoppedError extends ExportError {
  override readonly name: string = 'StoppedError';
}
