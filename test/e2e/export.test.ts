import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { allEntries, checkLedger, sameLines } from '../crash/entries.ts';
import { initWaybill, MAIN, startWaybill, until, type WaybillProcess } from '../crash/process.ts';
import { type Producer, startProducer } from '../crash/producer.ts';

interface ExportAnswer {
  readonly size: number;
  readonly added: number;
  readonly begin: number;
}

describe('an export of a running process', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-export-'));
  const port = await freePort();
  const token = 'a-token-of-an-auditor-for-the-export';
  const yaml = `ledger: { origin: export.example/audit, path: ./data, segment: 1MiB }
api:
  listen: 127.0.0.1:${port}
log_level: warn
sources:
  app: { type: http, schema: json, id_field: id }
`;
  const file = initWaybill(directory, yaml);
  const place = join(directory, 'export');
  const key = readFileSync(join(directory, 'keys/log.vkey'), 'utf8').trim();
  let waybill: WaybillProcess | null = null;
  let producer: Producer | null = null;
  after(async () => {
    producer?.abandon();
    await waybill?.end('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  function waybillSays(...words: readonly string[]): string {
    const env = { ...process.env, WAYBILL_TOKEN: token };
    return execFileSync(process.execPath, [MAIN, ...words, '-c', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env });
  }

  function exported(): ExportAnswer {
    return JSON.parse(waybillSays('export', place, '--json')) as ExportAnswer;
  }

  /** The bytes of every segment, one after another. */
  function segments(data: string): Buffer {
    const names = readdirSync(join(data, 'segments')).toSorted();
    return Buffer.concat(names.map((name) => readFileSync(join(data, 'segments', name))));
  }

  test('is whole and verified under load, and goes on with what is new', async () => {
    waybill = await startWaybill(file, port);
    producer = startProducer(waybill.url, 1, 25);
    const { acknowledged } = producer;
    await until('some load', () => acknowledged.length > 3_000);
    const first = exported();
    assert.ok(first.size > 1_000 && first.begin === 0 && first.added === first.size);
    execFileSync(process.execPath, [MAIN, 'verify', 'export', place, '--key', key]);
    await until('more load', () => acknowledged.length > 5_000);
    const second = exported();
    assert.ok(second.size > first.size);
    assert.equal(second.added, second.size - first.size);
    await producer.finish();
    checkLedger(await allEntries(waybill.url), acknowledged);
  });

  test('that is killed at any moment is gone on with', async () => {
    assert.ok(waybill !== null);
    producer = startProducer(waybill.url, 1, 25);
    const { acknowledged } = producer;
    for (let round = 1; round <= 6; round += 1) {
      const goal = acknowledged.length + 1_500;
      await until('more load', () => acknowledged.length > goal);
      const child = spawn(process.execPath, [MAIN, 'export', place, '-c', file], { stdio: 'ignore' });
      await until('the run to begin', () => existsSync(join(place, 'unfinished')) || child.exitCode !== null);
      await new Promise((resolve) => setTimeout(resolve, round * 15));
      const gone = child.exitCode === null ? once(child, 'exit') : null;
      child.kill('SIGKILL');
      await gone;
    }
    await producer.finish();
    await until('all of it to be published', async () => {
      const { ledger } = (await (await fetch(`${waybill?.url}/v1/status`)).json()) as {
        ledger: { size: number; heads: { published: { size: number } } };
      };
      return ledger.heads.published.size === ledger.size;
    });
    const last = exported();
    assert.equal(last.size, (await allEntries(waybill.url)).length);
    assert.equal(existsSync(join(place, 'unfinished')), false);
    execFileSync(process.execPath, [MAIN, 'verify', 'export', place, '--key', key]);
  });

  test('brings a ledger back byte for byte, which goes on', async () => {
    assert.ok(waybill !== null);
    const before = await allEntries(waybill.url);
    await waybill.end('SIGKILL');
    const old = join(directory, 'data.old');
    renameSync(join(directory, 'data'), old);
    assert.throws(() => waybillSays('restore', '--from', place, '--head', `${before.length + 1}:${'A'.repeat(43)}=`), /RESTORE_INCOMPLETE/);
    const foreign = `${key.split('+')[0]}+${'0'.repeat(8)}+${key.split('+')[2]}`;
    assert.throws(() => waybillSays('restore', '--from', place, '--key', foreign), /EXPORT_DAMAGED|id 00000000/);
    const said = waybillSays('restore', '--from', place);
    assert.doesNotMatch(said, /compare it with one that you were given/);
    waybill = await startWaybill(file, port);
    const again = await allEntries(waybill.url);
    sameLines(again.slice(0, before.length), before, 'the restored ledger');
    assert.ok(segments(join(directory, 'data')).length > 0 && segments(old).length > 0);
    producer = startProducer(waybill.url, 1, 25);
    const { acknowledged } = producer;
    const goal = 500;
    await until('more load', () => acknowledged.length > goal);
    await producer.finish();
    const third = exported();
    assert.ok(third.size >= before.length);
    execFileSync(process.execPath, [MAIN, 'verify', 'export', place, '--key', key]);
  });

  test('refuses an older copy of the ledger, and says so where nothing runs', async () => {
    assert.ok(waybill !== null);
    await waybill.end('SIGTERM');
    assert.throws(() => waybillSays('export', place), /NOT_RUNNING/);
    rmSync(join(directory, 'data'), { recursive: true });
    execFileSync(process.execPath, [MAIN, 'init', '-c', file]);
    waybill = await startWaybill(file, port);
    assert.throws(() => waybillSays('export', place), /LEDGER_REWOUND/);
  });
});
