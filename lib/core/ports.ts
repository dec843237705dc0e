// Responsible for the interfaces between the core and the outside: clock, store, API, formats, log, process.
// The implementations are in lib/platform, lib/store, lib/api, lib/datasets and lib/formats.

import type { ExportError } from './errors.ts';

export interface Clock {
  /** Wall clock of this host, milliseconds since 1970-01-01T00:00:00Z. It can step in both directions. */
  nowMs(): number;
  /**
   * Milliseconds since the host started, the same for all its processes; never steps. It can stop while the host is
   * suspended. Where Host.boot is null, the time counts from any other point.
   */
  monotonicMs(): number;
  /** Resolves after at least `delayMs`. Rejects with the signal's reason at once when the signal aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface StoredObject {
  /** Relative to the store's root, with `/` between its parts. */
  key: string;
  bytes: number;
  /** When it was last written, by the store's clock; milliseconds since the epoch. */
  modifiedMs: number;
}

/**
 * What `put` checks before it resolves. At every level the store rejects bytes that were damaged on the way.
 * - `confirmed`: another request finds the object with its full size. For data that must last: parts and manifests.
 * - `checksummed`: the answer to the write has the MD5 of what was stored; if it has not, as `confirmed`. For small
 *   objects that later work depends on: segments (objects of several pages) and the pointers `_head` and `_latest`.
 * - `acknowledged`: the store reports success. For working state that no other object refers to: the quota ledger, the
 *   lease, the schedule, checkpoints and seal records.
 * A store that always writes to its own disk before it resolves may treat all levels alike.
 */
export type Durability = 'confirmed' | 'checksummed' | 'acknowledged';

export interface PutOptions {
  /** Default: `confirmed`. */
  durability?: Durability;
  /**
   * True: no other call ever writes this key, so the object's time stamp is the time of this call.
   * A store with a clock of its own can then learn its time from the next list.
   */
  isWrittenOnce?: boolean;
}

/** A file on this host whose content is known. */
export interface LocalFile {
  path: string;
  bytes: number;
  /** Bare lower-case hex. */
  sha256: string;
  /** 16 bytes. */
  md5: Uint8Array;
}

/** The clock that stamps the files of a store. */
export interface FileClock {
  /** `server`: a file server's, which all hosts of the store share. `host`: this host's, as far as is known. */
  kind: 'server' | 'host';
  /** Its time at the moment of the answer or a little earlier, milliseconds since the epoch. */
  nowMs: number;
}

/** Called with the key of a folder that may not be listed, and why. One folder can be reported more than once. */
export type OnRefused = (key: string, error: ExportError) => void;

/** What is in the folder of a store but cannot be an object. */
export interface IrregularEntry {
  /** Of a `name`: with `\xff` in place of each byte that is not part of UTF-8 text, so no object has it. */
  key: string;
  /** `special`: a link, a pipe, a socket or a device. `name`: its own name or that of a folder above it is not UTF-8. */
  kind: 'special' | 'name';
}

