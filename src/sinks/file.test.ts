import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { batchOf, entriesOf, heldIn, heldOf } from '../../test/conformance/batches.ts';
import type { Ports } from '../contracts/ports.ts';
import type { Receipt, Sink, SinkContext } from '../contracts/sink.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { openDisk } from '../runtime/disk.ts';
import { file } from './file.ts';

const root = mkdtempSync(join(tmpdir(), 'waybill-file-'));
const disk = openDisk();
after(async () => {
  await disk.close();
  rmSync(root, { recursive: true });
});

let directories = 0;
const freshDirectory = (): string => join(root, `d${directories++}`);
const never = (): AbortSignal => new AbortController().signal;

interface Known {
  readonly cursor: number;
  readonly receipt: Receipt | null;
  readonly size?: number;
  readonly rotate?: number;
}

const FRESH: Known = { cursor: 0, receipt: null };

function openIn(directory: string, { cursor, receipt, size, rotate }: Known): Promise<Sink> {
  const context: SinkContext = {
    name: 'local',
    origin: 'acme.example/audit',
    ports: { disk } as Partial<Ports> as Ports,
    cursor: asIndex(cursor),
    receipt,
    ...(size === undefined ? {} : { size: asSize(size) }),
  };
  return file.open({ path: join(directory, 'audit.ndjson'), ...(rotate === undefined ? {} : { rotate }) }, context);
}

const nextOf = (sink: Sink): Promise<number> => (sink.next as NonNullable<Sink['next']>)(never());

/** The files of a destination in the order of their entries: those set apart, then the one that grows. */
function textIn(directory: string): string {
  const names = readdirSync(directory).filter((name) => /^audit\.ndjson(?:\.\d{12})?$/.test(name));
  const ordered = [
    ...names.filter((name) => name.length > 'audit.ndjson'.length).sort(),
    ...names.filter((name) => name === 'audit.ndjson'),
  ];
  return ordered.map((name) => readFileSync(join(directory, name), 'utf8')).join('');
}

/** Writes `count` batches of three entries from `from` on, and gives what the journal would know after each. */
async function writeBatches(sink: Sink, from: number, count: number): Promise<Known[]> {
  const known: Known[] = [];
  for (let at = from; at < from + 3 * count; at += 3) {
    const receipt = await sink.write(batchOf({ from: at, entries: entriesOf(at, 3) }), never());
    known.push({ cursor: at + 3, receipt });
  }
  return known;
}

/** A copy of the directory has other paths; a receipt names the path. */
function relocated({ cursor, receipt }: Known, directory: string): Known {
  return { cursor, receipt: receipt === null ? null : { ...receipt, file: join(directory, 'audit.ndjson') } };
}

const parse = (input: unknown) => file.config.safeParse(input);

const expected = (count: number) => heldOf({ from: 0, entries: entriesOf(0, count) });

