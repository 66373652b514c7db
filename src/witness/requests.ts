import type { AddAnswer, Witness } from './witness.ts';

/** The largest body of a request in bytes. */
export const REQUEST_BYTES_MAX = 131_072;

/** What a request is answered. */
export interface WitnessAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The answer to a request without a body; `null` for `add-checkpoint`, whose body is to be read. A path has no query. */
export function answerWithoutBody(witness: Witness, method: string, path: string): WitnessAnswer | null {
  const adds = path === '/add-checkpoint';
  if (adds && method === 'POST') return null;
  const found = adds ? null : resource(witness, path);
  if (!adds && found === null) return text(404, 'there is nothing here: a witness has add-checkpoint and SHA256(ORIGIN)/checkpoint');
  if (found !== null && (method === 'GET' || method === 'HEAD')) return found;
  const allow = adds ? 'POST' : 'GET, HEAD';
  return text(405, `this takes ${allow}`, { allow });
}

/** The answer to `add-checkpoint`, C2SP tlog-witness. */
export async function answerAdd(witness: Witness, body: Uint8Array): Promise<WitnessAnswer> {
  return answerOf(await witness.add(body));
}

/** The answer to a body that is too large. */
export function answerTooLarge(): WitnessAnswer {
  return text(413, `the body has more than ${REQUEST_BYTES_MAX} bytes`);
}

function answerOf(answer: AddAnswer): WitnessAnswer {
  if (answer.kind === 'signed') return { status: 200, headers: { 'content-type': PLAIN }, body: answer.line };
  if (answer.kind === 'conflict') return { status: 409, headers: { 'content-type': 'text/x.tlog.size' }, body: `${answer.size}\n` };
  if (answer.kind === 'refused') return text(answer.status, answer.reason);
  return text(503, answer.reason, { 'retry-after': '5' });
}

/** What can be looked at: whether the process lives, and the newest head that was signed for a log. */
function resource(witness: Witness, path: string): WitnessAnswer | null {
  if (path === '/livez') return text(200, 'ok');
  const [, origin] = CHECKPOINT_PATH.exec(path) ?? [];
  const note = origin === undefined ? null : witness.checkpoint(origin);
  return note === null ? null : { status: 200, headers: { 'content-type': PLAIN, 'cache-control': 'no-store' }, body: note };
}

function text(status: number, line: string, headers: Readonly<Record<string, string>> = {}): WitnessAnswer {
  return { status, headers: { 'content-type': PLAIN, ...headers }, body: `${line}\n` };
}

const PLAIN = 'text/plain; charset=utf-8';
const CHECKPOINT_PATH = /^\/([0-9a-f]{64})\/checkpoint$/;
