import type { Readable } from 'node:stream';
import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { WaybillError } from '../contracts/errors.ts';

/** How a body may be compressed. */
export type Encoding = 'identity' | 'gzip' | 'zstd';

const LINE_FEED = Buffer.from('\n');
/** Frames that ask for a larger window than this are refused: the window is memory that the sender chooses. */
const ZSTD_WINDOW_LOG_MAX = 24;

/** The sender went away before its request was whole. Nobody is there to be answered. */
export class SenderGone extends Error {
  override readonly name = 'SenderGone';
}

/**
 * Collects a body and returns it with a line feed behind it, which is what checking it asks for. `hold` is told of every piece
 * and may throw to refuse it.
 */
export function readBody(stream: Readable, bytesMax: number, hold: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let over = false;

    function fail(error: Error): void {
      over = true;
      chunks.length = 0;
      reject(error);
    }

    stream.on('data', (chunk: Buffer) => {
      if (over) return;
      try {
        hold(chunk.length);
      } catch (error) {
        return fail(error as Error);
      }
      bytes += chunk.length;
      if (bytes > bytesMax) return fail(tooLarge(bytesMax));
      chunks.push(chunk);
    });
    stream.on('end', () => {
      if (over) return;
      over = true;
      chunks.push(LINE_FEED);
      resolve(Buffer.concat(chunks, bytes + 1));
    });
    const gone = (): void => {
      // Every stream closes in the end; making an error costs more than asking first.
      if (!over) fail(new SenderGone('the sender went away'));
    };
    stream.on('error', gone);
    stream.on('close', gone);
  });
}

/** The error for a body above the limit. */
export function tooLarge(bytesMax: number): WaybillError {
  return new WaybillError('BODY_TOO_LARGE', `the body has more than ${bytesMax} bytes`);
}

/** Unpacks a body that `readBody` collected. One that would be larger than `bytesMax` is never unpacked further than that. */
export function unpack(body: Buffer, encoding: Encoding, bytesMax: number): Buffer {
  if (encoding === 'identity') return body;
  const packed = body.subarray(0, -1);
  try {
    if (encoding === 'gzip') return gunzipSync(packed, { maxOutputLength: bytesMax });
    const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
    return zstdDecompressSync(packed, { maxOutputLength: bytesMax, params });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bytesMax);
    throw new WaybillError('BODY_UNREADABLE', `the body is not ${encoding}`, { cause: error });
  }
}
