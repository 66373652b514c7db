import { encodeHash } from '../tlog/hash.ts';
import { formatVerifierKey } from '../tlog/key.ts';
import { quorumMet } from '../tlog/policy.ts';
import type { Copy } from './copy.ts';
import { headText, type SignedHead } from './head-check.ts';
import { narrow } from './narrow.ts';
import type { Counted, Verification } from './verification.ts';
import type { Seen, VerifyOptions } from './verify-copy.ts';

/** What follows from everything that was seen: which heads count, and which entry is the lowest that differs from them. */
export async function judge(copy: Copy, options: VerifyOptions, seen: Seen, counted: Counted): Promise<Verification> {
  const { findings } = seen;
  const head = judgeKeys(seen);
  await judgeEntries(copy, seen, head);
  judgeBeginning(copy, seen);
  judgeTail(copy, seen, head);
  judgeHashes(seen, head);
  judgeWitnesses(options, seen, head);
  const lowest = findings.lowest();
  return {
    what: copy.what,
    ok: findings.none,
    origin: copy.origin,
    beginning: seen.beginning,
    size: seen.size,
    head: head === null ? null : headOf(head),
    keyFrom: options.keyFrom,
    counted: { ...counted },
    lowest: lowest === null || lowest.index === null ? null : { index: lowest.index, file: lowest.file },
    findings: findings.list(),
    counts: findings.counts(),
  };
}

/** The newest head that the entries add up to and that a trusted key signed. */
function judgeKeys({ chain, heads, findings }: Seen): SignedHead | null {
  const { trusted, unproved } = chain.resolve();
  for (const { index, old, next } of unproved) {
    findings.add(
      'KEY_UNPROVED',
      `entry ${index} says that ${next.id} took the place of ${old.id}, and no head of a trusted key covers it`,
      { index },
    );
  }
  const isTrusted = (head: SignedHead): boolean => head.signatures.some(({ key }) => trusted.has(formatVerifierKey(key)));
  for (const head of new Set([heads.newest, heads.contradicted, heads.largest])) {
    if (head === null || isTrusted(head)) continue;
    const names = head.signatures.map(({ key }) => `${key.name} (${key.id})`).join(', ');
    findings.add('KEY_UNKNOWN', `the head of ${headText(head)} is signed by ${names}, which nothing ties to a trusted key`, {
      file: head.file,
    });
  }
  if (heads.newest !== null) return isTrusted(heads.newest) ? heads.newest : null;
  const said = findings.counts();
  if (heads.largest === null && said.KEY_UNKNOWN === undefined && said.HEAD_INVALID === undefined) {
    findings.add('HEAD_MISSING', 'no signed head was found', { index: 0 });
  }
  return null;
}

async function judgeEntries(copy: Copy, { heads, tree, findings, damages, brokenAt }: Seen, newest: SignedHead | null): Promise<void> {
  const { contradicted } = heads;
  let from: number | null = null;
  if (contradicted !== null && newest !== null && contradicted.checkpoint.size <= newest.checkpoint.size) {
    const range = await narrow(copy, tree, contradicted.checkpoint, 0);
    const place = range.end - range.from === 1 ? `entry ${range.from} is` : `entries from ${range.from} on, below ${range.end}, are`;
    const message = `the head of ${headText(contradicted)} in ${contradicted.file} contradicts the newest head, of ${headText(newest)}`;
    findings.add('HISTORY_REWRITTEN', `${message}: ${place} not what it was signed for`, {
      index: range.from,
      file: copy.entryFile(range.from),
    });
  } else if (contradicted !== null) {
    const { size, root } = contradicted.checkpoint;
    const range = await narrow(copy, tree, { size, root }, newest?.checkpoint.size ?? 0);
    from = range.from;
    const place = range.end - range.from === 1 ? `entry ${range.from} is` : `entries from ${range.from} on, below ${range.end}, are`;
    findings.add(
      'ENTRIES_CHANGED',
      `${place} not what was signed: the head of ${headText(contradicted)} in ${contradicted.file} does not hold`,
      {
        index: range.from,
        file: copy.entryFile(range.from),
      },
    );
  }
  const proved = newest?.checkpoint.size ?? 0;
  for (const { message, file, first, end } of damages) {
    const whole = end <= proved && brokenAt === null;
    const here = from !== null && from >= first && from < end;
    const more = whole ? '; its entries are those that were signed' : '';
    findings.add('BYTES_DAMAGED', `${message}${more}`, { file, index: whole || here ? null : first });
  }
}

