import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { allEntries, checkLedger, linesOf, sameLines, status } from './entries.ts';
import { initWaybill, MAIN, startWaybill, until } from './process.ts';
import { startProducer } from './producer.ts';

test('a second process on the same ledger is refused and told why; the first goes on', async () => {
  const directory = mkdtempSync(`${tmpdir()}/waybill-second-`);
  const port = await freePort();
  const yaml = `ledger: { origin: second.example/audit, path: ./data }
api: { listen: 127.0.0.1:${port} }
log_level: error
sources: { app: { type: http, schema: json, id_field: id } }
destinations: { archive: { type: file, path: ./audit.ndjson, start: beginning } }
`;
  const file = initWaybill(directory, yaml);
  const waybill = await startWaybill(file, port);
  const producer = startProducer(waybill.url, 2, 20);
  try {
    await until('some load', () => producer.acknowledged.length > 200);
    const other = `${directory}/other.yaml`;
    writeFileSync(other, yaml.replace(String(port), String(await freePort())).replace('audit.ndjson', 'other.ndjson'));
    const second = spawnSync(process.execPath, [MAIN, 'run', '-c', other], { encoding: 'utf8', timeout: 30_000 });
    assert.equal(second.status, 1);
    assert.match(second.stderr, /LEDGER_LOCKED/);
    assert.match(second.stderr, /Stop the other process/);
    const before = producer.acknowledged.length;
    await until('the first process to go on', () => producer.acknowledged.length > before + 200);
    await producer.finish();
    const { size } = (await status(waybill.url)).ledger;
    await until(
      'the destination to have everything',
      async () => ((await status(waybill.url)).destinations['archive']?.cursor ?? 0) >= size,
    );
    const entries = await allEntries(waybill.url);
    checkLedger(entries, producer.acknowledged);
    assert.equal(await waybill.end('SIGTERM'), 0);
    sameLines(linesOf(readFileSync(`${directory}/audit.ndjson`, 'utf8')), entries, 'the file');
  } finally {
    producer.abandon();
    await waybill.end('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
});