/** Whole objects by key. A read sees every earlier write. Of two writes at the same time, the last one wins. */
export interface Store {
  /** `file:/abs/dir` or `obs://bucket/prefix`, for messages. */
  readonly url: string;
  /** This long after the start of a `put`, competing writes of other clients have ended, milliseconds; 0: no need to wait. */
  readonly settleMs: number;
  /** The store's own clock, which all its users share; milliseconds since the epoch. Never ahead of that clock. */
  nowMs(): number;
  /** Only defined on a file system, whose clock can step: asks for its time by a write. From then on nowMs() follows it. */
  readClock?(): Promise<FileClock>;
  /** How far `nowMs()` may be behind the store's own clock now, milliseconds. Not defined: not behind. */
  doubtMs?(): number;
  /** Atomic: a reader sees either the old bytes or the new bytes. */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void>;
  /**
   * As `put`, with the bytes of a file, which is never in memory as a whole. The file stays where it is. Throws ScratchError
   * before the object becomes visible if the file cannot be read or no longer has these bytes.
   */
  putFile(key: string, file: LocalFile, options?: PutOptions): Promise<void>;
  /** Creates the object, or returns false if the key exists. Only defined if the store guarantees one winner. */
  putIfAbsent?(key: string, bytes: Uint8Array): Promise<boolean>;
  /** Null if the object does not exist. Throws UnusableObjectError for a link, a pipe or a device in its place. */
  get(key: string): Promise<Uint8Array | null>;
  /**
   * As `get`, but in chunks of at most 8 MiB, for objects that are too large for the memory. All chunks are of one version of
   * the object: if it is replaced or ends early, the iteration throws StoreError. An object of more than 8 MiB can be damaged
   * on the way: the caller checks its hash. The caller must start the iteration and end it, also with `break`: until then a
   * file may be open. It can iterate once. The memory of a chunk is used again for the next one.
   */
  read(key: string): Promise<AsyncIterable<Uint8Array> | null>;
  /**
   * Every object whose key starts with `prefix`, in ascending order of the keys' UTF-8 bytes. Throws StoreError if a folder may
   * not be listed. With `onRefused` it is called for each such folder below the root instead, and the rest is listed.
   */
  list(prefix: string, onRefused?: OnRefused): Promise<StoredObject[]>;
  /**
   * Only defined on a file system: what is in the store's folder but cannot be an object. It is never followed or opened. `list`
   * does not return it, but other programs may read it. `onRefused` as for `list`.
   */
  listIrregular?(onRefused?: OnRefused): Promise<IrregularEntry[]>;
  /** Does nothing if the object does not exist. */
  delete(key: string): Promise<void>;
}

/**
 * Temporary files of this process, in a folder of this host. Nothing is created before the first `open`. All files are gone
 * when the process ends; those of a process that was killed are removed by a later one. A file that cannot be made is in
 * memory, which has room for a few.
 */
export interface Scratch {
  /** A new file without bytes. The methods of the file but `remove` throw ScratchError. */
  open(): Promise<ScratchFile>;
}

export interface ScratchFile {
  /** Null: the bytes are in memory. */
  readonly path: string | null;
  /** How many bytes were appended. */
  readonly bytes: number;
  /** The caller awaits it before the next call of `append` or `finish`. It may then reuse the buffer. */
  append(bytes: Uint8Array): Promise<Appended>;
  /**
   * The bytes of one `append`, or of several in a row with the hash of all. Throws ScratchError `TEMP_FAILED` if the file has
   * other bytes now. The caller does not change them.
   */
  read(appended: Appended): Promise<Uint8Array>;
  /** No bytes follow. From now on the file at `path` has all bytes. Reading stays possible. */
  finish(): Promise<void>;
  /** Closes and deletes the file. Never throws, and may be called again. */
  remove(): Promise<void>;
}

/** The bytes of one `append`. */
export interface Appended {
  /** The offset of the first of them. */
  at: number;
  length: number;
  /** Bare lower-case hex. */
  sha256: string;
}

/** How a request that used quota ended. */
export interface Sent {
  /** Monotonic time at which the request was sent. If that is not known: the latest possible time. */
  atMonotonicMs: number;
  error: ExportError | null;
}

/** Given to a source by its caller: the source asks it before each request, and reports to it how the request ended. */
export interface RequestGate {
  /** Resolves true when one request may leave now; false when the quota or the time left allows none. */
  admit(): Promise<boolean>;
  /** Called once after every admitted request, answered or not, before the next `admit`. */
  sent(outcome: Sent): Promise<void>;
  /** True if the source may wait for `delayMs` before the next try. */
  mayWait(delayMs: number): boolean;
  /** Called when the source waits before another try. `cause`: in a few words, why the last one failed. */
  retrying?(retry: { nextTry: number; triesMax: number; delayMs: number; cause: string }): void;
  /** Milliseconds left for one request. The source's own time-out applies as well. */
  timeLeftMs(): number;
  /** Aborted when the source must stop. */
  readonly signal: AbortSignal;
}

/** One page of a list. `records` may hold any JSON value. */
export interface PageBody {
  /** How many records the list has, by the API's own statement. */
  totalNum: number;
  records: readonly unknown[];
}

export interface FetchedPage {
  /** The response body, unchanged. */
  body: string;
  /** The body as Dataset.parsePage reads it. */
  page: PageBody;
  /** Wall clock when the body was complete. */
  fetchedAtMs: number;
}

