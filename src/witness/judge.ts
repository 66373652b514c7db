import type { Checkpoint } from '../tlog/checkpoint.ts';
import { TlogError } from '../tlog/error.ts';
import { emptyRoot, type Sha256 } from '../tlog/hash.ts';
import type { VerifierKey } from '../tlog/key.ts';
import { type CheckSignature, openNote } from '../tlog/note.ts';
import { checkConsistency } from '../tlog/proof.ts';
import type { AddRequest } from './add-request.ts';

/** A log that the witness watches. */
export interface WatchedLog {
  readonly origin: string;
  /** The keys that it may sign with: several while it changes from one to the next. */
  readonly keys: readonly VerifierKey[];
}

/** Why a request is refused, as C2SP tlog-witness has it. `conflict`: the witness knows the log at another size than the sender thinks. */
export type Refusal =
  | { readonly kind: 'refused'; readonly status: 400 | 403 | 404 | 422; readonly reason: string }
  | { readonly kind: 'conflict'; readonly size: number };

/**
 * Whether the request is one of a log that is watched, signed by a key of it: what can be said without knowing what was signed before.
 * `log` is the one that is watched under the origin. The checks and their order are those of C2SP tlog-witness.
 */
export function refuseForeign(request: AddRequest, log: WatchedLog | undefined, check: CheckSignature): Refusal | null {
  const { old, checkpoint, note } = request;
  if (log === undefined) return refused(404, 'the log is not known here');
  try {
    openNote(note, log.keys, check);
  } catch (error) {
    if (error instanceof TlogError) return refused(403, error.reason);
    throw error;
  }
  return old > checkpoint.size ? refused(400, `the old size ${old} is above the size of the checkpoint, ${checkpoint.size}`) : null;
}

/** Whether the checkpoint continues the newest one that was signed; `null` for a log that nothing was signed for. */
export function refuseBranch(sha256: Sha256, request: AddRequest, newest: Checkpoint | null): Refusal | null {
  const { old, proof, checkpoint } = request;
  const known = newest ?? { size: 0, root: emptyRoot(sha256) };
  if (old !== known.size) return { kind: 'conflict', size: known.size };
  if (checkpoint.size === 0 && checkpoint.root !== emptyRoot(sha256)) return refused(422, 'the root is not the one of an empty tree');
  if (old === 0 && proof.length > 0) return refused(422, 'there is nothing to prove from size 0: the proof has to be empty');
  if (old === checkpoint.size && checkpoint.root !== known.root) {
    return refused(422, `the root of size ${old} is not the one that was signed before`);
  }
  const consistent = checkConsistency(sha256, { from: old, to: checkpoint.size, fromRoot: known.root, toRoot: checkpoint.root, proof });
  return consistent ? null : refused(422, `the proof does not show that size ${checkpoint.size} continues size ${old}`);
}

function refused(status: 400 | 403 | 404 | 422, reason: string): Refusal {
  return { kind: 'refused', status, reason };
}
