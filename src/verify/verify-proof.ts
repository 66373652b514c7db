import { type Checkpoint, parseCheckpoint } from '../tlog/checkpoint.ts';
import { TlogError } from '../tlog/error.ts';
import { encodeHash, leafHash } from '../tlog/hash.ts';
import { formatVerifierKey } from '../tlog/key.ts';
import { openNote, parseNote, type VerifiedSignature } from '../tlog/note.ts';
import { quorumMet } from '../tlog/policy.ts';
import { checkInclusion } from '../tlog/proof.ts';
import { parseTlogProof, type TlogProof } from '../tlog/tlog-proof.ts';
import { Findings } from './findings.ts';
import { sha256 } from './jobs.ts';
import { checkSignature } from './signatures.ts';
import type { Verification } from './verification.ts';
import type { VerifyOptions } from './verify-copy.ts';

/** What is verified: the text of a `.tlog-proof`, and the bytes of the entry that it is about. */
export interface ProofFiles {
  readonly proof: string;
  readonly proofFile: string;
  readonly entry: Uint8Array;
  readonly entryFile: string;
}

/** Verifies that an entry is in a log whose key is trusted. */
export function verifyProof(files: ProofFiles, options: Pick<VerifyOptions, 'keys' | 'keyFrom' | 'cosigners' | 'policy'>): Verification {
  const findings = new Findings();
  const read = readProof(files, findings);
  const signatures = read === null ? [] : openHead(read, files.proofFile, options, findings);
  if (read !== null) checkEntry(read, files, findings);
  const ofLog = signatures.filter(({ time }) => time === null);
  const cosigned = signatures.filter(({ time }) => time !== null);
  const lowest = findings.lowest();
  return {
    what: 'proof',
    ok: findings.none,
    origin: read?.checkpoint.origin ?? '',
    beginning: read?.proof.index ?? 0,
    size: read?.checkpoint.size ?? 0,
    head:
      read === null || ofLog.length === 0
        ? null
        : {
            size: read.checkpoint.size,
            root: encodeHash(read.checkpoint.root),
            signedBy: ofLog.map(({ key }) => formatVerifierKey(key)),
            cosignedBy: cosigned.map(({ key, time }) => ({ name: key.name, time: time ?? 0 })),
          },
    keyFrom: options.keyFrom,
    counted: {
      entries: read === null ? 0 : 1,
      bytes: files.entry.length,
      hashes: read?.proof.proof.length ?? 0,
      heads: read === null ? 0 : 1,
      signatures: ofLog.length,
      cosignatures: cosigned.length,
      sources: 0,
      files: 2,
    },
    lowest: lowest === null || lowest.index === null ? null : { index: lowest.index, file: lowest.file },
    findings: findings.list(),
    counts: findings.counts(),
  };
}

interface Read {
  readonly proof: TlogProof;
  readonly checkpoint: Checkpoint;
}

function readProof({ proof: text, proofFile }: ProofFiles, findings: Findings): Read | null {
  try {
    const proof = parseTlogProof(text);
    const checkpoint = parseCheckpoint(parseNote(new TextEncoder().encode(proof.checkpoint)).text);
    return { proof, checkpoint };
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    findings.add('FORMAT_UNKNOWN', `${proofFile} is not a proof: ${error.reason}`, { file: proofFile });
    return null;
  }
}

function openHead(
  { proof, checkpoint }: Read,
  file: string,
  { keys, cosigners, policy }: Pick<VerifyOptions, 'keys' | 'cosigners' | 'policy'>,
  findings: Findings,
): readonly VerifiedSignature[] {
  const note = parseNote(new TextEncoder().encode(proof.checkpoint));
  const known = (name: string, id: string): boolean => keys.some((key) => key.name === name && key.id === id);
  if (!note.signatures.some(({ name, id }) => known(name, id))) {
    const names = note.signatures.map(({ name, id }) => `${name} (${id})`).join(', ');
    findings.add('KEY_UNKNOWN', `the head in ${file} is signed by ${names}, and none of these keys was given`, {
      file,
      index: proof.index,
    });
    return [];
  }
  try {
    const verified = openNote(note, [...keys, ...cosigners], checkSignature);
    if (!verified.some(({ key }) => key.name === checkpoint.origin)) {
      findings.add('ORIGIN_OTHER', `the head in ${file} is one of ${checkpoint.origin}, and was signed by another log`, {
        file,
        index: proof.index,
      });
    }
    if (
      policy !== null &&
      !quorumMet(
        policy,
        verified.flatMap(({ key }) => (key.algorithm === 4 ? [key] : [])),
      )
    ) {
      findings.add('WITNESS_MISSING', `the head in ${file} does not have the cosignatures that the policy asks for`, { file });
    }
    return verified;
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    findings.add('HEAD_INVALID', `the head in ${file} was not signed by its key: ${error.reason}`, { file, index: proof.index });
    return [];
  }
}

function checkEntry({ proof, checkpoint }: Read, { entry, entryFile, proofFile }: ProofFiles, findings: Findings): void {
  const { index, proof: hashes } = proof;
  const claim = { size: checkpoint.size, index, leaf: leafHash(sha256, entry, 0, entry.length), proof: hashes, root: checkpoint.root };
  if (checkInclusion(sha256, claim)) return;
  const message = `${entryFile} is not entry ${index} of the ${checkpoint.size} entries in the head of ${proofFile}`;
  findings.add('PROOF_INVALID', message, { file: entryFile, index });
}
