import assert from 'node:assert/strict';
import { readTls } from '../../src/api/tls.ts';
import type { DiskFile } from '../../src/contracts/ports.ts';
import { asIndex, asSize } from '../../src/contracts/units.ts';
import { accountText, fold } from '../../src/delivery/fold.ts';
import { type JournalRecord, recordsText } from '../../src/delivery/records.ts';
import { openReceivedAt } from '../../src/intake/received-at.ts';
import { openRefused } from '../../src/intake/refused.ts';
import * as layout from '../../src/ledger/embedded/layout.ts';
import { scanFrames } from '../../src/ledger/embedded/scan.ts';
import { decodeSnapshot, encodeSnapshot, type Snapshot } from '../../src/ledger/embedded/snapshot.ts';
import { LedgerState } from '../../src/ledger/embedded/state.ts';
import { MANIFEST, readManifest, writeManifest } from '../../src/ledger/identities/manifest.ts';
import { BLOCK_BYTES, BlockBuffer, blocksFor, decodeFooter, encodeFooter } from '../../src/ledger/identities/run-format.ts';
import { SimpleDisk } from '../doubles/manual-ports.ts';
import type { Dice } from './dice.ts';
import { type FuzzTarget, refusedLater, refusedWith } from './target.ts';
import { damagedBytes, mangled } from './text.ts';

const { salt, id } = layout.identityOf('0123456789abcdef0123456789abcdef');

/** Frames one behind the other, and where each begins. */
function segmentOf(payloads: readonly string[]): Buffer {
  const frames = payloads.map((payload, k) => {
    const window = layout.windowOf(Buffer.alloc(layout.frameBytes(payload.length)));
    window.bytes.write(payload, layout.FRAME_HEADER_BYTES);
    const header = { kind: layout.KIND.journal, flags: 3, frame: k + 7, group: k + 3, first: 12, place: 0, count: 0 };
    layout.writeFrameHeader(window, 0, salt, { ...header, payloadBytes: payload.length, metaBytes: 0 });
    return window.bytes;
  });
  return Buffer.concat(frames);
}

const PAYLOADS = ['["append","a","1"]', '["append","b","22"]', '["forget","a"]', '["append","c","333333"]'];
const SEGMENT = segmentOf(PAYLOADS);

function fileOf(bytes: Buffer): Pick<DiskFile, 'read'> {
  return { read: async (at, length) => Uint8Array.from(bytes.subarray(at, at + length)) };
}

const frames: FuzzTarget = {
  name: 'frames of a segment',
  cost: 8,
  async one(dice) {
    const bytes = damagedBytes(dice, SEGMENT);
    const found: string[] = [];
    const end = await scanFrames(fileOf(bytes) as DiskFile, 0, bytes.length, salt, ({ header, window, inWindow }) => {
      const from = inWindow + layout.FRAME_HEADER_BYTES;
      found.push(window.bytes.toString('latin1', from, from + header.payloadBytes));
      return true;
    });
    // What is found are the frames that were written, in their order from the first one on, and nothing else.
    assert.deepEqual(found, PAYLOADS.slice(0, found.length));
    assert.ok(end <= bytes.length);
    assert.ok(bytes.subarray(0, end).length === 0 || found.length > 0);
    return found.length === PAYLOADS.length;
  },
};

const HEADER = layout.segmentHeader({ id, salt }, 2 ** 33 + 5);
const segmentHeaders: FuzzTarget = {
  name: 'header of a segment',
  cost: 1,
  one(dice) {
    const bytes = damagedBytes(dice, HEADER);
    const ordinal = layout.readSegmentHeader(bytes, { id, salt });
    assert.equal(ordinal, bytes.subarray(0, HEADER.length).equals(HEADER) ? 2 ** 33 + 5 : null);
    const name = mangled(dice, [layout.segmentName(256), '00000000000000000000.seg', 'snapshot']);
    const first = layout.segmentFirst(name);
    assert.ok(first === null || layout.segmentName(first).length >= name.length);
    return ordinal !== null;
  },
};

const SNAPSHOT: Snapshot = {
  frame: 9,
  group: 4,
  size: 300,
  segment: 256,
  at: 640,
  beginning: 0,
  sequences: [['app', 300]],
  positions: [],
  journal: [['intake', { state: null, records: ['[1]'] }]],
  register: [['head', '{"size":3}']],
};
const STORED = encodeSnapshot(SNAPSHOT, salt);

const snapshots: FuzzTarget = {
  name: 'snapshot of the ledger',
  cost: 3,
  one(dice) {
    const bytes = damagedBytes(dice, STORED);
    const snapshot = decodeSnapshot(bytes, salt);
    if (snapshot === null) return false;
    assert.deepEqual(snapshot, SNAPSHOT);
    return true;
  },
};

const state: FuzzTarget = {
  name: 'journal and register frames',
  cost: 2,
  one(dice) {
    const ledger = new LedgerState();
    const text = mangled(dice, ['["append","intake","[1,2]"]', '["forget","intake"]', '["set","head","{}"]', '["append","a"]', '[]']);
    if (!isJson(text)) return false;
    const taken = refusedWith(['JOURNAL_INVALID'], () => {
      if (dice.once(2)) ledger.applyJournal(text);
      else ledger.applyRegister(text);
      return true;
    });
    assert.deepEqual(new LedgerState(ledger.toJson()).toJson(), ledger.toJson());
    return taken === true;
  },
};

const FOOTER = { entries: 900, blocks: blocksFor(900), filterBlocks: 5, probes: 6, fencesCheck: 77, filterCheck: 88 };
const ENCODED = encodeFooter(FOOTER);
const BLOCK = new BlockBuffer();
for (let k = 0; k < 1_000; k += 1) BLOCK.words[2 + (k % 800)] = k * 2_654_435;
BLOCK.seal(200);