describe('a file destination that is opened again', () => {
  test('knows its place from the receipt, and cuts what was never acknowledged', async () => {
    for (const tail of ['{"index":6,"en', '\0\0\0\0', '\0\0\n\0\0\n', batchOf({ from: 6, entries: entriesOf(6, 2) }).body]) {
      const directory = freshDirectory();
      const sink = await openIn(directory, FRESH);
      const known = (await writeBatches(sink, 0, 2)).at(-1) as Known;
      await sink.close();
      const path = join(directory, 'audit.ndjson');
      writeFileSync(path, tail, { flag: 'a' });
      const again = await openIn(directory, known);
      assert.equal(await nextOf(again), 6);
      await writeBatches(again, 6, 1);
      assert.deepEqual(heldIn(textIn(directory)), expected(9));
      await again.close();
    }
  });

  test('counts nothing of a first batch that the journal does not know, and knows that it was its own', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, FRESH);
    await writeBatches(sink, 0, 1);
    await sink.close();
    const again = await openIn(directory, FRESH);
    assert.equal(await nextOf(again), 0);
    await writeBatches(again, 0, 3);
    assert.deepEqual(heldIn(textIn(directory)), expected(9));
    await again.close();
  });

  test('cuts what was never acknowledged before the cursor passes it, also by an empty batch', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, FRESH);
    const [first] = await writeBatches(sink, 0, 2);
    await sink.close();
    const again = await openIn(directory, first as Known);
    const receipt = await again.write(batchOf({ from: 3, entries: [], through: 8 }), never());
    await again.close();
    const last = await openIn(directory, { cursor: 9, receipt });
    assert.equal(await nextOf(last), 9);
    await writeBatches(last, 9, 1);
    assert.deepEqual(heldIn(textIn(directory)), [...expected(3), ...heldOf({ from: 9, entries: entriesOf(9, 3) })]);
    await last.close();
  });

  test('keeps lines below the cursor even if the journal has no receipt for them', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, FRESH);
    const [first] = await writeBatches(sink, 0, 3);
    await sink.close();
    const again = await openIn(directory, { ...(first as Known), cursor: 6 });
    assert.equal(await nextOf(again), 6);
    await writeBatches(again, 6, 1);
    assert.deepEqual(heldIn(textIn(directory)), expected(9));
    await again.close();
  });

  test('leaves lines that the ledger does not have as they are', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, FRESH);
    const [first] = await writeBatches(sink, 0, 3);
    await sink.close();
    const again = await openIn(directory, { ...(first as Known), size: 8 });
    await assert.rejects(nextOf(again), { code: 'LEDGER_REWOUND', message: /has the entry 8, but the ledger has 8 entries/ });
    await assert.rejects(writeBatches(again, 3, 1), { code: 'LEDGER_REWOUND' });
    await again.close();
    assert.deepEqual(heldIn(textIn(directory)), expected(9));
    const right = await openIn(directory, { ...(first as Known), size: 9 });
    assert.equal(await nextOf(right), 3);
    await right.close();
  });

  test('begins where its cursor is when there is nothing yet, or when it was sent to another path', async () => {
    const known: Known = { cursor: 40, receipt: { file: '/elsewhere/audit.ndjson', length: 100, start: 3 } };
    const directory = freshDirectory();
    const sink = await openIn(directory, known);
    assert.equal(await nextOf(sink), 40);
    await writeBatches(sink, 40, 1);
    assert.deepEqual(heldIn(textIn(directory)), heldOf({ from: 40, entries: entriesOf(40, 3) }));
    await sink.close();
  });

  test('does not guess what a receipt means that it cannot read', async () => {
    const directory = freshDirectory();
    const path = join(directory, 'audit.ndjson');
    const sink = await openIn(directory, { cursor: 3, receipt: { file: path, length: 'long' } });
    await assert.rejects(nextOf(sink), { code: 'JOURNAL_INVALID' });
    await sink.close();
  });
});

