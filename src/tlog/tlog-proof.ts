import { decodeBase64, encodeBase64 } from './base64.ts';
import { TlogError } from './error.ts';
import { decodeHash, encodeHash, type Hash } from './hash.ts';
import { parseSize } from './size.ts';

/** The proof that one entry is in a log, in one file that is checked offline: C2SP tlog-proof. Nobody has checked it. */
export interface TlogProof {
  readonly index: number;
  /** Data that goes along and that nothing authenticates; `null` without. */
  readonly extra: Uint8Array | null;
  /** The inclusion proof, from the leaf's sibling up to the root's child. */
  readonly proof: readonly Hash[];
  /** The checkpoint as the log issued it: the whole signed note. */
  readonly checkpoint: string;
}

/** Writes the text of a `.tlog-proof` file. */
export function formatTlogProof(proof: TlogProof): string {
  if (!Number.isSafeInteger(proof.index) || proof.index < 0) throw new RangeError(`${proof.index} is no index of an entry`);
  if (proof.proof.length > PROOF_HASHES_MAX) throw new RangeError(`a proof has at most ${PROOF_HASHES_MAX} hashes`);
  const extra = proof.extra === null ? [] : [`extra ${encodeBase64(proof.extra)}`];
  return [HEADER, ...extra, `index ${proof.index}`, ...proof.proof.map(encodeHash), '', proof.checkpoint].join('\n');
}

/** Reads the text of a `.tlog-proof` file. Throws `TlogError` with the line that is wrong. The checkpoint is cut out and not read. */
export function parseTlogProof(text: string): TlogProof {
  if (text.length > TLOG_PROOF_CHARACTERS_MAX) {
    throw new TlogError(`the proof has ${text.length} characters: at most ${TLOG_PROOF_CHARACTERS_MAX} are read`);
  }
  const split = text.indexOf('\n\n');
  if (split < 0) throw new TlogError('the proof has no blank line before its checkpoint');
  const lines = text.slice(0, split).split('\n');
  if (lines.shift() !== HEADER) throw new TlogError(`line 1 of the proof is not ${HEADER}`);
  const extra = lines[0]?.startsWith('extra ') === true ? decodeBase64((lines.shift() ?? '').slice('extra '.length)) : undefined;
  if (extra === null) throw new TlogError('line 2 of the proof is not "extra base64"');
  const before = extra === undefined ? 1 : 2;
  const indexLine = lines.shift() ?? '';
  const index = indexLine.startsWith('index ') ? parseSize(indexLine.slice('index '.length)) : null;
  if (index === null) throw new TlogError(`line ${before + 1} of the proof is not "index" and a decimal number below 2^53`);
  if (lines.length > PROOF_HASHES_MAX) throw new TlogError(`the proof has ${lines.length} hashes: at most ${PROOF_HASHES_MAX} are read`);
  const proof = lines.map((line, k) => {
    const hash = decodeHash(line);
    if (hash === null) throw new TlogError(`line ${before + 2 + k} of the proof is not a hash of 32 bytes in base64`);
    return hash;
  });
  return { index, extra: extra ?? null, proof, checkpoint: text.slice(split + 2) };
}

/** How many hashes a proof has at most: one for each level of the largest tree that C2SP knows. */
export const PROOF_HASHES_MAX = 63;

/** The longest proof that is read, in characters. */
export const TLOG_PROOF_CHARACTERS_MAX = 2_000_000;

const HEADER = 'c2sp.org/tlog-proof@v1';