const runs: FuzzTarget = {
  name: 'files of identities',
  cost: 4,
  one(dice) {
    const bytes = damagedBytes(dice, ENCODED);
    const footer = decodeFooter(bytes);
    assert.ok(footer === null || bytes.equals(ENCODED));
    const damaged = damagedBytes(dice, BLOCK.bytes);
    const block = new BlockBuffer();
    block.bytes.set(damaged.subarray(0, BLOCK_BYTES));
    assert.equal(block.isIntact(), Buffer.from(block.bytes).equals(BLOCK.bytes));
    return footer !== null;
  },
};

const manifests: FuzzTarget = {
  name: 'manifest of identities',
  cost: 12,
  async one(dice) {
    const disk = new SimpleDisk();
    const manifest = { seed: new Uint8Array(16).fill(7), watermark: asSize(300), anchor: 12, runs: ['0123456789abcdef.run'] };
    await writeManifest(disk, '/i', manifest);
    const whole = disk.files.get(`/i/${MANIFEST}`) ?? Buffer.alloc(0);
    const bytes = damagedBytes(dice, whole);
    disk.files.set(`/i/${MANIFEST}`, bytes);
    const read = await readManifest(disk, '/i');
    assert.notEqual(read, 'missing');
    if (read === 'damaged') return false;
    assert.deepEqual(read, manifest);
    return true;
  },
};

const at = asIndex;
const RECORDS: readonly JournalRecord[] = [
  { type: 'began', v: 1, cursor: at(0), at: 1_000 },
  { type: 'epoch', epoch: 0, format: 'native', control: 'all', name: 'lake' },
  { type: 'intent', lane: 'live', from: at(0), through: at(4), count: 5, epoch: 0, sha256: 'ab', omit: [], gone: null },
  { type: 'taken', lane: 'live', from: at(0), through: at(4), count: 5, bytes: 900, again: 0, receipt: { status: 200 } },
  { type: 'paused' },
  { type: 'resumed' },
];

const journal: FuzzTarget = {
  name: 'records of a destination',
  cost: 6,
  one(dice) {
    const texts = [recordsText(1, RECORDS.slice(0, 2)), recordsText(3, RECORDS.slice(2, 4)), recordsText(5, RECORDS.slice(4))];
    const place = dice.roll(texts.length);
    texts[place] = mangled(dice, [texts[place] as string]);
    const account = refusedWith(['JOURNAL_INVALID'], () => fold(null, texts));
    if (account === null) return false;
    // Folding is the same in one step as in two.
    const half = fold(null, texts.slice(0, 2));
    assert.ok(half !== null);
    const again = fold(accountText(half), texts);
    assert.ok(again !== null);
    assert.equal(accountText(again), accountText(account));
    return true;
  },
};

const refused: FuzzTarget = {
  name: 'index of refused events',
  cost: 4,
  async one(dice) {
    const disk = new SimpleDisk();
    const names = Array.from({ length: 3 }, () => mangled(dice, ['ab'.repeat(32), `${'cd'.repeat(32)}.tmp`, 'README']));
    for (const name of names) disk.files.set(`/refused/${name}`, Buffer.alloc(dice.roll(5_000)));
    const kept = await openRefused('/refused', disk);
    const counted = [...new Set(names)].filter((name) => /^[0-9a-f]{64}$/.test(name)).length;
    assert.ok(kept.bytes() >= 0 && kept.bytes() % 4_096 === 0 && kept.bytes() <= counted * 8_192);
    assert.ok([...disk.files.keys()].every((name) => !name.endsWith('.tmp')));
    return counted > 0;
  },
};

const times: FuzzTarget = {
  name: 'received_at under any clock',
  cost: 3,
  one(dice: Dice) {
    let wall = dice.pick([0, 1_700_000_000_000, -5_000, Number.MAX_SAFE_INTEGER, 0.5]);
    let monotonic = 0;
    const received = openReceivedAt(
      { now: () => wall, monotonic: () => monotonic },
      dice.once(2) ? null : dice.roll(2_000_000_000) * 1_000,
    );
    let before = '';
    for (let k = 0; k < 4; k += 1) {
      const text = received.next();
      assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.ok(text >= before, `${text} after ${before}`);
      before = text;
      received.step();
      wall += dice.pick([1, 1_000, -1_000, 86_400_000, -315_360_000_000, 315_360_000_000]);
      monotonic += dice.roll(1_000);
    }
    return wall > 0;
  },
};

const PEM = '-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ0FzZQ==\n-----END CERTIFICATE-----\n';

const certificates: FuzzTarget = {
  name: 'certificate and key files',
  cost: 60,
  async one(dice) {
    const disk = new SimpleDisk();
    disk.files.set('/cert', Buffer.from(mangled(dice, [PEM, '', PEM.replace('CERTIFICATE', 'PRIVATE KEY')])));
    disk.files.set('/key', Buffer.from(mangled(dice, [PEM.replaceAll('CERTIFICATE', 'PRIVATE KEY'), ''])));
    const files = { cert: '/cert', key: '/key', clientCa: null, clientCert: 'require' } as const;
    const read = await refusedLater(['TLS_INVALID'], () => readTls(files, disk));
    assert.equal(read, null, 'nothing random is a certificate with its key');
    return dice.once(2);
  },
};

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What is read from files of our own. */
export const FILE_TARGETS: readonly FuzzTarget[] = [
  frames,
  segmentHeaders,
  snapshots,
  state,
  runs,
  manifests,
  journal,
  refused,
  times,
  certificates,
];
