import { hash } from 'node:crypto';
import { WaybillError } from '../contracts/errors.ts';
import type { Disk } from '../contracts/ports.ts';
import { type Checkpoint, parseCheckpoint } from '../tlog/checkpoint.ts';
import { TlogError } from '../tlog/error.ts';
import { parseNote } from '../tlog/note.ts';

/** The newest head of a log that the witness signed. */
export interface SignedHead {
  readonly checkpoint: Checkpoint;
  /** The whole note: the text, the lines of the log, and the cosignature. */
  readonly note: string;
}

/** What a witness must never forget: by origin, the newest head that it signed. */
export type SignedHeads = ReadonlyMap<string, SignedHead>;

/** The file of the state in the directory of a witness: docs/formats/witness-v1.md. */
export function stateFile(directory: string): string {
  return `${directory}/witness.state`;
}

/** Reads the state of the witness of this name. Rejects with `WITNESS_INVALID` what no witness of this name wrote. */
export async function readState(disk: Disk, directory: string, name: string): Promise<SignedHeads> {
  const path = stateFile(directory);
  const file = await disk.open(path, 'read');
  try {
    const text = Buffer.from(await file.read(0, await file.length())).toString('utf8');
    const state = decodeState(text);
    if (state === null) throw new WaybillError('WITNESS_INVALID', `${path} is not as a witness wrote it`);
    if (state.name !== name) throw new WaybillError('WITNESS_INVALID', `${path} is the state of the witness ${state.name}, not of ${name}`);
    return state.heads;
  } finally {
    await file.close();
  }
}

/**
 * Replaces the state. It is there whole, old or new, whatever ends the process on the way; and for good once this resolves. Rejects with
 * `DISK_FULL`, after which it can be tried again, or with `DISK_FAILED`, after which nobody knows what the disk holds.
 */
export async function writeState(disk: Disk, directory: string, name: string, heads: SignedHeads): Promise<void> {
  const path = stateFile(directory);
  const unfinished = `${path}.new`;
  const file = await disk.open(unfinished, 'create');
  try {
    await file.truncate(0);
    await file.commit(Buffer.from(encodeState(name, heads)), 0);
  } finally {
    await file.close();
  }
  await disk.rename(unfinished, path);
  await disk.syncDirectory(directory);
}

/** The text of the file: a line with the digest of what follows, and the state as one line of JSON. */
export function encodeState(name: string, heads: SignedHeads): string {
  const logs = [...heads].map(([origin, { note }]) => ({ origin, checkpoint: note }));
  const body = `${JSON.stringify({ v: 1, name, logs })}\n`;
  return `${HEADER}${hash('sha256', body)}\n${body}`;
}

/** Reads the text of the file; `null` for what `encodeState` did not write. */
export function decodeState(text: string): { readonly name: string; readonly heads: SignedHeads } | null {
  const at = text.indexOf('\n') + 1;
  const body = text.slice(at);
  if (text.slice(0, at) !== `${HEADER}${hash('sha256', body)}\n`) return null;
  // The digest says that these are the bytes that were written, so only another version can have given them another form.
  const { v, name, logs } = JSON.parse(body) as { v: unknown; name: string; logs: { origin: string; checkpoint: string }[] };
  if (v !== 1) return null;
  try {
    const heads = logs.map(({ origin, checkpoint: note }): [string, SignedHead] => {
      return [origin, { checkpoint: parseCheckpoint(parseNote(Buffer.from(note)).text), note }];
    });
    return { name, heads: new Map(heads) };
  } catch (error) {
    if (error instanceof TlogError) return null;
    throw error;
  }
}

const HEADER = 'waybill-witness/1 ';