describe('a file destination that lost something', () => {
  test('says what it needs, and takes it again', async () => {
    for (const kept of [0, 1, 500, 1_300]) {
      const directory = freshDirectory();
      const sink = await openIn(directory, FRESH);
      const known = (await writeBatches(sink, 0, 2)).at(-1) as Known;
      await sink.close();
      truncateSync(join(directory, 'audit.ndjson'), kept);
      const again = await openIn(directory, known);
      const lines = readFileSync(join(directory, 'audit.ndjson'), 'utf8').split('\n').length - 1;
      assert.ok(lines < 6);
      assert.equal(await nextOf(again), lines);
      for (let at = lines; at < 9; at++) await again.write(batchOf({ from: at, entries: entriesOf(at, 1) }), never());
      assert.deepEqual(heldIn(textIn(directory)), expected(9));
      await again.close();
    }
  });

  test('begins again where the file began when all of it is gone', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, { cursor: 30, receipt: null });
    const known = (await writeBatches(sink, 30, 2)).at(-1) as Known;
    await sink.close();
    rmSync(join(directory, 'audit.ndjson'));
    const again = await openIn(directory, known);
    assert.equal(await nextOf(again), 30);
    await again.close();
  });

  test('notices that its file was moved, cut or written while it was open, and goes on once it is back', async () => {
    const directory = freshDirectory();
    const path = join(directory, 'audit.ndjson');
    const sink = await openIn(directory, FRESH);
    await writeBatches(sink, 0, 2);
    const third = batchOf({ from: 6, entries: entriesOf(6, 3) });

    renameSync(path, `${path}.old`);
    await assert.rejects(sink.write(third, never()), { code: 'DESTINATION_LOST_DATA' });
    assert.equal(await nextOf(sink), 0, 'it says what is missing, so that it can be filled');
    renameSync(`${path}.old`, path);
    await assert.rejects(sink.write(third, never()), { code: 'SINK_OUT_OF_TURN' });
    assert.equal(await nextOf(sink), 6);

    await sink.write(third, never());
    writeFileSync(path, 'a line from somebody else\n', { flag: 'a' });
    const fourth = batchOf({ from: 9, entries: entriesOf(9, 3) });
    await assert.rejects(sink.write(fourth, never()), { code: 'DESTINATION_FOREIGN', message: /26 bytes that somebody else has written/ });
    await sink.write(fourth, never());
    assert.deepEqual(heldIn(textIn(directory)), expected(12));
    await sink.close();
  });
});

describe('a place that is not its own', () => {
  test('is left as it is until it is moved away', async () => {
    const directory = freshDirectory();
    const path = join(directory, 'audit.ndjson');
    const owner = await openIn(directory, FRESH);
    await writeBatches(owner, 0, 20);
    await owner.close();
    const before = readFileSync(path, 'utf8');
    const sink = await openIn(directory, FRESH);
    await assert.rejects(nextOf(sink), { code: 'DESTINATION_FOREIGN', message: /audit\.ndjson already holds something/ });
    await assert.rejects(writeBatches(sink, 0, 1), { code: 'DESTINATION_FOREIGN' });
    assert.equal(readFileSync(path, 'utf8'), before);
    renameSync(path, `${path}.mine`);
    assert.equal(await nextOf(sink), 0);
    await writeBatches(sink, 0, 1);
    assert.deepEqual(heldIn(textIn(directory)), expected(3));
    await sink.close();
  });

  test('is also one whose last acknowledged line was changed', async () => {
    const directory = freshDirectory();
    const path = join(directory, 'audit.ndjson');
    const owner = await openIn(directory, FRESH);
    const known = (await writeBatches(owner, 0, 2)).at(-1) as Known;
    await owner.close();
    const text = readFileSync(path, 'utf8');
    for (const changed of [text.replace(/.\n$/, '\n\n'), text.replace(/"index":5/, '"index":9'), text.replace(/\}\n$/, '}x')]) {
      assert.notEqual(changed, text);
      writeFileSync(path, changed);
      const sink = await openIn(directory, known);
      await assert.rejects(nextOf(sink), { code: 'DESTINATION_FOREIGN', message: /does not have the line that was acknowledged last/ });
      await sink.close();
      assert.equal(readFileSync(path, 'utf8'), changed);
    }
  });

  test('is one that another destination has open', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, FRESH);
    await assert.rejects(openIn(directory, FRESH), { code: 'DESTINATION_LOCKED' });
    await sink.close();
    await (await openIn(directory, FRESH)).close();
  });

  test('a batch in another format is refused before it is written', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, FRESH);
    const body = Buffer.from('<14>1 - - - - - -\n');
    const batch = { ...batchOf({ from: 0, entries: ['{}'] }), body, offsets: Uint32Array.of(0, body.length) };
    await assert.rejects(sink.write(batch, never()), { code: 'SINK_REFUSED' });
    assert.ok(!existsSync(join(directory, 'audit.ndjson')));
    await sink.close();
  });
});

