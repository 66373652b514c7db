import { hash } from 'node:crypto';
import { WaybillError } from '../contracts/errors.ts';
import type { Position } from '../contracts/units.ts';
import { asPosition } from '../contracts/units.ts';

/**
 * How far one content was read, and how to know it again: by the device and the inode of the file that holds it, and by what is at its
 * beginning and at the place itself, because inodes are used again and contents are copied, packed and cut.
 */
export interface FilePlace {
  /** How many bytes of the content, unpacked, were read. */
  readonly offset: number;
  readonly device: string;
  readonly inode: string;
  /** The path under which the content was first seen, as `originOf` writes it. */
  readonly origin: string;
  /** How many bytes `head` covers: the first ones, at most `HEAD_BYTES`, never more than were read. */
  readonly headBytes: number;
  readonly head: string;
  /** The print of the last bytes before `tailAt`, at most `TAIL_BYTES`. */
  readonly tail: string;
  /** `offset`, or less where the file that holds the content is a copy that ends before it. */
  readonly tailAt: number;
  /** True when it was read to its end after nobody could write to it any more. */
  readonly ended: boolean;
}

/** How much of the beginning of a content a place remembers. */
export const HEAD_BYTES = 1_024;

/** How much before a place it remembers. */
export const TAIL_BYTES = 256;

const ORIGIN_MAX = 400;
const PRINT = '[A-Za-z0-9_-]{16}';
const NUMBER = '(0|[1-9]\\d{0,15})';
const FORM = new RegExp(`^1 ${NUMBER} ${NUMBER} (\\d{1,20}) (\\d{1,20}) ([01]) ${NUMBER} (${PRINT}) (${PRINT}) ([!-~]{1,${ORIGIN_MAX}})$`);

/** A short print of bytes: the same bytes have the same one, and others practically never. */
export function printOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64url').slice(0, 16);
}

/** A path as a place keeps it: in printable ASCII, as its print when it is long. */
export function originOf(path: string): string {
  const text = path.isWellFormed() ? encodeURI(path) : `~${printOf(Buffer.from(path, 'utf16le'))}`;
  return text.length <= ORIGIN_MAX ? text : `~${printOf(Buffer.from(path))}`;
}

/** A place as the position of a batch. */
export function positionOf({ offset, tailAt, device, inode, ended, headBytes, head, tail, origin }: FilePlace): Position {
  return asPosition(`1 ${offset} ${tailAt} ${device} ${inode} ${ended ? 1 : 0} ${headBytes} ${head} ${tail} ${origin}`);
}

/** Reads what `positionOf` wrote. Throws `SOURCE_BROKEN` for anything else. */
export function placeOf(position: string, partition: string): FilePlace {
  const [, offset, tailAt, device, inode, ended, headBytes, head, tail, origin] = FORM.exec(position) ?? [];
  const place = { offset: Number(offset), tailAt: Number(tailAt), headBytes: Number(headBytes), ended: ended === '1' };
  const whole = device !== undefined && inode !== undefined && head !== undefined && tail !== undefined && origin !== undefined;
  const fits = Number.isSafeInteger(place.offset) && place.tailAt <= place.offset && place.headBytes <= Math.min(place.offset, HEAD_BYTES);
  if (!whole || !fits) {
    throw new WaybillError('SOURCE_BROKEN', `the position of partition ${partition} is not one of a file`);
  }
  return { ...place, device, inode, head, tail, origin };
}
