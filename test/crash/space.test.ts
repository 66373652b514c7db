import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { allEntries, checkLedger, linesOf, sameLines, status } from './entries.ts';
import { initWaybill, startWaybill, until } from './process.ts';
import { startProducer } from './producer.ts';

test('a disk without space pushes back, loses nothing, and goes on by itself when there is space', async () => {
  const directory = mkdtempSync(`${tmpdir()}/waybill-space-`);
  const small = `${directory}/small`;
  mkdirSync(small);
  // A file system of its own, so that "full" is the real thing and nothing else on the machine notices. It needs root, as CI has.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', small]);
  try {
    const ballast = `${small}/ballast`;
    writeFileSync(ballast, Buffer.alloc(24 << 20, 1));
    const port = await freePort();
    const archive = `${directory}/audit.ndjson`;
    const file = initWaybill(
      directory,
      `ledger: { origin: space.example/audit, path: ${small}/data, segment: 1MiB, reserve: 1MiB }
api: { listen: 127.0.0.1:${port} }
log_level: error
sources: { app: { type: http, schema: json, id_field: id } }
destinations: { archive: { type: file, path: ${archive}, start: beginning } }
`,
    );
    const waybill = await startWaybill(file, port);
    const producer = startProducer(waybill.url, 2, 500);
    try {
      // The last bytes of space are found by small requests only.
      const sendOne = (id: string): Promise<Response> =>
        fetch(`${waybill.url}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: `{"id":"${id}"}` });
      let small = 0;
      await until('pushback', async () => (await sendOne(`small_${small++}`)).status === 503);
      const before = producer.acknowledged.length;
      assert.ok(before > 0, 'events were accepted before the disk was full');
      const refused = await sendOne('one-more');
      assert.equal(refused.status, 503);
      assert.ok(Number(refused.headers.get('retry-after')) >= 1);
      assert.match(await refused.text(), /LEDGER_FULL/);
      assert.equal((await fetch(`${waybill.url}/readyz`)).status, 503);
      await until('the destination to get what was accepted', async () => {
        const { ledger, destinations } = await status(waybill.url);
        return destinations['archive']?.cursor === ledger.size;
      });
      rmSync(ballast);
      await until('the producer to go on by itself', () => producer.acknowledged.length > before + 5_000);
      await producer.finish();
      const { size } = (await status(waybill.url)).ledger;
      await until(
        'the destination to have everything',
        async () => ((await status(waybill.url)).destinations['archive']?.cursor ?? 0) >= size,
      );
      const entries = await allEntries(waybill.url);
      checkLedger(entries, producer.acknowledged);
      sameLines(linesOf(readFileSync(archive, 'utf8')), entries, 'the file');
      assert.equal(await waybill.end('SIGTERM'), 0);
    } finally {
      producer.abandon();
      await waybill.end('SIGKILL');
    }
  } finally {
    execFileSync('umount', ['-l', small]);
    rmSync(directory, { recursive: true, force: true });
  }
});