describe('a file that is set apart when it is full', () => {
  const ROTATE = 2_500;

  test('keeps every file below its size, under the index of its first entry', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, { ...FRESH, rotate: ROTATE });
    const known = await writeBatches(sink, 0, 10);
    await sink.close();
    const names = readdirSync(directory).filter((name) => /\d$/.test(name));
    assert.deepEqual(
      names.sort(),
      [0, 6, 12, 18].map((first) => `audit.ndjson.${String(first).padStart(12, '0')}`),
    );
    for (const name of names) {
      const text = readFileSync(join(directory, name), 'utf8');
      assert.ok(text.length <= ROTATE);
      assert.equal(heldIn(text)[0]?.index, Number(name.slice(-12)));
    }
    assert.deepEqual(heldIn(textIn(directory)), expected(30));
    const length = readFileSync(join(directory, 'audit.ndjson')).length;
    assert.deepEqual(known.at(-1)?.receipt, { file: join(directory, 'audit.ndjson'), length, start: 24 });
  });

  test('goes on from every receipt that the journal may have, however far behind it is', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, { ...FRESH, rotate: ROTATE });
    const known = [FRESH, ...(await writeBatches(sink, 0, 10))];
    await sink.close();
    for (const [batches, at] of known.entries()) {
      const copy = freshDirectory();
      cpSync(directory, copy, { recursive: true });
      const again = await openIn(copy, { ...relocated(at, copy), rotate: ROTATE });
      assert.equal(await nextOf(again), 3 * batches);
      await writeBatches(again, 3 * batches, 12 - batches);
      assert.deepEqual(heldIn(textIn(copy)), expected(36));
      await again.close();
    }
  });

  test('understands a return that was broken off after the old name was back and before the leftovers were gone', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, { ...FRESH, rotate: ROTATE });
    const known = await writeBatches(sink, 0, 10);
    await sink.close();
    // The journal knows three batches: the file from 6 on comes back, and those from 12 and 18 on are leftovers.
    renameSync(join(directory, 'audit.ndjson.000000000006'), join(directory, 'audit.ndjson'));
    const again = await openIn(directory, { ...(known[2] as Known), rotate: ROTATE });
    assert.equal(await nextOf(again), 9);
    await writeBatches(again, 9, 9);
    assert.deepEqual(heldIn(textIn(directory)), expected(36));
    await again.close();
  });

  test('halts when a file that was set apart is shorter than it was', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, { ...FRESH, rotate: ROTATE });
    const known = await writeBatches(sink, 0, 4);
    await sink.close();
    truncateSync(join(directory, 'audit.ndjson.000000000000'), 100);
    const again = await openIn(directory, { ...(known[1] as Known), rotate: ROTATE });
    await assert.rejects(nextOf(again), { code: 'DESTINATION_LOST_DATA', message: /audit\.ndjson\.000000000000 has 100 bytes/ });
    await again.close();
  });

  test('never replaces a file that is already there', async () => {
    const directory = freshDirectory();
    const sink = await openIn(directory, { ...FRESH, rotate: ROTATE });
    await writeBatches(sink, 0, 2);
    writeFileSync(join(directory, 'audit.ndjson.000000000000'), 'mine');
    await assert.rejects(writeBatches(sink, 6, 1), { code: 'DESTINATION_FOREIGN' });
    assert.equal(readFileSync(join(directory, 'audit.ndjson.000000000000'), 'utf8'), 'mine');
    await sink.close();
  });
});

describe('the settings', () => {
  test('take a path and a size, and nothing else', () => {
    assert.deepEqual(parse({ path: '/a', rotate: '1GiB' }), { success: true, data: { path: '/a', rotate: 2 ** 30 } });
    for (const wrong of [{}, { path: '' }, { path: '/a', rotate: '1' }, { path: '/a', rotate: '1B' }, { path: '/a', rotation: '1GiB' }]) {
      assert.equal(parse(wrong).success, false, JSON.stringify(wrong));
    }
  });
});
