import { promisify } from 'node:util';
import { constants, gunzip, gzip, gzipSync, zstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib';

/** How a body may be compressed. */
export type Compression = 'none' | 'gzip' | 'zstd';

const GZIP = { level: 1 };
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const gzipAside = promisify(gzip);
const zstdAside = promisify(zstdCompress);
const gunzipAside = promisify(gunzip);
const unzstdAside = promisify(zstdDecompress);

/** Compresses at the quickest level, which leaves the network and not the processor in front. The same bytes give the same bytes. */
export function compress(body: Uint8Array, compression: Compression): Uint8Array {
  if (compression === 'gzip') return gzipSync(body, GZIP);
  if (compression === 'zstd') return zstdCompressSync(body, ZSTD);
  return body;
}

/** The same beside the main thread, for bodies so large that everybody would wait. */
export async function compressAside(body: Uint8Array, compression: Compression): Promise<Uint8Array> {
  if (compression === 'gzip') return gzipAside(body, GZIP);
  if (compression === 'zstd') return zstdAside(body, ZSTD);
  return body;
}

/** Takes a body apart again. Rejects when it is damaged or would become longer than `bytesMax`. */
export async function decompressAside(body: Uint8Array, compression: Compression, bytesMax: number): Promise<Uint8Array> {
  if (compression === 'gzip') return gunzipAside(body, { maxOutputLength: bytesMax });
  if (compression === 'zstd') return unzstdAside(body, { maxOutputLength: bytesMax });
  return body;
}
