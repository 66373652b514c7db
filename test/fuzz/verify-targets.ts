import assert from 'node:assert/strict';
import { crc32c } from '@node-rs/crc32';
import type { Background } from '../../src/contracts/ports.ts';
import * as layout from '../../src/ledger/embedded/layout.ts';
import { encodeSnapshot } from '../../src/ledger/embedded/snapshot.ts';
import { encodeBundle } from '../../src/tlog/bundle.ts';
import { formatCheckpoint } from '../../src/tlog/checkpoint.ts';
import { EMPTY_EDGE, growEdge, rootHash } from '../../src/tlog/edge.ts';
import { hashBytes, leafHash } from '../../src/tlog/hash.ts';
import { formatNote } from '../../src/tlog/note.ts';
import { parseTilePath } from '../../src/tlog/tile.ts';
import { RECORD_BYTES, writeRecord } from '../../src/tree/pack-format.ts';
import { openExportCopy, splitBundle } from '../../src/verify/export-copy.ts';
import { jobs } from '../../src/verify/jobs.ts';
import { type OpenedCopy, openLedgerCopy, readSnapshotRegister } from '../../src/verify/ledger-copy.ts';
import { readEdge, readRecord } from '../../src/verify/packs.ts';
import type { Verification } from '../../src/verify/verification.ts';
import { verifyCopy } from '../../src/verify/verify-copy.ts';
import { memoryFiles } from '../doubles/memory-files.ts';
import { noteSigner, sha256 } from '../doubles/note-signer.ts';
import type { Dice } from './dice.ts';
import type { FuzzTarget } from './target.ts';
import { damagedBytes, mangled } from './text.ts';

const ORIGIN = 'fuzz.example/audit';
const ID = '0123456789abcdef0123456789abcdef';
const SEGMENT = '/l/segments/00000000000000000000.seg';
const signer = noteSigner(ORIGIN, 1);
const { salt } = layout.identityOf(ID);
const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };
/** The jobs on this thread: what they do is the same. */
const background: Background = { run: async (job, input) => jobs[job]?.(input) };

const AT = '2026-11-24T11:08:09.123Z';
const LINES = Array.from({ length: 5 }, (_, n) => {
  const place = `"source":"app","n":${n},"partition":null,"position":null`;
  return Buffer.from(`{"v":1,${place},"received_at":"${AT}","id":"e${n}","schema":"json","event":{"k":${n}}}`);
});
const BYTES = Buffer.concat(LINES);
const ENDS = Uint32Array.from(LINES.keys(), (k) => LINES.slice(0, k + 1).reduce((sum, line) => sum + line.length, 0));
const STARTS = Uint32Array.from(ENDS, (end, k) => end - (LINES[k]?.length ?? 0));
const TEXT = formatCheckpoint({ origin: ORIGIN, size: 5, root: rootHash(sha256, growEdge(sha256, EMPTY_EDGE, BYTES, STARTS, ENDS)) });
const NOTE = formatNote(TEXT, [signer.sign(TEXT)]);

/** A frame as the ledger writes it: the number of the frame is the number of its group. */
function frame(number: number, kind: number, flags: number, count: number, payload: Buffer, metaBytes = 0): Buffer {
  const window = layout.windowOf(Buffer.alloc(layout.frameBytes(payload.length)));
  payload.copy(window.bytes, layout.FRAME_HEADER_BYTES);
  const first = number === 0 ? 0 : 5;
  layout.writeFrameHeader(window, 0, salt, {
    kind,
    flags,
    frame: number,
    group: number + 1,
    first,
    place: 0,
    count,
    payloadBytes: payload.length,
    metaBytes,
  });
  return window.bytes;
}

const META = Buffer.from('{"source":"app","partition":null,"position":null}');
const OFFSETS = Buffer.from(Uint32Array.from([0, ...ENDS]).buffer);
const HEAD = JSON.stringify(['set', 'tree.head', JSON.stringify({ v: 1, size: 5, root: '', checkpoint: NOTE, published: null })]);
const WHOLE_SEGMENT = Buffer.concat([
  layout.segmentHeader({ id: ID, salt }, 0),
  frame(0, layout.KIND.run, 3, 5, Buffer.concat([OFFSETS, BYTES, META]), META.length),
  frame(1, layout.KIND.register, 0, 0, Buffer.from(HEAD)),
  frame(2, layout.KIND.seal, 0, 0, Buffer.alloc(0)),
]);
const FACTS = Buffer.from(JSON.stringify({ format: 'waybill-ledger', version: 1, origin: ORIGIN, id: ID, created: '' }));

async function verified(opened: OpenedCopy): Promise<Verification | null> {
  if (!opened.ok) return null;
  const trust = { keys: [signer.key], keyFrom: null, cosigners: [], policy: null, heads: [] };
  const result = await verifyCopy(opened.copy, { ...trust, identities: true, onProgress: () => {} }, background);
  assert.equal(result.ok, result.findings.length === 0);
  for (const { message } of result.findings) assert.ok(message.length < 2_000 && message !== '');
  return result;
}

const ledgers: FuzzTarget = {
  name: 'segments that are verified',
  cost: 300,
  async one(dice) {
    const bytes = Buffer.from(damagedBytes(dice, WHOLE_SEGMENT));
    const files = memoryFiles(
      new Map([
        ['/l/ledger.json', FACTS],
        [SEGMENT, bytes],
      ]),
    );
    const result = await verified(await openLedgerCopy('/l', { files, clock }));
    assert.ok(result !== null);
    // Zeros behind the end are what was written ahead, and the seal of a clean close vouches for nothing.
    const same = bytes.subarray(0, WHOLE_SEGMENT.length - 64).equals(WHOLE_SEGMENT.subarray(0, -64));
    if (!same) assert.equal(result.ok, false, 'changed bytes were verified');
    if (bytes.equals(WHOLE_SEGMENT)) assert.deepEqual(result.findings, []);
    return result.ok;
  },
};