/** What retention removed is declared by an entry that the heads cover. */
function judgeBeginning(copy: Copy, { beginning, prunedThrough, brokenAt, findings }: Seen): void {
  if (beginning === 0) return;
  const file = copy.entryFile(beginning);
  if (prunedThrough + 1 < beginning) {
    findings.add('ENTRIES_MISSING', `entries 0 to ${beginning - 1} are not there, and no entry says that retention removed them`, {
      index: 0,
      file,
    });
  } else if (brokenAt !== null && brokenAt < beginning) {
    const message = `hashes of the entries below ${beginning}, which retention removed, are not there, so that no head can be compared`;
    findings.add('FILE_MISSING', message, { index: brokenAt, file: copy.tileFile(0, Math.floor(brokenAt / 256), 256) });
  }
}

function judgeTail(copy: Copy, { heads, size, brokenAt, findings }: Seen, newest: SignedHead | null): void {
  const { largest, contradicted } = heads;
  if (largest !== null && largest.checkpoint.size > size) {
    const lost = `entries ${size} to ${largest.checkpoint.size - 1}`;
    const message = `${lost} are not there, and the head of ${headText(largest)} in ${largest.file} covers them`;
    findings.add('CUT_OFF', message, { index: size, file: copy.entryFile(Math.max(0, size - 1)) });
  } else if (newest !== null && contradicted === null && brokenAt === null && newest.checkpoint.size < size && !copy.growing) {
    const { checkpoint } = newest;
    findings.add('TAIL_UNSEALED', `entries ${checkpoint.size} to ${size - 1} are behind the newest head, of ${headText(newest)}`, {
      index: checkpoint.size,
      file: copy.entryFile(checkpoint.size),
    });
  }
}

/** Where the entries are proved by a head, a stored hash that differs is the one that is wrong. */
function judgeHashes({ tiles, findings }: Seen, newest: SignedHead | null): void {
  const proved = newest?.checkpoint.size ?? 0;
  for (const { file, first, end } of tiles.differences) {
    if (end > proved) continue;
    const what = end - first === 1 ? `entry ${first}` : `entries ${first} to ${end - 1}`;
    findings.add('HASH_CHANGED', `${file} has another hash than ${what}`, { file, index: first });
  }
}

function judgeWitnesses({ policy }: VerifyOptions, { findings }: Seen, newest: SignedHead | null): void {
  if (policy === null || newest === null) return;
  const cosigners = newest.signatures.flatMap(({ key }) => (key.algorithm === 4 ? [key] : []));
  if (quorumMet(policy, cosigners)) return;
  const names = cosigners.map(({ name }) => name).join(', ');
  const by = names === '' ? 'nobody' : names;
  const message = `the newest head, of ${headText(newest)}, is cosigned by ${by}, which is not enough for the policy`;
  findings.add('WITNESS_MISSING', message, { file: newest.file });
}

function headOf({ checkpoint, signatures }: SignedHead): NonNullable<Verification['head']> {
  return {
    size: checkpoint.size,
    root: encodeHash(checkpoint.root),
    signedBy: signatures.filter(({ time }) => time === null).map(({ key }) => formatVerifierKey(key)),
    cosignedBy: signatures.flatMap(({ key, time }) => (time === null ? [] : [{ name: key.name, time }])),
  };
}
