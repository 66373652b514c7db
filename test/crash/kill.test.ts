import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { checkCheckpoints } from './checkpoints.ts';
import { allEntries, checkLedger, linesOf, sameLines, status } from './entries.ts';
import { initWaybill, startWaybill, until, type WaybillProcess } from './process.ts';
import { startProducer } from './producer.ts';
import { startReceiver } from './receiver.ts';

const ROUNDS = 20;

test(`${ROUNDS} times kill -9 in mid-load: nothing acknowledged is lost, repeated or reordered`, async () => {
  const directory = mkdtempSync(`${tmpdir()}/waybill-kill-`);
  const receiver = await startReceiver();
  const port = await freePort();
  const archive = `${directory}/audit.ndjson`;
  const file = initWaybill(
    directory,
    `ledger: { origin: crash.example/audit, path: ./data, segment: 1MiB }
api: { listen: 127.0.0.1:${port} }
log_level: warn
sources:
  app: { type: http, schema: json, id_field: id }
destinations:
  archive: { type: file, path: ${archive}, start: beginning }
  lake: { type: http, url: ${receiver.url}, start: beginning }
`,
  );
  let waybill: WaybillProcess = await startWaybill(file, port);
  const producer = startProducer(waybill.url, 4, 25);
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = producer.acknowledged.length;
      await until(`the load of round ${round}`, () => producer.acknowledged.length > before + 200);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
      await waybill.end('SIGKILL');
      waybill = await startWaybill(file, port);
    }
    await producer.finish();
    const { size } = (await status(waybill.url)).ledger;
    await until('both destinations to have everything', async () => {
      const { destinations } = await status(waybill.url);
      for (const [name, { state }] of Object.entries(destinations))
        assert.notEqual(state, 'halted', `${name} is halted:\n${waybill.log()}`);
      return Object.values(destinations).every(({ cursor }) => cursor >= size);
    });
    const entries = await allEntries(waybill.url);
    checkLedger(entries, producer.acknowledged);
    assert.deepEqual(receiver.faults, []);
    sameLines(receiver.lines, entries, 'the HTTP destination');
    sameLines(linesOf(readFileSync(archive, 'utf8')), entries, 'the file');
    const newest = (): number => checkCheckpoints(`${directory}/keys`, receiver.checkpoints, entries, 'http');
    await until('the HTTP destination to have a checkpoint over everything', () => newest() >= size);
    const beside = (): number => {
      const note = readFileSync(`${archive}.checkpoint`, 'utf8');
      return checkCheckpoints(`${directory}/keys`, [{ note, held: entries.length }], entries, 'the file');
    };
    await until('the file to have one', () => beside() >= size);
    console.log(
      `kill -9 × ${ROUNDS}: ${entries.length} entries, ${producer.acknowledged.length} acknowledged events, 0 lost, ` +
        `${producer.repeats} sends repeated by the producer, ` +
        `${receiver.repeats} batches in doubt repeated to http with the same bytes, 0 to the file; ` +
        `${receiver.checkpoints.length} checkpoints verified`,
    );
  } finally {
    producer.abandon();
    await waybill.end('SIGKILL');
    await receiver.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
