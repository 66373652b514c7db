import type { Leaves } from './leaves.ts';

/** A configuration that was read and checked: every value is there, in milliseconds and bytes, and every path is absolute. */
export interface Config {
  /** The absolute path of the file that it was read from. */
  readonly file: string;
  readonly ledger: LedgerConfig;
  readonly api: ApiConfig;
  /** The configured sources in the order of the file. */
  readonly sources: readonly SourceConfig[];
  /** The configured destinations in the order of the file. */
  readonly destinations: readonly DestinationConfig[];
  /** Where traces go: the address of an OTLP/HTTP receiver; `null`: nowhere. */
  readonly tracesEndpoint: string | null;
  /** How long a stop waits for deliveries in flight. */
  readonly drainMs: number;
  readonly logLevel: LogLevel;
  /** The file as it may be shown: references are not replaced, and every secret is hidden. */
  readonly shown: unknown;
  /** A digest of every value by its path, secrets among them: two configurations are compared by these. They are never shown or written. */
  readonly digests: Leaves;
}

/** How much the process says about its work. */
export type LogLevel = 'info' | 'warn' | 'error';

/** Where the ledger is, and how large it may become. */
export interface LedgerConfig {
  /** The name of the log: a URL without a scheme. */
  readonly origin: string;
  readonly path: string;
  readonly keys: KeysConfig;
  /** How long there is no other signed head after one, while entries come in. */
  readonly publishMs: number;
  readonly witnesses: readonly WitnessConfig[];
  /** How many of all witnesses have to sign before a head is published; those that are required count too. */
  readonly witnessQuorum: number;
  /** How many bytes the ledger may use; `null`: what the disk has. */
  readonly limitBytes: number | null;
  readonly segmentBytes: number;
  /** The part of the ledger that only control entries and the journal may use. */
  readonly reservedBytes: number;
  /** What retention removes; `null` for what is no reason to remove anything. */
  readonly retain: { readonly ageMs: number | null; readonly bytes: number | null };
}

/**
 * Where the private keys of the log come from: a directory outside the ledger, or the configuration itself, by reference. The texts of the
 * keys are secrets.
 */
export type KeysConfig =
  | { readonly from: 'directory'; readonly path: string }
  | {
      readonly from: 'configuration';
      readonly log: string;
      readonly freshness: string;
      /** The key that `log` is to hand over to; `null`: none. */
      readonly next: string | null;
      /** The verifier key of the key that is gone and that `log` takes over from; `null`: none. */
      readonly lost: string | null;
    };

/** A witness: who signs heads that continue what it saw before. */
export interface WitnessConfig {
  readonly name: string;
  /** As C2SP signed-note writes it. */
  readonly verifierKey: string;
  readonly url: string;
  /** Whether no head is published without it. */
  readonly required: boolean;
  readonly timeoutMs: number;
}

/** Where the API listens, and who may do what. */
export interface ApiConfig {
  /** Every address that is listened on; at least one. */
  readonly listeners: readonly ListenerConfig[];
  /** Names under which requests may come in, beside the loopback ones. */
  readonly hosts: readonly string[];
  readonly tokens: readonly TokenConfig[];
  readonly limits: ApiLimits;
  readonly client: ClientConfig;
}

/**
 * What a listener can serve: `ingest` takes events, `control` shows and steers, `console` is the web page, `metrics` are for a collector,
 * `tlog` is the log for C2SP clients. Whether the process lives can be asked at each of them.
 */
export type Purpose = 'ingest' | 'control' | 'console' | 'metrics' | 'tlog';

/** One address, and what is answered there. */
export interface ListenerConfig {
  readonly listen: ListenAddress;
  readonly serve: readonly Purpose[];
  /** `null`: plain HTTP. */
  readonly tls: TlsConfig | null;
  /** Whether plain HTTP beyond loopback was allowed by name, because something before it speaks TLS. */
  readonly cleartext: boolean;
}

/** The files of a TLS listener, in PEM. They are read again while it runs. */
export interface TlsConfig {
  /** The certificate, and those between it and its authority. */
  readonly cert: string;
  readonly key: string;
  /** Who signs the certificates of clients; `null`: clients have none. */
  readonly clientCa: string | null;
  /** `require`: a connection without a certificate that the authority signed is refused. `allow`: it may use a token instead. */
  readonly clientCert: 'require' | 'allow';
}

