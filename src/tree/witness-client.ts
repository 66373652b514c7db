import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Clock, Http, HttpResponse } from '../contracts/ports.ts';
import { TlogError } from '../tlog/error.ts';
import { encodeHash } from '../tlog/hash.ts';
import type { VerifierKey } from '../tlog/key.ts';
import { type NoteSignature, openNote, parseNote } from '../tlog/note.ts';
import { parseSize } from '../tlog/size.ts';
import { checkSignature, noteOf } from './head-note.ts';

/** A witness of C2SP tlog-witness, and how it is asked. */
export interface WitnessSettings {
  readonly name: string;
  readonly verifierKey: string;
  /** What `/add-checkpoint` is put behind. */
  readonly url: string;
  /** Whether no head is published without its cosignature. */
  readonly required: boolean;
  readonly timeoutMs: number;
}

/** What a witness is asked to sign: the head, and the proof that it continues the one over `old` entries. */
export interface WitnessRequest {
  readonly checkpoint: string;
  readonly old: number;
  readonly proof: readonly string[];
}

/**
 * What a witness answers. `elsewhere`: the newest head that it knows is over `size` entries, not over `old`. `conflict`: what it was shown
 * does not continue what it has signed before.
 */
export type WitnessAnswer =
  | { readonly kind: 'cosigned'; readonly line: NoteSignature }
  | { readonly kind: 'elsewhere'; readonly size: number }
  | { readonly kind: 'conflict'; readonly reason: string };

/** How much of an answer is read. */
const ANSWER_BYTES = 64 << 10;
/** How much of what a witness says is shown. */
const SHOWN = 200;

/**
 * Asks a witness for its cosignature, C2SP tlog-witness. What is not a cosignature of its key over this head is none. Rejects with
 * `WITNESS_UNREACHABLE`, also when its time is over, and with `WITNESS_REFUSED`.
 */
export async function askWitness(
  witness: Pick<WitnessSettings, 'name' | 'url' | 'timeoutMs'>,
  key: VerifierKey,
  { checkpoint, old, proof }: WitnessRequest,
  { http, clock }: { readonly http: Http; readonly clock: Clock },
): Promise<WitnessAnswer> {
  const body = `old ${old}\n${proof.map((hash) => `${encodeHash(hash)}\n`).join('')}\n${checkpoint}`;
  const over = new AbortController();
  const late = clock.sleep(witness.timeoutMs, over.signal).then(
    () => over.abort(new Error(`no answer within ${witness.timeoutMs} ms`)),
    () => {},
  );
  try {
    const answer = await http.send(
      {
        method: 'POST',
        url: `${witness.url.replace(/\/$/, '')}/add-checkpoint`,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body: new TextEncoder().encode(body),
        answerBytesMax: ANSWER_BYTES,
      },
      over.signal,
    );
    return read(witness.name, key, checkpoint, answer);
  } catch (error) {
    if (!isWaybillError(error) || error.code.startsWith('WITNESS_')) throw error;
    throw new WaybillError('WITNESS_UNREACHABLE', `the witness ${witness.name} did not answer: ${error.message}`, { cause: error });
  } finally {
    over.abort();
    await late;
  }
}

function read(name: string, key: VerifierKey, checkpoint: string, { status, headers, body }: HttpResponse): WitnessAnswer {
  const text = Buffer.from(body).toString('utf8');
  if (status === 200) return { kind: 'cosigned', line: cosignature(name, key, checkpoint, text) };
  if (status === 409 && headers['content-type']?.split(';')[0]?.trim() === 'text/x.tlog.size') {
    const size = text.endsWith('\n') ? parseSize(text.slice(0, -1)) : null;
    if (size !== null) return { kind: 'elsewhere', size };
  }
  if (status === 422) return { kind: 'conflict', reason: shownText(text) };
  const why = status >= 500 || status === 429 ? 'WITNESS_UNREACHABLE' : 'WITNESS_REFUSED';
  throw new WaybillError(why, `the witness ${name} answered ${status}: ${shownText(text)}`);
}

/** The line of its key, checked; others that came with it are left out. */
function cosignature(name: string, key: VerifierKey, checkpoint: string, lines: string): NoteSignature {
  try {
    const note = parseNote(new TextEncoder().encode(`${noteOf(checkpoint).text}\n${lines}`));
    openNote(note, [key], checkSignature);
    const line = note.signatures.find((signature) => signature.name === key.name && signature.id === key.id);
    if (line !== undefined) return line;
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
  }
  throw new WaybillError('WITNESS_REFUSED', `the witness ${name} answered with what is no cosignature of its key over this head`);
}

/** What somebody else says, without control characters and not too much of it. */
function shownText(text: string): string {
  return JSON.stringify(text.trim().slice(0, SHOWN));
}
