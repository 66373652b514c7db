import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noteSigner, sha256 } from '../../test/doubles/note-signer.ts';
import { formatCheckpoint } from '../tlog/checkpoint.ts';
import { TlogError } from '../tlog/error.ts';
import { emptyRoot, encodeHash } from '../tlog/hash.ts';
import { formatNote } from '../tlog/note.ts';
import { parseAddRequest } from './add-request.ts';

const log = noteSigner('example.com/log', 1);
const root = emptyRoot(sha256);
const TEXT = formatCheckpoint({ origin: 'example.com/log', size: 9, root });
const NOTE = formatNote(TEXT, [log.sign(TEXT)]);
const HASH = encodeHash(root);

/** The example of C2SP tlog-witness. */
const EXAMPLE = `old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
`;

describe('the body of add-checkpoint', () => {
  test('the example of the specification', () => {
    const request = parseAddRequest(Buffer.from(EXAMPLE));
    assert.equal(request.old, 20_852_014);
    assert.equal(request.proof.length, 4);
    assert.equal(encodeHash(request.proof[3] ?? ''), '/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=');
    assert.equal(request.checkpoint.origin, 'example.com/behind-the-sofa');
    assert.equal(request.checkpoint.size, 20_852_163);
    assert.equal(request.note.signatures.length, 2);
  });

  test('without a hash, and with as many as are allowed', () => {
    assert.deepEqual(parseAddRequest(Buffer.from(`old 0\n\n${NOTE}`)).proof, []);
    assert.equal(parseAddRequest(Buffer.from(`old 8\n${`${HASH}\n`.repeat(63)}\n${NOTE}`)).proof.length, 63);
  });

  test('anything else is refused', () => {
    const rows: readonly (readonly [string, RegExp])[] = [
      ['', /no blank line/],
      ['old 0\n', /no blank line/],
      [`old 0\n${NOTE.replaceAll('\n\n', '\n')}`, /no blank line/],
      [`\n\n${NOTE}`, /line 1/],
      [`old\n\n${NOTE}`, /line 1/],
      [`old  0\n\n${NOTE}`, /line 1/],
      [`old 00\n\n${NOTE}`, /line 1/],
      [`old -1\n\n${NOTE}`, /line 1/],
      [`old 9007199254740992\n\n${NOTE}`, /line 1/],
      [`old 0\r\n\r\n${NOTE}`, /line 1|not a hash/],
      [`size 0\n\n${NOTE}`, /line 1/],
      [`old 0\nAAAA\n\n${NOTE}`, /line 2 is not a hash/],
      [`old 0\n${HASH}\n${HASH.slice(0, -1)}\n\n${NOTE}`, /line 3 is not a hash/],
      [`old 0\n${`${HASH}\n`.repeat(64)}\n${NOTE}`, /more than 63 hashes/],
      [`old 0\n${'x'.repeat(10_000)}\n\n${NOTE}`, /more than 63 hashes/],
      [`old 0\n\n${TEXT}`, /no blank line/],
      [`old 0\n\n${NOTE.replace('\n9\n', '\n09\n')}`, /line 2 of the checkpoint/],
      [`old 0\n\n${NOTE}trailing`, /does not end with a line feed/],
      [`old 0\n\n\n${NOTE}`, /three lines/],
    ];
    for (const [body, why] of rows) {
      assert.throws(
        () => parseAddRequest(Buffer.from(body)),
        (error: unknown) => error instanceof TlogError && why.test(error.reason),
        `${String(why)} for ${JSON.stringify(body.slice(0, 120))}`,
      );
    }
  });
});