const descriptions: FuzzTarget = {
  name: 'names and descriptions of a ledger that is verified',
  cost: 80,
  async one(dice) {
    const segment = mangled(dice, ['00000000000000000000.seg', '00000000000000000256.seg', '99999999999999999999.seg', 'prepared']);
    const files = memoryFiles(
      new Map([
        ['/l/ledger.json', Buffer.from(mangled(dice, [FACTS.toString()]))],
        [SEGMENT, WHOLE_SEGMENT],
        [`/l/segments/${segment.replaceAll('/', '')}`, WHOLE_SEGMENT],
      ]),
    );
    const result = await verified(await openLedgerCopy('/l', { files, clock }));
    if (result?.ok === true) assert.equal(result.size, 5);
    return result?.ok === true;
  },
};

const LEAVES = Buffer.concat(LINES.map((line) => hashBytes(leafHash(sha256, line, 0, line.length))));
const EXPORT: readonly (readonly [string, Buffer])[] = [
  ['/e/checkpoint', Buffer.from(NOTE)],
  ['/e/checkpoints/5', Buffer.from(NOTE)],
  ['/e/tile/entries/000.p/5', Buffer.from(encodeBundle(BYTES, STARTS, ENDS))],
  ['/e/tile/0/000.p/5', LEAVES],
];

const exported: FuzzTarget = {
  name: 'exports that are verified',
  cost: 200,
  async one(dice) {
    const place = dice.roll(EXPORT.length);
    const files = new Map(EXPORT);
    const [path, whole] = EXPORT[place] as readonly [string, Buffer];
    const bytes = Buffer.from(damagedBytes(dice, whole));
    files.set(path, bytes);
    const result = await verified(await openExportCopy('/e', memoryFiles(files)));
    assert.equal(result?.ok === true, bytes.equals(whole), path);
    return result?.ok === true;
  },
};

const names: FuzzTarget = {
  name: 'names of files in an export',
  cost: 200,
  async one(dice) {
    const name = mangled(dice, [
      'tile/0/000',
      'tile/entries/x001/000.p/9',
      'tile/1/000.p/1',
      'checkpoints/12',
      'more/x',
      'policy',
    ]).replaceAll('//', '/');
    const path = `/e/${name}`;
    if (
      name.startsWith('/') ||
      name.endsWith('/') ||
      name === '' ||
      EXPORT.some(([known]) => known.startsWith(`${path}/`) || path.startsWith(`${known}/`))
    )
      return false;
    const result = await verified(await openExportCopy('/e', memoryFiles(new Map([...EXPORT, [path, Buffer.from('x')]]))));
    const [top = ''] = name.split('/');
    const passed = ['export.json', 'keys.json', 'lock', 'log.vkey', 'policy', 'VERIFY.txt'].includes(top) || top.endsWith('.tmp');
    if (!passed) assert.equal(result?.ok === true, false, name);
    assert.equal(parseTilePath(name)?.width === 0, false);
    return result?.ok === true;
  },
};

const RECORD = Buffer.alloc(RECORD_BYTES);
writeRecord(RECORD, 0, { level: 2, n: 70_000, bytes: Buffer.alloc(8_192, 'abc') });
const EDGE_TEXT = '{"v":2,"size":5,"hashes":[],"tiles":["AAAA"],"floor":null}';
const STORED_SNAPSHOT = encodeSnapshot(
  {
    frame: 9,
    group: 4,
    size: 5,
    segment: 0,
    at: 640,
    beginning: 0,
    sequences: [],
    positions: [],
    journal: [],
    register: [['tree.head', 'x']],
  },
  salt,
);

const derived: FuzzTarget = {
  name: 'packs, edges and snapshots that are verified',
  cost: 4,
  one(dice) {
    const record = Buffer.from(damagedBytes(dice, RECORD));
    const tile = readRecord(record, 2, 70_000);
    if (tile !== null) assert.ok(tile.equals(RECORD.subarray(0, 8_192)));
    const edge = readEdge(Buffer.from(damagedBytes(dice, Buffer.from(edgeLine()))));
    if (edge !== null) assert.deepEqual(edge, { size: 5, tiles: ['AAAA'] });
    const register = readSnapshotRegister(Buffer.from(damagedBytes(dice, STORED_SNAPSHOT)), salt);
    if (register !== null) assert.deepEqual([...register], [['tree.head', 'x']]);
    return tile !== null || edge !== null || register !== null;
  },
};

const bundles: FuzzTarget = {
  name: 'bundles that are cut or longer',
  cost: 1,
  one(dice: Dice) {
    const bytes = damagedBytes(dice, Buffer.from(encodeBundle(BYTES, STARTS, ENDS)));
    const { starts, ends, over } = splitBundle(bytes, 5);
    let at = 0;
    for (const [k, start] of starts.entries()) {
      assert.equal(start, at + 2);
      at = ends[k] ?? 0;
      assert.ok(at >= start && at <= bytes.length);
    }
    assert.ok(over === 0 || at + over === bytes.length);
    return starts.length === 5 && over === 0;
  },
};

function edgeLine(): string {
  return `${crc32c(EDGE_TEXT).toString(16).padStart(8, '0')} ${EDGE_TEXT}\n`;
}

/** What `waybill verify` reads: nothing of it is trusted. */
export const VERIFY_TARGETS: readonly FuzzTarget[] = [ledgers, descriptions, exported, names, derived, bundles];
