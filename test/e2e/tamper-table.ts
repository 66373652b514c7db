import { appendFileSync, copyFileSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { formatCheckpoint, parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { parseNote } from '../../src/tlog/note.ts';
import { PACK_HEADER_BYTES, TILE_BYTES, writeRecord } from '../../src/tree/pack-format.ts';
import type { FindingCode } from '../../src/verify/findings.ts';
import { noteSigner } from '../doubles/note-signer.ts';
import { headOver, type Item, signedAgain, type TamperWorld } from './tamper-world.ts';

/** A changed copy, and how `waybill verify ledger` is asked about it. */
export interface Tampered {
  readonly directory: string;
  readonly words?: readonly string[];
  /** The lowest index that has to be named, or the range that it has to lie in; absent where no entry is in question. */
  readonly lowest?: number | readonly [from: number, end: number];
}

/** Something that is done to a ledger on real files, and what has to be found. */
export interface Tampering {
  readonly attack: string;
  /** Who can do it. */
  readonly by: string;
  readonly foundBy: string;
  readonly evidence: string;
  readonly code: FindingCode;
  readonly message: RegExp;
  readonly tamper: (world: TamperWorld) => Promise<Tampered> | Tampered;
}

const DISK = 'who can write the disk';
const PROGRAM = 'who can write the disk and make every checksum right';
const VERIFY = '`waybill verify`, and any C2SP program over an export';
const OWN = '`waybill verify`';
const ANY_HEAD = 'any signed head above the place';

/** The index in the middle of the ledger that is tampered with. */
function middle({ size }: TamperWorld): number {
  return Math.floor(size / 3);
}

/** The items with the entries changed, the heads where they were. */
function changeLines(items: readonly Item[], change: (lines: string[]) => string[]): readonly Item[] {
  const lines = change(items.flatMap((item) => (item.kind === 'entry' ? [item.line] : [])));
  const changed: Item[] = [];
  let next = 0;
  for (const item of items) {
    if (item.kind === 'head') changed.push(item);
    else if (next < lines.length) changed.push({ kind: 'entry', line: lines[next++] ?? '' });
  }
  return [...changed, ...lines.slice(next).map((line): Item => ({ kind: 'entry', line }))];
}

function withoutHeads(items: readonly Item[]): readonly Item[] {
  return items.filter(({ kind }) => kind === 'entry');
}

function edited(line: string): string {
  return line.replace(/"round":\d+/, '"round":777');
}

function segmentsOf(directory: string): readonly string[] {
  return readdirSync(`${directory}/segments`)
    .filter((name) => name.endsWith('.seg'))
    .map((name) => `${directory}/segments/${name}`);
}

function firstOf(segment: string): number {
  return Number(segment.slice(-24, -4));
}

/** What is carried out against a ledger that the real server wrote under load. */
export const TAMPERINGS: readonly Tampering[] = [
  {
    attack: 'an entry is changed',
    by: PROGRAM,
    foundBy: VERIFY,
    evidence: ANY_HEAD,
    code: 'ENTRIES_CHANGED',
    message: /^entry \d+ is not what was signed/,
    tamper: async (world) => {
      const at = middle(world);
      const directory = await world.forge(changeLines(world.items, (lines) => lines.with(at, edited(lines[at] ?? ''))));
      return { directory, lowest: at };
    },
  },
  {
    attack: 'an entry is changed, and the stored hashes are removed',
    by: PROGRAM,
    foundBy: VERIFY,
    evidence: `${ANY_HEAD}; the answer is a range between two heads`,
    code: 'ENTRIES_CHANGED',
    message: /^(?:entry \d+ is|entries from \d+ on, below \d+, are) not what was signed/,
    tamper: async (world) => {
      const at = middle(world);
      const directory = await world.forge(
        changeLines(world.items, (lines) => lines.with(at, edited(lines[at] ?? ''))),
        'gone',
      );
      return { directory, lowest: [0, at + 1] };
    },
  },
  {
    attack: 'an entry is removed from the middle',
    by: PROGRAM,
    foundBy: VERIFY,
    evidence: `${ANY_HEAD}; the numbers of its source have a gap`,
    code: 'ENTRIES_CHANGED',
    message: /^entry \d+ is not what was signed/,
    tamper: async (world) => {
      const at = middle(world);
      return { directory: await world.forge(changeLines(world.items, (lines) => lines.toSpliced(at, 1))), lowest: at };
    },
  },
  {
    attack: 'an entry is put in',
    by: PROGRAM,
    foundBy: VERIFY,
    evidence: ANY_HEAD,
    code: 'ENTRIES_CHANGED',
    message: /^entry \d+ is not what was signed/,
    tamper: async (world) => {
      const at = middle(world);
      const forged = (lines: string[]): string => (lines[at] ?? '').replace(/"id":"[^"]+"/, '"id":"forged"');
      return { directory: await world.forge(changeLines(world.items, (lines) => lines.toSpliced(at, 0, forged(lines)))), lowest: at };
    },
  },
  {
    attack: 'two entries change places',
    by: PROGRAM,
    foundBy: VERIFY,
    evidence: `${ANY_HEAD}; the numbers of their sources`,
    code: 'ENTRIES_CHANGED',
    message: /^entry \d+ is not what was signed/,
    tamper: async (world) => {
      const at = middle(world);
      const swap = (lines: string[]): string[] => lines.with(at, lines[at + 40] ?? '').with(at + 40, lines[at] ?? '');
      return { directory: await world.forge(changeLines(world.items, swap)), lowest: at };
    },
  },
  {
    attack: 'bytes of a segment are changed, its checksums not',
    by: `${DISK}, or a disk that fails`,
    foundBy: `${OWN}; a start or the daily scrub of the server`,
    evidence: 'the checksum of the frame, and any signed head above the place',
    code: 'BYTES_DAMAGED',
    message: /fails its checksum/,
    tamper: (world) => {
      const directory = world.copy();
      const [segment = ''] = segmentsOf(directory);
      const bytes = readFileSync(segment);
      const at = bytes.indexOf('"round":', 200_000);
      const before = bytes.subarray(0, at).toString('latin1');
      bytes[at + 8] = 0x39;
      writeFileSync(segment, bytes);
      return { directory, lowest: (before.match(/\{"v":1,"source":"/g) ?? []).length - 1 };
    },
  },
  {
    attack: 'the end is cut off, with the heads over it, as when an old snapshot of the disk is put back',
    by: `${DISK}; a restore`,
    foundBy: `${OWN} with a head from elsewhere; a start of the server`,
    evidence:
      'one head that a destination, a witness or an auditor kept; a destination that is ahead refuses the start with `LEDGER_REWOUND`',
    code: 'CUT_OFF',
    message: /^entries \d+ to \d+ are not there/,
    tamper: (world) => {
      return { directory: world.copy(world.snapshot), words: ['--head', world.destinationHead], lowest: world.snapshotSize };
    },
  },
  {
    attack: 'the end is cut off, the heads over it stay',
    by: PROGRAM,
    foundBy: VERIFY,
    evidence: 'the recorded heads themselves',
    code: 'CUT_OFF',
    message: /^entries \d+ to \d+ are not there/,
    tamper: async (world) => {
      const cut = world.size - 100;
      return { directory: await world.forge(changeLines(world.items, (lines) => lines.slice(0, cut))), lowest: cut };
    },
  },
  {
    attack: 'everything is written anew and signed again',
    by: 'who stole the key, or runs the log',
    foundBy: '`waybill verify ledger --head FILE`, any C2SP program, every witness',
    evidence: 'one older head that was kept elsewhere: both heads together are the proof',
    code: 'HISTORY_REWRITTEN',
    message: /in .*earlier\.checkpoint contradicts the newest head/,
    tamper: async (world) => {
      const at = 700;
      const story = changeLines(world.items, (lines) => lines.with(at, edited(lines[at] ?? '')));
      return { directory: await world.forge(signedAgain(story, world.thief), 'gone'), words: ['--head', world.earlierHead], lowest: 0 };
    },
  },
  {
    attack: 'one reader is shown another log than the others',
    by: 'who stole the key, or runs the log',
    foundBy: 'who compares the heads of two readers (`--head`); a witness signs only one of the branches',
    evidence: 'two signed heads that contradict each other',
    code: 'HISTORY_REWRITTEN',
    message: /contradicts the newest head/,
    tamper: async (world) => {
      const branch = signedAgain(
        changeLines(world.items, (lines) => lines.with(lines.length - 1, edited(lines.at(-1) ?? ''))),
        world.thief,
      );
      return { directory: await world.forge(branch), words: ['--head', world.laterHead], lowest: world.size - 1 };
    },
  },
  {
    attack: 'the signed heads are taken out',
    by: PROGRAM,
    foundBy: OWN,
    evidence: 'there is no head',
    code: 'HEAD_MISSING',
    message: /^no signed head was found/,
    tamper: async (world) => ({ directory: await world.forge(withoutHeads(world.items)), lowest: 0 }),
  },
  {
    attack: 'everything is written anew and signed with another key',
    by: PROGRAM,
    foundBy: VERIFY,
    evidence: 'the verifier key that the auditor was given',
    code: 'KEY_UNKNOWN',
    message: /none of these keys is known/,
    tamper: async (world) => ({ directory: await world.forge(signedAgain(world.items, noteSigner(world.origin, 66))) }),
  },
  {
    attack: 'a head is changed or made up without the key',
    by: PROGRAM,
    foundBy: VERIFY,
    evidence: 'its signature',
    code: 'HEAD_INVALID',
    message: /was not signed by its key/,
    tamper: async (world) => {
      const last = world.items.findLastIndex(({ kind }) => kind === 'head');
      const { note } = world.items[last] as Item & { readonly kind: 'head' };
      const head = parseCheckpoint(parseNote(Buffer.from(note)).text);
      const other = note.replace(formatCheckpoint(head), formatCheckpoint({ ...head, size: head.size - 1 }));
      const directory = await world.forge(world.items.with(last, { kind: 'head', note: other }));
      // What only this head covered is not covered any more.
      return { directory, lowest: [0, world.size] };
    },
  },
  {
    attack: 'an entry says that the key was replaced by the one of the attacker',
    by: PROGRAM,
    foundBy: VERIFY,
    evidence: 'no head of the old key covers that entry',
    code: 'KEY_UNPROVED',
    message: /no head of a trusted key covers it/,
    tamper: async (world) => {
      const other = noteSigner(world.origin, 66);
      const event = JSON.stringify({ type: 'key.rotated', use: 'log', old: world.verifierKey, new: other.verifierKey });
      const last = world.items.findLast(({ kind }) => kind === 'entry') as Item & { readonly kind: 'entry' };
      const at = /"received_at":"([^"]+)"/.exec(last.line)?.[1] ?? '';
      const place = `"source":"waybill","n":0,"partition":null,"position":null,"received_at":"${at}"`;
      const line = `{"v":1,${place},"id":"key.rotated:0","schema":"waybill/control","event":${event}}`;
      const items: readonly Item[] = [...world.items, { kind: 'entry', line }];
      return { directory: await world.forge([...items, headOver(items, world.origin, other)]), lowest: world.size };
    },
  },
  {
    attack: 'a whole file of entries is removed',
    by: DISK,
    foundBy: `${OWN}; a start of the server`,
    evidence: 'the numbers of segments and entries have a gap',
    code: 'FILE_MISSING',
    message: /the segment that holds them is not there/,
    tamper: (world) => {
      const directory = world.copy();
      const [, second = ''] = segmentsOf(directory);
      unlinkSync(second);
      return { directory, lowest: firstOf(second) };
    },
  },
  {
    attack: 'bytes are added behind the end of a full segment',
    by: DISK,
    foundBy: OWN,
    evidence: 'a full segment ends with its seal',
    code: 'BYTES_EXTRA',
    message: /has bytes behind its end/,
    tamper: (world) => {
      const directory = world.copy();
      appendFileSync(segmentsOf(directory)[0] ?? '', 'and one more thing');
      return { directory };
    },
  },
  {
    attack: 'bytes are added behind the last entry',
    by: DISK,
    foundBy: OWN,
    evidence: 'they are no whole frame',
    code: 'WRITE_UNFINISHED',
    message: /has bytes behind its last whole frame/,
    tamper: (world) => {
      const directory = world.copy();
      appendFileSync(segmentsOf(directory).at(-1) ?? '', 'and one more thing');
      return { directory };
    },
  },
  {
    attack: 'a file is put among the segments',
    by: DISK,
    foundBy: OWN,
    evidence: 'it is no segment of this ledger',
    code: 'FILE_EXTRA',
    message: /is no file of a ledger/,
    tamper: (world) => {
      const directory = world.copy();
      copyFileSync(segmentsOf(directory)[0] ?? '', `${directory}/segments/00000000000000000000.seg.old`);
      return { directory };
    },
  },
  {
    attack: 'entries are added at the end',
    by: PROGRAM,
    foundBy: OWN,
    evidence: 'no head covers them',
    code: 'TAIL_UNSEALED',
    message: /are behind the newest head/,
    tamper: async (world) => {
      const last = world.items.findLast(({ kind }) => kind === 'entry') as Item & { readonly kind: 'entry' };
      const next = last.line.replace(/"n":(\d+)/, (_, n: string) => `"n":${Number(n) + 1}`).replace(/"id":"[^"]+"/, '"id":"added"');
      return { directory: await world.forge([...world.items, { kind: 'entry', line: next }]), lowest: world.size };
    },
  },
  {
    attack: 'a stored hash is changed, so that proofs fail',
    by: PROGRAM,
    foundBy: `${VERIFY}; the daily check of the server`,
    evidence: 'the entries, which a head proves',
    code: 'HASH_CHANGED',
    message: /has another hash than entry/,
    tamper: (world) => {
      const directory = world.copy();
      const pack = `${directory}/tree/packs/0-000000000000.pack`;
      const bytes = readFileSync(pack);
      const tile = Buffer.from(bytes.subarray(PACK_HEADER_BYTES, PACK_HEADER_BYTES + TILE_BYTES));
      tile[5 * 32] = (tile[5 * 32] ?? 0) ^ 1;
      writeRecord(bytes, PACK_HEADER_BYTES, { level: 0, n: 0, bytes: tile });
      writeFileSync(pack, bytes);
      return { directory, lowest: 5 };
    },
  },
];
