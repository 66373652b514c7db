import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { encodeHash } from '../../src/tlog/hash.ts';
import { parseVerifierKey } from '../../src/tlog/key.ts';
import { openNote, parseNote } from '../../src/tlog/note.ts';
import { checkEd25519, sha256 } from '../doubles/note-signer.ts';
import { leafOf, rootOf } from '../sim/tree-check.ts';

/** A checkpoint as it came to a destination, and how many lines it held then, from entry 0 on. */
export interface CameCheckpoint {
  readonly note: string;
  readonly held: number;
}

/**
 * Opens every checkpoint with the key of the log in the directory `keys`, and compares its root with that of the lines that were held.
 * Gives the size of the newest.
 */
export function checkCheckpoints(keys: string, came: readonly CameCheckpoint[], lines: readonly string[], what: string): number {
  const key = parseVerifierKey(sha256, readFileSync(`${keys}/log.vkey`, 'utf8').trim());
  const leaves = lines.map((line) => leafOf(line.slice(line.indexOf(',"entry":') + ',"entry":'.length, -1)));
  const known = new Map<string, Buffer>();
  let newest = 0;
  for (const { note, held } of came) {
    const parsed = parseNote(Buffer.from(note));
    assert.equal(openNote(parsed, [key], checkEd25519).length, 1, `${what}: the log has signed`);
    const { size, root } = parseCheckpoint(parsed.text);
    assert.ok(size <= held, `${what}: a checkpoint over ${size} entries came, and ${held} were there`);
    assert.equal(encodeHash(root), rootOf(leaves, 0, size, known).toString('base64'), `${what}: the root over ${size} entries`);
    newest = Math.max(newest, size);
  }
  return newest;
}
