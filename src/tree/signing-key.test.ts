import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { cosignatureMessage, encodeCosignature } from '../tlog/cosignature.ts';
import { parseVerifierKey } from '../tlog/key.ts';
import { formatNote, openNote, parseNote } from '../tlog/note.ts';
import { sha256 } from './grow.ts';
import { type KeyUse, makeSigningKey, openSigner } from './signing-key.ts';

const ORIGIN = 'keys.example/audit';
const SEED = Buffer.alloc(32, 7);
const TEXT = `${ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n`;

const open = (text: string, use: KeyUse, origin = ORIGIN) => openSigner(text, { origin, use, place: 'the key' });
const check = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]);
  return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
};

test('a key that was made signs what its verifier key verifies, for both uses', async () => {
  const [log, freshness] = [open(makeSigningKey(ORIGIN, 'log', SEED), 'log'), open(makeSigningKey(ORIGIN, 'freshness', SEED), 'freshness')];
  const keys = [log, freshness].map(({ verifierKey }) => parseVerifierKey(sha256, verifierKey));
  assert.deepEqual(
    keys.map(({ name, algorithm }) => [name, algorithm]),
    [
      [ORIGIN, 1],
      [`${ORIGIN}/freshness`, 4],
    ],
  );
  const lines = [
    await log.sign(Buffer.from(TEXT)),
    encodeCosignature({ time: 1_796_000_000, signature: await freshness.sign(cosignatureMessage(1_796_000_000, TEXT)) }),
  ];
  const note = formatNote(
    TEXT,
    keys.map(({ name, id }, k) => ({ name, id, bytes: lines[k] ?? new Uint8Array(0) })),
  );
  const verified = openNote(parseNote(Buffer.from(note)), keys, check);
  assert.deepEqual(
    verified.map(({ time }) => time),
    [null, 1_796_000_000],
  );
});

test('a key that does not fit is refused by its place and never quoted', () => {
  const key = makeSigningKey(ORIGIN, 'log', SEED);
  const secret = key.split('+').at(-1) ?? '';
  const rows: readonly (readonly [string, () => unknown, RegExp])[] = [
    ['of another log', () => open(key, 'log', 'other.example/audit'), /the key holds a key of keys\.example\/audit, not of other/],
    ['of the other use', () => open(key, 'freshness'), /not of keys\.example\/audit\/freshness/],
    ['with another number', () => open(key.replace(/\+[0-9a-f]{8}\+/, '+00000000+'), 'log'), /number 00000000 is not its own/],
    ['cut short', () => open(key.slice(0, -3), 'log'), /the key holds no key/],
    ['of no form', () => open('sesame', 'log'), /the key holds no key/],
    ['that is empty', () => open('', 'log'), /the key holds no key/],
  ];
  for (const [what, opened, message] of rows) {
    assert.throws(opened, (error: Error) => {
      assert.match(error.message, message, what);
      assert.ok(!`${error.message}${String(error.stack)}`.includes(secret.slice(0, 20)), what);
      return true;
    });
  }
});
