import { readBody, SenderGone } from '../api/body.ts';
import type { IncomingRequest, OutgoingResponse, Requests } from '../api/requests.ts';
import { isWaybillError } from '../contracts/errors.ts';
import type { Log } from '../contracts/ports.ts';
import { answerAdd, answerTooLarge, answerWithoutBody, REQUEST_BYTES_MAX, type WitnessAnswer } from '../witness/requests.ts';
import type { Witness } from '../witness/witness.ts';

/** The requests of a witness, for a listener. */
export interface WitnessRequests extends Pick<Requests, 'take'> {
  /** Resolves once every answer has been handed over. */
  idle(): Promise<void>;
  /** Resolves with what was not foreseen. */
  readonly failed: Promise<unknown>;
}

/** Makes the part that answers. */
export function createWitnessRequests(witness: Witness, log: Log): WitnessRequests {
  const open = new Set<Promise<void>>();
  const failure = Promise.withResolvers<unknown>();
  return {
    take(request, response, asksFirst) {
      const handled = handle(witness, request, response, asksFirst)
        .catch((error: unknown) => {
          log.error('a request met a mistake of this program', { error: String(error) });
          response.destroy();
          failure.resolve(error);
        })
        .finally(() => open.delete(handled));
      open.add(handled);
    },
    async idle() {
      await Promise.all(open);
    },
    failed: failure.promise,
  };
}

async function handle(witness: Witness, request: IncomingRequest, response: OutgoingResponse, asksFirst: boolean): Promise<void> {
  const method = request.method ?? '';
  const early = answerWithoutBody(witness, method, request.url ?? '');
  if (early !== null) {
    // A body that nobody asked for is not read: the connection ends behind the answer.
    return send(response, early, { head: method === 'HEAD', close: !request.complete && hasBody(request) });
  }
  if (asksFirst) response.writeContinue();
  try {
    const body = await readBody(request, REQUEST_BYTES_MAX, () => {});
    // The reader puts a line feed behind it, for those who read lines.
    send(response, await answerAdd(witness, body.subarray(0, -1)), { head: false, close: false });
  } catch (error) {
    if (error instanceof SenderGone) return;
    if (!isWaybillError(error) || error.code !== 'BODY_TOO_LARGE') throw error;
    send(response, answerTooLarge(), { head: false, close: true });
  }
}

function hasBody({ headers }: IncomingRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function send(
  response: OutgoingResponse,
  { status, headers, body }: WitnessAnswer,
  { head, close }: { head: boolean; close: boolean },
): void {
  response.writeHead(status, {
    'x-content-type-options': 'nosniff',
    ...headers,
    'content-length': Buffer.byteLength(body),
    ...(close ? { connection: 'close' } : {}),
  });
  response.end(head ? undefined : body);
}
