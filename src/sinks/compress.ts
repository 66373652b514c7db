import { constants, gzipSync, zstdCompressSync } from 'node:zlib';

/** How a body may be compressed. */
export type Compression = 'none' | 'gzip' | 'zstd';

/** Compresses at the quickest level, which leaves the network and not the processor in front. The same bytes give the same bytes. */
export function compress(body: Uint8Array, compression: Compression): Uint8Array {
  if (compression === 'gzip') return gzipSync(body, { level: 1 });
  if (compression === 'zstd') return zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  return body;
}
