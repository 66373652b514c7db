import type { Clock, Disk } from '../../contracts/ports.ts';
import type { Identity } from './layout.ts';
import { damaged, FLAG, KIND, readSegmentHeader, SEGMENT_HEADER_BYTES } from './layout.ts';
import { openSegment, type SegmentPlace } from './reader.ts';
import type { Frame } from './scan.ts';
import { scanFrames } from './scan.ts';

const PAUSE_MS = 20;

/** What a scrub has read. */
export interface Scrubbed {
  readonly segments: number;
  readonly bytes: number;
}

/**
 * Reads full segments from the first to the last and checks every frame of them: its checksums, that it continues the one before, and
 * that the segment ends with its seal. `full` is asked again after each segment, because some may have gone and others may have come.
 */
export async function scrubSegments(
  ports: { readonly disk: Disk; readonly clock: Clock },
  identity: Identity,
  full: () => readonly SegmentPlace[],
  signal: AbortSignal,
): Promise<Scrubbed> {
  const pause = async (): Promise<void> => ports.clock.sleep(PAUSE_MS, signal);
  let segments = 0;
  let bytes = 0;
  let before = -1;
  for (;;) {
    const segment = full().find(({ ordinal }) => ordinal > before);
    if (segment === undefined) return { segments, bytes };
    signal.throwIfAborted();
    before = segment.ordinal;
    try {
      bytes += await scrubSegment(ports.disk, identity, segment, pause);
      segments++;
    } catch (error) {
      // Retention may have removed it while it was being read.
      if (full().includes(segment)) throw error;
    }
  }
}

async function scrubSegment(disk: Disk, identity: Identity, segment: SegmentPlace, pause: () => Promise<void>): Promise<number> {
  const file = await openSegment(disk, segment);
  try {
    const ordinal = readSegmentHeader(await file.read(0, SEGMENT_HEADER_BYTES), identity);
    if (ordinal !== segment.ordinal) throw damaged(segment.path, 0, 'the header is not one of this segment');
    let index = segment.first;
    let frame = -1;
    let sealed = false;
    const continues = ({ header }: Frame): boolean => {
      if ((frame >= 0 && header.frame !== frame) || header.first !== index) return false;
      frame = header.frame + 1;
      index += header.count;
      sealed = header.kind === KIND.seal && (header.flags & FLAG.segmentEnd) !== 0;
      return true;
    };
    const end = await scanFrames(file, SEGMENT_HEADER_BYTES, await file.length(), identity.salt, continues, pause);
    if (!sealed) throw damaged(segment.path, end, 'a frame was changed or is missing');
    return end;
  } finally {
    await file.close();
  }
}
