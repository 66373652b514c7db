import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { decodeBase64, encodeBase64 } from './base64.ts';

describe('base64', () => {
  test('known answers of RFC 4648 section 10', () => {
    const rows = { '': '', f: 'Zg==', fo: 'Zm8=', foo: 'Zm9v', foob: 'Zm9vYg==', fooba: 'Zm9vYmE=', foobar: 'Zm9vYmFy' };
    for (const [text, encoded] of Object.entries(rows)) {
      assert.equal(encodeBase64(Buffer.from(text)), encoded);
      assert.deepEqual(decodeBase64(encoded), Uint8Array.from(Buffer.from(text)));
    }
  });

  test('bytes come back, and are encoded as everybody does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 90 }), (bytes) => {
        const text = encodeBase64(bytes);
        assert.equal(text, Buffer.from(bytes).toString('base64'));
        assert.deepEqual(decodeBase64(text), bytes);
      }),
    );
  });

  test('a text is taken only if it is what its bytes encode to', () => {
    const odd = fc.string({ unit: fc.constantFrom('A', 'B', 'w', '/', '+', '-', '_', '=', ' ', '\n', '\u00e9', '\u0161'), maxLength: 12 });
    fc.assert(
      fc.property(odd, (text) => {
        const bytes = decodeBase64(text);
        const canonical = Buffer.from(Buffer.from(text, 'base64')).toString('base64') === text;
        assert.equal(bytes !== null, canonical, JSON.stringify(text));
      }),
      { numRuns: 5_000 },
    );
  });

  test('refuses what a lenient decoder takes', () => {
    for (const text of ['Zg', 'Zg=', 'Zh==', 'Zm9=', 'Zm9v\n', ' Zm9v', 'Zm-_', 'Zg==Zg==', '====', '=', 'Z===', 'Zm9v====']) {
      assert.equal(decodeBase64(text), null, JSON.stringify(text));
    }
  });
});
