import type { DiskFile } from '../../contracts/ports.ts';
import type { FrameHeader, Window } from './layout.ts';
import { FRAME_HEADER_BYTES, frameBytes, payloadHolds, readFrameHeader, windowOf } from './layout.ts';

/** How much is read from the disk at a time when frames are read in their order. */
export const SLICE_BYTES = 1024 * 1024;

/** A frame that holds, where it begins in the file and in the window. The window is only valid during the visit. */
export interface Frame {
  readonly header: FrameHeader;
  readonly window: Window;
  readonly at: number;
  readonly inWindow: number;
}

/** Reads whole words from a file; the window is shorter only at the end of the file. */
export async function readWindow(file: DiskFile, at: number, length: number): Promise<Window> {
  return windowOf(await file.read(at, length));
}

/**
 * Visits the frames of a segment in their order from `at`, each with its checksums checked, and answers where the first byte lies that
 * does not belong to one: the end of the file, zeros, or damage, which only the caller can tell apart. `until` bounds what is read.
 * Whether frames continue one another is for the visitor to check: it ends the walk by answering false, and the frame then counts as not
 * visited.
 */
export async function scanFrames(
  file: DiskFile,
  at: number,
  until: number,
  salt: number,
  visit: (frame: Frame) => boolean,
  pause: () => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  let window = await readWindow(file, at, Math.min(SLICE_BYTES, until - at));
  let windowAt = at;
  for (;;) {
    if (at - windowAt + FRAME_HEADER_BYTES > window.bytes.length) {
      await pause();
      window = await readWindow(file, at, Math.min(SLICE_BYTES, until - at));
      windowAt = at;
    }
    const header = readFrameHeader(window, at - windowAt, salt);
    if (header === null) return at;
    const total = frameBytes(header.payloadBytes);
    if (at + total > until) return at;
    if (at - windowAt + total > window.bytes.length) {
      await pause();
      window = await readWindow(file, at, Math.min(Math.max(SLICE_BYTES, total), until - at));
      windowAt = at;
    }
    if (!payloadHolds(window, at - windowAt, header)) return at;
    if (!visit({ header, window, at, inWindow: at - windowAt })) return at;
    at += total;
  }
}

/**
 * Visits every header that is valid at any multiple of 8 from `at` on, whatever lies between. Answers where the last byte lies that is
 * not zero.
 */
export async function searchHeaders(
  file: DiskFile,
  at: number,
  until: number,
  salt: number,
  visit: (header: FrameHeader) => void,
): Promise<number> {
  let lastByte = at;
  for (let windowAt = at; windowAt < until; windowAt += SLICE_BYTES) {
    // A header may begin at the end of one slice and go on in the next.
    const window = await readWindow(file, windowAt, Math.min(SLICE_BYTES + FRAME_HEADER_BYTES, until - windowAt));
    const { bytes, words } = window;
    const end = Math.min(SLICE_BYTES, bytes.length);
    for (let word = 0; 4 * word < end; word += 2) {
      if (words[word] === 0 && words[word + 1] === 0) continue;
      lastByte = windowAt + 4 * word + 8;
      const header = readFrameHeader(window, 4 * word, salt);
      if (header !== null) visit(header);
    }
  }
  return Math.min(lastByte, until);
}