/** One target's list at the API. */
export interface Source {
  /**
   * Requests one page, and retries as far as `gate` allows. `paused`: `gate` admits no further request now.
   * Throws AuthError and ConnectionError; after the last try ProtocolError, TransientError or RateLimitedError.
   */
  fetchPage(
    request: { offset: number; limit: number },
    gate: RequestGate,
  ): Promise<FetchedPage | 'paused'>;
}

export type ColumnType = 'string' | 'boolean' | 'int32' | 'int64' | 'timestamp';
export interface Column {
  name: string;
  type: ColumnType;
  /** True: never null. */
  required?: boolean;
}
/** A timestamp is milliseconds since the epoch, UTC. An int64 is the text of its decimal digits: a double cannot hold all of them. */
export type Cell = string | number | boolean | null;
/** One cell per column of the dataset, in its order. */
export type Row = readonly Cell[];

/** What all rows of one page have in common. */
export interface RowContext {
  snapshotAtMs: number;
  fetchedAtMs: number;
  /** Of the snapshot. */
  verdict: 'complete' | 'drifted';
  account: string;
  region: string;
  projectId: string;
}

/** Which part of a list is requested. */
export interface ListScope {
  /** `cgs`: the API of 2021. `hss`: its successor, with the same paths. */
  api: 'cgs' | 'hss';
  /** Null: not sent, and the service then lists the default enterprise project only. */
  enterpriseProjectId: string | null;
  /** By the names of the configuration; the values go to the API as text. */
  filters: Readonly<Record<string, string | boolean | undefined>>;
}

/** One kind of row: where its list is, how to read a page of it, and how a record becomes a row. Pure. */
export interface Dataset {
  /** Also the default name of its table. */
  readonly name: string;
  /** Plural, for the name of the API in messages: `container nodes`. */
  readonly noun: string;
  /** Plural, for counts: `nodes`, because the list can have hosts that are not container nodes. */
  readonly listed: string;
  /** What an identity needs to read the list, for hints. */
  readonly permission: string;
  /** The APIs that have this list. */
  readonly apis: readonly ListScope['api'][];
  readonly schemaVersion: number;
  /** Records requested per page: the most that the API returns. */
  readonly limit: number;
  /** The greatest offset that the API accepts. */
  readonly offsetMax: number;
  readonly columns: readonly Column[];
  /** The column that identifies a row and orders a snapshot. */
  readonly keyColumn: string;
  /** The column with all fields that have no column, and with known fields whose value has the wrong type, as one JSON object. */
  readonly extraColumn: string;
  /** The column with the name that people give to what a row is about. */
  readonly nameColumn: string;
  /** Columns with the states that people watch: a change shows each of them before and after. */
  readonly statusColumns: readonly string[];
  /** The column with the time since which the row is in the snapshots without a gap. normalize() leaves it null. */
  readonly firstSeenColumn: string;
  /** By status column: the column with the time since which the status has its value. normalize() leaves it null. */
  readonly sinceColumns: Readonly<Record<string, string>>;
  /** Columns that say nothing about what a row is about, such as when it was read. Two snapshots are compared without them. */
  readonly uncomparedColumns: readonly string[];
  /** The API's fields that have a column, by name. */
  readonly fields: ReadonlySet<string>;
  /** Columns whose values are counted in the manifest. */
  readonly countedColumns: readonly string[];
  /** Columns with a documented set of values. Other values are kept and counted as unknown. */
  readonly knownValues: Readonly<Record<string, readonly string[]>>;
  /** The path of the list, escaped, without a query. */
  path(projectId: string): string;
  /** The query without limit and offset; names and values unescaped. */
  query(scope: ListScope): Record<string, string>;
  /** A page from the body as parseExact returns it, or why it is not a page. That text quotes nothing of the body but numbers. */
  parsePage(body: unknown): PageBody | string;
  /** The key of a record, or null if it has none: such a record is a reject. */
  keyOf(record: unknown): string | null;
  /** The row of a record that has a key. Never throws. The caller may change the row. */
  normalize(record: Readonly<Record<string, unknown>>, context: RowContext): Cell[];
  /** Why a record without a key is a reject, for people. */
  rejectReason(record: unknown): string;
  /** The service's own count of the records, at another path. Absent: the service has none. */
  readonly ownCount?: OwnCount;
}