/** How the commands reach the running process. The process itself uses nothing of it. */
export interface ClientConfig {
  /** Where it is reached; `null`: at the first listener that serves `control`. */
  readonly url: string | null;
  /** The file with the token of the commands, which only they read. */
  readonly tokenFile: string | null;
  /** The authority of the server's certificate; `null`: exactly the certificate of the listener is accepted. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  /** A secret: the token that may do the most among those that stand in the configuration themselves. */
  readonly token: string | null;
}

/** A host without brackets, and a port; port 0 takes any that is free. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** What a request may cost. */
export interface ApiLimits {
  /** The largest request body, as it comes and unpacked. */
  readonly bodyBytes: number;
  /** The most events in one request. */
  readonly events: number;
  /** The most connections at a time. */
  readonly connections: number;
  /** How long a sender may take for one request. */
  readonly requestMs: number;
  /** The most requests a second that only read, of one caller. */
  readonly reads: number;
  /** The most readers of `/v1/stream` at a time. */
  readonly streams: number;
}

/** What a caller may do. */
export type Role = 'producer' | 'viewer' | 'auditor' | 'operator';

/** One caller: how it is known, and what it may do. */
export interface TokenConfig {
  readonly name: string;
  readonly role: Role;
  /** Where a producer may write: names of sources; `null`: all of them. */
  readonly sources: readonly string[] | null;
  /** The most events a second that it may send; `null`: no limit. */
  readonly rate: number | null;
  /** From when on it is refused, in milliseconds since 1970; `null`: never. */
  readonly expiresMs: number | null;
  readonly proof: TokenProof;
}

/**
 * How a caller shows who it is: a token, of which only the SHA-256 is known here, or a client certificate, by the SHA-256 of its bytes or
 * by one of its alternative names, written as `DNS:NAME`, `URI:…`, `email:…` or `IP Address:…`. Digests are in lower-case hex.
 */
export type TokenProof =
  | { readonly by: 'token'; readonly sha256: string }
  | { readonly by: 'certificate'; readonly sha256: string }
  | { readonly by: 'name'; readonly name: string };

/** One source. `settings` is what its type's own schema made of its own keys. */
export interface SourceConfig {
  readonly name: string;
  readonly type: string;
  readonly schema: 'json' | 'waybill/1';
  /** For schema `json`: the top-level key that holds the identity; `null`: every event gets an identity of its own. */
  readonly idField: string | null;
  /** What happens to an event that fails its schema: `refuse` answers its sender, `keep` stores it with its faults. */
  readonly onInvalid: 'refuse' | 'keep';
  /** How long a hole in a producer's numbers may stay open before it is declared. */
  readonly gapAfterMs: number;
  /** The most events a second that are taken; `null`: no limit. */
  readonly rate: number | null;
  /** The name that this source had before: it goes on as that source; `null`: none. */
  readonly renamedFrom: string | null;
  readonly settings: unknown;
}

/** Where a destination without a cursor begins. */
export type Start =
  | { readonly at: 'beginning' }
  | { readonly at: 'now' }
  | { readonly at: 'index'; readonly index: number }
  /** The first entry that was received at this time or later, in milliseconds since 1970. */
  | { readonly at: 'time'; readonly timeMs: number };

/** How far a destination may be behind: by the age of the entry that it needs next, or by the bytes of ledger from there on. */
export type MaxLag = { readonly by: 'age'; readonly ms: number } | { readonly by: 'bytes'; readonly bytes: number };

/** One destination. `settings` is what its sink's own schema made of its own keys. */
export interface DestinationConfig {
  readonly name: string;
  readonly type: string;
  readonly start: Start;
  readonly format: string;
  readonly batch: { readonly entries: number; readonly bytes: number; readonly waitMs: number };
  readonly inFlight: number;
  readonly onReject: 'halt' | 'quarantine';
  /** How many entries an hour may be set aside before the destination halts. */
  readonly quarantineMax: number;
  readonly timeoutMs: number;
  readonly retry: { readonly minMs: number; readonly maxMs: number };
  /** Which control entries it gets: all, those about itself, or none. */
  readonly control: 'all' | 'own' | 'none';
  /** What happens when it writes to another place than before: `null` stops it. */
  readonly targetChanged: 'continue' | 'restart' | null;
  /** The destination whose cursor it takes over; `null`: none. */
  readonly renamedFrom: string | null;
  /** How far it may be behind before retention no longer waits for it; `null`: it always waits. */
  readonly maxLag: MaxLag | null;
  readonly settings: unknown;
}
