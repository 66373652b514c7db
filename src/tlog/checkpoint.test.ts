import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkEd25519, noteSigner, sha256 } from '../../test/doubles/note-signer.ts';
import { decodeBase64 } from './base64.ts';
import { formatCheckpoint, parseCheckpoint } from './checkpoint.ts';
import { cosignatureMessage, encodeCosignature, parseCosignature } from './cosignature.ts';
import { TlogError } from './error.ts';
import { decodeHash, emptyRoot } from './hash.ts';
import { TREE_SIZE_MAX } from './size.ts';

const EXAMPLE = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';

describe('checkpoints', () => {
  test('the example of C2SP tlog-checkpoint', () => {
    const checkpoint = parseCheckpoint(EXAMPLE);
    assert.deepEqual(checkpoint, {
      origin: 'example.com/behind-the-sofa',
      size: 20_852_163,
      root: decodeHash('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I='),
    });
    assert.equal(formatCheckpoint(checkpoint), EXAMPLE);
    assert.deepEqual(parseCheckpoint(`${EXAMPLE}an extension\nanother\n`), checkpoint);
  });

  test('an empty tree and the largest one', () => {
    for (const size of [0, TREE_SIZE_MAX]) {
      const text = formatCheckpoint({ origin: 'a', size, root: emptyRoot(sha256) });
      assert.equal(parseCheckpoint(text).size, size);
    }
    assert.throws(() => formatCheckpoint({ origin: 'a', size: 2 ** 53, root: emptyRoot(sha256) }), RangeError);
    assert.throws(() => formatCheckpoint({ origin: 'a b', size: 1, root: emptyRoot(sha256) }), RangeError);
    assert.throws(() => formatCheckpoint({ origin: 'a', size: 1, root: 'short' }), RangeError);
  });

  test('anything else is refused', () => {
    const [origin = '', size = '', root = ''] = EXAMPLE.split('\n');
    for (const text of [
      '',
      '\n',
      `${origin}\n${size}\n`,
      `${origin}\n${size}\n${root}`,
      `\n${size}\n${root}\n`,
      `${origin}\n\n${root}\n`,
      `${origin}\n0${size}\n${root}\n`,
      `${origin}\n-${size}\n${root}\n`,
      `${origin}\n${size} \n${root}\n`,
      `${origin}\n9007199254740993\n${root}\n`,
      `${origin}\n${size}\n${root.slice(1)}\n`,
      `${origin}\n${size}\n${root} \n`,
      `${origin}\n${size}\nAAAA\n`,
      `${origin}\n${size}\n${root}\n\n`,
      `${origin}\n${size}\n${root}\n\nextension\n`,
      `${'x'.repeat(1_001)}\n${size}\n${root}\n`,
    ]) {
      assert.throws(() => parseCheckpoint(text), TlogError, JSON.stringify(text));
    }
  });
});

describe('cosignatures', () => {
  test('the message of the example of C2SP tlog-cosignature', () => {
    assert.equal(Buffer.from(cosignatureMessage(1_679_315_147, EXAMPLE)).toString(), `cosignature/v1\ntime 1679315147\n${EXAMPLE}`);
  });

  test('the cosignature of the example is read', () => {
    const blob = decodeBase64('jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==');
    assert.ok(blob !== null && blob.length === 76);
    const cosignature = parseCosignature(blob.subarray(4));
    assert.equal(cosignature.time, 1_679_315_147);
    assert.deepEqual(encodeCosignature(cosignature), Uint8Array.from(blob.subarray(4)));
  });

  test('a signer and the check agree, and times are exact', () => {
    const witness = noteSigner('witness.example', 9, 4);
    for (const time of [0, 1, 2 ** 32 + 1, TREE_SIZE_MAX]) {
      const read = parseCosignature(witness.sign(EXAMPLE, time).bytes);
      assert.equal(read.time, time);
      assert.ok(checkEd25519(witness.key.publicKey, cosignatureMessage(time, EXAMPLE), read.signature));
      assert.ok(!checkEd25519(witness.key.publicKey, cosignatureMessage(time === 0 ? 1 : 0, EXAMPLE), read.signature));
    }
    for (const time of [-1, 0.5, 2 ** 53, Number.NaN]) assert.throws(() => cosignatureMessage(time, EXAMPLE), RangeError);
  });

  test('another length and a time beyond exact numbers are refused', () => {
    for (const length of [0, 64, 71, 73]) assert.throws(() => parseCosignature(new Uint8Array(length)), TlogError);
    const far = new Uint8Array(72);
    far[0] = 0x7f;
    assert.throws(() => parseCosignature(far), /out of range/);
  });
});
