import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { allEntries, checkLedger, linesOf, sameLines, status } from '../crash/entries.ts';
import { initWaybill, MAIN, startWaybill, until, type WaybillProcess } from '../crash/process.ts';
import { startProducer } from '../crash/producer.ts';

function restore(file: string, ...words: readonly string[]): string {
  return execFileSync(process.execPath, [MAIN, 'restore', '-c', file, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

test('a ledger that was lost comes back from the archive, and everything goes on where it was', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-restore-'));
  const port = await freePort();
  const archive = join(directory, 'audit.ndjson');
  const file = initWaybill(
    directory,
    `ledger: { origin: restore.example/audit, path: ./data, segment: 1MiB }
api: { listen: 127.0.0.1:${port} }
log_level: warn
sources:
  app: { type: http, schema: json, id_field: id }
destinations:
  archive: { type: file, path: ./audit.ndjson, start: beginning }
`,
  );
  let waybill: WaybillProcess = await startWaybill(file, port);
  const settled = async (): Promise<void> =>
    until('the archive to have everything', async () => {
      const { ledger, destinations } = await status(waybill.url);
      assert.notEqual(destinations['archive']?.state, 'halted', waybill.log());
      return (destinations['archive']?.cursor ?? 0) >= ledger.size;
    });
  const producer = startProducer(waybill.url, 2, 25);
  try {
    await until('some load', () => producer.acknowledged.length > 2_000);
    await producer.finish();
    await settled();
    const before = await allEntries(waybill.url);
    await waybill.end('SIGKILL');
    const copy = join(directory, 'copy.ndjson');
    cpSync(archive, copy);
    rmSync(join(directory, 'data'), { recursive: true });

    const said = restore(file, '--from', 'archive');
    assert.match(said, new RegExp(`restored .* entries of restore.example/audit`));
    const [, root] = /their root is (\S+)/.exec(said) ?? [];
    restore(file, '--from', copy, '--into', join(directory, 'second'), '--head', `${before.length}:${root}`);
    assert.throws(() => restore(file, '--from', 'archive'), /LEDGER_EXISTS/);
    const wrong = ['--from', copy, '--into', join(directory, 'third'), '--head', `${before.length}:${'A'.repeat(43)}=`];
    assert.throws(() => restore(file, ...wrong), /RESTORE_MISMATCH/);

    waybill = await startWaybill(file, port);
    const again = await allEntries(waybill.url);
    sameLines(again, before, 'the restored ledger');
    // The same identities from the beginning on, and then more than there were.
    const more = startProducer(waybill.url, 2, 25);
    await until('more load', () => more.acknowledged.length > producer.acknowledged.length + 500);
    await more.finish();
    await settled();
    const entries = await allEntries(waybill.url);
    assert.ok(entries.length > before.length);
    checkLedger(entries, more.acknowledged);
    sameLines(linesOf(readFileSync(archive, 'utf8')), entries, 'the file');

    // An older copy would give out indexes again that the archive has: nothing is accepted with it.
    await waybill.end('SIGTERM');
    rmSync(join(directory, 'data'), { recursive: true });
    renameSync(join(directory, 'second'), join(directory, 'data'));
    const older = execFile(process.execPath, [MAIN, 'run', '-c', file]);
    let log = '';
    older.stderr?.on('data', (chunk: Buffer) => void (log += chunk.toString()));
    assert.deepEqual(await once(older, 'exit'), [1, null]);
    assert.match(log, /LEDGER_REWOUND: .*waybill restore/);
    sameLines(linesOf(readFileSync(archive, 'utf8')), entries, 'the file after the refusal');
  } finally {
    producer.abandon();
    await waybill.end('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
});
