import { type Checkpoint, parseCheckpoint } from '../tlog/checkpoint.ts';
import { TlogError } from '../tlog/error.ts';
import { decodeHash, type Hash } from '../tlog/hash.ts';
import { type Note, parseNote } from '../tlog/note.ts';
import { parseSize } from '../tlog/size.ts';

/** What a log asks for: a cosignature under a checkpoint that continues the one of `old` entries. Nobody has checked it. */
export interface AddRequest {
  /** The size up to which the log thinks that the witness knows it. */
  readonly old: number;
  /** The consistency proof from `old` to the checkpoint. */
  readonly proof: readonly Hash[];
  readonly note: Note;
  readonly checkpoint: Checkpoint;
}

/** How many hashes a request may carry: C2SP tlog-witness. */
export const PROOF_LINES_MAX = 63;

/** Reads the body of `add-checkpoint`, C2SP tlog-witness. Throws `TlogError`. */
export function parseAddRequest(body: Uint8Array): AddRequest {
  const split = blankLine(body);
  if (split < 0) throw new TlogError('there is no blank line before the checkpoint');
  const [first = '', ...lines] = String.fromCharCode(...body.subarray(0, Math.min(split, HEAD_BYTES_MAX))).split('\n');
  if (split > HEAD_BYTES_MAX || lines.length > PROOF_LINES_MAX) throw new TlogError(`there are more than ${PROOF_LINES_MAX} hashes`);
  const old = first.startsWith('old ') ? parseSize(first.slice('old '.length)) : null;
  if (old === null) throw new TlogError('line 1 is not "old" and a decimal number below 2^53');
  const proof = lines.map((line, k) => {
    const hash = decodeHash(line);
    if (hash === null) throw new TlogError(`line ${k + 2} is not a hash of 32 bytes in base64`);
    return hash;
  });
  const note = parseNote(body.subarray(split + 2));
  return { old, proof, note, checkpoint: parseCheckpoint(note.text) };
}

/** Where the first of two line feeds is that stand one behind the other; -1 where there are none. */
function blankLine(body: Uint8Array): number {
  for (let at = body.indexOf(LINE_FEED); at >= 0; at = body.indexOf(LINE_FEED, at + 1)) if (body[at + 1] === LINE_FEED) return at;
  return -1;
}

const LINE_FEED = 0x0a;
/** More than the line of the size and that many hashes of 45 characters ever take. */
const HEAD_BYTES_MAX = 4_096;
