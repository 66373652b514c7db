import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { freePort } from '../../src/cli/machine.ts';
import { linesOf } from './entries.ts';
import { initWaybill, startWaybill, until, type WaybillProcess } from './process.ts';

const ROUNDS = 6;
const KEPT = 4;

/** `copytruncate` writes nothing between the copy and the cut, so that what is proved is exact. */
type Rotation = 'rename' | 'gzip' | 'copytruncate';

interface Line {
  readonly entry: { readonly source: string; readonly partition: string; readonly event: { readonly k?: number; readonly type?: string } };
}

interface Status {
  /** `size` counts what is numbered, durable or not. */
  readonly ledger: { readonly size: number };
  readonly sources: Readonly<Record<string, { readonly entries: number }>>;
  readonly destinations: Readonly<Record<string, { readonly cursor: number }>>;
}

/** A program that writes numbered lines to a log, and sets it apart as logrotate does. */
class Writer {
  readonly #path: string;
  next = 0;
  readonly #stopping = new AbortController();
  readonly done: Promise<void>;
  readonly #how: Rotation;

  constructor(path: string, how: Rotation) {
    this.#path = path;
    this.#how = how;
    this.done = this.#run();
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    for (let turn = 1; !this.#stopping.signal.aborted; turn++) {
      let text = '';
      for (let k = 0; k < 50; k++) text += `{"k":${this.next++},"text":"${'x'.repeat(this.next % 300)}"}\n`;
      // Half a line is in the file for a moment, as with any writer.
      appendFileSync(this.#path, text.slice(0, text.length / 2));
      await setTimeout(Math.random() * 25);
      appendFileSync(this.#path, text.slice(text.length / 2));
      if (turn % 20 === 0) await this.#rotate();
    }
  }

  async #rotate(): Promise<void> {
    if (this.#how === 'copytruncate') {
      copyFileSync(this.#path, `${this.#path}.${this.next}`);
      await setTimeout(Math.random() * 5);
      truncateSync(this.#path);
      return;
    }
    const apart = `${this.#path}.${this.next}`;
    renameSync(this.#path, apart);
    await setTimeout(Math.random() * 5);
    if (this.#how === 'rename') return;
    const packed = gzipSync(readFileSync(apart));
    writeFileSync(`${apart}.gz`, packed.subarray(0, packed.length / 2));
    await setTimeout(Math.random() * 5);
    appendFileSync(`${apart}.gz`, packed.subarray(packed.length / 2));
    unlinkSync(apart);
  }
}

for (const how of ['rename', 'gzip', 'copytruncate'] as const) {
  test(`${ROUNDS} times kill -9 while a log is written and set apart (${how}): every line once, each file in its order`, async (t) => {
    const directory = mkdtempSync(`${tmpdir()}/waybill-file-crash-`);
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    mkdirSync(`${directory}/logs`);
    const archive = `${directory}/audit.ndjson`;
    const port = await freePort();
    const file = initWaybill(
      directory,
      `ledger: { origin: crash.example/audit, path: ./data, segment: 1MiB }
api: { listen: 127.0.0.1:${port} }
log_level: warn
sources:
  logs: { type: file, paths: [./logs/app.log*], schema: json, poll: 20ms }
destinations:
  archive: { type: file, path: ${archive}, start: beginning }
`,
    );
    let waybill: WaybillProcess = await startWaybill(file, port);
    t.after(() => waybill.end('SIGKILL'));
    const read = (): Line[] => (existsSync(archive) ? linesOf(readFileSync(archive, 'utf8')).map((line) => JSON.parse(line) as Line) : []);
    const numbers = (): number[] => read().flatMap(({ entry }) => (entry.source === 'logs' ? [entry.event.k ?? -1] : []));
    const writer = new Writer(`${directory}/logs/app.log`, how);
    t.after(() => writer.stop());
    for (let round = 0; round < ROUNDS; round++) {
      const before = writer.next;
      await until(`some lines of round ${round}`, () => writer.next > before + 500);
      await setTimeout(Math.random() * 100);
      await waybill.end('SIGKILL');
      waybill = await startWaybill(file, port);
    }
    writer.stop();
    await writer.done;
    await until('every line to be delivered', async () => {
      const { ledger, sources, destinations } = (await fetch(`${waybill.url}/v1/status`).then((answer) => answer.json())) as Status;
      return (sources['logs']?.entries ?? 0) >= writer.next && destinations['archive']?.cursor === ledger.size;
    }).catch((error: unknown) => console.log(String(error)));
    const found = numbers();
    const there = new Set(found);
    const missing = Array.from({ length: writer.next }, (_, k) => k).filter((k) => !there.has(k));
    assert.deepEqual(missing.slice(0, KEPT), [], `${missing.length} of ${writer.next} lines are missing\n${waybill.log()}`);
    assert.equal(found.length, writer.next, 'a line came twice');
    const last = new Map<string, number>();
    for (const { entry } of read()) {
      if (entry.source !== 'logs') continue;
      const k = entry.event.k ?? -1;
      assert.ok(k > (last.get(entry.partition) ?? -1), `${k} came after ${last.get(entry.partition)} in ${entry.partition}`);
      last.set(entry.partition, k);
    }
    console.log(`kill -9 × ${ROUNDS} (${how}): ${writer.next} lines in ${last.size} files, 0 lost, 0 twice`);
  });
}
