import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { linesOf } from './entries.ts';
import { initWaybill, startWaybill, until, type WaybillProcess } from './process.ts';
import { startProducer } from './producer.ts';

const ROUNDS = 4;

interface View {
  readonly ledger: { readonly size: number; readonly beginning: number; readonly bytes: { readonly used: number } };
  readonly destinations: Readonly<Record<string, { readonly cursor: number; readonly state: string }>>;
}

test(`${ROUNDS} times kill -9 while retention removes segments: the archive has everything, the ledger the rest`, async () => {
  const directory = mkdtempSync(`${tmpdir()}/waybill-retention-`);
  const port = await freePort();
  const archive = `${directory}/audit.ndjson`;
  const file = initWaybill(
    directory,
    `ledger: { origin: retention.example/audit, path: ./data, segment: 1MiB, retain: { bytes: 16MiB } }
api: { listen: 127.0.0.1:${port} }
log_level: warn
sources:
  app: { type: http, schema: json, id_field: id }
destinations:
  archive: { type: file, path: ${archive}, start: beginning }
`,
  );
  let waybill: WaybillProcess = await startWaybill(file, port);
  const view = async (): Promise<View> => (await (await fetch(`${waybill.url}/v1/status`)).json()) as View;
  const producer = startProducer(waybill.url, 4, 100);
  try {
    let beginning = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const goal = beginning;
      await until(`retention to remove something in round ${round}`, async () => (await view()).ledger.beginning > goal);
      await waybill.end('SIGKILL');
      // What a removal under way has told before it was durable does not count; what is gone does.
      const oldest = Math.min(
        ...readdirSync(`${directory}/data/segments`)
          .filter((name) => name.endsWith('.seg'))
          .map((name) => Number(name.slice(0, 20))),
      );
      waybill = await startWaybill(file, port);
      beginning = (await view()).ledger.beginning;
      assert.ok(beginning >= oldest && beginning >= goal);
    }
    await producer.finish();
    await until('the archive to have everything', async () => {
      const { ledger, destinations } = await view();
      assert.notEqual(destinations['archive']?.state, 'halted', waybill.log());
      return (destinations['archive']?.cursor ?? 0) >= ledger.size;
    });
    const { ledger } = await view();
    const lines = linesOf(readFileSync(archive, 'utf8'));
    assert.equal(lines.length, ledger.size);
    const ids = new Set<string>();
    for (const [at, line] of lines.entries()) {
      const { index, entry } = JSON.parse(line) as { index: number; entry: { source: string; id: string } };
      assert.equal(index, at);
      if (entry.source === 'app') ids.add(entry.id);
    }
    for (const id of producer.acknowledged) assert.ok(ids.has(id), `${id} was acknowledged and is nowhere`);
    const retained = await (await fetch(`${waybill.url}/v1/entries?from=${ledger.beginning}&limit=1`)).text();
    assert.equal(retained, `${lines[ledger.beginning]}\n`);
    assert.equal((await fetch(`${waybill.url}/v1/entries?from=${ledger.beginning - 1}&limit=1`)).status, 410);
    // An entry that is gone: its identity is known for life, and its bytes are not.
    const first = JSON.parse(lines.find((line) => line.includes('"source":"app"')) ?? '') as { entry: { event: unknown } };
    const again = await fetch(`${waybill.url}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(first.entry.event),
    });
    assert.equal(again.status, 409);
    assert.match(await again.text(), /IDENTITY_PRUNED/);
    assert.equal((await view()).ledger.size, ledger.size);
  } finally {
    producer.abandon();
    await waybill.end('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
});