/** A count that the service makes independently of the list. It ignores the filters of the scope. Pure. */
export interface OwnCount {
  /** Escaped, without a query. */
  path(projectId: string): string;
  /** Names and values unescaped. */
  query(scope: ListScope): Record<string, string>;
  /** The number of records from the body as parseExact returns it; null if it is not such a count. */
  read(body: unknown): number | null;
}

/** What the bytes of an encoded object depend on, apart from its rows, and where they go. */
export interface EncodingOptions {
  readonly columns: readonly Column[];
  /** The column by which the rows ascend, in the order of its UTF-8 bytes. */
  readonly sortedBy: string;
  /** Names this program and its version in the object, if the format has a place for it. */
  readonly createdBy: string;
  /** What the rows are, for readers of the object, if the format has a place for it. Written in this order. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Takes the object's next bytes, at most one row group, and may keep them. It is called once at a time; an error from it
   * ends the encoding.
   */
  readonly sink: (bytes: Uint8Array) => Promise<void> | void;
}

/** Encodes the rows of one object. Await each call before the next one. After an error, drop the writer. */
export interface RowWriter {
  /**
   * Adds rows, any number of them. Throws ExportError `ROW_INVALID` for a cell that does not fit its column, before any byte of
   * its row group is written. Also throws the error of the sink.
   */
  write(rows: readonly Row[]): Promise<void>;
  /** Writes what is left. When it resolves, the sink has taken every byte. Throws as `write` does. */
  end(): Promise<void>;
}

/**
 * Encodes rows as the bytes of one object. These depend only on the options and on the sequence of rows, not on how `write`
 * divides it. Holds one row group of 10,000 rows in memory.
 */
export interface Encoder {
  readonly format: 'parquet' | 'ndjson';
  open(options: EncodingOptions): RowWriter;
}

/** Bytes of which parts can be read, in any order. */
export interface ByteSource {
  readonly bytes: number;
  /** From `start` to before `end`. */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** An encoded object that is being read. */
export interface RowReader {
  /** Those of the wanted columns that the object has, in the order in which they are wanted. */
  readonly columns: readonly Column[];
  /** All rows in stored order, one row group or less at a time. A row has one cell for each of `columns`. */
  readGroups(): AsyncIterable<readonly Row[]>;
}

/** Reads what the Encoder of the same format wrote. Holds one row group, or one line and the lines of one piece, in memory. */
export interface Decoder {
  readonly format: 'parquet' | 'ndjson';
  /**
   * Reads the columns `wanted`. Throws Error, here or while reading, if the bytes are not such an object, a column has another type,
   * or a row group is larger than the Encoder makes it; and what the source throws.
   */
  open(
    source: ByteSource,
    wanted: readonly Column[],
    expected?: ExpectedContent,
  ): Promise<RowReader>;
}

/** What another program cannot have written, if the object is what it should be. */
export interface ExpectedContent {
  /** All columns that the object may have: they are checked although they are not read. */
  known: readonly Column[];
  /** The most bytes that the texts of one row can have. */
  rowBytesMax: number;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
/** Writes one line: the message is for people, the fields are for programs. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** What tells processes apart, on this host and on others that use the same store. */
export interface Host {
  /** Identifies this process, unique across hosts and reboots. If `boot` is not null, `<boot>.` and three numbers with dots. */
  readonly identity: string;
  /** This process and its host, for people. */
  readonly name: string;
  /** Twelve hex digits that identify this boot of the host. Null: not known, and monotonic times of processes differ. */
  readonly boot: string | null;
  /** True only if `identity` was a process of this host that is certainly gone. */
  isGone(identity: string): boolean;
}

/** Environment variables by name, like `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** An access key. */
export interface KeyCredentials {
  kind: 'aksk';
  ak: string;
  sk: string;
  /** Only temporary access keys have one. */
  securityToken?: string;
}

/** Removes known secrets from texts. */
export interface Scrubber {
  /** Makes a secret known. Secrets of less than 4 characters are ignored: they would match parts of ordinary words. */
  add(secret: string): void;
  /** Replaces every known secret in the text, also where it is JSON-escaped, URI-encoded or in base64. */
  scrub(text: string): string;
}
