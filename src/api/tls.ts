import { X509Certificate } from 'node:crypto';
import { createSecureContext, type TLSSocket } from 'node:tls';
import type { TlsConfig } from '../config/config.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Disk } from '../contracts/ports.ts';
import type { ClientCertificate } from './guard.ts';

/** The files of a listener as they were read: they fit together. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  /** When the certificate ends, in milliseconds since 1970. */
  readonly expiresMs: number;
}

const FILE_BYTES_MAX = 1 << 20;

/** Reads the files of a listener and tries them. Rejects with `TLS_INVALID`, which names the file and never shows what is in it. */
export async function readTls({ cert, key, clientCa }: TlsConfig, disk: Pick<Disk, 'open'>): Promise<TlsMaterial> {
  const files = {
    cert: await readFile(cert, disk),
    key: await readFile(key, disk),
    ca: clientCa === null ? undefined : await readFile(clientCa, disk),
  };
  const expiresMs = attempt(`${cert} holds no certificate in PEM`, () => Date.parse(new X509Certificate(files.cert).validTo));
  const { ca } = files;
  // OpenSSL takes a file without certificates as no authority at all, and would then refuse everybody with another reason.
  if (ca !== undefined) attempt(`${clientCa} holds no certificate in PEM`, () => new X509Certificate(ca));
  attempt(`the key in ${key} does not belong to the certificate in ${cert}`, () => createSecureContext(files));
  return { ...files, expiresMs };
}

/** Whether both are the same, byte for byte. */
export function sameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return (
    a.cert.equals(b.cert) && a.key.equals(b.key) && (a.ca === undefined ? b.ca === undefined : b.ca !== undefined && a.ca.equals(b.ca))
  );
}

/** What is known of the other side by a certificate that was verified; `null` where it showed none. */
export function clientCertificate(socket: TLSSocket): ClientCertificate | null {
  if (!socket.authorized) return null;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  return { sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(), names: alternativeNames(certificate.subjectAltName) };
}

/**
 * The names in a subject alternative name as Node writes it. Where one of them was quoted, because it holds a comma or something worse,
 * none is believed: what follows it may be a part of it.
 */
export function alternativeNames(text: string | undefined): readonly string[] {
  return text === undefined || text.includes('"') ? [] : text.split(', ');
}

async function readFile(path: string, disk: Pick<Disk, 'open'>): Promise<Buffer> {
  try {
    const file = await disk.open(path, 'read');
    try {
      const length = await file.length();
      if (length > FILE_BYTES_MAX) throw new WaybillError('TLS_INVALID', `${path} has ${length} bytes, more than a certificate or a key`);
      return Buffer.from(await file.read(0, length));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isWaybillError(error) && error.code === 'DISK_FAILED') throw new WaybillError('TLS_INVALID', error.message, { cause: error });
    throw error;
  }
}

function attempt<Value>(message: string, what: () => Value): Value {
  try {
    return what();
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    throw new WaybillError('TLS_INVALID', typeof code === 'string' ? `${message} (${code})` : message, { cause: error });
  }
}
