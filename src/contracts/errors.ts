import { type CodeFacts, DELIVERY_CODES, type Remedy } from './delivery-errors.ts';
import { HEAD_CODES } from './head-errors.ts';
import { WITNESS_CODES } from './witness-errors.ts';

/** Every error that can happen in a correct program. `docs/errors.md` is made from this table. */
export const ERROR_CODES = {
  CONFIG_INVALID: {
    remedy: 'halt',
    means: 'The configuration file has a mistake at the place that the message names.',
    action: 'Correct that line and run `waybill check` again.',
  },
  CONFIG_MISSING: {
    remedy: 'halt',
    means: 'There is no configuration file at this path.',
    action: 'Run `waybill init` to write a starter file, or name yours with `-c FILE`.',
  },
  RELOAD_REFUSED: {
    remedy: 'halt',
    means: 'The changed configuration asks for something that cannot change while the process runs. Nothing was changed.',
    action: 'Do what the message says for each key, or put the old value back, then run `waybill reload` again.',
  },
  RELOAD_FAILED: {
    remedy: 'halt',
    means: 'A part of the changed configuration could not be started, so everything is as it was before.',
    action: 'Correct what the message names, then run `waybill reload` again; `waybill check --connect` finds most of it beforehand.',
  },
  LEDGER_MISSING: {
    remedy: 'halt',
    means: 'The directory named by `ledger.path` holds no ledger.',
    action: 'Run `waybill init` to create it. If there was one, restore the directory first: a new ledger would begin at index 0.',
  },
  LEDGER_EXISTS: {
    remedy: 'halt',
    means: 'The directory named by `ledger.path` already holds a ledger.',
    action: 'Nothing was changed. Use it with `waybill run`, name another path, or move it away first.',
  },
  LEDGER_LOCKED: {
    remedy: 'halt',
    means: 'Another process has this ledger open.',
    action: 'Stop the other process, or give this one a ledger of its own.',
  },
  LEDGER_CORRUPT: {
    remedy: 'halt',
    means: 'Bytes changed after the ledger had promised them.',
    action:
      'Nothing was repaired or removed. Restore the file that the message names from a copy, or the whole ledger with `waybill restore`, ' +
      'then start again.',
  },
  LEDGER_FENCED: {
    remedy: 'halt',
    means: 'Another writer has appended to this ledger.',
    action: 'Make sure that one process only uses it, then start again.',
  },
  LEDGER_FULL: {
    remedy: 'retry',
    means: 'The ledger has reached `ledger.limit`, or its disk is full. Nothing was accepted and nothing was lost.',
    action:
      'Free space, raise `ledger.limit` or set `ledger.retain`; senders are answered with 503 and go on by themselves. ' +
      '`waybill status` says what holds old entries.',
  },
  LEDGER_FAILED: {
    remedy: 'halt',
    means: 'A write or a flush of the ledger failed, so nothing more is accepted.',
    action: 'Check the disk, then start again: what was acknowledged is kept.',
  },
  ENTRY_UNKNOWN: {
    remedy: 'halt',
    means: 'The ledger has no entry at this index yet.',
    action: 'Ask for an index below the size that `waybill status` shows.',
  },
  NOT_PUBLISHED: {
    remedy: 'retry',
    means: 'The entry is durable, and no signed head that was published covers it yet.',
    action: 'Ask again in a second. If that goes on, `waybill status` shows the newest head and what holds the next one back.',
  },
  LEDGER_PRUNED: {
    remedy: 'halt',
    means: 'Entries below the oldest retained index were asked for.',
    action: 'Begin at the oldest retained index, which `waybill status` shows.',
  },
  LEDGER_REWOUND: {
    remedy: 'halt',
    means: 'Entries that were in this ledger are gone: something that came from it knows more of them than it has now.',
    action:
      'Nothing was changed, and nothing is accepted. The ledger is an older copy, or its end was cut off. Move it away, and rebuild it ' +
      'from what has more: `waybill restore --from DEST|EXPORT`. Only when the lost entries are nowhere any more, go on under another ' +
      'name: `waybill restore --from OLD_DIRECTORY --continue-as-new`.',
  },
  EXPORT_FOREIGN: {
    remedy: 'halt',
    means: 'The directory holds something else than an export of this log.',
    action: 'Nothing was changed. Name an empty directory, or one that `waybill export` of this log has written.',
  },
  EXPORT_LOCKED: {
    remedy: 'halt',
    means: 'Another process writes into this export.',
    action: 'Nothing was changed. Wait for the other process, or name a directory of its own.',
  },
  EXPORT_DAMAGED: {
    remedy: 'halt',
    means: 'Files of an export are missing, or are not what its signed checkpoint says.',
    action: 'Keep the directory as evidence, export into an empty one, and compare both with `waybill verify export`.',
  },
  EXPORT_MISMATCH: {
    remedy: 'halt',
    means: 'The log gave something that does not fit its own signed head, or not what it gave at an earlier export.',
    action:
      'The checkpoint of the export was not replaced. Keep the directory as evidence, check the ledger with `waybill verify ledger`, and ' +
      'export into an empty directory.',
  },
  EXPORT_GAP: {
    remedy: 'halt',
    means: 'Entries between the end of the export and the oldest one that the ledger still has were removed by retention.',
    action: 'Nothing was changed. Keep this export for the entries before, and export into an empty directory.',
  },
  RESTORE_INCOMPLETE: {
    remedy: 'halt',
    means: 'What a ledger should be rebuilt from does not have all of its entries.',
    action: 'Nothing was made. Take a destination that has them all: from the beginning, control entries too, with nothing set aside.',
  },
  RESTORE_INVALID: {
    remedy: 'halt',
    means: 'What a ledger should be rebuilt from holds something that no ledger wrote in this place.',
    action: 'Nothing was made. Take another destination, or an unchanged copy of this one.',
  },
  RESTORE_MISMATCH: {
    remedy: 'halt',
    means: 'The entries do not add up to the head of the tree that is known.',
    action:
      'Nothing was made: an entry was changed, or the head belongs to another ledger. Take another copy, and keep this one as evidence.',
  },
  LEDGER_ORIGIN: {
    remedy: 'halt',
    means: 'The directory named by `ledger.path` holds the ledger of another origin.',
    action: 'Nothing was changed. Correct `ledger.origin` or `ledger.path`, then start again.',
  },
  LEDGER_FORMAT: {
    remedy: 'halt',
    means: 'The ledger has a format that this version does not read.',
    action: 'Nothing was changed. Start with the version that wrote it, or a newer one.',
  },
  IDENTITIES_REBUILDING: {
    remedy: 'retry',
    means: 'The index of identities was damaged, so it is being made anew from the ledger. Nothing was accepted and nothing was lost.',
    action: 'Nothing to do: senders are answered with 503 and go on by themselves once it is complete, which the log says.',
  },
  REGISTER_CONFLICT: {
    remedy: 'halt',
    means: 'A small fact beside the ledger changed at the same time from another place.',
    action: 'Make sure that one process only uses this ledger, then start again.',
  },
  DISK_FULL: {
    remedy: 'retry',
    means: 'There is no space left on the file system.',
    action: 'Free space; the work goes on by itself.',
  },
  DISK_FAILED: {
    remedy: 'halt',
    means: 'The operating system refused a file operation.',
    action: 'Check the path, its permissions and its disk, then run `waybill retry DEST` or `waybill retry --source NAME`, or start again.',
  },
  JOURNAL_INVALID: {
    remedy: 'halt',
    means: 'The delivery journal holds a record that this version cannot read.',
    action:
      'Start with the version that wrote it, or a newer one. Or give its place up: take the destination out, reload, run ' +
      '`waybill destination forget NAME`, and put it back with the `start` that suits.',
  },
  ...HEAD_CODES,
  ...WITNESS_CODES,
  ...DELIVERY_CODES,
  SOURCE_UNKNOWN: {
    remedy: 'halt',
    means: 'No source of this name takes events this way.',
    action: 'Name a source that the configuration has, or add it there and run `waybill reload`.',
  },
  SOURCE_BROKEN: {
    remedy: 'halt',
    means: 'A source named a place that the ledger cannot keep: a position or a partition that is too long, or too many partitions.',
    action: 'Nothing of that batch was accepted. Correct what the source reads, then run `waybill retry --source NAME`.',
  },
  REFUSED_FULL: {
    remedy: 'halt',
    means: 'The bytes kept of refused events have reached their limit, so the source was stopped before an event could be lost.',
    action:
      'Look with `waybill refused list`, make room with `waybill refused retry` or `discard`, then run `waybill retry --source NAME`.',
  },
  REFUSED_UNKNOWN: {
    remedy: 'reject',
    means: 'No refused event has this SHA-256: it was taken in again or discarded, or never kept.',
    action: 'Use one that `waybill refused list` shows.',
  },
  SOURCE_FAILED: {
    remedy: 'halt',
    means: 'The source failed in a way that it has no word for. Nothing was lost: it resumes from its position.',
    action: 'Report the message as a fault of the source, then run `waybill retry --source NAME`.',
  },
  LISTEN_UNSAFE: {
    remedy: 'halt',
    means: 'The API would be reachable from other machines without a token, or with tokens that anybody on the network can read.',
    action: 'Add a token under `api.tokens` and `tls` to the listener, or listen on 127.0.0.1.',
  },
  TLS_INVALID: {
    remedy: 'halt',
    means: 'A certificate, its key or the authority of clients cannot be used. A process that runs goes on with those that it has.',
    action: 'Correct the file that the message names; it is read again within half a minute, or at once with `waybill check`.',
  },
  LISTEN_FAILED: {
    remedy: 'halt',
    means: 'The address of the API could not be opened.',
    action: 'Free the address or choose another with `api.listen`, then start again.',
  },
  TELEMETRY_MISSING: {
    remedy: 'halt',
    means: 'Traces are configured, and the packages that send them are not installed: they are optional.',
    action:
      'Install `@opentelemetry/sdk-trace`, `@opentelemetry/exporter-trace-otlp-http` and `@opentelemetry/resources` beside Waybill, ' +
      'or take `telemetry.traces` out of the configuration.',
  },
  NOT_RUNNING: {
    remedy: 'retry',
    means: 'No running process answered at the address that the configuration names.',
    action: 'Start it with `waybill run`, or name its configuration with `-c FILE`.',
  },
  ANSWER_LATE: {
    remedy: 'retry',
    means: 'The running process took a command and has not answered in time. It may still do what it was asked for.',
    action: 'Look at `waybill status`; the command can be given again.',
  },
  API_UNEXPECTED: {
    remedy: 'halt',
    means: 'The running process answered a command in a way that the command does not know.',
    action: 'Check that both are of the same version, and that `api.listen` is the address of this process and of no other program.',
  },
  REQUEST_INVALID: {
    remedy: 'reject',
    means: 'A parameter or a header of the request is unknown or malformed.',
    action: 'Correct what the message names.',
  },
  BODY_UNREADABLE: {
    remedy: 'reject',
    means: 'The body of the request could not be read as the type that it declares. Nothing was accepted.',
    action: 'Correct the body at the place that the message names.',
  },
  BODY_TOO_LARGE: {
    remedy: 'reject',
    means: 'The request has more bytes or more events than one request may. Nothing was accepted.',
    action: 'Send the events in smaller requests.',
  },
  CONTENT_TYPE_UNSUPPORTED: {
    remedy: 'reject',
    means: 'The body of the request has a type or an encoding that this path does not take.',
    action: 'Use one that the message names.',
  },
  UNAUTHORIZED: {
    remedy: 'halt',
    means: 'The request carries no token, or one that is not configured.',
    action: 'Send a token of `api.tokens` in the header `Authorization: Bearer TOKEN`.',
  },
  FORBIDDEN: {
    remedy: 'halt',
    means: 'The token does not allow this request; without tokens only sending and reading are allowed.',
    action: 'Use a token whose role and sources allow it.',
  },
  ORIGIN_FOREIGN: {
    remedy: 'halt',
    means: 'A web page of another site tried to change something here.',
    action: 'Send the request from a program, or from a page of this server.',
  },
  HOST_UNKNOWN: {
    remedy: 'halt',
    means: 'The request was sent to a name that this server does not know as its own.',
    action: 'Use a loopback name, or add the name to `api.hosts`.',
  },
  PATH_UNKNOWN: {
    remedy: 'reject',
    means: 'There is nothing at this path.',
    action: 'Look the path up in the documentation.',
  },
  METHOD_UNSUPPORTED: {
    remedy: 'reject',
    means: 'The path does not take this method.',
    action: 'Use a method that the `Allow` header of the answer names.',
  },
  DESTINATION_UNKNOWN: {
    remedy: 'reject',
    means: 'No destination has this name.',
    action: 'Use a name that `waybill status` shows.',
  },
  EVENTS_INVALID: {
    remedy: 'reject',
    means: 'Events of the request cannot be accepted. Nothing of it was accepted.',
    action: 'Correct the events that `rejected` lists, or send with `?partial=true` to have the others accepted.',
  },
  EVENTS_CONFLICT: {
    remedy: 'reject',
    means: 'Identities of the request are taken by other events. Nothing of it was accepted.',
    action: 'Give the events that `rejected` lists identities of their own, if they are not the same events changed.',
  },
  RATE_LIMITED: {
    remedy: 'retry',
    means: 'The source or the token has sent more than its configured rate. Nothing of the request was accepted.',
    action: 'Wait as long as `Retry-After` says and send the same request again.',
  },
  AUTH_THROTTLED: {
    remedy: 'retry',
    means: 'So many wrong tokens came from this address that its tokens are not looked at for a while.',
    action: 'Correct the token of whoever sends from this address, and wait as long as `Retry-After` says.',
  },
  OVERLOADED: {
    remedy: 'retry',
    means: 'The server holds as many bytes of unfinished requests as it may. Nothing of the request was accepted.',
    action: 'Wait as long as `Retry-After` says and send the same request again.',
  },
  STOPPING: {
    remedy: 'retry',
    means: 'The server is being stopped. Nothing of the request was accepted.',
    action: 'Send the same request again once it is back.',
  },
  INTERNAL: {
    remedy: 'halt',
    means: 'The request met a mistake in Waybill. Whether anything was accepted is unknown.',
    action: 'Send the same request again: what was accepted is answered as a duplicate. Please report the log line of this moment.',
  },
} as const satisfies Record<string, CodeFacts>;

/** One of the codes in the table. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What an error may carry beside its message. */
export interface ErrorDetails {
  readonly cause?: unknown;
  /** How long the other side asked us to wait. */
  readonly retryAfterMs?: number;
  /** Which records of the batch were refused, by their place in it, when the destination said so. */
  readonly refused?: readonly number[];
  readonly facts?: Readonly<Record<string, string | number>>;
}

/**
 * An error that can happen in a correct program. Its message names the thing and the value, and never holds a secret or an event's
 * content.
 */
export class WaybillError extends Error {
  override readonly name = 'WaybillError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
  }

  /** What delivery does next. */
  get remedy(): Remedy {
    return ERROR_CODES[this.code].remedy;
  }

  /** True when the other side may have taken it although no answer came. */
  get unknown(): boolean {
    const facts: CodeFacts = ERROR_CODES[this.code];
    return facts.unknown === true;
  }

  /** What the person who meets this error does. */
  get action(): string {
    return ERROR_CODES[this.code].action;
  }
}

/** Recognises an error of this project by its code, also when it comes from another copy of this module. */
export function isWaybillError(error: unknown): error is WaybillError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code in ERROR_CODES && 'details' in error;
}
