import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { noteSigner, sha256 } from '../../test/doubles/note-signer.ts';
import { TlogError } from './error.ts';
import { formatSigningKey, formatVerifierKey, isKeyName, parseSigningKey, parseVerifierKey } from './key.ts';

/** The keys of the documentation of Go's `sumdb/note`, and the one of the Go checksum database. */
const PUBLISHED = [
  'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  'EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop',
  'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8',
];
const PRIVATE = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';

describe('keys of signed notes', () => {
  test('published keys are read, and written as they were', () => {
    for (const text of PUBLISHED) {
      const key = parseVerifierKey(sha256, text);
      assert.equal(key.algorithm, 1);
      assert.equal(key.publicKey.length, 32);
      assert.equal(formatVerifierKey(key), text);
    }
    const signing = parseSigningKey(PRIVATE);
    assert.equal(signing.name, 'PeterNeumann');
    assert.equal(formatSigningKey(signing), PRIVATE);
  });

  test('keys of both types go there and back', () => {
    for (const algorithm of [1, 4] as const) {
      const { key, verifierKey, signingKey } = noteSigner('witness.example/w1', 7, algorithm);
      assert.deepEqual(parseVerifierKey(sha256, verifierKey), key);
      assert.deepEqual(parseSigningKey(formatSigningKey(signingKey)), signingKey);
    }
    assert.notEqual(noteSigner('a', 7, 1).key.id, noteSigner('a', 7, 4).key.id);
  });

  test('any change of a verifier key is found', () => {
    const text = PUBLISHED[2] ?? '';
    for (let at = 0; at < text.length; at += 1) {
      for (const other of ['A', 'b', '+', '/', ' ', '=', '\n']) {
        const changed = text.slice(0, at) + other + text.slice(at + 1);
        if (changed !== text) assert.throws(() => parseVerifierKey(sha256, changed), TlogError, changed);
      }
      assert.throws(() => parseVerifierKey(sha256, text.slice(0, at)), TlogError);
    }
  });

  test('other types, other lengths and other spellings are refused', () => {
    const of = (bytes: number[]): string => `a+00000000+${Buffer.from(bytes).toString('base64')}`;
    assert.throws(() => parseVerifierKey(sha256, of([6, ...Array.from({ length: 1_312 }, () => 1)])), /the type 6/);
    assert.throws(() => parseVerifierKey(sha256, of([1, 2, 3])), /has 2 bytes/);
    assert.throws(() => parseVerifierKey(sha256, of(Array.from({ length: 33 }, () => 1))), /the id 00000000/);
    for (const text of [
      '',
      '+',
      'a+b',
      'a+1234567+AQ==',
      'a+ABCDEF01+AQ==',
      'a b+00000000+AQ==',
      '+00000000+AQ==',
      'a+00000000+',
      'a+00000000+AQ',
    ]) {
      assert.throws(() => parseVerifierKey(sha256, text), /not a verifier key/, text);
    }
  });

  test('what a wrong private key is told of holds nothing of it', () => {
    const secret = 'AYEKFALVFGyNhPJEMzD1QIDr';
    for (const text of [
      `PRIVATE+KEY+PeterNeumann+c74f20a3+${secret}`,
      `PRIVATE+KEY+${secret}`,
      secret,
      `${PRIVATE}A`,
      ` ${PRIVATE}`,
      `${PRIVATE}\n`,
    ]) {
      assert.throws(
        () => parseSigningKey(text),
        (error: unknown) => error instanceof TlogError && !error.message.includes('KFALVF'),
        text,
      );
    }
  });

  test('names', () => {
    for (const name of ['a', 'example.com/log42', 'tëst', '日本', 'x'.repeat(2_000), 'a\u007fb', 'a\u0080b', '\ufeff'])
      assert.ok(isKeyName(name), name);
    for (const name of [
      '',
      ' ',
      'a b',
      'a+b',
      'a\u00a0b',
      'a\u2028',
      'a\u3000',
      'a\u0085',
      'a\tb',
      'a\n',
      '\u0000',
      'a\u0001',
      'a\u001f',
      '\ud800',
    ]) {
      assert.ok(!isKeyName(name), JSON.stringify(name));
    }
  });

  test('whatever the text: a key that is written as it was, or a refusal', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '+', '0', 'f', 'A', 'Q', '=', '/', ' '), maxLength: 70 }), (text) => {
        try {
          assert.equal(formatVerifierKey(parseVerifierKey(sha256, text)), text);
        } catch (error) {
          assert.ok(error instanceof TlogError, String(error));
        }
      }),
    );
  });
});
