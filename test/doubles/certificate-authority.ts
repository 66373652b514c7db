import { webcrypto } from 'node:crypto';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/** A key and a certificate in PEM. */
export interface Issued {
  readonly key: string;
  readonly certificate: string;
}

/** Signs certificates of servers and clients. */
export interface CertificateAuthority {
  /** Its own certificate in PEM. */
  readonly certificate: string;
  /** A certificate for these alternative names that ends after so many days. */
  issue(subject: string, names: readonly { readonly type: 'dns' | 'url' | 'ip'; readonly value: string }[], days?: number): Promise<Issued>;
}

/** Makes an authority that nobody knows. */
export async function makeAuthority(name: string): Promise<CertificateAuthority> {
  // The package of certificates looks for this one when it is loaded.
  await import('reflect-metadata');
  const { BasicConstraintsExtension, SubjectAlternativeNameExtension, X509CertificateGenerator } = await import('@peculiar/x509');
  const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const subject = `CN=${name}`;
  const validity = (days: number) => ({ notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() + days * DAY_MS) });
  const certificate = await X509CertificateGenerator.createSelfSigned(
    { name: subject, ...validity(30), signingAlgorithm: ALGORITHM, keys: own, extensions: [new BasicConstraintsExtension(true, 1, true)] },
    webcrypto,
  );
  return {
    certificate: certificate.toString('pem'),
    async issue(issued, names, days = 30) {
      const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
      const leaf = await X509CertificateGenerator.create(
        {
          subject: `CN=${issued}`,
          issuer: subject,
          ...validity(days),
          signingAlgorithm: ALGORITHM,
          publicKey: keys.publicKey,
          signingKey: own.privateKey,
          extensions: [new SubjectAlternativeNameExtension([...names])],
        },
        webcrypto,
      );
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
      const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
      return { key, certificate: leaf.toString('pem') };
    },
  };
}
