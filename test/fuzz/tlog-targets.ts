import assert from 'node:assert/strict';
import { encodeBundle, readBundle } from '../../src/tlog/bundle.ts';
import { formatCheckpoint, parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { encodeCosignature, parseCosignature } from '../../src/tlog/cosignature.ts';
import { TlogError } from '../../src/tlog/error.ts';
import { emptyRoot } from '../../src/tlog/hash.ts';
import { formatSigningKey, formatVerifierKey, isKeyName, parseSigningKey, parseVerifierKey } from '../../src/tlog/key.ts';
import { formatNote, openNote, parseNote } from '../../src/tlog/note.ts';
import { parsePolicy, quorumMet } from '../../src/tlog/policy.ts';
import { TREE_SIZE_MAX } from '../../src/tlog/size.ts';
import { parseTilePath, tilePath } from '../../src/tlog/tile.ts';
import { formatTlogProof, parseTlogProof } from '../../src/tlog/tlog-proof.ts';
import { checkEd25519, noteSigner, sha256 } from '../doubles/note-signer.ts';
import type { FuzzTarget } from './target.ts';
import { damagedBytes, mangled } from './text.ts';

/** What a parser of `src/tlog` gives, or `null` when it refuses the input in words. */
function refused<Value>(parse: () => Value): Value | null {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    assert.ok(error.reason !== '' && error.reason.length < 2_000, 'a refusal says what is wrong, and not everything that was sent');
    return null;
  }
}

const log = noteSigner('example.com/log', 1);
const witness = noteSigner('witness.example/w1', 2, 4);
const TEXT = formatCheckpoint({ origin: 'example.com/log', size: 1_234, root: emptyRoot(sha256) });
const NOTE = formatNote(TEXT, [log.sign(TEXT), witness.sign(TEXT)]);

const notes: FuzzTarget = {
  name: 'signed notes',
  cost: 4,
  one(dice) {
    const bytes = dice.once(2) ? damagedBytes(dice, Buffer.from(NOTE)) : Buffer.from(mangled(dice, [NOTE, `two\n\nparts\n\n${NOTE}`]));
    const note = refused(() => parseNote(bytes));
    if (note === null) return false;
    // There is one way to write a note, and a signature holds for the text that was signed and no other.
    assert.ok(bytes.equals(Buffer.from(formatNote(note.text, note.signatures))));
    const verified = refused(() => openNote(note, [log.key, witness.key], checkEd25519));
    if (verified !== null) assert.equal(note.text, TEXT);
    return true;
  },
};

const checkpoints: FuzzTarget = {
  name: 'texts of checkpoints',
  cost: 1,
  one(dice) {
    const text = mangled(dice, [TEXT, `${TEXT}extension\n`, TEXT.replace('1234', '9007199254740991'), TEXT.replace('1234', '0')]);
    const checkpoint = refused(() => parseCheckpoint(text));
    if (checkpoint === null) return false;
    assert.ok(checkpoint.size >= 0 && checkpoint.size <= TREE_SIZE_MAX);
    if (isKeyName(checkpoint.origin)) assert.ok(text.startsWith(formatCheckpoint(checkpoint)));
    return true;
  },
};

const PRIVATE = formatSigningKey(log.signingKey);

const keys: FuzzTarget = {
  name: 'verifier keys and private keys',
  cost: 2,
  one(dice) {
    const text = mangled(dice, [log.verifierKey, witness.verifierKey]);
    const key = refused(() => parseVerifierKey(sha256, text));
    if (key !== null) assert.equal(formatVerifierKey(key), text);
    const secret = mangled(dice, [PRIVATE, formatSigningKey(witness.signingKey), log.verifierKey]);
    const signing = refused(() => parseSigningKey(secret));
    if (signing !== null) assert.equal(formatSigningKey(signing), secret);
    return key !== null;
  },
};

const COSIGNATURE = Buffer.from(witness.sign(TEXT).bytes);

const cosignatures: FuzzTarget = {
  name: 'cosignatures',
  cost: 1,
  one(dice) {
    const bytes = damagedBytes(dice, COSIGNATURE);
    const cosignature = refused(() => parseCosignature(bytes));
    if (cosignature === null) return false;
    assert.ok(bytes.equals(encodeCosignature(cosignature)));
    return true;
  },
};

const tilePaths: FuzzTarget = {
  name: 'paths of tiles',
  cost: 1,
  one(dice) {
    const n = dice.pick([dice.roll(300), dice.roll(2_000_000), 2 ** 45 - 1 - dice.roll(3)]);
    const level = dice.pick(['entries' as const, 0, 1, 2, 5]);
    const path = mangled(dice, [tilePath({ level, n, width: 1 + dice.roll(256) }), 'tile/0/x001/x234/067', 'tile/6/000.p/31']);
    const tile = parseTilePath(path);
    if (tile === null) return false;
    assert.equal(tilePath(tile), path);
    assert.ok(Number.isSafeInteger(tile.n) && tile.width >= 1 && tile.width <= 256);
    return true;
  },
};

const ENTRIES = Buffer.from('{"v":1}{"v":22}{}');
const BUNDLE = encodeBundle(ENTRIES, Uint32Array.of(0, 7, 15), Uint32Array.of(7, 15, 17));

const bundles: FuzzTarget = {
  name: 'entry bundles',
  cost: 1,
  one(dice) {
    const bytes = damagedBytes(dice, BUNDLE);
    const count = dice.pick([3, 3, 3, 2, 4, 0]);
    const found = refused(() => readBundle(bytes, count));
    if (found === null) return false;
    assert.ok(bytes.equals(encodeBundle(bytes, found.starts, found.ends)));
    return true;
  },
};

const PROOF = { index: 7, extra: null, proof: [emptyRoot(sha256), sha256(ENTRIES)], checkpoint: NOTE };
const PROOFS = [formatTlogProof(PROOF), formatTlogProof({ ...PROOF, extra: ENTRIES }), formatTlogProof({ ...PROOF, proof: [] })];

const proofs: FuzzTarget = {
  name: 'proofs in a file',
  cost: 2,
  one(dice) {
    const text = mangled(dice, PROOFS);
    const proof = refused(() => parseTlogProof(text));
    if (proof === null) return false;
    assert.equal(formatTlogProof(proof), text);
    return true;
  },
};

const POLICY = `log ${log.verifierKey}\nwitness w ${witness.verifierKey} https://w.example/\ngroup g any w\nquorum g\n`;

const policies: FuzzTarget = {
  name: 'policies',
  cost: 5,
  one(dice) {
    const text = mangled(dice, [POLICY, POLICY.replace('quorum g', 'quorum none'), `# comment\n\n${POLICY}`]);
    const policy = refused(() => parsePolicy(sha256, text));
    if (policy === null) return false;
    const names = [...policy.witnesses, ...policy.groups].map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.ok(policy.quorum === null || names.includes(policy.quorum));
    assert.equal(quorumMet(policy, []), policy.quorum === null);
    const everybody = policy.witnesses.map(({ key }) => key);
    assert.ok(quorumMet(policy, everybody));
    return true;
  },
};

/** What is read of logs, also of those of others: C2SP. */
export const TLOG_TARGETS: readonly FuzzTarget[] = [notes, checkpoints, keys, cosignatures, tilePaths, bundles, proofs, policies];
