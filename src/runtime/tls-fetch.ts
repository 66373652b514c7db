import { X509Certificate } from 'node:crypto';
import type { checkServerIdentity, PeerCertificate } from 'node:tls';
import { Agent, fetch } from 'undici';

/** How the other side of a TLS connection is known, and how this side shows who it is. All are texts in PEM. */
export interface ClientTls {
  /** The authorities that are believed; `null`: those that Node believes. */
  readonly ca: string | null;
  /** Exactly this certificate is believed, whatever name it has; `null`: any that the authorities signed for the name. */
  readonly pinned: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

/** The part of `fetch` that is used here. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly redirect: 'manual';
    readonly signal: AbortSignal;
    readonly body?: string;
  },
) => Promise<Pick<Response, 'ok' | 'status' | 'text' | 'arrayBuffer' | 'body'>>;

/** A `fetch` over TLS 1.2 or newer. Throws what OpenSSL says when the certificate and the key do not fit. */
export function openTlsFetch({ ca, pinned, cert, key }: ClientTls): Fetch {
  const believed = pinned ?? ca;
  const dispatcher = new Agent({
    allowH2: false,
    connect: {
      minVersion: 'TLSv1.2',
      // A certificate that is pinned is its own authority, also when another one signed it.
      allowPartialTrustChain: pinned !== null,
      ...(believed === null ? {} : { ca: believed }),
      ...(cert === null || key === null ? {} : { cert, key }),
      ...(pinned === null ? {} : { checkServerIdentity: pinnedCheck(pinned) }),
    },
  });
  return (url, init) => fetch(url, { ...init, dispatcher });
}

function pinnedCheck(pem: string): typeof checkServerIdentity {
  const expected = new X509Certificate(pem).fingerprint256;
  return (_host: string, { fingerprint256 }: PeerCertificate) =>
    fingerprint256 === expected ? undefined : new Error(`the server shows another certificate than the configured one: ${fingerprint256}`);
}
