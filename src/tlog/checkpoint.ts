import { TlogError } from './error.ts';
import { decodeHash, encodeHash, HASH_BYTES, type Hash } from './hash.ts';
import { isKeyName } from './key.ts';
import { parseSize } from './size.ts';

/** The head of a tree as C2SP tlog-checkpoint writes it into a note. */
export interface Checkpoint {
  /** The name of the log. */
  readonly origin: string;
  /** How many entries the tree has. */
  readonly size: number;
  readonly root: Hash;
}

/** The text of the note: origin, size and root, a line each. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, root } = checkpoint;
  if (!isKeyName(origin)) throw new RangeError('this is not the origin of a log');
  if (!Number.isSafeInteger(size) || size < 0 || root.length !== HASH_BYTES) throw new RangeError(`this is no head of a tree of ${size}`);
  return `${origin}\n${size}\n${encodeHash(root)}\n`;
}

/**
 * Reads the text of a note. Lines after the third are extensions, which nothing here gives a meaning to. Throws `TlogError` for anything
 * else than C2SP tlog-checkpoint allows, and for a size that is no exact number.
 */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  const [origin = '', sizeText = '', rootText = ''] = lines;
  if (lines.pop() !== '' || lines.length < 3 || lines.includes('')) {
    throw new TlogError('a checkpoint has at least three lines, none of them empty: origin, size and root');
  }
  if (origin.length > ORIGIN_MAX)
    throw new TlogError(`the origin of the checkpoint has ${origin.length} characters: at most ${ORIGIN_MAX} are read`);
  const size = parseSize(sizeText);
  if (size === null) throw new TlogError('line 2 of the checkpoint is not a size: decimal, without leading zeros, below 2^53');
  const root = decodeHash(rootText);
  if (root === null) throw new TlogError('line 3 of the checkpoint is not a hash of 32 bytes in base64');
  return { origin, size, root };
}

/** The longest origin that is read, in characters. */
const ORIGIN_MAX = 1_000;
