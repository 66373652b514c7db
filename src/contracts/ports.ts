/**
 * Everything outside the process that differs from run to run. Only `src/runtime` implements it for real;
 * the simulation implements it with a virtual clock, disk and network.
 */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly files: Files;
  readonly http: Http;
  readonly output: Output;
  readonly background: Background;
  readonly log: Log;
}

/** Time. */
export interface Clock {
  /** The wall clock in milliseconds since 1970. It may jump either way. */
  now(): number;
  /** Milliseconds that only ever increase, from an arbitrary start. */
  monotonic(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Chance. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** Unpredictable bytes. */
  bytes(count: number): Uint8Array;
}

/** Files and directories. Failures are `WaybillError`: `DISK_FULL` when there is no space, `DISK_FAILED` otherwise. */
export interface Disk {
  /** Opens a file for reading and writing; `create` makes it when it is not there, `read` never does. */
  open(path: string, mode: 'create' | 'existing' | 'read'): Promise<DiskFile>;
  /** The names in a directory, sorted; empty when it does not exist. */
  list(directory: string): Promise<readonly string[]>;
  /** The length of a file in bytes, or `null` when it is not there. */
  length(path: string): Promise<number | null>;
  /** Makes a directory and those above it where they are not there, durably. */
  makeDirectory(path: string): Promise<void>;
  /** Replaces `to` if it exists. Durable only after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes names that were created, renamed or removed in this directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes that can still be written on the file system of `path`. */
  available(path: string): Promise<number>;
  /** Takes a lock that the kernel frees when this process ends. Rejects with `LEDGER_LOCKED` while another holds it. */
  lock(path: string): Promise<{ release(): Promise<void> }>;
}

/** An open file. Calls of one file take effect in the order in which they are made. */
export interface DiskFile {
  length(): Promise<number>;
  /** Reads up to `length` bytes from `at`; fewer only at the end of the file. */
  read(at: number, length: number): Promise<Uint8Array>;
  /** The same into a buffer, blocking: for small look-ups that are nearly always in memory. Returns how many bytes were read. */
  readNow(into: Uint8Array, at: number): number;
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Resolves once everything written to this file, and its length, survives a power cut. */
  sync(): Promise<void>;
  /** `write` and `sync` in one trip. `bytes` must not change before it resolves. */
  commit(bytes: Uint8Array, at: number): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Files that belong to other programs: they are looked at and never changed, and may be renamed, cut or removed at any moment.
 * Failures are `DISK_FAILED`, with the name of the operating system's error in the fact `errno`.
 */
export interface Files {
  /** The names in a directory, sorted; `null` when it does not exist. */
  list(directory: string): Promise<readonly string[] | null>;
  /** What is at a path, through symbolic links; `null` when there is nothing. */
  stat(path: string): Promise<FileFacts | null>;
  /** Opens a file for reading; `null` when there is nothing at the path. */
  open(path: string): Promise<ForeignFile | null>;
}

/** What the file system says about a file. */
export interface FileFacts {
  /** The device and the inode: two paths with the same ones are one file. Both are used again after a file was removed. */
  readonly device: string;
  readonly inode: string;
  readonly bytes: number;
  /** When the content last changed, in milliseconds since 1970 as the file system counts them. */
  readonly modifiedMs: number;
  /** Whether it is a regular file. */
  readonly regular: boolean;
}

/** A file of another program that is open: it stays the same file, whatever becomes of its name. */
export interface ForeignFile {
  stat(): Promise<FileFacts>;
  /** Reads up to `length` bytes from `at`; fewer only at the end of the file. */
  read(at: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A request to another host. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'HEAD' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Only to an address of the public internet, whatever the name resolves to at the moment of connecting. */
  readonly publicOnly?: boolean;
  /** How many bytes of the answer's body are kept. Absent: 64 KiB. */
  readonly answerBytesMax?: number;
  /** For https. Absent: what the machine trusts, and no certificate of our own. */
  readonly tls?: TlsIdentity | undefined;
}

/** Whom a TLS connection trusts, and who we are on it. Texts in PEM; one object for as long as they are the same. */
export interface TlsIdentity {
  /** Certificates that are trusted instead of those of the machine. */
  readonly ca?: string | undefined;
  /** Our own certificate with those above it, and its private key: both or neither. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Where a connection would go, and what was found there. */
export interface Reached {
  /** The address that the name resolved to, without the port. */
  readonly address: string;
  /** The version of TLS that was agreed on, such as `TLSv1.3`; `null` for plain HTTP. */
  readonly tls: string | null;
}

/** An answer. Header names are in lower case; the body is cut at the length that the request allows. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Outgoing HTTP. Redirects are never followed. */
export interface Http {
  /**
   * Sends one request. Rejects with `SINK_UNREACHABLE` when certainly nothing was sent, and with `SINK_ANSWER_LOST`
   * when the request may have arrived, which includes the end of the signal. Rejects with `SINK_ADDRESS_PRIVATE` when `publicOnly`
   * forbids every address of the name; nothing was sent then.
   */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
  /** Connects as `send` would, TLS included, and sends nothing. Rejects like `send`, and never with `SINK_ANSWER_LOST`. */
  reach(target: Pick<HttpRequest, 'url' | 'publicOnly' | 'tls'>, signal: AbortSignal): Promise<Reached>;
}

/** Standard output, which belongs to the destination that writes there. */
export interface Output {
  /**
   * Resolves once the operating system has taken all of it, which may be long when the reader is slow. Rejects with `OUTPUT_CLOSED` when
   * nobody reads any more. Writes take effect in the order in which they are made.
   */
  write(bytes: Uint8Array): Promise<void>;
}

/** Work that would hold up the main thread, run on another one. A job is named, so that nothing but data crosses over. */
export interface Background {
  /** Shared memory in the input is seen by both sides; everything else is copied. */
  run(job: string, input: unknown): Promise<unknown>;
}

/** Log lines for operators. Facts never hold a secret or an event's content. */
export interface Log {
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
}

/** What a log line says beside its message. */
export type LogFacts = Readonly<Record<string, string | number | boolean | null>>;
