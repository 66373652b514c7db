import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeCertificate } from '../../test/doubles/certificate.ts';
import { http } from './http.ts';

const one = await makeCertificate('one.example');
const other = await makeCertificate('other.example');

function faultsOf(tls: object, url = 'https://a.example/'): string {
  const result = http.config.safeParse({ url, tls });
  return result.success ? '' : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
}

describe('TLS of a destination', () => {
  test('takes certificates and a key that belong together', () => {
    assert.equal(faultsOf({}), '');
    assert.equal(faultsOf({ ca: `${one.certificate}\n${other.certificate}` }), '');
    assert.equal(faultsOf({ ca: other.certificate, cert: one.certificate, key: one.key }), '');
  });

  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['what is no certificate', { ca: './ca.pem' }, /tls\.ca: expected certificates in PEM/],
    ['a certificate without its key', { cert: one.certificate }, /tls\.key: set `cert` and `key`, or neither/],
    ['a key without its certificate', { key: one.key }, /tls\.key: set `cert` and `key`, or neither/],
    ['the key of another', { cert: one.certificate, key: other.key }, /tls\.key: the private key is not that of `cert`/],
    ['what is no key', { cert: one.certificate, key: one.certificate }, /tls\.key: expected a private key in PEM/],
  ];
  for (const [what, tls, message] of wrong) test(`refuses ${what}`, () => assert.match(faultsOf(tls), message));

  test('is refused where it would not be spoken', () => {
    assert.match(faultsOf({ ca: one.certificate }, 'http://a.example/'), /tls: the address does not begin with https/);
  });
});
