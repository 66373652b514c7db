/** Which file holds a content now: found by what is in the files, because names and inodes tell nothing after a rotation. */
import type { Files } from '../contracts/ports.ts';
import { type FileContent, openContent } from './file-content.ts';
import { HEAD_BYTES, printOf, TAIL_BYTES } from './file-place.ts';
import { type FileTrack, recognise } from './file-track.ts';

/** A file without a track, opened and measured. */
export interface Candidate {
  readonly content: FileContent;
  readonly length: number;
  /** Its first bytes. */
  readonly sample: Buffer;
}

/** Measures an open content; `null` when it is packed and not whole. */
export async function candidateOf(content: FileContent): Promise<Candidate | null> {
  const length = await content.length();
  return length === null ? null : { content, length, sample: Buffer.from(await content.read(0, HEAD_BYTES)) };
}

/** Whether a candidate has what a track needs to go on: everything that was read, in the same bytes. */
export async function continues({ content, length, sample }: Candidate, { place }: FileTrack): Promise<boolean> {
  if (place.offset === 0 || length < place.tailAt || sample.length < place.headBytes) return false;
  if (printOf(sample.subarray(0, place.headBytes)) !== place.head) return false;
  return (await recognise(content, place)) !== null;
}

/**
 * Whether a candidate is a copy that was made just before its original was cut: it ends before the place, among the bytes that were read
 * last.
 */
export async function endsBefore({ content, length, sample }: Candidate, track: FileTrack): Promise<boolean> {
  const { place, recent } = track;
  if (recent === null || place.tailAt !== place.offset || length >= place.offset) return false;
  const tailBytes = Math.min(length, TAIL_BYTES);
  const from = length - tailBytes - (place.offset - recent.length);
  if (from < 0 || !beginsLike(sample, track)) return false;
  return (await content.read(length - tailBytes, tailBytes)).equals(recent.subarray(from, from + tailBytes));
}

/**
 * Whether a candidate that begins like a track holds nothing but the beginning of what the track's own file holds. A copy is never longer
 * than its original, and the original was measured last.
 */
export async function isCopy({ content, length, sample }: Candidate, track: FileTrack, files: Files): Promise<boolean> {
  const opened = track.content === null && track.found !== null ? await openContent(files, track.found.path, track.found.facts) : null;
  const original = track.content ?? opened;
  if (original === null) return false;
  try {
    const all = await original.length();
    if (all === null || length > all) return false;
    if (!(await original.read(0, sample.length)).equals(sample)) return false;
    const tailBytes = Math.min(length, TAIL_BYTES);
    const tail = Buffer.from(await content.read(length - tailBytes, tailBytes));
    return (await original.read(length - tailBytes, tailBytes)).equals(tail);
  } finally {
    await opened?.close();
  }
}

/** Whether the first bytes are those of a track, as far as both are known. */
export function beginsLike(sample: Buffer, track: FileTrack): boolean {
  const known = Math.min(sample.length, track.sample.length);
  // Most files differ where their lines are numbered or dated, and the comparison of all of it costs more than this.
  if (known === 0 || sample[known - 1] !== track.sample[known - 1]) return false;
  return sample.compare(track.sample, 0, known, 0, known) === 0;
}
