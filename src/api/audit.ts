import { hash } from 'node:crypto';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Ports } from '../contracts/ports.ts';
import { NAME_PATTERN } from '../contracts/units.ts';
import type { Intake } from '../intake/sequencer.ts';
import type { Caller } from './guard.ts';

/** A request to steer something, before it is carried out. */
export interface ControlRequest {
  readonly caller: Caller;
  readonly address: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: Buffer;
  /** The header `Waybill-Reason`. */
  readonly reason: string | undefined;
}

/** The largest body of a control request, and the largest that stands in the entry as it is. */
export const CONTROL_BODY_BYTES = 65_536;
const SHOWN_BODY_BYTES = 4_096;
const PATH_CHARS = 512;
const REASON_CHARS = 512;
/** Operators must be able to act when the ledger cannot take anything, so they do not wait for it for ever. */
const WAIT_MS = 5_000;

/** Writes what operators ask for into the ledger. */
export interface Audit {
  /**
   * Resolves once the request is a durable entry `operator.request`. When the ledger cannot take it, the log says so and it goes on.
   * Throws `REQUEST_INVALID` for a reason that cannot be read.
   */
  record(request: ControlRequest): Promise<void>;
}

/** Makes the audit. */
export function createAudit(intake: Pick<Intake, 'control'>, ports: Pick<Ports, 'clock' | 'log'>): Audit {
  return {
    async record(request) {
      const facts = factsOf(request);
      const waited = new AbortController();
      const late = ports.clock.sleep(WAIT_MS, waited.signal).then(
        () => 'the ledger did not take it in time',
        () => null,
      );
      const written = intake.control('operator.request', facts).then(
        () => null,
        (error: unknown) => (isWaybillError(error) ? `${error.code}: ${error.message}` : String(error)),
      );
      const failure = await Promise.race([written, late]);
      waited.abort();
      if (failure === null) return;
      const { by, address, method, path, reason = null } = facts;
      ports.log.error('a control request is not in the ledger; it is carried out all the same', {
        by,
        address,
        method,
        path,
        reason,
        failure,
      });
    },
  };
}

function factsOf({ caller, address, method, path, query, body, reason }: ControlRequest) {
  const destination = /^\/v1\/(?:destinations|quarantine)\/([^/]+)/.exec(path)?.[1];
  return {
    by: caller.name ?? '',
    address,
    method,
    path: path.slice(0, PATH_CHARS),
    ...(query === '' ? {} : { query: query.slice(0, PATH_CHARS) }),
    // By this name a destination knows the control entries that are about itself.
    ...(destination !== undefined && NAME_PATTERN.test(destination) ? { destination } : {}),
    ...(reason === undefined ? {} : { reason: reasonOf(reason) }),
    ...bodyOf(body),
  };
}

/** The reason as text: what is not ASCII comes percent-encoded, because a header cannot carry it. */
export function reasonOf(header: string): string {
  let text: string;
  try {
    text = decodeURIComponent(header);
  } catch {
    // A lone percent sign is meant as one.
    text = header;
  }
  if (text.length <= REASON_CHARS && text.isWellFormed() && !/\p{Cc}/u.test(text)) return text;
  throw new WaybillError('REQUEST_INVALID', `Waybill-Reason is longer than ${REASON_CHARS} characters, or has control characters`);
}

function bodyOf(body: Buffer): { readonly body?: unknown } {
  const text = body.toString().trim();
  if (text === '') return {};
  try {
    const value = body.length <= SHOWN_BODY_BYTES ? (JSON.parse(text) as unknown) : null;
    if (isFlat(value)) return { body: value };
  } catch {
    // The handler refuses it; what was sent is still told apart by its digest.
  }
  return { body: { bytes: body.length, sha256: hash('sha256', body) } };
}

/** What control requests say is an object of plain values. Anything else is not worth a place in the ledger. */
function isFlat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((item) => typeof item !== 'object' || item === null);
}
