import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkEd25519, noteSigner, sha256 } from '../../test/doubles/note-signer.ts';
import { formatCheckpoint, parseCheckpoint } from './checkpoint.ts';
import { EMPTY_EDGE, growEdge } from './edge.ts';
import { TlogError } from './error.ts';
import { decodeHash, type Hash, leafHash, nodeHash } from './hash.ts';
import { formatNote, openNote, parseNote } from './note.ts';
import { checkInclusion, inclusionProof, rootOf } from './proof.ts';
import { formatTlogProof, parseTlogProof, type TlogProof } from './tlog-proof.ts';

const HASHES = [
  'gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=',
  'B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=',
  'EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=',
];
const CHECKPOINT = 'example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n— example.com/fancylog hI2DJ1roloI=\n';
const EXAMPLE = `c2sp.org/tlog-proof@v1\nextra YWdlLXYxLjIuMS1kYXJ3aW4=\nindex 73894\n${HASHES.join('\n')}\n\n${CHECKPOINT}`;

describe('proofs in a file', () => {
  test('the form of C2SP tlog-proof', () => {
    const proof = parseTlogProof(EXAMPLE);
    assert.equal(proof.index, 73_894);
    assert.equal(Buffer.from(proof.extra ?? []).toString(), 'age-v1.2.1-darwin');
    assert.deepEqual(proof.proof, HASHES.map(decodeHash));
    assert.equal(proof.checkpoint, CHECKPOINT);
    assert.equal(formatTlogProof(proof), EXAMPLE);
    const bare: TlogProof = { index: 0, extra: null, proof: [], checkpoint: CHECKPOINT };
    assert.equal(formatTlogProof(bare), `c2sp.org/tlog-proof@v1\nindex 0\n\n${CHECKPOINT}`);
    assert.deepEqual(parseTlogProof(formatTlogProof(bare)), bare);
    // No extra data and extra data of no bytes are two things.
    const empty: TlogProof = { ...bare, extra: new Uint8Array(0) };
    assert.deepEqual(parseTlogProof(formatTlogProof(empty)), empty);
  });

  test('anything else is refused, with its line', () => {
    const rows: readonly (readonly [string, RegExp])[] = [
      ['', /no blank line/],
      ['c2sp.org/tlog-proof@v1\nindex 0\n', /no blank line/],
      [EXAMPLE.replace('@v1', '@v2'), /line 1/],
      [` ${EXAMPLE}`, /line 1/],
      [EXAMPLE.replace('extra ', 'extra  '), /line 2 of the proof is not "extra base64"/],
      [EXAMPLE.replace('4=\nindex', '4\nindex'), /line 2 of the proof is not "extra base64"/],
      [EXAMPLE.replace('extra ', 'other '), /line 2 of the proof is not "index"/],
      [EXAMPLE.replace('index 7', 'index 07'), /line 3 of the proof is not "index"/],
      [EXAMPLE.replace('index 73894', 'index 9007199254740993'), /line 3/],
      [EXAMPLE.replace('index 73894\n', ''), /line 3/],
      [EXAMPLE.replace('gSKy', 'gSK'), /line 4 of the proof is not a hash/],
      [EXAMPLE.replace('Q1zs=', 'Q1zt='), /line 6 of the proof is not a hash/],
      [EXAMPLE.replaceAll('\n', '\r\n'), /no blank line/],
      [`c2sp.org/tlog-proof@v1\nindex 0\n${`${HASHES[0] ?? ''}\n`.repeat(64)}\n${CHECKPOINT}`, /64 hashes: at most 63/],
      [`${EXAMPLE}${'x'.repeat(2_000_000)}`, /at most 2000000/],
    ];
    for (const [text, why] of rows) {
      assert.throws(
        () => parseTlogProof(text),
        (error: unknown) => error instanceof TlogError && why.test(error.reason),
        `${String(why)} for ${JSON.stringify(text.slice(0, 200))}`,
      );
    }
    assert.throws(() => formatTlogProof({ ...parseTlogProof(EXAMPLE), index: 2 ** 53 }), RangeError);
  });

  test('a proof made here proves its entry, and no changed character of its head does', async () => {
    const entries = Array.from({ length: 11 }, (_, k) => Buffer.from(`{"n":${k}}`));
    const leaves = entries.map((entry) => leafHash(sha256, entry, 0, entry.length));
    const read = (level: number, index: number): Hash => {
      if (level === 0) return leaves[index] ?? '';
      return nodeHash(sha256, read(level - 1, 2 * index), read(level - 1, 2 * index + 1));
    };
    const log = noteSigner('example.com/log', 4);
    const text = formatCheckpoint({ origin: 'example.com/log', size: 11, root: await rootOf(sha256, 11, read) });
    const file = formatTlogProof({
      index: 9,
      extra: null,
      proof: await inclusionProof(sha256, 11, 9, read),
      checkpoint: formatNote(text, [log.sign(text)]),
    });
    const proves = (candidate: string): boolean => {
      const { index, proof, checkpoint } = parseTlogProof(candidate);
      const note = parseNote(Buffer.from(checkpoint));
      openNote(note, [log.key], checkEd25519);
      const head = parseCheckpoint(note.text);
      return checkInclusion(sha256, { size: head.size, index, leaf: leaves[9] ?? '', proof, root: head.root });
    };
    assert.ok(proves(file));
    for (let at = 0; at < file.length; at += 1) {
      const changed = `${file.slice(0, at)}${file[at] === '3' ? '4' : '3'}${file.slice(at + 1)}`;
      let held: boolean;
      try {
        held = proves(changed);
      } catch (error) {
        if (!(error instanceof TlogError)) throw error;
        held = false;
      }
      assert.ok(!held, `character ${at}`);
    }
    // The edge of the tree agrees with the reader of this test.
    let edge = EMPTY_EDGE;
    for (const entry of entries) edge = growEdge(sha256, edge, entry, Uint32Array.of(0), Uint32Array.of(entry.length));
    assert.equal(edge.size, 11);
  });
});
