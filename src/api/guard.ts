import { hash, timingSafeEqual } from 'node:crypto';
import type { ApiConfig, Purpose, Role, TokenConfig, TokenProof } from '../config/config.ts';
import { isLoopback } from '../config/keys.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Clock } from '../contracts/ports.ts';
import type { Attempts } from './attempts.ts';
import { shown } from './call.ts';

/** Who sends a request. */
export interface Caller {
  /** The name of the token or certificate; `null` without tokens. */
  readonly name: string | null;
  readonly role: Role | null;
  /** The sources that it may write to; `null`: all of them. */
  readonly sources: readonly string[] | null;
}

/** What a route asks of its caller. `open`: nothing at all, not even a known host. */
export type Need = 'open' | 'ingest' | 'read' | 'control';

/** The connection that a request comes over. */
export interface Connection {
  /** The address of the other side. */
  readonly address: string;
  /** What the listener serves. */
  readonly serve: readonly Purpose[];
  readonly secure: boolean;
  /** A certificate that the listener's authority has signed; `null` where there is none. */
  readonly certificate: ClientCertificate | null;
}

/** What is known of a client by its certificate. */
export interface ClientCertificate {
  /** SHA-256 of its binary form, in lower-case hex. */
  readonly sha256: string;
  /** Its alternative names, such as `DNS:billing.acme.example`. */
  readonly names: readonly string[];
}

/** Decides who may come in. */
export interface Guard {
  /** Rejects a request that was meant for another host, or that a foreign page sends. */
  admit(request: GuardedRequest): void;
  /** The sender, if it may do what the route needs. A token that is sent decides, and the certificate where none is. */
  authorize(need: Need, authorization: string | undefined, connection: Pick<Connection, 'address' | 'certificate'>): Caller;
}

/** What the guard looks at. */
export interface GuardedRequest {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Whether the request can change anything. */
  readonly changes: boolean;
  readonly secure: boolean;
}

const ALLOWED: Readonly<Record<Role, readonly Need[]>> = {
  producer: ['ingest'],
  viewer: ['read'],
  auditor: ['read'],
  operator: ['ingest', 'read', 'control'],
};

const NOBODY: Caller = { name: null, role: null, sources: null };

interface KnownCaller {
  readonly caller: Caller;
  readonly expiresMs: number | null;
}

/** Makes the guard of a configuration. Throws `LISTEN_UNSAFE` for one that would let everybody in. */
export function createGuard({ listeners, hosts, tokens }: ApiConfig, clock: Pick<Clock, 'now'>, attempts: Attempts): Guard {
  for (const { listen, tls, cleartext } of listeners) refuseUnsafe(listen.host, tokens.length > 0, tls !== null || cleartext);
  const known = new Set([...hosts, ...listeners.map(({ listen }) => listen.host)].map((host) => host.toLowerCase()));
  const byToken = callersBy(tokens, ({ proof }) => (proof.by === 'token' ? Buffer.from(proof.sha256, 'hex') : null));
  const byCertificate = callersBy(tokens, ({ proof }) => (proof.by === 'token' ? null : proof));

  function callerOf(token: string, address: string): KnownCaller {
    const digest = hash('sha256', token, 'buffer');
    const text = digest.toString('latin1');
    attempts.admit(address, text);
    let found: KnownCaller | null = null;
    // All are compared, and each in constant time, so that the time says nothing about any of them.
    for (const { proof, ...caller } of byToken) if (timingSafeEqual(proof, digest)) found = caller;
    if (found === null) {
      attempts.wrong(address);
      throw new WaybillError('UNAUTHORIZED', 'the token is not configured');
    }
    attempts.right(address, text);
    return found;
  }

  function identify(authorization: string | undefined, { address, certificate }: Pick<Connection, 'address' | 'certificate'>): Caller {
    const token = tokenOf(authorization);
    const found = token === null ? ofCertificate(byCertificate, certificate) : callerOf(token, address);
    if (found === null) throw new WaybillError('UNAUTHORIZED', 'the request carries no token');
    const { caller, expiresMs } = found;
    if (expiresMs !== null && clock.now() >= expiresMs)
      throw new WaybillError('UNAUTHORIZED', `the token ${caller.name} was valid until ${new Date(expiresMs).toISOString()}`);
    return caller;
  }

  return {
    admit({ host, origin, changes, secure }) {
      const name = hostName(host ?? '');
      if (!isLoopback(name) && !known.has(name)) throw new WaybillError('HOST_UNKNOWN', `the host ${shown(host ?? '')} is not known here`);
      if (changes && origin !== undefined && !isOwn(origin, host ?? '', secure))
        throw new WaybillError('ORIGIN_FOREIGN', `a page of ${shown(origin)} may change nothing here`);
    },
    authorize(need, authorization, connection) {
      if (need === 'open') return NOBODY;
      if (tokens.length === 0) {
        if (need !== 'control') return NOBODY;
        throw new WaybillError('FORBIDDEN', 'this needs an operator, and no token is configured');
      }
      const caller = identify(authorization, connection);
      if (caller.role !== null && ALLOWED[caller.role].includes(need)) return caller;
      throw new WaybillError('FORBIDDEN', `the token ${caller.name} has the role ${caller.role}, which may not do this`);
    },
  };
}

/** The token of a header of the scheme `Bearer`; `null` when there is none in it. */
export function tokenOf(authorization: string | undefined): string | null {
  return /^bearer +([\x21-\x7e]{1,512}) *$/i.exec(authorization ?? '')?.[1] ?? null;
}

function refuseUnsafe(host: string, hasTokens: boolean, hidden: boolean): void {
  if (isLoopback(host)) return;
  if (!hasTokens) throw new WaybillError('LISTEN_UNSAFE', `the API would listen on ${host} without a token`);
  if (!hidden)
    throw new WaybillError('LISTEN_UNSAFE', `tokens would be readable on the network at ${host}: there is neither tls nor cleartext: true`);
}

function callersBy<Proof>(tokens: readonly TokenConfig[], proofOf: (token: TokenConfig) => Proof | null) {
  return tokens.flatMap((token) => {
    const proof = proofOf(token);
    const { name, role, sources, expiresMs } = token;
    return proof === null ? [] : [{ proof, caller: { name, role, sources }, expiresMs }];
  });
}

function ofCertificate(
  known: readonly (KnownCaller & { readonly proof: TokenProof })[],
  certificate: ClientCertificate | null,
): KnownCaller | null {
  if (certificate === null) return null;
  const found = known.find(({ proof }) => {
    if (proof.by === 'certificate') return proof.sha256 === certificate.sha256;
    return proof.by === 'name' && certificate.names.includes(proof.name);
  });
  if (found === undefined) throw new WaybillError('UNAUTHORIZED', `no name in api.tokens has the certificate ${certificate.sha256}`);
  return found;
}

/** A page is this server's own when it comes from the very host and port that the request goes to. A proxy may have spoken TLS for us. */
function isOwn(origin: string, host: string, secure: boolean): boolean {
  const own = origin.toLowerCase();
  return own === `https://${host.toLowerCase()}` || (!secure && own === `http://${host.toLowerCase()}`);
}

/** The name in a `Host` header: without its port, and an IPv6 address without its brackets. */
export function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}
