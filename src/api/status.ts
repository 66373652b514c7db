import { z } from 'zod';
import { WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';
import { inJson, type RouteAbout } from './about.ts';
import type { Answer } from './answer.ts';
import { json } from './answer.ts';
import type { Call } from './call.ts';
import { onlyKnown } from './call.ts';
import { statusShape } from './status-shape.ts';

/** What an operator sees of one destination. Whoever makes it may add more. */
export interface DestinationView {
  readonly state: string;
  readonly cursor: number;
  readonly lag: number;
  readonly error: { readonly code: string; readonly message: string; readonly action: string } | null;
  /** Since the ledger began (`entries`, `bytes`, `batches`, `repeats`) or since the start (`attempts`). */
  readonly counters?: Readonly<Record<string, number>>;
  /** How far its checkpoints have come. */
  readonly checkpoint?: {
    readonly size: number | null;
    readonly at: number | null;
    readonly fault: { readonly code: string } | null;
    readonly witnesses?: readonly { readonly name: string; readonly size: number | null; readonly failures: number }[];
  } | null;
  /** What is set aside. */
  readonly quarantine?: readonly { readonly from: number; readonly through: number }[];
}

/** What an operator sees of one source. Counts are since the start. */
export interface SourceView {
  readonly entries: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly conflicts: number;
  /** How it is read, where it is pulled. */
  readonly pulled?: { readonly state: string; readonly lagBytes: number | null };
  readonly type?: string;
}

/** What an operator sees of the ledger. */
export interface LedgerView {
  readonly origin: string;
  readonly size: number;
  readonly durable: number;
  readonly beginning?: number;
  readonly bytes?: { readonly used: number; readonly limit: number | null; readonly free: number | null };
  readonly days_left?: number | null;
  readonly damage?: string | null;
  readonly heads?: {
    readonly published: { readonly size: number; readonly at: string } | null;
    readonly fault: { readonly code: string } | null;
    readonly witnesses: readonly { readonly name: string; readonly size: number | null; readonly failures: number }[];
  };
  readonly retention?: { readonly held_by: { readonly kind: string; readonly name: string } | null };
}

/** What `GET /v1/status` answers. Whoever makes it may add more. */
export interface StatusView {
  readonly ledger: LedgerView;
  readonly sources: Readonly<Record<string, SourceView>>;
  readonly destinations: Readonly<Record<string, DestinationView>>;
  /** Bytes of events that could not become entries. */
  readonly refused_bytes?: number;
  /** How the last reload ended; absent where there is none to be had, `null` before the first. */
  readonly reload?: ReloadView | null;
  /** Added by the API itself. */
  readonly api?: { readonly listeners: readonly ListenerView[] };
}

/** How a reload ended. `at` is in RFC 3339. */
export interface ReloadView {
  readonly at: string;
  readonly ok: boolean;
  readonly error: { readonly code: string; readonly message: string; readonly action: string } | null;
}

/** What an operator sees of one listener. */
export interface ListenerView {
  readonly address: string;
  readonly serve: readonly string[];
  /** When its certificate ends; `null` without TLS. */
  readonly tls: { readonly expiresAt: string } | null;
}

/** About `GET /v1/status`. */
export const statusAbout: RouteAbout = {
  summary: 'The ledger, the sources and where every destination is',
  answer: inJson(statusShape),
};

/** About `GET /livez`. */
export const livezAbout: RouteAbout = {
  summary: 'Whether the process works, whatever its destinations do',
  details: 'Answers 503 and `{"live":false}` once the ledger has failed for good: only a restart helps then.',
  answer: inJson(z.object({ live: z.boolean().describe('Whether it works.') })),
};

/** About `GET /readyz`. */
export const readyzAbout: RouteAbout = {
  summary: 'Whether an event could be made durable now',
  details: 'Destinations never count. When it can not, the error says what stands against it.',
  answer: inJson(z.object({ ready: z.literal(true).describe('An event could be made durable now.') })),
  errors: ['STOPPING', 'LEDGER_FULL', 'LEDGER_FAILED', 'LEDGER_FENCED', 'DISK_FULL'],
};

/** `GET /v1/status`. */
export function statusAnswer({ query }: Call, status: () => StatusView): Answer {
  onlyKnown(query, []);
  return json(200, snakeCased(status()));
}

/** The same with every key as the API writes it: words in lower case joined by `_`. Names of sources and destinations have no capitals. */
export function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.replace(/[A-Z]/g, snakeCapital), snakeCased(inner)]));
}

function snakeCapital(capital: string): string {
  return `_${capital.toLowerCase()}`;
}

/** `GET /livez`: the process works, whatever its destinations do. Only a ledger that has failed for good needs a restart. */
export function livez({ query }: Pick<Call, 'query'>, ledgerFailed: boolean): Answer {
  onlyKnown(query, []);
  return ledgerFailed ? json(503, { live: false }) : json(200, { live: true });
}

const PROBE_BYTES = 1_024;

/** `GET /readyz`: an event could be made durable now. Destinations never count. Rejects with what stands against it. */
export async function readyz({ query, signal }: Pick<Call, 'query' | 'signal'>, ledger: Pick<Ledger, 'reserve'>): Promise<Answer> {
  onlyKnown(query, []);
  if (signal.aborted) throw new WaybillError('STOPPING', 'the server is being stopped');
  const room = await ledger.reserve(1, PROBE_BYTES);
  room.release();
  return json(200, { ready: true });
}
