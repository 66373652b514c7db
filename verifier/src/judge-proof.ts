import { leafHash } from '../../src/tlog/hash.ts';
import { checkInclusion } from '../../src/tlog/proof.ts';
import { sha256 } from '../../src/tlog/sha256.ts';
import { parseTlogProof } from '../../src/tlog/tlog-proof.ts';
import { headFacts, keysOf, messageOf, openHead } from './signed-head.ts';
import { Fault, type Verdict } from './verdict.ts';

const WHAT =
  'Take the proof again from the log, with the entry exactly as it was given out, and the key from its owner. If it fails again, keep both files: ' +
  'they are evidence.';

/** Whether a `.tlog-proof` shows that the log has exactly these bytes as an entry. */
export function judgeProof(proof: Uint8Array, entry: Uint8Array, keyText: string): Verdict {
  try {
    const keys = keysOf(keyText);
    if (keys.length === 0) throw new Fault('A proof is checked with the key of the log: paste it above.');
    const { index, proof: hashes, checkpoint } = parseTlogProof(new TextDecoder().decode(proof));
    const head = openHead(new TextEncoder().encode(checkpoint), keys);
    const leaf = leafHash(sha256, entry, 0, entry.length);
    const claim = { size: head.size, index, leaf, proof: hashes, root: head.root };
    const facts = [['Index', index.toLocaleString('en-US')] as const, ...headFacts(head)];
    if (!checkInclusion(sha256, claim))
      throw new Fault(`These bytes are not entry ${index} of the log, or the proof is not its proof.`, facts);
    const title = `Entry ${index} of ${head.origin} is exactly these ${entry.length} bytes.`;
    const what =
      'Its place and its bytes are under a head that the key signed. Whether there is a newer head, and whether everybody was shown the same ' +
      'one, is for a witness or a second copy to say.';
    return { kind: 'verified', title, what, facts };
  } catch (error) {
    return error instanceof Fault ? error.verdict(WHAT) : new Fault(`The proof does not hold: ${messageOf(error)}.`).verdict(WHAT);
  }
}
