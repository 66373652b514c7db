import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkEd25519, noteSigner, sha256 } from '../../test/doubles/note-signer.ts';
import { TlogError } from './error.ts';
import { parseVerifierKey } from './key.ts';
import { formatNote, formatSignature, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, type NoteSignature, openNote, parseNote } from './note.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const log = noteSigner('example.com/log', 1);
const other = noteSigner('example.com/other', 2);
const witness = noteSigner('witness.example/w1', 3, 4);
const TEXT = 'example.com/log\n5\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n';

/** The note of the documentation of Go's `sumdb/note`, signed by two. */
const DOCUMENTED =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n' +
  '— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n';
const PETER = parseVerifierKey(sha256, 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
const ENOCH = parseVerifierKey(sha256, 'EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop');

describe('signed notes', () => {
  test('the documented note of Go opens with one key, and with both', () => {
    const note = parseNote(bytes(DOCUMENTED));
    assert.equal(note.signatures.length, 2);
    assert.deepEqual(openNote(note, [PETER], checkEd25519), [{ key: PETER, time: null }]);
    assert.equal(openNote(note, [ENOCH, PETER], checkEd25519).length, 2);
    assert.equal(formatNote(note.text, note.signatures), DOCUMENTED);
  });

  test('no byte of a note can change', () => {
    const whole = Buffer.from(formatNote(TEXT, [log.sign(TEXT), witness.sign(TEXT)]));
    for (let at = 0; at < whole.length; at += 1) {
      for (const bit of [0, 5]) {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        const verified = opened(changed, [log.key, witness.key]);
        // What is left is at most the line that was not touched: a line of a name that nobody knows is passed over.
        assert.ok(verified === null || verified.length === 1, `byte ${at}`);
        if (at < TEXT.length) assert.equal(verified, null, `byte ${at} of the text`);
      }
    }
    for (let cut = 0; cut < whole.length; cut += 1) {
      const verified = opened(whole.subarray(0, cut), [log.key, witness.key]);
      assert.ok(verified === null || verified.length === 1);
    }
  });

  test('text and signatures part at the last blank line', () => {
    const text = 'first\n\nsecond\n\n';
    const note = parseNote(bytes(formatNote(text, [log.sign(text)])));
    assert.equal(note.text, text);
    assert.equal(openNote(note, [log.key], checkEd25519).length, 1);
    // What looks like a signature within the text is text.
    const nested = formatNote(TEXT, [log.sign(TEXT)]);
    const outer = parseNote(bytes(formatNote(nested, [other.sign(nested)])));
    assert.equal(outer.text, nested);
    assert.equal(outer.signatures.length, 1);
  });

  test('unknown keys are passed over, also with a known name or a known id', () => {
    const good = log.sign(TEXT);
    const sameName: NoteSignature = { ...other.sign(TEXT), name: log.key.name };
    const sameId: NoteSignature = { ...other.sign(TEXT), id: log.key.id };
    const note = parseNote(bytes(formatNote(TEXT, [sameName, sameId, good])));
    assert.deepEqual(openNote(note, [log.key], checkEd25519), [{ key: log.key, time: null }]);
    const without = parseNote(bytes(formatNote(TEXT, [sameName, sameId])));
    assert.throws(
      () => openNote(without, [log.key], checkEd25519),
      /none of the known keys signed the note: under it are example.com\/log/,
    );
    assert.throws(() => openNote(without, [], checkEd25519), TlogError);
    const long = parseNote(bytes(formatNote(TEXT, [{ ...good, name: 'x'.repeat(9_000) }])));
    assert.throws(
      () => openNote(long, [log.key], checkEd25519),
      (error: unknown) => error instanceof TlogError && error.reason.length < 300,
    );
  });

  test('what a name may hold is what the specification says, so that strange neighbours refuse nothing', () => {
    for (const name of ['x'.repeat(5_000), 'del\u007f', 'c1\u0080', '\ufeffmark', '—', 'a"b\\c']) {
      const note = parseNote(bytes(formatNote(TEXT, [{ ...other.sign(TEXT), name }, log.sign(TEXT)])));
      assert.equal(note.signatures[0]?.name, name);
      assert.equal(openNote(note, [log.key], checkEd25519).length, 1);
    }
  });

  test('one wrong line of a known key refuses the note, whatever else is under it', () => {
    const wrong: NoteSignature = { ...log.sign(TEXT), bytes: new Uint8Array(64) };
    for (const lines of [[wrong], [wrong, witness.sign(TEXT)], [witness.sign(TEXT), wrong], [log.sign(TEXT), wrong]]) {
      const note = parseNote(bytes(formatNote(TEXT, lines)));
      assert.throws(
        () => openNote(note, [log.key, witness.key], checkEd25519),
        /the signature of example.com\/log \([0-9a-f]{8}\) is wrong/,
      );
    }
    const short: NoteSignature = { ...log.sign(TEXT), bytes: new Uint8Array(63) };
    assert.throws(() => openNote(parseNote(bytes(formatNote(TEXT, [short]))), [log.key], checkEd25519), /has 63 bytes, not 64/);
    const long: NoteSignature = { ...witness.sign(TEXT), bytes: new Uint8Array(73) };
    assert.throws(() => openNote(parseNote(bytes(formatNote(TEXT, [long]))), [witness.key], checkEd25519), /72 bytes after the key id/);
  });

  test('a cosignature holds for its own time only', () => {
    const line = witness.sign(TEXT, 1_679_315_147);
    assert.deepEqual(openNote(parseNote(bytes(formatNote(TEXT, [line]))), [witness.key], checkEd25519), [
      { key: witness.key, time: 1_679_315_147 },
    ]);
    const later = Uint8Array.from(line.bytes);
    later[7] = (later[7] ?? 0) + 1;
    const note = parseNote(bytes(formatNote(TEXT, [{ ...line, bytes: later }])));
    assert.throws(() => openNote(note, [witness.key], checkEd25519), TlogError);
  });

  test('bytes that no note has are refused', () => {
    const line = formatSignature(log.sign('text\n'));
    const rows: readonly (readonly [string | Uint8Array, RegExp])[] = [
      ['', /no blank line/],
      ['text\n', /no blank line/],
      ['text\n\n', /no signature/],
      [`text\n${line}`, /no blank line/],
      [`text\n\n${line.slice(0, -1)}`, /does not end with a line feed/],
      [`text\n\n${line}\n`, /no signature/],
      [`text\r\n\r\n${line}`, /control character at byte 4/],
      [`te\txt\n\n${line}`, /control character/],
      [`te\0xt\n\n${line}`, /control character/],
      [`text\n\n${line.replace('— ', '- ')}`, /line 1 of the signatures/],
      [`text\n\n${line.replace('— ', '—')}`, /line 1 of the signatures/],
      [`text\n\n${line.replace(' example', '  example')}`, /line 1 of the signatures/],
      [`text\n\n${line.replace('com/log ', 'com/l+og ')}`, /line 1 of the signatures/],
      [`text\n\n${line.replace('com/log ', 'com/l\u00a0og ')}`, /line 1 of the signatures/],
      [`text\n\n${line}${line.replace(/ [^ ]+\n$/, ' AAAA\n')}`, /line 2 of the signatures/],
      [`text\n\n${line.replace(/=\n$/, '\n')}`, /line 1 of the signatures/],
      [`text\n\n${line.replace('\n', ' \n')}`, /line 1 of the signatures/],
      [Buffer.concat([Buffer.from([0xc3]), Buffer.from(`text\n\n${line}`)]), /not UTF-8/],
      [Buffer.concat([Buffer.from([0xed, 0xa0, 0x80]), Buffer.from(`text\n\n${line}`)]), /not UTF-8/],
    ];
    for (const [note, why] of rows) {
      assert.throws(
        () => parseNote(typeof note === 'string' ? bytes(note) : note),
        (error: unknown) => error instanceof TlogError && why.test(error.reason),
        `${String(why)} for ${JSON.stringify(String(note))}`,
      );
    }
  });

  test('a mark of byte order is part of the text', () => {
    const text = '\ufeffexample\n';
    const note = parseNote(bytes(formatNote(text, [log.sign(text)])));
    assert.equal(note.text, text);
    assert.equal(openNote(note, [log.key], checkEd25519).length, 1);
  });

  test('sixteen signatures and a hundred are read, more are not; nor is a note that is too large', () => {
    const unknown = other.sign(TEXT);
    for (const count of [16, NOTE_SIGNATURES_MAX]) {
      const lines = [...Array.from({ length: count - 1 }, () => unknown), log.sign(TEXT)];
      assert.equal(openNote(parseNote(bytes(formatNote(TEXT, lines))), [log.key], checkEd25519).length, 1);
    }
    const many = Array.from({ length: NOTE_SIGNATURES_MAX + 1 }, () => unknown);
    assert.throws(() => parseNote(bytes(formatNote(TEXT, many))), /101 signatures: at most 100/);
    const line = formatSignature(unknown);
    const fits = `${'x'.repeat(NOTE_BYTES_MAX - Buffer.byteLength(line) - 2)}\n\n${line}`;
    assert.equal(parseNote(bytes(fits)).signatures.length, 1);
    assert.throws(() => parseNote(bytes(`x${fits}`)), /1000001 bytes/);
  });

  test('what is written can be read', () => {
    assert.throws(() => formatNote('no line feed', []), RangeError);
    assert.throws(() => formatSignature({ ...log.sign(TEXT), name: 'two words' }), RangeError);
  });
});

function opened(note: Uint8Array, keys: Parameters<typeof openNote>[1]): ReturnType<typeof openNote> | null {
  try {
    return openNote(parseNote(note), keys, checkEd25519);
  } catch (error) {
    if (error instanceof TlogError) return null;
    throw error;
  }
}
