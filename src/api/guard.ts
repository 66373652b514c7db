import { hash, timingSafeEqual } from 'node:crypto';
import type { ApiConfig, Role } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';
import { shown } from './call.ts';

/** Who sends a request. */
export interface Caller {
  /** The name of the token; `null` without tokens. */
  readonly name: string | null;
  readonly role: Role | null;
  /** The sources that it may write to; `null`: all of them. */
  readonly sources: readonly string[] | null;
}

/** What a route asks of its caller. `open`: nothing at all, not even a known host. */
export type Need = 'open' | 'ingest' | 'read' | 'control';

/** Decides who may come in. */
export interface Guard {
  /** Rejects a request that was meant for another host, or that a foreign page sends. */
  admit(request: GuardedRequest): void;
  /** The sender, if it may do what the route needs. */
  authorize(need: Need, authorization: string | undefined): Caller;
}

/** What the guard looks at. */
export interface GuardedRequest {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Whether the request can change anything. */
  readonly changes: boolean;
}

const ALLOWED: Readonly<Record<Role, readonly Need[]>> = {
  producer: ['ingest'],
  viewer: ['read'],
  auditor: ['read'],
  operator: ['ingest', 'read', 'control'],
};

const NOBODY: Caller = { name: null, role: null, sources: null };

/** Makes the guard of a configuration. Throws `LISTEN_UNSAFE` for one that would let everybody in. */
export function createGuard({ listen, hosts, tokens }: ApiConfig): Guard {
  if (tokens.length === 0 && !isLoopback(listen.host)) {
    throw new WaybillError('LISTEN_UNSAFE', `the API would listen on ${listen.host} without a token`);
  }
  const known = new Set([...hosts.map((host) => host.toLowerCase()), listen.host.toLowerCase()]);
  const keys = tokens.map(({ name, role, sources, token }) => ({ caller: { name, role, sources }, digest: digestOf(token) }));

  function callerOf(authorization: string | undefined): Caller {
    const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw new WaybillError('UNAUTHORIZED', 'the request carries no token');
    const digest = digestOf(token);
    let found: Caller | null = null;
    // All are compared, and each in constant time, so that the time says nothing about any of them.
    for (const key of keys) if (timingSafeEqual(key.digest, digest)) found = key.caller;
    if (found === null) throw new WaybillError('UNAUTHORIZED', 'the token is not configured');
    return found;
  }

  return {
    admit({ host, origin, changes }) {
      const name = hostName(host ?? '');
      if (!isLoopback(name) && !known.has(name)) throw new WaybillError('HOST_UNKNOWN', `the host ${shown(host ?? '')} is not known here`);
      if (changes && origin !== undefined && !isOwn(origin, host ?? '')) {
        throw new WaybillError('ORIGIN_FOREIGN', `a page of ${shown(origin)} may change nothing here`);
      }
    },
    authorize(need, authorization) {
      if (need === 'open') return NOBODY;
      if (keys.length === 0) {
        if (need !== 'control') return NOBODY;
        throw new WaybillError('FORBIDDEN', 'this needs an operator, and no token is configured');
      }
      const caller = callerOf(authorization);
      if (caller.role !== null && ALLOWED[caller.role].includes(need)) return caller;
      throw new WaybillError('FORBIDDEN', `the token ${caller.name} has the role ${caller.role}, which may not do this`);
    },
  };
}

/** Whether only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** A page is this server's own when it was loaded from the very host and port that the request goes to. */
function isOwn(origin: string, host: string): boolean {
  return origin.toLowerCase() === `http://${host.toLowerCase()}` || origin.toLowerCase() === `https://${host.toLowerCase()}`;
}

function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
